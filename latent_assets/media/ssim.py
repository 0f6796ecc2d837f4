"""Structural similarity of two pictures, at one scale and at several.

Wang, Bovik, Sheikh, Simoncelli 2004; Wang, Simoncelli, Bovik 2003.
"""

from __future__ import annotations

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


def ms_ssim(a: Plane, b: Plane) -> float:
    """Multi-scale similarity of two planes (H, W) in 0..255; 1 means equal.

    Five scales for pictures of 176 px and more a side; smaller ones have as many as an 11 px
    window fits into, the weights scaled to a sum of 1. Raises ValueError below 11 px.
    """
    if a.shape != b.shape or min(a.shape) < _WINDOW:
        raise ValueError(f"need two planes of one size, 11 px or more: {a.shape}, {b.shape}")
    scales = min(len(_SCALE_WEIGHTS), int(np.log2(min(a.shape) / _WINDOW)) + 1)
    weights = np.array(_SCALE_WEIGHTS[:scales]) / sum(_SCALE_WEIGHTS[:scales])
    product = 1.0
    for scale, weight in enumerate(weights):
        similarity, structure = ssim(a, b)
        # Brightness counts at the coarsest scale alone. Negative means: unlike, as 0.
        product *= max(similarity if scale == scales - 1 else structure, 0.0) ** weight
        a, b = _halved(a), _halved(b)
    return float(product)


def ssim(a: Plane, b: Plane) -> tuple[float, float]:
    """Mean over all windows of (similarity, its contrast and structure terms alone)."""
    mean_a, mean_b = _blurred(a), _blurred(b)
    var_a = _blurred(a * a) - mean_a * mean_a
    var_b = _blurred(b * b) - mean_b * mean_b
    covariance = _blurred(a * b) - mean_a * mean_b
    structure = (2 * covariance + _C2) / (var_a + var_b + _C2)
    brightness = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
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
    for offset, weight in enumerate(_KERNEL):
        rows += weight * plane[offset : offset + rows.shape[0]]
    blurred = np.zeros((rows.shape[0], width - _WINDOW + 1), np.float32)
    for offset, weight in enumerate(_KERNEL):
        blurred += weight * rows[:, offset : offset + blurred.shape[1]]
    return blurred


def _halved(plane: Plane) -> Plane:
    """Means of 2 x 2; an odd last row or column is left out."""
    height, width = plane.shape[0] // 2, plane.shape[1] // 2
    return plane[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3))
