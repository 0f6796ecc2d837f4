"""Steps of equal length along a line through pilots: where they lead, and which pilots serve."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
import numpy.typing as npt

from latent_assets.walks.polyline import Line, Point, Points, Reals

Indices = npt.NDArray[np.int64]
Windows = list[tuple[int, int]]
"""For each point the range of the candidates that may take its place."""

_HALVINGS = 20
_STEPS = 128
"""Whose errors are computed at once: of some tens of candidates each, some megabytes."""
_UNKNOWN = 1e4
"""Error of a step to a pilot too far off for its distance to be known."""
REACH = 3
"""How far from where it is expected a step may end, in steps."""


def walk(line: Line, first: int, last: int, weights: Sequence[float]) -> tuple[float, list[Point]]:
    """Steps whose lengths are in the relation of `weights`, from one pilot exactly to another.

    Returns the length of a step of weight 1 (a chord, not the way along the line), and the
    len(weights) + 1 points, both ends among them.
    """
    longest = float(line.gaps[first:last].sum()) / sum(weights) * 1.05
    longest *= sqrt(sum(weights))  # parts of a gap are so much longer in sum if it is Brownian
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


class Choice:
    """Which of the candidates take the places of expected points."""

    def __init__(
        self, line: Line, candidates: Points, expected: Sequence[Point], radii: Reals
    ) -> None:
        """Raises ValueError if there are fewer candidates than points.

        candidates: C points in order, the ends of the walk first and last. radii: the wanted
        lengths of the len(expected) - 1 steps.
        """
        if len(candidates) < len(expected):
            raise ValueError(f"{len(candidates)} candidates for {len(expected)} places")
        self._line, self._candidates, self._radii = line, candidates, radii
        self._expected, self._reach = expected, REACH
        self._grid = self._laid_out()

    def cheapest(self, prices: Reals) -> list[int]:
        """Candidates, one for each expected point, whose steps are nearest to the wanted lengths.

        prices: (C,), what taking each adds to the cost. The cost of a step is its squared relative
        error; 1 at most where the picture jumps, since nothing helps there. Dynamic programming,
        each point within REACH steps of where it is expected; farther where there are too few.
        """
        while True:
            found = None if self._grid is None else _cheapest(prices, *self._grid)
            if found is not None:
                return found
            self._reach *= 4
            self._grid = self._laid_out()

    def _laid_out(self) -> tuple[Windows, Reals] | None:
        """The windows, and the errors of the steps from one to the next; None if one is empty."""
        windows = _windows(self._candidates, self._expected, self._reach)
        if any(low >= high for low, high in windows):
            return None
        return windows, _errors(self._line, self._candidates, windows, self._radii)


def _windows(candidates: Points, expected: Sequence[Point], reach: int) -> Windows:
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


def _errors(line: Line, candidates: Points, windows: Windows, radii: Reals) -> Reals:
    """(steps, W, W): squared relative errors from each candidate of a window to each of the next.

    inf for what is no step onwards, and beyond the windows.
    """
    low, high = np.array(windows).T
    width = int((high - low).max())
    numbers = low[:, None] + np.arange(width)
    inside = numbers < high[:, None]
    points = candidates[np.minimum(numbers, len(candidates) - 1)]
    solid = line.solid_before
    errors = np.empty((len(radii), width, width))
    for start in range(0, len(radii), _STEPS):
        now = slice(start, start + _STEPS)
        after = slice(start + 1, min(start + _STEPS, len(radii)) + 1)
        before = points[now][: after.stop - after.start]
        lengths = line.between(before, points[after])
        found = (lengths / radii[now, None, None] - 1) ** 2
        jumps = solid[points[after].pilots][:, None, :] > solid[before.pilots][:, :, None]
        found[jumps] = np.minimum(found[jumps], 1.0)
        found[np.isinf(lengths)] = _UNKNOWN
        onwards = numbers[after, None, :] > numbers[now, :, None][: after.stop - after.start]
        there = inside[after, None, :] & inside[now, :, None][: after.stop - after.start]
        errors[now] = np.where(onwards & there, found, np.inf)
    return errors


def _cheapest(prices: Reals, windows: Windows, errors: Reals) -> list[int] | None:
    width = errors.shape[-1]
    padded = np.append(prices, np.zeros(width))
    columns = np.arange(width)
    cost = np.full(width, np.inf)
    cost[0] = 0.0
    came_from: list[Indices] = []
    for (low, _), error in zip(windows[1:], errors, strict=True):
        total = cost[:, None] + error
        best = np.argmin(total, axis=0)
        cost = total[best, columns] + padded[low : low + width]
        came_from.append(best)
    if not np.isfinite(cost[0]):
        return None
    places = [windows[-1][0]]
    for best, (c, _), (a, _) in zip(
        reversed(came_from), reversed(windows[1:]), reversed(windows[:-1]), strict=True
    ):
        places.append(a + int(best[places[-1] - c]))
    return places[::-1]
