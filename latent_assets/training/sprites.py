"""Drawings cut to their boxes, in other colours, and half-way to one another.

One silhouette turns into another by the mean of their signed distances to the edge; the colours,
continued beyond the edges, are averaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from latent_assets.training.captions import COLOURS
from latent_assets.training.cutouts import SIZE

EDGE = 1.2
"""Half the width of a morphed silhouette's edge, in pixels of the drawing."""
MARGIN = 8
"""Room around the drawings that are morphed, in pixels."""
COARSEST = 5
"""Side of the coarsest level of the pyramid that continues colours, in pixels."""
SEEN, FAINT, HALF = 8, 0.03, 0.5
"""Least alpha of what belongs to a box (of 255, and as a share), and that of the edge."""
GREYISH = 0.18
"""Mean colourfulness under which a drawing has no main hue: all of it takes another colour."""
MIDDLE = 0.6
"""The light of a drawing that becomes the very colour that is asked for."""


@dataclass(frozen=True)
class Sprite:
    """A drawing cut to its box: pixels (H, W, 4) float32, colours in 0..255 times alpha in 0..1."""

    pixels: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.pixels.shape[:2]
        return height, width


def sprite(pixels: np.ndarray) -> Sprite:
    """Cut a drawing (H, W, 4) uint8 to its box and multiply its colours by alpha."""
    rows, columns = (np.flatnonzero((pixels[..., 3] > SEEN).any(axis=axis)) for axis in (1, 0))
    cut = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    cut[..., 3] /= 255
    cut[..., :3] *= cut[..., 3:]
    return Sprite(cut)


def tinted(pixels: np.ndarray, colour: str) -> np.ndarray:
    """Recolour a drawing (H, W, 4) uint8, keeping its light and shade.

    Its main hue is changed; what has another hue (a window, a leaf) or none keeps its own.
    """
    rgb = pixels[..., :3].astype(np.float32)
    inside = pixels[..., 3] > 255 * HALF
    light = rgb @ np.array([0.3, 0.59, 0.11], np.float32) / 255
    low, high = np.percentile(light[inside], [3, 97])
    level = np.clip((light - low) / max(high - low, 0.15), 0, 1)[..., None]
    target = np.array(COLOURS[colour], np.float32)
    paleness = float(target.mean()) / 255
    dark = target * (0.42 + 0.36 * paleness)
    bright = target + (255 - target) * (0.2 + 0.35 * paleness)
    painted = np.where(
        level < MIDDLE,
        dark + (target - dark) * (level / MIDDLE),
        target + (bright - target) * ((level - MIDDLE) / (1 - MIDDLE)),
    )
    share = _main_hue(rgb, inside)[..., None]
    mixed = (rgb + share * (painted - rgb)).clip(0, 255).round().astype(np.uint8)
    return np.concatenate([mixed, pixels[..., 3:]], axis=-1)


def _main_hue(rgb: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(H, W) in 0..1: how much a pixel is of the drawing's main hue; all of a grey drawing is."""
    hsv = cv2.cvtColor(rgb / 255, cv2.COLOR_RGB2HSV)
    hue, weight = np.deg2rad(hsv[..., 0]), hsv[..., 1] * hsv[..., 2]
    if weight[inside].mean() < GREYISH:
        return np.ones_like(hue)
    counts, edges = np.histogram(hue[inside], 36, (0, 2 * np.pi), weights=weight[inside])
    smoothed = counts + np.roll(counts, 1) + np.roll(counts, -1)
    main = edges[int(smoothed.argmax())] + np.pi / 36
    away = np.abs((hue - main + np.pi) % (2 * np.pi) - np.pi)
    return np.clip((1.15 - away) / 0.3, 0, 1) * np.clip((hsv[..., 1] - 0.06) / 0.12, 0, 1)


class Shapes:
    """Sprites of concepts, tinted on demand, and what is needed to morph them."""

    def __init__(self, pixels: dict[int, np.ndarray]) -> None:
        self._pixels = pixels
        self.sprite = lru_cache(maxsize=1024)(self._sprite)

    def _sprite(self, concept: int, tint: str) -> Sprite:
        pixels = self._pixels[concept]
        return sprite(tinted(pixels, tint) if tint else pixels)

    def between(
        self, first: tuple[int, str], second: tuple[int, str], weight: float, mirrored: bool
    ) -> Sprite:
        """The sprite that has `weight` of the second; both are (concept, tint)."""
        if first == second or weight == 0:
            return _turned(self.sprite(*first), mirrored)
        whole = [_centred(_turned(self.sprite(*shape), mirrored)) for shape in (first, second)]
        if first[0] == second[0]:
            return _cut(whole[0] + np.float32(weight) * (whole[1] - whole[0]))
        return _cut(_morphed(*whole, weight))


def _turned(sprite: Sprite, mirrored: bool) -> Sprite:
    return Sprite(np.ascontiguousarray(sprite.pixels[:, ::-1])) if mirrored else sprite


def _centred(sprite: Sprite) -> np.ndarray:
    """A sprite in a square of (272, 272, 4), in the middle of it and standing on its foot."""
    side = SIZE + 2 * MARGIN
    height, width = sprite.size
    whole = np.zeros((side, side, 4), np.float32)
    left = (side - width) // 2
    whole[side - MARGIN - height : side - MARGIN, left : left + width] = sprite.pixels
    return whole


def _cut(whole: np.ndarray) -> Sprite:
    solid = whole[..., 3] > FAINT
    rows, columns = (np.flatnonzero(solid.any(axis=axis)) for axis in (1, 0))
    return Sprite(whole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def _distance(alpha: np.ndarray) -> np.ndarray:
    """Signed distance to the edge in pixels, positive inside."""
    inside = (alpha > HALF).astype(np.uint8)
    into = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    away = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)
    return into - away


def _spread(whole: np.ndarray) -> np.ndarray:
    """Colours (H, W, 3) without alpha, continued beyond the silhouette: a pyramid, filled down."""
    levels = [whole]
    while levels[-1].shape[0] > COARSEST:
        height, width = levels[-1].shape[:2]
        half = (width + 1) // 2, (height + 1) // 2
        levels.append(cv2.resize(levels[-1], half, interpolation=cv2.INTER_AREA))
    last = levels.pop()
    filled = last[..., :3] / np.maximum(last[..., 3:], 1e-3)
    for level in reversed(levels):
        filled = cv2.resize(filled, level.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        filled = level[..., :3] + (1 - level[..., 3:]) * filled
    return filled


def _morphed(first: np.ndarray, second: np.ndarray, weight: float) -> np.ndarray:
    """An in-between of two squares (272, 272, 4), colours times alpha."""
    edge = (1 - weight) * _distance(first[..., 3]) + weight * _distance(second[..., 3])
    alpha = np.clip(edge / (2 * EDGE) + 0.5, 0, 1)[..., None]
    colours = (1 - weight) * _spread(first) + weight * _spread(second)
    return np.concatenate([colours * alpha, alpha], axis=-1)
