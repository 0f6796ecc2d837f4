"""The geometry of paths through text encodings and noise: pure functions on arrays.

Sums are taken in float64 and rounded to float32 once, so that a path read backwards gives the
same bytes. Weights come in as exact fractions; 0 and 1 return the end points untouched.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
RealArray = npt.NDArray[np.floating]

_PARALLEL = 1.0 - 1e-6
"""Cosine beyond which two directions count as one, where slerp's formula divides by zero."""


def blend(arrays: Sequence[FloatArray], weights: Sequence[Fraction]) -> FloatArray:
    """Weighted sum. arrays: each (...,) float32, of one shape; weights: as many, sum 1."""
    if len(arrays) == 1 and weights[0] == 1:
        return arrays[0]
    total = np.zeros(arrays[0].shape, np.float64)
    for array, weight in zip(arrays, weights, strict=True):
        total += float(weight) * array.astype(np.float64)
    return total.astype(np.float32)


def lerp(a: FloatArray, b: FloatArray, t: Fraction) -> FloatArray:
    """Linear interpolation (1 - t) a + t b. a, b: (...,) float32; t in [0, 1]."""
    if t in (0, 1):
        return b if t else a
    return blend([a, b], [1 - t, t])


def slerp(a: FloatArray, b: FloatArray, t: Fraction, *, axes: int | None = -1) -> FloatArray:
    """Spherical interpolation of direction, linear of length (Shoemake 1985).

    a, b: (..., D) float32; t in [0, 1]. With axes=-1 every vector along the last axis turns by
    itself (the tokens of a text encoding); with axes=None the array is one vector (noise).
    Vectors that are parallel, or zero as the padding of a short prompt, are interpolated linearly.
    """
    if t in (0, 1):
        return b if t else a
    x, y = a.astype(np.float64), b.astype(np.float64)
    r, s = float(1 - t), float(t)  # each rounded once, so that backwards gives the same bytes
    length_x = np.sqrt(np.sum(x * x, axis=axes, keepdims=True))
    length_y = np.sqrt(np.sum(y * y, axis=axes, keepdims=True))
    lengths = length_x * length_y
    safe = np.where(lengths > 0, lengths, 1.0)
    cosine = np.clip(np.sum(x * y, axis=axes, keepdims=True) / safe, -1.0, 1.0)
    # Opposite directions have no shortest arc between them: they too go straight.
    curved = (lengths > 0) & (np.abs(cosine) < _PARALLEL)
    angle = np.where(curved, np.arccos(cosine), 1.0)
    unit_x = x / np.where(length_x > 0, length_x, 1.0)
    unit_y = y / np.where(length_y > 0, length_y, 1.0)
    direction = (np.sin(r * angle) * unit_x + np.sin(s * angle) * unit_y) / np.sin(angle)
    on_arc = direction * (r * length_x + s * length_y)
    return np.where(curved, on_arc, r * x + s * y).astype(np.float32)


def bilinear_weights(u: Fraction, v: Fraction) -> tuple[Fraction, ...]:
    """Weights of the corners (top left, top right, bottom left, bottom right).

    u in [0, 1] from left to right, v in [0, 1] from top to bottom.
    """
    return (1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v


def circle(turn: Fraction) -> tuple[float, float]:
    """(cos, sin) of `turn` full turns, exact at the quarters."""
    quarters = {Fraction(0): (1.0, 0.0), Fraction(1, 4): (0.0, 1.0)}
    quarters |= {Fraction(1, 2): (-1.0, 0.0), Fraction(3, 4): (0.0, -1.0)}
    turn %= 1
    if turn in quarters:
        return quarters[turn]
    angle = 2 * math.pi * float(turn)
    return math.cos(angle), math.sin(angle)


def rotate(x: RealArray, y: RealArray, turn: Fraction, radius: float = 1.0) -> FloatArray:
    """Go round the circle radius (x cos a + y sin a), a = 2 pi turn.

    x, y: (...,). For independent standard normal x and y every point of the circle is
    standard normal again, as a diffusion model expects of its noise.
    """
    cosine, sine = circle(turn)
    turned = radius * (cosine * x.astype(np.float64) + sine * y.astype(np.float64))
    return turned.astype(np.float32)


def step_sizes(path: Iterable[FloatArray]) -> list[float]:
    """How far each place of a path is from the one before: the root mean square of the change.

    Two places are held at a time: a long path need not fit in memory.
    """
    return [float(np.sqrt(np.mean(np.square(b - a)))) for a, b in pairwise(path)]
