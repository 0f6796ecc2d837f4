"""Steps of equal length along a line through pilots: where they lead, and which pilots serve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from latent_assets.walks.polyline import Line, Point, Points, Reals

Indices = npt.NDArray[np.int64]

_HALVINGS = 16
REACH = 3
"""How far from where it is expected a step may end, in steps."""


def walk(line: Line, first: int, last: int, weights: Sequence[float]) -> tuple[float, list[Point]]:
    """Steps whose lengths are in the relation of `weights`, from one pilot exactly to another.

    Returns the length of a step of weight 1 (a chord, not the way along the line), and the
    len(weights) + 1 points, both ends among them.
    """
    longest = float(line.gaps[first:last].sum()) / sum(weights) * 1.05
    low, high = 0.0, longest
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        points = _stepped(line, first, last, [middle * weight for weight in weights])
        low, high = (low, middle) if points is None else (middle, high)
    points = _stepped(line, first, last, [low * weight for weight in weights])
    assert points is not None  # steps of no length never reach the end
    return low, [*points, (last, 0.0)]


def _stepped(line: Line, first: int, last: int, radii: list[float]) -> list[Point] | None:
    """The points before the last step; None if the steps reach beyond pilot `last`."""
    points = [(first, 0.0)]
    for radius in radii[:-1]:
        after = line.advance(points[-1], radius, last)
        if after is None or after[0] >= last:
            return None
        points.append(after)
    return None if line.advance(points[-1], radii[-1], last) is None else points


def choose(
    line: Line, candidates: Points, prices: Reals, expected: Sequence[Point], radii: Reals
) -> list[int]:
    """Candidates, one for each expected point, whose steps are nearest to the wanted lengths.

    candidates: C points in order, the ends of the walk first and last. prices: (C,), what taking
    each adds to the cost. radii: lengths of the len(expected) - 1 steps. The cost of a step is
    its squared relative error (1 at most, so that a jump does not outweigh all else). Dynamic
    programming, each point within REACH steps of where it is expected; farther where there are
    too few. Raises ValueError if there are fewer candidates than points.
    """
    if len(candidates) < len(expected):
        raise ValueError(f"{len(candidates)} candidates for {len(expected)} places")
    reach = REACH
    while True:
        found = _cheapest(line, candidates, prices, _windows(candidates, expected, reach), radii)
        if found is not None:
            return found
        reach *= 4


def _windows(candidates: Points, expected: Sequence[Point], reach: int) -> list[tuple[int, int]]:
    """For each point the range of the candidates that may take its place."""
    stands = candidates.pilots + candidates.shares
    about = np.array([pilot + share for pilot, share in expected])
    count, last = len(candidates), len(expected) - 1
    numbers = np.arange(last + 1)
    low = np.searchsorted(stands, about[np.maximum(numbers - reach, 0)], side="left")
    high = np.searchsorted(stands, about[np.minimum(numbers + reach, last)], side="right")
    if reach > last:
        low, high = np.zeros_like(low), np.full_like(high, count)
    # Each step leads on: the n-th point has n candidates before it, and enough after it.
    low, high = np.maximum(low, numbers), np.minimum(high, count - last + numbers)
    low[0], high[0], low[-1], high[-1] = 0, 1, count - 1, count
    return list(zip(low.tolist(), high.tolist(), strict=True))


def _cheapest(
    line: Line, candidates: Points, prices: Reals, windows: list[tuple[int, int]], radii: Reals
) -> list[int] | None:
    cost = np.zeros(1)
    came_from: list[Indices] = []
    for (a, b), (c, d), radius in zip(windows, windows[1:], radii, strict=False):
        if c >= d:
            return None
        lengths = line.between(candidates[a:b], candidates[c:d])
        errors = np.minimum((lengths / radius - 1) ** 2, 1.0)
        # A pilot too far off for its distance to be known is as bad as a step can be, and worse.
        errors[np.isinf(lengths)] = 4.0
        onwards = np.arange(c, d)[None, :] > np.arange(a, b)[:, None]
        total = cost[:, None] + np.where(onwards, errors, np.inf)
        best = np.argmin(total, axis=0)
        cost = total[best, np.arange(d - c)] + prices[c:d]
        came_from.append(best)
    if not np.isfinite(cost[0]):
        return None
    places = [windows[-1][0]]
    for best, (c, _), (a, _) in zip(
        reversed(came_from), reversed(windows[1:]), reversed(windows[:-1]), strict=True
    ):
        places.append(a + int(best[places[-1] - c]))
    return places[::-1]
