"""Backgrounds behind the drawings: plain colours, and nine scenes painted by code."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from latent_assets.training.captions import COLOURS
from latent_assets.training.cutouts import SIZE

Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)


def paint(background: str, rng: random.Random) -> np.ndarray:
    """(128, 128, 3) float32 in 0..255: a colour or a scene, never twice quite the same."""
    painter = PAINTERS.get(background)
    if painter is not None:
        return np.asarray(painter(rng), np.float32)
    colour = COLOURS[background]
    shade = colour if background == "white" else _vary(colour, rng, 4)
    return np.full((SIZE, SIZE, 3), shade, np.float32)


def _vary(colour: Colour, rng: random.Random, spread: float = 5) -> Colour:
    red, green, blue = (round(min(255, max(0, rng.gauss(part, spread)))) for part in colour)
    return red, green, blue


def _gradient(top: Colour, bottom: Colour, rng: random.Random) -> Image.Image:
    """A vertical gradient: what is far away."""
    first, last = np.array(_vary(top, rng)), np.array(_vary(bottom, rng))
    weight = np.linspace(0, 1, SIZE)[:, None, None]
    rows = first * (1 - weight) + last * weight
    return Image.fromarray(np.repeat(rows, SIZE, axis=1).astype(np.uint8))


def _horizon(rng: random.Random) -> float:
    return SIZE * rng.uniform(0.58, 0.66)


def _hill(draw: ImageDraw.ImageDraw, left: float, right: float, top: float, colour: Colour) -> None:
    """The upper end of a large ellipse; left and right as shares of the width."""
    draw.ellipse((SIZE * left, top, SIZE * right, SIZE * 2.3), fill=colour)


def _dots(
    rng: random.Random, count: int, sizes: tuple[float, float]
) -> list[tuple[float, float, float, float]]:
    """Boxes of `count` round spots anywhere in the picture."""
    boxes = []
    for _ in range(count):
        x, y, radius = rng.uniform(0, SIZE), rng.uniform(0, SIZE), rng.uniform(*sizes)
        boxes.append((x - radius, y - radius, x + radius, y + radius))
    return boxes


def _meadow(rng: random.Random) -> Image.Image:
    image = _gradient((150, 205, 250), (215, 238, 252), rng)
    draw, top = ImageDraw.Draw(image), _horizon(rng)
    _hill(draw, -0.6, 1.2, top, _vary((104, 184, 78), rng))
    _hill(draw, 0.1, 2.0, top + 8, _vary((84, 164, 66), rng))
    return image


def _beach(rng: random.Random) -> Image.Image:
    image = _gradient((130, 200, 250), (220, 242, 252), rng)
    draw, top = ImageDraw.Draw(image), _horizon(rng)
    draw.rectangle((0, top - 20, SIZE, SIZE), fill=_vary((40, 150, 205), rng))
    _hill(draw, -0.5, 1.5, top, _vary((242, 214, 150), rng))
    return image


def _snow(rng: random.Random) -> Image.Image:
    image = _gradient((165, 190, 222), (215, 226, 240), rng)
    draw = ImageDraw.Draw(image)
    _hill(draw, -0.5, 1.4, _horizon(rng), (247, 250, 254))
    for box in _dots(rng, 16, (1, 2.4)):
        draw.ellipse(box, fill=WHITE)
    return image


def _night(rng: random.Random) -> Image.Image:
    image = _gradient((12, 16, 54), (38, 44, 104), rng)
    draw = ImageDraw.Draw(image)
    for box in _dots(rng, 20, (0.8, 1.8)):
        draw.ellipse(box, fill=(255, 250, 214))
    return image


def _sunset(rng: random.Random) -> Image.Image:
    image = _gradient((236, 110, 96), (253, 204, 110), rng)
    draw, top = ImageDraw.Draw(image), _horizon(rng)
    centre, radius = SIZE * rng.uniform(0.3, 0.7), SIZE * 0.17
    draw.ellipse((centre - radius, top - radius, centre + radius, top + radius), (255, 236, 150))
    draw.rectangle((0, top, SIZE, SIZE), fill=_vary((120, 60, 100), rng))
    return image


def _underwater(rng: random.Random) -> Image.Image:
    image = _gradient((50, 170, 215), (10, 70, 140), rng)
    draw = ImageDraw.Draw(image)
    for box in _dots(rng, 8, (1.5, 4.5)):
        draw.ellipse(box, outline=(190, 232, 250), width=1)
    draw.ellipse((-40, SIZE * 0.88, SIZE * 1.3, SIZE * 1.5), fill=_vary((190, 176, 120), rng))
    return image


def _desert(rng: random.Random) -> Image.Image:
    image = _gradient((250, 222, 160), (252, 238, 206), rng)
    draw, top = ImageDraw.Draw(image), _horizon(rng)
    _hill(draw, -0.7, 0.9, top, _vary((222, 160, 86), rng))
    _hill(draw, 0.15, 1.9, top + 6, _vary((206, 140, 70), rng))
    return image


def _sky(rng: random.Random) -> Image.Image:
    image = _gradient((96, 172, 240), (170, 216, 250), rng)
    draw = ImageDraw.Draw(image)
    for left, top, right, bottom in _dots(rng, 5, (8, 16)):
        radius, y = (right - left) / 2, (top + bottom) / 2
        for shift, lower, scale in ((-1.2, 0.2, 0.7), (0.0, 0.0, 1.0), (1.2, 0.2, 0.75)):
            x, wide, high = left + radius * (1 + shift), radius * scale, radius * scale * 0.8
            middle = y + lower * radius
            draw.ellipse((x - wide, middle - high, x + wide, middle + high), fill=(250, 252, 255))
    return image


def _forest(rng: random.Random) -> Image.Image:
    image = _gradient((176, 214, 190), (120, 176, 130), rng)
    draw, ground = ImageDraw.Draw(image), _horizon(rng) + 14
    for place in range(9):
        x, height = SIZE * (place + rng.uniform(0, 1)) / 9, rng.uniform(55, 95)
        corners = [(x - height * 0.28, ground), (x, ground - height), (x + height * 0.28, ground)]
        draw.polygon(corners, fill=_vary((38, 104, 62), rng, 9))
    draw.rectangle((0, ground - 2, SIZE, SIZE), fill=_vary((84, 130, 60), rng))
    return image


PAINTERS: dict[str, Callable[[random.Random], Image.Image]] = {
    "meadow": _meadow,
    "beach": _beach,
    "snow": _snow,
    "night": _night,
    "sunset": _sunset,
    "underwater": _underwater,
    "desert": _desert,
    "sky": _sky,
    "forest": _forest,
}
"""Scene -> its painter; the names are those of `captions.SCENES`."""
