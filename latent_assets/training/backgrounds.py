"""Backgrounds behind the drawings: plain colours in a soft studio light, and painted scenes."""

from __future__ import annotations

import colorsys
import random

from latent_assets.training.canvas import AXIS, Canvas, Colour, mix, smooth
from latent_assets.training.captions import COLOURS, UNSAID
from latent_assets.training.scenery import Stage
from latent_assets.training.scenes import PAINTERS

DARK = 0.2
"""Mean brightness under which a backdrop is lit little."""


def paint(background: str, rng: random.Random) -> Stage:
    """A colour, a scene or the unsaid studio; never twice quite the same."""
    painter = PAINTERS.get(background)
    if painter is not None:
        return painter(rng)
    if background == UNSAID:
        hue, strength = rng.random(), rng.uniform(0.16, 0.42)
        red, green, blue = colorsys.hsv_to_rgb(hue, strength, 0.97)
        return _studio((255 * red, 255 * green, 255 * blue), rng)
    return _studio(COLOURS[background], rng)


def _studio(colour: Colour, rng: random.Random) -> Stage:
    """A backdrop that runs from wall to floor without an edge, lit from a side."""
    brightness = sum(colour) / 765
    lift = 0.30 * (1 - brightness) + 0.22 if brightness > DARK else 0.12
    canvas = Canvas(colour, mix(colour, (0, 0, 0), 0.06))
    canvas.glow(rng.uniform(0.1, 0.9), 0.22, 0.5, mix(colour, (255, 255, 255), lift), 0.9)
    bend = rng.uniform(0.66, 0.74)
    floor = smooth((AXIS - bend) / 0.16)[:, None] * (0 * AXIS + 1)
    canvas.cover(0.5 * floor, mix(colour, (255, 255, 255), 0.28 * (1 - brightness)))
    canvas.glow(0.5, bend + 0.02, 0.05, mix(colour, (40, 30, 60), 0.3), 0.22, flat=14)
    return Stage(canvas.pixels, 0.86, 0.34)
