"""Twelve scenes of open country, water and sky; each painter takes its chances from `rng`."""

from __future__ import annotations

import random

import numpy as np

from latent_assets.training.canvas import AXIS, Canvas, mix, smooth
from latent_assets.training.scenery import (
    Stage,
    cloud,
    clouds,
    fir,
    flowers,
    puff,
    ridge_line,
    stars,
    sun,
)


def meadow(rng: random.Random) -> Stage:
    """Green hills under a summer sky, with flowers in front."""
    horizon = rng.uniform(0.56, 0.66)
    canvas = Canvas((106, 184, 250), (222, 243, 255), horizon)
    sun(canvas, rng.uniform(0.08, 0.92), rng.uniform(0.1, 0.2), 0.055)
    clouds(canvas, rng, 0.12, 0.36, 3)
    canvas.ridge(ridge_line(rng, horizon - 0.06, 0.05), (150, 206, 190), (120, 190, 150), 0.2)
    canvas.ridge(ridge_line(rng, horizon, 0.04), (158, 218, 104), (96, 180, 84), 0.25)
    canvas.soften(0.004)
    canvas.ridge(ridge_line(rng, horizon + 0.11, 0.03), (166, 226, 92), (70, 160, 66), 0.42)
    flowers(canvas, rng, 6, horizon + 0.2)
    return Stage(canvas.pixels, 0.87, 0.42)


def beach(rng: random.Random) -> Stage:
    """Sand, a line of foam, and the sea up to the horizon."""
    horizon = rng.uniform(0.42, 0.52)
    canvas = Canvas((96, 188, 250), (220, 244, 255), horizon)
    sun(canvas, rng.uniform(0.08, 0.92), rng.uniform(0.1, 0.18), 0.06)
    clouds(canvas, rng, 0.14, horizon - 0.1, 2)
    sea = np.full_like(AXIS, horizon)
    canvas.ridge(sea, (34, 134, 214), (74, 208, 222), 0.24, 0.004)
    shore = ridge_line(rng, horizon + 0.21, 0.025, 2)
    for offset, share in ((-0.1, 0.25), (-0.05, 0.4)):
        crest = ridge_line(rng, horizon + 0.21 + offset, 0.012, 2)
        canvas.ridge(crest, mix((74, 208, 222), (255, 255, 255), share), (84, 206, 224), 0.05)
    canvas.ridge(shore - 0.025, (255, 255, 255), (236, 250, 252), 0.04)
    canvas.ridge(shore, (246, 220, 164), (226, 184, 118), 0.45)
    return Stage(canvas.pixels, 0.87, 0.4)


def snow(rng: random.Random) -> Stage:
    """White ground, firs, and flakes in the air."""
    horizon = rng.uniform(0.54, 0.64)
    canvas = Canvas((142, 180, 232), (228, 236, 250), horizon)
    canvas.ridge(ridge_line(rng, horizon - 0.07, 0.07), (206, 222, 246), (190, 208, 238), 0.3)
    for number in range(6):
        x, size = (number + rng.uniform(0.15, 0.85)) / 6, rng.uniform(0.14, 0.24)
        fir(canvas, x, horizon + 0.04, size, (206, 228, 236), (84, 138, 150))
    canvas.soften(0.003)
    canvas.ridge(ridge_line(rng, horizon, 0.03), (255, 255, 255), (214, 226, 246), 0.3)
    canvas.ridge(ridge_line(rng, horizon + 0.13, 0.025), (255, 255, 255), (202, 218, 244), 0.45)
    for _ in range(16):
        size = rng.uniform(0.007, 0.014)
        canvas.ball(rng.random(), rng.uniform(0, 0.8), size, size, (255, 255, 255), (240, 246, 255))
    return Stage(canvas.pixels, 0.87, 0.3, (0.97, 0.99, 1.03))


def night(rng: random.Random) -> Stage:
    """A moon and stars over dark hills."""
    horizon = rng.uniform(0.58, 0.68)
    canvas = Canvas((14, 16, 58), (64, 66, 150), horizon)
    stars(canvas, rng, 14, horizon - 0.08)
    x, y = rng.uniform(0.1, 0.9), rng.uniform(0.12, 0.22)
    canvas.glow(x, y, 0.22, (150, 160, 240), 0.5)
    canvas.ball(x, y, 0.07, 0.07, (255, 252, 226), (226, 210, 160))
    canvas.ridge(ridge_line(rng, horizon - 0.03, 0.06), (50, 58, 128), (36, 42, 104), 0.2)
    canvas.ridge(ridge_line(rng, horizon + 0.06, 0.035), (44, 64, 118), (18, 26, 66), 0.4)
    return Stage(canvas.pixels, 0.87, 0.5, (0.80, 0.82, 0.98))


def sunset(rng: random.Random) -> Stage:
    """A low sun behind hills in purple and orange."""
    horizon = rng.uniform(0.54, 0.64)
    canvas = Canvas((126, 82, 176), (255, 176, 98), horizon)
    x = rng.uniform(0.15, 0.85)
    canvas.glow(x, horizon - 0.04, 0.4, (255, 222, 130), 0.8)
    canvas.ball(x, horizon - 0.05, 0.11, 0.11, (255, 250, 206), (255, 196, 96))
    for _ in range(4):
        place = rng.random(), rng.uniform(0.1, 0.36)
        canvas.glow(*place, 0.018, (255, 164, 140), 0.7, flat=rng.uniform(7, 13))
    canvas.ridge(ridge_line(rng, horizon - 0.02, 0.03), (190, 94, 118), (150, 70, 112), 0.2)
    canvas.ridge(ridge_line(rng, horizon + 0.07, 0.03), (170, 82, 106), (72, 40, 84), 0.42)
    return Stage(canvas.pixels, 0.87, 0.45, (1.02, 0.92, 0.86))


def underwater(rng: random.Random) -> Stage:
    """Beams of light from above, corals on the sea bed, bubbles; things float."""
    floor = rng.uniform(0.78, 0.84)
    canvas = Canvas((92, 214, 236), (12, 74, 158))
    lean = rng.uniform(-0.25, 0.25)
    for number in range(4):
        x, wide = (number + rng.uniform(0.1, 0.9)) / 4, rng.uniform(0.03, 0.07)
        middle = x + lean * AXIS[:, None]
        beam = np.exp(-(((AXIS - middle) / (wide * (1 + AXIS[:, None]))) ** 2))
        canvas.cover(0.28 * beam * (1 - smooth(AXIS / 0.85))[:, None], (226, 252, 255))
    canvas.ridge(ridge_line(rng, floor - 0.07, 0.05), (24, 104, 170), (20, 84, 150), 0.2)
    canvas.soften(0.006)
    canvas.ridge(ridge_line(rng, floor, 0.025), (206, 202, 160), (92, 128, 146), 0.24)
    for side in (rng.uniform(0.02, 0.2), rng.uniform(0.8, 0.98)):
        colour = rng.choice(((250, 110, 130), (250, 150, 90), (196, 110, 220)))
        for number in range(4):
            x, top = side + 0.03 * (number - 1.5), floor - rng.uniform(0.02, 0.12)
            canvas.ball(
                x,
                (top + floor + 0.05) / 2,
                0.018,
                (floor + 0.05 - top) / 2,
                colour,
                mix(colour, (60, 30, 90), 0.5),
            )
    for _ in range(9):
        x, y, radius = rng.random(), rng.uniform(0.05, 0.75), rng.uniform(0.008, 0.022)
        canvas.glow(x, y, radius, (190, 240, 255), 0.55)
        canvas.glow(x - radius * 0.35, y - radius * 0.35, radius * 0.35, (255, 255, 255), 0.9)
    return Stage(canvas.pixels, 0.80, 0.0, (0.88, 0.97, 1.02))


def desert(rng: random.Random) -> Stage:
    """Dunes in the sun."""
    horizon = rng.uniform(0.54, 0.64)
    canvas = Canvas((112, 192, 240), (255, 232, 186), horizon)
    sun(canvas, rng.uniform(0.08, 0.92), rng.uniform(0.12, 0.22), 0.06)
    canvas.ridge(ridge_line(rng, horizon - 0.04, 0.05, 2), (238, 180, 116), (222, 158, 98), 0.2)
    canvas.ridge(ridge_line(rng, horizon + 0.03, 0.06, 2), (248, 196, 118), (216, 142, 76), 0.22)
    canvas.soften(0.003)
    canvas.ridge(ridge_line(rng, horizon + 0.13, 0.04, 2), (254, 208, 130), (214, 136, 70), 0.42)
    return Stage(canvas.pixels, 0.87, 0.42, (1.01, 0.99, 0.96))


def sky(rng: random.Random) -> Stage:
    """Clouds all round; things float."""
    canvas = Canvas((66, 150, 240), (196, 230, 255))
    sun(canvas, rng.uniform(0.08, 0.92), rng.uniform(0.08, 0.16), 0.06)
    for number, size in enumerate((0.08, 0.1, 0.12)):
        x, y = rng.random(), 0.2 + 0.2 * number + rng.uniform(-0.06, 0.06)
        cloud(canvas, x, y, size, (255, 255, 255), (188, 212, 246))
    for number in range(4):
        x = (number + rng.uniform(0.1, 0.9)) / 4
        cloud(canvas, x, rng.uniform(0.9, 1.0), 0.16, (255, 255, 255), (196, 216, 246))
    canvas.soften(0.003)
    return Stage(canvas.pixels, 0.80, 0.0)


def forest(rng: random.Random) -> Stage:
    """Two rows of trees in a green haze."""
    horizon = rng.uniform(0.62, 0.70)
    canvas = Canvas((222, 242, 196), (150, 206, 150), horizon)
    canvas.glow(rng.uniform(0.2, 0.8), 0.2, 0.4, (255, 250, 214), 0.7)
    layers = ((0.06, (150, 198, 150), (104, 168, 128)), (0.0, (106, 176, 100), (48, 116, 78)))
    for up, light, dark in layers:
        for number in range(6):
            x, size = (number + rng.uniform(0.1, 0.9)) / 6, rng.uniform(0.11, 0.16)
            foot, height = horizon - up + 0.03, rng.uniform(0.26, 0.4)
            trunk = [(x - 0.014, foot - height), (x + 0.014, foot - height)]
            trunk += [(x + 0.02, foot), (x - 0.02, foot)]
            canvas.polygon(trunk, mix((150, 110, 80), light, 0.4), mix((90, 60, 50), dark, 0.3))
            puff(canvas, x, foot - height, size, light, dark)
        canvas.soften(0.003)
    canvas.ridge(ridge_line(rng, horizon, 0.025), (134, 194, 86), (54, 118, 62), 0.4)
    return Stage(canvas.pixels, 0.87, 0.45, (0.97, 1.0, 0.95))


def space(rng: random.Random) -> Stage:
    """Nebulas, stars and a planet; things float."""
    canvas = Canvas((10, 8, 36), (44, 22, 84))
    for colour in ((120, 60, 190), (40, 90, 200), (210, 80, 160)):
        place = rng.random(), rng.random()
        canvas.glow(*place, rng.uniform(0.16, 0.26), colour, 0.45, flat=1.5)
    stars(canvas, rng, 20, 1.0)
    x, y, radius = rng.choice((0.12, 0.88)), rng.uniform(0.12, 0.3), rng.uniform(0.08, 0.12)
    light, dark = rng.choice((((250, 190, 140), (150, 60, 90)), ((150, 210, 250), (40, 70, 170))))
    canvas.ball(x, y, radius, radius, light, dark)
    return Stage(canvas.pixels, 0.80, 0.0, (0.92, 0.92, 1.0))


def mountains(rng: random.Random) -> Stage:
    """Snowy peaks behind a row of firs."""
    horizon = rng.uniform(0.60, 0.68)
    canvas = Canvas((110, 182, 246), (226, 240, 252), horizon)
    clouds(canvas, rng, 0.08, 0.2, 2)
    for number in range(3):
        x = (number + rng.uniform(0.2, 0.8)) / 3
        top, half = horizon - rng.uniform(0.3, 0.44), rng.uniform(0.26, 0.36)
        _peak(canvas, x, top, half, horizon + 0.04)
    canvas.soften(0.002)
    canvas.ridge(np.full_like(AXIS, horizon + 0.02), (112, 178, 124), (88, 158, 100), 0.1)
    for number in range(8):
        x, size = (number + rng.uniform(0.1, 0.9)) / 8, rng.uniform(0.11, 0.16)
        fir(canvas, x, horizon + 0.06, size, (88, 158, 116), (40, 94, 88))
    canvas.ridge(ridge_line(rng, horizon + 0.04, 0.02), (154, 212, 104), (72, 146, 78), 0.4)
    return Stage(canvas.pixels, 0.87, 0.42)


def _peak(canvas: Canvas, x: float, top: float, half: float, foot: float) -> None:
    """A mountain: a lit and a shaded side, and snow on its top."""
    height = foot - top
    left, right = (x - half, foot), (x + half, foot)
    canvas.polygon([(x, top), left, right], (176, 186, 214), (120, 138, 178))
    canvas.polygon([(x, top), (x + half * 0.12, foot), right], (132, 146, 188), (92, 108, 156))
    snow = [
        (x, top),
        (x - half * 0.34, top + height * 0.34),
        (x - half * 0.14, top + height * 0.28),
    ]
    snow += [(x - half * 0.02, top + height * 0.38), (x + half * 0.12, top + height * 0.28)]
    canvas.polygon(
        [*snow, (x + half * 0.34, top + height * 0.34)], (255, 255, 255), (226, 234, 250)
    )


def autumn(rng: random.Random) -> Stage:
    """Trees in yellow and red, leaves on the ground."""
    horizon = rng.uniform(0.60, 0.68)
    canvas = Canvas((180, 208, 236), (254, 236, 204), horizon)
    canvas.ridge(ridge_line(rng, horizon - 0.06, 0.05), (232, 188, 130), (216, 164, 110), 0.2)
    crowns = (
        ((255, 190, 74), (214, 112, 36)),
        ((246, 132, 62), (176, 64, 44)),
        ((236, 92, 70), (150, 44, 52)),
    )
    for number in range(6):
        x, size = (number + rng.uniform(0.1, 0.9)) / 6, rng.uniform(0.1, 0.15)
        foot, height = horizon + 0.03, rng.uniform(0.2, 0.3)
        trunk = [(x - 0.014, foot - height), (x + 0.014, foot - height)]
        canvas.polygon([*trunk, (x + 0.02, foot), (x - 0.02, foot)], (150, 100, 74), (92, 58, 50))
        puff(canvas, x, foot - height, size, *rng.choice(crowns))
    canvas.soften(0.003)
    canvas.ridge(ridge_line(rng, horizon, 0.025), (236, 186, 96), (172, 106, 58), 0.4)
    for _ in range(10):
        x, y, size = rng.random(), rng.uniform(horizon + 0.1, 0.99), rng.uniform(0.014, 0.022)
        light, dark = rng.choice(crowns)
        canvas.ball(x, y, size, size * 0.5, light, dark)
    return Stage(canvas.pixels, 0.87, 0.42, (1.02, 0.98, 0.93))
