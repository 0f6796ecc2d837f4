"""Painting with soft light: gradients, ridges, glows, shaded balls and polygons on a picture.

Places and lengths are shares of the picture's side, from its upper left corner; colours are RGB
in 0..255. Light comes from the upper left, as in the artwork.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from latent_assets.training.cutouts import SIZE

Colour = Sequence[float]
AXIS = ((np.arange(SIZE, dtype=np.float32) + 0.5) / SIZE).astype(np.float32)
"""The places of the pixels' middles along either axis, (256,)."""
REACH = 2.6
"""Radii from the middle of a glow at which it has fallen to a thousandth."""
SHIFT = 4
"""Fractional bits of OpenCV's coordinates: a sixteenth of a pixel."""


def smooth(values: np.ndarray) -> np.ndarray:
    """Smoothstep of values clipped to 0..1."""
    clipped = np.clip(values, 0, 1)
    return clipped * clipped * (3 - 2 * clipped)


def mix(first: Colour, second: Colour, share: float) -> np.ndarray:
    """The colour that lies `share` of the way from one to the other."""
    start = np.asarray(first, np.float32)
    return start + share * (np.asarray(second, np.float32) - start)


def waves(amplitudes: np.ndarray, phases: np.ndarray, slowest: float = 0.7) -> np.ndarray:
    """(256,) a smooth line about 0: sines of rising frequency across the picture."""
    frequencies = slowest * 1.9 ** np.arange(len(amplitudes), dtype=np.float32)
    angles = 2 * np.pi * (frequencies[:, None] * AXIS + phases[:, None])
    return (amplitudes[:, None] * np.sin(angles)).sum(axis=0).astype(np.float32)


class Canvas:
    """A picture that is being painted: pixels (256, 256, 3) float32."""

    def __init__(self, top: Colour, bottom: Colour, until: float = 1.0) -> None:
        """Start with a fall of colour from the upper edge down to the height `until`."""
        share = smooth(AXIS / until)[:, None]
        rows = np.asarray(top, np.float32) * (1 - share) + np.asarray(bottom, np.float32) * share
        self.pixels = np.repeat(rows[:, None], SIZE, axis=1)

    def cover(self, mask: np.ndarray, colour: np.ndarray | Colour) -> None:
        """Lay a colour, or (256, 256, 3) colours, over the picture; mask: (256, 256) in 0..1."""
        self.pixels += mask[..., None] * (np.asarray(colour, np.float32) - self.pixels)

    def glow(
        self, x: float, y: float, radius: float, colour: Colour, strength: float, flat: float = 1.0
    ) -> None:
        """A soft round light, or shade; `flat` > 1 makes it wider than high."""
        rows, columns = _span(y, REACH * radius), _span(x, REACH * radius * flat)
        across = np.exp(-(((AXIS[columns] - x) / (radius * flat)) ** 2))
        down = strength * np.exp(-(((AXIS[rows] - y) / radius) ** 2))
        window = self.pixels[rows, columns]
        window += (down[:, None] * across)[..., None] * (np.asarray(colour, np.float32) - window)

    def ridge(
        self, line: np.ndarray, crest: Colour, foot: Colour, depth: float, soft: float = 0.006
    ) -> None:
        """Ground below a line (256,) of heights, `crest` coloured at it and `foot` further down."""
        rows = slice(max(0, int(line.min() * SIZE) - 2), SIZE)
        below = AXIS[rows, None] - line
        shade = smooth(below / depth)[..., None]
        colours = np.asarray(crest, np.float32) * (1 - shade)
        colours += np.asarray(foot, np.float32) * shade
        window = self.pixels[rows]
        window += np.clip(below / soft + 0.5, 0, 1)[..., None] * (colours - window)

    def ball(
        self, x: float, y: float, across: float, down: float, light: Colour, dark: Colour
    ) -> None:
        """A shaded ellipse with these half-axes; painted within its box only."""
        rows, columns = _span(y, down), _span(x, across)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return
        u = ((AXIS[columns] - x) / across)[None, :]
        v = ((AXIS[rows] - y) / down)[:, None]
        distance = np.sqrt(u * u + v * v)
        edge = np.clip((1 - distance) * min(across, down) * SIZE + 0.5, 0, 1)[..., None]
        shade = smooth(0.5 * np.hypot(u + 0.35, v + 0.45) - 0.02)[..., None]
        colours = np.asarray(light, np.float32) * (1 - shade) + np.asarray(dark, np.float32) * shade
        window = self.pixels[rows, columns]
        window += edge * (colours - window)

    def polygon(self, corners: Sequence[tuple[float, float]], light: Colour, dark: Colour) -> None:
        """A polygon shaded from its upper left to its lower right."""
        points = np.array(corners, np.float32)
        low, high = points.min(axis=0), points.max(axis=0)
        mask = np.zeros((SIZE, SIZE), np.uint8)
        fixed = np.round((points * SIZE - 0.5) * 2**SHIFT).astype(np.int32)
        cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, SHIFT)
        middle, half = (low + high) / 2, (high - low) / 2 + 1e-4
        rows, columns = _span(middle[1], half[1]), _span(middle[0], half[0])
        u = ((AXIS[columns] - low[0]) / (2 * half[0]))[None, :]
        v = ((AXIS[rows] - low[1]) / (2 * half[1]))[:, None]
        shade = smooth(0.3 * u + 0.7 * v)[..., None]
        colours = np.asarray(light, np.float32) * (1 - shade) + np.asarray(dark, np.float32) * shade
        window = self.pixels[rows, columns]
        window += (mask[rows, columns] / np.float32(255))[..., None] * (colours - window)

    def soften(self, radius: float) -> None:
        """Blur all that is painted so far, as something far away."""
        self.pixels = cv2.GaussianBlur(self.pixels, (0, 0), radius * SIZE)


def _span(middle: float, half: float) -> slice:
    """The pixels that a length about a place touches, within the picture."""
    first = int(np.floor((middle - half) * SIZE)) - 1
    last = int(np.ceil((middle + half) * SIZE)) + 1
    return slice(min(SIZE, max(0, first)), max(0, min(SIZE, last)))
