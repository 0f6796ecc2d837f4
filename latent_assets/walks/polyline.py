"""The line through a walk's pilots in picture space, known by distances alone.

What lies between two pilots is taken as straight: a point there is a sum of the two pictures. The
distance of any two such points follows from the pilots' own distances, if these are Euclidean
(Schoenberg 1935), so nothing need be rendered to try a place.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import inf, sqrt

import numpy as np
import numpy.typing as npt

BAND = 24
"""Of each pilot, the distances to so many after it are known."""

_ROWS = 64

Reals = npt.NDArray[np.float64]
Point = tuple[int, float]
"""A pilot, and a share of the way to the next, in [0, 1)."""


@dataclass(frozen=True)
class Points:
    """Points on the line, in order."""

    pilots: npt.NDArray[np.int64]
    shares: Reals

    def __len__(self) -> int:
        return len(self.pilots)

    def __getitem__(self, some: slice | npt.NDArray[np.int64]) -> Points:
        return Points(self.pilots[some], self.shares[some])


@dataclass(frozen=True)
class Line:
    """M pilots, in order."""

    squares: Reals
    """(M, BAND): squared distance of pilot i to pilot i + 1 + column; inf beyond the last."""
    solid: frozenset[int] = frozenset()
    """Pilots from which to the next no place is left between: no frame can stand there."""

    def __len__(self) -> int:
        return len(self.squares)

    @cached_property
    def gaps(self) -> Reals:
        """(M - 1,): the distance of each pilot to the next."""
        return np.sqrt(self.squares[:-1, 0])

    @cached_property
    def solid_before(self) -> npt.NDArray[np.int64]:
        """(M,): how many of `solid` come before each pilot."""
        found = np.zeros(len(self), np.int64)
        found[[i + 1 for i in self.solid]] = 1
        return np.cumsum(found)

    def between(self, a: Points, b: Points) -> Reals:
        """(A, B): distances of points to points that lie after them; inf where not known.

        Of points in more dimensions (..., A) and (..., B): (..., A, B).
        """
        i, j = a.pilots[..., :, None], b.pilots[..., None, :]
        s, t = a.shares[..., :, None], b.shares[..., None, :]
        total = -s * (1 - s) * self._edges[i] - t * (1 - t) * self._edges[j]
        for p, u in ((i, 1 - s), (i + 1, s)):
            for q, v in ((j, 1 - t), (j + 1, t)):
                column = q - p + 1
                column = np.minimum(np.maximum(column, 0), BAND + 2)
                known = self._table[np.minimum(p, len(self) - 1), column]
                weight = u * v
                total += weight * np.where(weight > 0, known, 0.0)
        return np.sqrt(np.maximum(total, 0.0))

    def advance(self, at: Point, radius: float, last: int) -> Point | None:
        """The next point that is `radius` away; None if pilot `last` comes first."""
        i, share = at
        square = radius * radius
        before = self._squared(at, i)
        for j in range(i, min(last, i + BAND)):
            after = self._squared(at, j + 1)
            if after >= square:
                if j in self.solid:  # stand before it, or if that is where we stand, behind it
                    return (j + 1, 0.0) if 4 * before < square else (j, 0.0)
                edge = self._rows[j][0]
                if i == j:
                    return _ordered(j, share + radius / sqrt(edge))
                # |point - (1 - t) pilot j - t pilot j+1| = radius: the later of the roots in t
                half, rest = (after - before - edge) / 2, before - square
                return _ordered(j, (sqrt(max(half * half - edge * rest, 0.0)) - half) / edge)
            before = after
        return None if i + BAND >= last else (i + BAND, 0.0)

    def to_pilot(self, at: Point, pilot: int) -> float:
        """Distance of a point to a pilot that is not before it."""
        return sqrt(max(self._squared(at, pilot), 0.0))

    def _squared(self, at: Point, pilot: int) -> float:
        i, share = at
        rows, apart = self._rows, pilot - i
        if apart > BAND:
            return inf
        if not share:
            return rows[i][apart - 1] if apart else 0.0
        if not apart:
            return share * share * rows[i][0]
        near = rows[i + 1][apart - 2] if apart > 1 else 0.0
        return (1 - share) * (rows[i][apart - 1] - share * rows[i][0]) + share * near

    @cached_property
    def _rows(self) -> list[list[float]]:
        return self.squares.tolist()

    @cached_property
    def _edges(self) -> Reals:
        return np.append(self.squares[:-1, 0], 0.0)

    @cached_property
    def _table(self) -> Reals:
        """(M, BAND + 3): squared distance of pilot i to pilot i - 1 + column; inf at the end."""
        back = np.concatenate([[np.inf], self.squares[:-1, 0]])[:, None]
        beyond = np.full_like(back, np.inf)
        return np.concatenate([back, np.zeros_like(back), self.squares, beyond], axis=1)


def _ordered(pilot: int, share: float) -> Point:
    return (pilot + 1, 0.0) if share >= 1 else (pilot, max(share, 0.0))


def squares_of(points: npt.NDArray[np.float32]) -> Reals:
    """(M, D) points in any Euclidean space -> (M, BAND) squared distances, as `Line` takes them."""
    count = len(points)
    squares = np.full((count, BAND), np.inf)
    for start in range(0, count - 1, _ROWS):  # what of 10,000 points is in the processor's memory
        stop = min(start + _ROWS, count - 1)
        for column in range(min(BAND, count - 1 - start)):
            end = min(stop, count - 1 - column)
            apart = points[start + 1 + column : end + 1 + column] - points[start:end]
            squares[start:end, column] = np.einsum("md,md->m", apart, apart)
    return squares
