"""The line through a walk's pilots in picture space, known by distances alone.

What lies between two pilots is not rendered to be tried: it is taken to be the sum of the two
pictures and, at right angles to that, something of its own that vanishes at both, as much as a
Brownian bridge of a share of the gap (`Line.roughness`; Revuz and Yor, Continuous Martingales,
ch. I). The expected squared distance of any two such points follows from the pilots' own distances,
if these are Euclidean (Schoenberg 1935).
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
    roughness: Reals | float = 0.0
    """(M - 1,), or one for all gaps: from 0, straight, to 1, Brownian (half a gap is 0.7 of it
    long)."""

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
        total = -s * (1 - s) * self._straight[i] - t * (1 - t) * self._straight[j]
        # Two points of one gap share a part of what is the gap's own.
        total -= 2 * np.where(i == j, s * (1 - t) * self._own[i], 0.0)
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
                # Squared distances along a gap are quadratic in the share of it that is passed.
                straight, own = self._parts[j]
                if i == j:
                    return _ordered(j, share + _later_root(straight, own, -square))
                slope = after - before - straight
                return _ordered(j, _later_root(straight, slope, before - square))
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
            straight, own = self._parts[i]
            return (straight * share + own) * share
        near = rows[i + 1][apart - 2] if apart > 1 else 0.0
        return (1 - share) * (rows[i][apart - 1] - share * self._parts[i][0]) + share * near

    @cached_property
    def _rows(self) -> list[list[float]]:
        return self.squares.tolist()

    @cached_property
    def _straight(self) -> Reals:
        """(M,): of each gap's square the part that is straight, 0 behind the last pilot."""
        return np.append((1 - self.roughness) * self.squares[:-1, 0], 0.0)

    @cached_property
    def _own(self) -> Reals:
        """(M,): the part that is a bridge between the pilots."""
        return np.append(self.roughness * self.squares[:-1, 0], 0.0)

    @cached_property
    def _parts(self) -> list[tuple[float, float]]:
        return list(zip(self._straight.tolist(), self._own.tolist(), strict=True))

    @cached_property
    def _table(self) -> Reals:
        """(M, BAND + 3): squared distance of pilot i to pilot i - 1 + column; inf at the end."""
        back = np.concatenate([[np.inf], self.squares[:-1, 0]])[:, None]
        beyond = np.full_like(back, np.inf)
        return np.concatenate([back, np.zeros_like(back), self.squares, beyond], axis=1)


def _later_root(a: float, b: float, c: float) -> float:
    """Of a t^2 + b t + c, where a >= 0 and c <= 0; written so that a may vanish."""
    root = sqrt(max(b * b - 4 * a * c, 0.0))
    return 2 * c / (-b - root) if b > 0 else (root - b) / (2 * a)


def _ordered(pilot: int, share: float) -> Point:
    return (pilot + 1, 0.0) if share >= 1 else (pilot, max(share, 0.0))


def roughness_of(squares: Reals) -> float:
    """How far pilots stand from the straight line between their neighbours: `Line.roughness`.

    squares: (M, BAND), as `Line` has them, of the pilots of one stretch. Where the way is Brownian,
    a pilot at a share s of the way between its neighbours is expected s (1 - s) of their squared
    distance off it; the median over the pilots of what is found in relation to that, 1 at most.
    """
    before, after, both = squares[:-2, 0], squares[1:-1, 0], squares[:-2, 1]
    seen = both > 0
    before, after, both = before[seen], after[seen], both[seen]
    share = np.clip((both + before - after) / (2 * both), 0.0, 1.0)
    inner = (share > 0) & (share < 1)
    if not inner.any():
        return 0.0
    share, before, both = share[inner], before[inner], both[inner]
    off = before - share * share * both
    return float(np.clip(np.median(off / (share * (1 - share) * both)), 0.0, 1.0))


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
