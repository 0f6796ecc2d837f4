"""In which order frames are rendered: coarse to fine, so that the whole walk is soon seen.

Keys do not depend on it, nor do pictures, beyond what another batch changes in any picture.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection
from heapq import heappop, heappush

from latent_assets.walks.route import is_closed
from latent_assets.walks.schema import Grid, Walk


def rendering_order(walk: Walk) -> list[int]:
    """The numbers of the walk's frames, each once, in the order in which they are rendered."""
    if isinstance(walk, Grid):
        return cells_coarse_to_fine(walk.grid_size)
    return coarse_to_fine(walk.frames, loop=is_closed(walk))


def coarse_to_fine(count: int, *, loop: bool = False) -> list[int]:
    """0 to count - 1, each once: both ends, then the middle of the widest gap, again and again.

    Of gaps of one width the first. A loop's end is its beginning. After m of them (m > 1) no gap
    is wider than 2 (count - 1) / (m - 1) + 1: halving rounds by less than one in all.
    """
    ends = [0] if loop or count == 1 else [0, count - 1]
    gaps = [(-(count if loop else count - 1), 0)]
    order = ends[:count]
    while gaps:
        width, start = heappop(gaps)
        half = -width // 2
        if half:
            order.append(start + half)
            heappush(gaps, (-half, start))
            heappush(gaps, (width + half, start + half))
    return order


def cells_coarse_to_fine(side: int) -> list[int]:
    """The cells of a grid, row by row 0 to side² - 1, each once: corners, middles, quarters.

    The first m² are all those of m rows and m columns, which are spread as `coarse_to_fine` has it.
    """
    line = coarse_to_fine(side)
    order = []
    for number, new in enumerate(line):
        order += [old * side + new for old in line[:number]]
        order += [new * side + old for old in line[: number + 1]]
    return order


def stand_ins(known: Collection[int], count: int, *, loop: bool = False) -> list[int]:
    """For each of the frames 0 to count - 1 the nearest that is known; of two the earlier.

    known: at least one of them. Round a loop, the last is beside the first.
    """
    there = sorted(known)
    if loop:
        there = [there[-1] - count, *there, there[0] + count]
    found = []
    for frame in range(count):
        after = bisect_left(there, frame)
        near = there[max(after - 1, 0) : after + 1]
        found.append(min(near, key=lambda each: abs(each - frame)) % count)
    return found
