"""Structural similarity of two pictures, at one scale and at several.

Wang, Bovik, Sheikh, Simoncelli 2004; Wang, Simoncelli, Bovik 2003.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latent_assets.media.frames import ImageArray

Plane = npt.NDArray[np.float32]

_WINDOW = 11
_SIGMA = 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def luma(picture: ImageArray) -> Plane:
    """picture: (H, W, 3) uint8. Returns its brightness, (H, W) float32 in 0..255 (BT.601)."""
    return picture.astype(np.float32) @ _LUMA


@dataclass(frozen=True)
class Level:
    """A plane at one scale, and what each window of it holds."""

    plane: Plane
    mean: Plane
    variance: Plane


def levels(plane: Plane) -> list[Level]:
    """A plane (H, W) in 0..255 at as many scales as an 11 px window fits into, five at most.

    What comparing it with several others would calculate anew. Raises ValueError below 11 px.
    """
    if min(plane.shape) < _WINDOW:
        raise ValueError(f"need a plane of 11 px or more a side: {plane.shape}")
    scales = min(len(_SCALE_WEIGHTS), int(np.log2(min(plane.shape) / _WINDOW)) + 1)
    made = [_level(plane)]
    while len(made) < scales:
        made.append(_level(_halved(made[-1].plane)))
    return made


def _level(plane: Plane) -> Level:
    mean = _blurred(plane)
    variance = np.subtract(_blurred(plane * plane), mean * mean, dtype=np.float32)
    return Level(plane, mean, variance)


def ms_ssim(a: Plane, b: Plane) -> float:
    """Multi-scale similarity of two planes (H, W) in 0..255; 1 means equal.

    Five scales for pictures of 176 px and more a side; smaller ones have as many as an 11 px
    window fits into, the weights scaled to a sum of 1. Raises ValueError below 11 px.
    """
    return levels_ms_ssim(levels(a), levels(b))


def levels_ms_ssim(a: Sequence[Level], b: Sequence[Level]) -> float:
    """As `ms_ssim`. Raises ValueError for planes of two sizes."""
    if a[0].plane.shape != b[0].plane.shape:
        raise ValueError(f"need two planes of one size: {a[0].plane.shape}, {b[0].plane.shape}")
    scales = len(a)
    weights = np.array(_SCALE_WEIGHTS[:scales]) / sum(_SCALE_WEIGHTS[:scales])
    product = 1.0
    for scale, (weight, one, other) in enumerate(zip(weights, a, b, strict=True)):
        similarity, structure = _compared(one, other)
        # Brightness counts at the coarsest scale alone. Negative means: unlike, as 0.
        product *= max(similarity if scale == scales - 1 else structure, 0.0) ** weight
    return float(product)


def ssim(a: Plane, b: Plane) -> tuple[float, float]:
    """Mean over all windows of (similarity, its contrast and structure terms alone)."""
    return _compared(_level(a), _level(b))


def _compared(a: Level, b: Level) -> tuple[float, float]:
    covariance = _blurred(a.plane * b.plane) - a.mean * b.mean
    structure = (2 * covariance + _C2) / (a.variance + b.variance + _C2)
    brightness = (2 * a.mean * b.mean + _C1) / (a.mean**2 + b.mean**2 + _C1)
    return float((brightness * structure).mean()), float(structure.mean())


def _kernel() -> Plane:
    x = np.arange(_WINDOW) - _WINDOW // 2
    weights = np.exp(-(x**2) / (2 * _SIGMA**2))
    return (weights / weights.sum()).astype(np.float32)


_KERNEL = _kernel()


def _blurred(plane: Plane) -> Plane:
    """Gaussian mean over each whole window: (H, W) -> (H-10, W-10)."""
    height, width = plane.shape
    rows = np.zeros((height - _WINDOW + 1, width), np.float32)
    weighted = np.empty_like(rows)
    for offset, weight in enumerate(_KERNEL):
        rows += np.multiply(weight, plane[offset : offset + rows.shape[0]], out=weighted)
    blurred = np.zeros((rows.shape[0], width - _WINDOW + 1), np.float32)
    weighted = np.empty_like(blurred)
    for offset, weight in enumerate(_KERNEL):
        blurred += np.multiply(weight, rows[:, offset : offset + blurred.shape[1]], out=weighted)
    return blurred


def _halved(plane: Plane) -> Plane:
    """Means of 2 x 2; an odd last row or column is left out."""
    height, width = plane.shape[0] // 2, plane.shape[1] // 2
    return plane[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3))
