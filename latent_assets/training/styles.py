"""Styles: what turns a whole picture into a painting or a pencil sketch of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np

from latent_assets.training.cutouts import SIZE

PAPER = np.array([252, 249, 241], np.float32)
GREY = np.array([0.3, 0.59, 0.11], np.float32)
WET = 3.2
"""How far the edges of a painting wander, in pixels."""


@lru_cache(maxsize=4)
def _noise(cells: int, seed: int) -> np.ndarray:
    """(256, 256) float32 about -1..1, smooth over SIZE / cells pixels; the same every time."""
    grid = np.random.default_rng(seed).uniform(-1, 1, (cells, cells)).astype(np.float32)
    return cv2.resize(grid, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


def _painting(pixels: np.ndarray) -> np.ndarray:
    """Watercolour: flat patches with wandering, darker edges on paper that stays white around."""
    flat = cv2.medianBlur(pixels, 9)
    down, across = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    across, down = across + WET * _noise(22, 1), down + WET * _noise(22, 2)
    flat = cv2.remap(flat, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    colours = flat.astype(np.float32)
    pale = 255 - (255 - colours) * (0.86 + 0.12 * _noise(9, 3))[..., None]
    edges = np.abs(colours - cv2.GaussianBlur(colours, (0, 0), 2.0)).max(axis=-1, keepdims=True)
    pale -= 0.7 * edges
    border = np.minimum(np.minimum(across, SIZE - 1 - across), np.minimum(down, SIZE - 1 - down))
    inside = np.clip((border + 5 * _noise(14, 4) - 9) / 3, 0, 1)[..., None]
    return PAPER + inside * (pale - PAPER)


def _sketch(pixels: np.ndarray) -> np.ndarray:
    """Pencil: dark lines where the light changes, a little hatching in the dark, on paper."""
    grey = pixels.astype(np.float32) @ GREY
    soft = cv2.GaussianBlur(grey, (0, 0), 1.0)
    lines = np.clip(soft / np.maximum(cv2.GaussianBlur(grey, (0, 0), 5.0), 12), 0, 1)
    tone = 1 - 0.42 * np.clip(1 - soft / 255, 0, 1) ** 1.4
    down, across = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    hatch = 0.5 + 0.5 * np.sin((across + down) * (2 * np.pi / 7))
    tone *= 1 - 0.16 * hatch * np.clip((170 - soft) / 120, 0, 1)
    return (lines**1.7 * tone)[..., None] * PAPER


FILTERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "shaded": lambda pixels: pixels.astype(np.float32),
    "painting": _painting,
    "sketch": _sketch,
}
"""Style -> (256, 256, 3) uint8 to float32 in 0..255."""


def styled(pixels: np.ndarray, style: str, other: str, weight: float) -> np.ndarray:
    """A picture (256, 256, 3) uint8 in a style, or between two styles."""
    if style == "shaded" and (other == "shaded" or weight == 0):
        return pixels
    drawn = FILTERS[style](pixels)
    if other != style and weight > 0:
        drawn = drawn + np.float32(weight) * (FILTERS[other](pixels) - drawn)
    return drawn.clip(0, 255).round().astype(np.uint8)
