"""What scenes are made of: the stage, ridges of hills, clouds, suns, stars, trees and flowers."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from latent_assets.training.canvas import Canvas, Colour, mix, waves

Light = tuple[float, float, float]
DAYLIGHT: Light = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Stage:
    """A painted background and how a thing is in it.

    pixels: (256, 256, 3) float32 in 0..255. ground: the height at which a thing stands, as a share
    of the side. shadow: how dark its shadow is, 0 if it floats. light: what its colours are
    multiplied with.
    """

    pixels: np.ndarray
    ground: float
    shadow: float
    light: Light = DAYLIGHT


def ridge_line(rng: random.Random, height: float, swing: float, count: int = 3) -> np.ndarray:
    """A ridge about a height: slow waves with the swing, faster ones with less of it."""
    amplitudes = np.array([swing * 0.45**k * rng.uniform(0.6, 1.2) for k in range(count)])
    return height + waves(amplitudes, np.array([rng.random() for _ in range(count)]))


def cloud(canvas: Canvas, x: float, y: float, size: float, light: Colour, dark: Colour) -> None:
    """Five shaded balls on a common base."""
    for shift, lift, scale in ((-1.15, 0.02, 0.5), (1.2, 0.04, 0.46), (-0.5, 0.3, 0.7)):
        half = size * scale
        canvas.ball(x + size * shift, y - size * lift, half, half * 0.8, light, dark)
    canvas.ball(x + size * 0.35, y - size * 0.42, size * 0.85, size * 0.72, light, dark)
    canvas.ball(x, y + size * 0.12, size * 1.25, size * 0.4, light, mix(light, dark, 0.7))


def clouds(canvas: Canvas, rng: random.Random, highest: float, lowest: float, count: int) -> None:
    """Some clouds, spread over the width, at heights between two."""
    for number in range(count):
        x = (number + rng.uniform(0.1, 0.9)) / count
        size = rng.uniform(0.06, 0.11)
        cloud(canvas, x, rng.uniform(highest, lowest), size, (255, 255, 255), (196, 216, 244))


def sun(canvas: Canvas, x: float, y: float, radius: float) -> None:
    """A bright disc in a wide glow."""
    canvas.glow(x, y, radius * 4, (255, 240, 190), 0.55)
    canvas.ball(x, y, radius, radius, (255, 250, 214), (255, 222, 120))


def stars(canvas: Canvas, rng: random.Random, count: int, lowest: float) -> None:
    """Small lights with a glow, down to a height."""
    for _ in range(count):
        x, y, radius = rng.random(), rng.uniform(0, lowest), rng.uniform(0.006, 0.011)
        canvas.glow(x, y, radius * 3, (220, 226, 255), 0.35)
        canvas.ball(x, y, radius, radius, (255, 255, 246), (250, 240, 200))


def puff(canvas: Canvas, x: float, y: float, size: float, light: Colour, dark: Colour) -> None:
    """The round crown of a tree or a bush."""
    canvas.ball(x - size * 0.55, y + size * 0.25, size * 0.62, size * 0.58, light, dark)
    canvas.ball(
        x + size * 0.55, y + size * 0.3, size * 0.6, size * 0.55, mix(light, dark, 0.3), dark
    )
    canvas.ball(x, y - size * 0.1, size * 0.85, size * 0.8, light, dark)


def fir(canvas: Canvas, x: float, foot: float, size: float, light: Colour, dark: Colour) -> None:
    """Three tiers, the lowest first."""
    for low, half, high in ((0.0, 0.36, 0.55), (0.32, 0.29, 0.82), (0.62, 0.2, 1.08)):
        corners = [
            (x - size * half, foot - size * low),
            (x, foot - size * high),
            (x + size * half, foot - size * low),
        ]
        canvas.polygon(corners, light, dark)


def flowers(canvas: Canvas, rng: random.Random, count: int, highest: float) -> None:
    """Flowers with four petals on the ground below a height, larger in front."""
    petals = ((255, 250, 250), (255, 214, 92), (250, 140, 180), (236, 96, 110), (180, 140, 250))
    for _ in range(count):
        x, y = rng.random(), rng.uniform(highest, 0.99)
        size = 0.011 + 0.02 * (y - highest)
        colour = rng.choice(petals)
        for side, up in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            place = x + side * size, y + up * size
            canvas.ball(*place, size, size, colour, mix(colour, (120, 60, 90), 0.25))
        canvas.ball(x, y, size * 0.7, size * 0.7, (255, 226, 110), (240, 170, 50))
