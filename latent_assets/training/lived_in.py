"""Scenes where people live: a city street, a garden, a kitchen and a room."""

from __future__ import annotations

import random

import numpy as np

from latent_assets.training.canvas import AXIS, Canvas, mix
from latent_assets.training.scenery import (
    Stage,
    clouds,
    flowers,
    puff,
    ridge_line,
)


def city(rng: random.Random) -> Stage:
    """A street in front of two rows of houses."""
    horizon = rng.uniform(0.68, 0.74)
    canvas = Canvas((120, 186, 246), (246, 232, 224), horizon)
    clouds(canvas, rng, 0.1, 0.25, 2)
    rows = (
        (8, 0.30, 0.5, (188, 202, 232), (160, 176, 216), False),
        (6, 0.18, 0.38, (150, 160, 206), (98, 108, 160), True),
    )
    for count, low, high, light, dark, lit in rows:
        for number in range(count):
            left, wide = (number + rng.uniform(-0.1, 0.1)) / count, 0.86 / count
            top = horizon - rng.uniform(low, high)
            tint = mix(light, (250, 206, 190), rng.uniform(0, 0.5))
            corners = [(left, top), (left + wide, top), (left + wide, horizon + 0.05)]
            canvas.polygon([*corners, (left, horizon + 0.05)], tint, dark)
            if lit:
                _windows(canvas, left, top, wide, horizon)
        canvas.soften(0.002)
    canvas.ridge(np.full_like(AXIS, horizon), (206, 208, 218), (176, 180, 194), 0.1, 0.004)
    canvas.ridge(np.full_like(AXIS, horizon + 0.06), (142, 146, 164), (110, 114, 134), 0.3, 0.004)
    return Stage(canvas.pixels, 0.88, 0.5)


def _windows(canvas: Canvas, left: float, top: float, wide: float, foot: float) -> None:
    """Two columns of panes down to the street."""
    for row in range(int((foot - top - 0.02) / 0.06)):
        y = top + 0.03 + 0.06 * row
        for column in (0.2, 0.58):
            x, across = left + wide * column, wide * 0.22
            corners = [(x, y), (x + across, y), (x + across, y + 0.028), (x, y + 0.028)]
            canvas.polygon(corners, (255, 240, 190), (250, 212, 150))


def garden(rng: random.Random) -> Stage:
    """A lawn with flowers in front of a white fence."""
    horizon = rng.uniform(0.58, 0.66)
    canvas = Canvas((150, 212, 252), (240, 250, 240), horizon)
    clouds(canvas, rng, 0.1, 0.24, 2)
    for number in range(7):
        x, size = (number + rng.uniform(0.2, 0.8)) / 7, rng.uniform(0.09, 0.14)
        puff(canvas, x, horizon - 0.06, size, (142, 206, 106), (66, 142, 84))
    canvas.ridge(np.full_like(AXIS, horizon), (96, 170, 88), (110, 186, 84), 0.1)
    for number in range(13):
        x = (number + 0.5) / 13
        post = [(x - 0.025, horizon - 0.1), (x, horizon - 0.13), (x + 0.025, horizon - 0.1)]
        post += [(x + 0.025, horizon + 0.06), (x - 0.025, horizon + 0.06)]
        canvas.polygon(post, (255, 255, 255), (220, 224, 236))
    canvas.soften(0.0025)
    canvas.ridge(ridge_line(rng, horizon + 0.03, 0.015), (160, 220, 100), (82, 168, 76), 0.4)
    flowers(canvas, rng, 15, horizon + 0.1)
    return Stage(canvas.pixels, 0.88, 0.42)


def kitchen(rng: random.Random) -> Stage:
    """A wooden table top in front of a tiled wall with a window."""
    table = rng.uniform(0.64, 0.70)
    wall = mix((250, 232, 206), (214, 232, 226), rng.random())
    canvas = Canvas(mix(wall, (255, 255, 255), 0.3), mix(wall, (170, 140, 120), 0.25), table)
    for row in range(5):
        for column in range(8):
            x, y = (column + 0.5 * (row % 2)) / 7.5, 0.1 + 0.135 * row
            corners = [(x - 0.06, y - 0.06), (x + 0.06, y - 0.06)]
            corners += [(x + 0.06, y + 0.06), (x - 0.06, y + 0.06)]
            canvas.polygon(
                corners, mix(wall, (255, 255, 255), 0.55), mix(wall, (200, 180, 160), 0.15)
            )
    x = rng.uniform(0.15, 0.85)
    _pane(canvas, x, 0.24, 0.2, 0.17)
    canvas.glow(x, 0.24, 0.34, (255, 250, 226), 0.3)
    canvas.soften(0.008)
    canvas.ridge(np.full_like(AXIS, table), (226, 166, 108), (168, 104, 62), 0.36, 0.004)
    for number in range(3):
        y = table + 0.09 + 0.09 * number
        canvas.ridge(np.full_like(AXIS, y), (206, 144, 90), (178, 114, 70), 0.12, 0.004)
    canvas.glow(x, table + 0.1, 0.1, (255, 226, 180), 0.4, flat=3)
    return Stage(canvas.pixels, 0.88, 0.45, (1.02, 0.99, 0.96))


def _pane(canvas: Canvas, x: float, y: float, across: float, down: float) -> None:
    """A window with four bright panes."""

    def box(left: float, top: float, right: float, foot: float) -> list[tuple[float, float]]:
        return [(left, top), (right, top), (right, foot), (left, foot)]

    frame = box(x - across, y - down, x + across, y + down)
    canvas.polygon(frame, (255, 255, 255), (226, 222, 218))
    gap = 0.016
    for left, right in ((x - across + gap, x - gap / 2), (x + gap / 2, x + across - gap)):
        for top, foot in ((y - down + gap, y - gap / 2), (y + gap / 2, y + down - gap)):
            canvas.polygon(box(left, top, right, foot), (150, 212, 255), (226, 246, 255))


def room(rng: random.Random) -> Stage:
    """A wall with a window, a wooden floor and a rug."""
    floor = rng.uniform(0.66, 0.72)
    wall = mix((168, 186, 226), (232, 178, 170), rng.random())
    canvas = Canvas(mix(wall, (255, 255, 255), 0.25), wall, floor)
    x = rng.uniform(0.2, 0.8)
    _pane(canvas, x, 0.27, 0.15, 0.17)
    for side in (-0.2, 0.2):
        light = mix(wall, (255, 255, 255), 0.65)
        corners = [(x + side - 0.05, 0.06), (x + side + 0.05, 0.06)]
        corners += [(x + side + 0.06, 0.52), (x + side - 0.06, 0.52)]
        canvas.polygon(corners, light, mix(light, wall, 0.6))
    canvas.soften(0.006)
    canvas.ridge(np.full_like(AXIS, floor - 0.035), (255, 252, 248), (232, 226, 224), 0.04, 0.004)
    canvas.ridge(np.full_like(AXIS, floor), (204, 148, 104), (156, 102, 72), 0.34, 0.004)
    rug = mix((120, 150, 214), (214, 110, 130), rng.random())
    canvas.ball(0.5, 0.88, 0.44, 0.085, mix(rug, (255, 255, 255), 0.25), rug)
    return Stage(canvas.pixels, 0.88, 0.42, (1.0, 0.99, 0.98))
