"""Puts drawings on backgrounds: where a thing stands, how large it is, and its shadow.

All that chance decides in a picture comes from one number: two scenes with the same number have
the same hills, light and place of the thing, as two prompts with the same noise should. That is
what a blend of two scenes is made of: their grounds, places and sizes are averaged.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import cv2
import numpy as np

from latent_assets.training.backgrounds import paint
from latent_assets.training.canvas import AXIS
from latent_assets.training.captions import Scene
from latent_assets.training.cutouts import SIZE
from latent_assets.training.scenery import Stage
from latent_assets.training.sprites import Sprite

SHARES = {"": (0.56, 0.80), "small": (0.33, 0.40), "large": (0.90, 0.97)}
"""Size by word: the longer side of a thing as a share of the picture's; unsaid: the noise."""
BESIDE = (0.38, 0.46)
"""The same where there is another thing, or a word for the place."""
PLACE = {"left": 0.27, "right": 0.73}
SWAY, AIR = 0.11, 0.07
"""How far chance moves a thing across, and one that floats up and down."""
NOT_MIRRORED = frozenset({"clock", "piano"})
"""Concepts that would be wrong in a mirror."""
FULL_SHADOW = 0.3
"""The least shadow of a stage where things stand; without shadow they float."""
SHADOW_COLOUR = np.array([1.0, 0.96, 0.84], np.float32)
"""How much of each colour a shadow takes: a little less of the blue."""
WARMTH, BRIGHTNESS = 0.06, 0.05
"""How far chance turns the light of a picture, as shares."""


@dataclass(frozen=True)
class Chance:
    """What the words leave open: all of it follows from `number`; shares are in 0..1."""

    number: int
    size: float
    across: float
    up: float
    mirrored: bool
    swapped: bool
    light: np.ndarray
    """What all colours are multiplied with, (3,)."""

    @classmethod
    def of(cls, number: int) -> Chance:
        """Draw it."""
        warm, bright, size, across, up, mirror, swap = open_questions(number)
        warm = WARMTH * (2 * warm - 1)
        bright = 1 - BRIGHTNESS + 1.5 * BRIGHTNESS * bright
        light = bright * np.array([1 + warm, 1, 1 - warm], np.float32)
        return cls(number, size, across, up, bool(round(mirror)), bool(round(swap)), light)

    def stage(self, background: str) -> Stage:
        """A background with this chance's details."""
        return paint(background, chance_of_ground(self.number))


def open_questions(number: int) -> tuple[float, ...]:
    """Seven shares in 0..1: warmth, brightness, size, across, up, mirrored, swapped.

    Not the numbers that draw the record: what is to be seen says nothing of how.
    """
    rng = random.Random(f"chance {number}")  # noqa: S311 - no secrets in pictures
    return tuple(rng.random() for _ in range(7))


def chance_of_ground(number: int) -> random.Random:
    """What the painters of backgrounds take their details from."""
    return random.Random(f"ground {number}")  # noqa: S311


def staged(chance: Chance, first: str, second: str, weight: float) -> Stage:
    """The stage between two backgrounds."""
    stage = chance.stage(first)
    if first == second or weight == 0:
        return stage
    other = chance.stage(second)
    pixels = stage.pixels + np.float32(weight) * (other.pixels - stage.pixels)
    ground, shadow = (
        _mean(stage.ground, other.ground, weight),
        _mean(stage.shadow, other.shadow, weight),
    )
    light = tuple(
        _mean(one, two, weight) for one, two in zip(stage.light, other.light, strict=True)
    )
    return Stage(pixels, ground, shadow, light)


def _mean(first: float, second: float, weight: float) -> float:
    return first + weight * (second - first)


def spot_of(scene: Scene, chance: Chance, second: bool = False) -> tuple[float, float]:
    """The middle and the longer side of a scene's thing, as shares of the picture's side."""
    beside = scene.second >= 0 or (scene.place and not scene.size)
    low, high = BESIDE if beside else SHARES[scene.size]
    side = low + (high - low) * chance.size
    if scene.second >= 0:
        return PLACE["left" if second == chance.swapped else "right"], side
    sway = SWAY * (2 * chance.across - 1)
    return (PLACE[scene.place] + 0.3 * sway if scene.place else 0.5 + sway), side


def put(stage: Stage, thing: Sprite, x: float, side: float, chance: Chance) -> None:
    """Draw a sprite into a stage's pixels, with its shadow.

    x: the middle of the sprite, side: its longer side, both as shares of the picture's side.
    """
    height, width = (round(side * SIZE * extent / max(thing.size)) for extent in thing.size)
    height, width = max(height, 2), max(width, 2)
    small = cv2.resize(thing.pixels, (width, height), interpolation=cv2.INTER_AREA)
    left = int(np.clip(round(x * SIZE - width / 2), 2, SIZE - 2 - width))
    foot = _foot(stage, height / SIZE, chance)
    top = int(np.clip(round(foot * SIZE) - height, 2, SIZE - height))
    if stage.shadow > 0:
        _shade(stage, small[..., 3], left, (top + height) / SIZE)
    small[..., :3] *= np.array(stage.light, np.float32)
    window = stage.pixels[top : top + height, left : left + width]
    window *= 1 - small[..., 3:]
    window += small[..., :3]


def _foot(stage: Stage, height: float, chance: Chance) -> float:
    """Where a thing of this height ends: on the ground, or in the air if it has no shadow."""
    standing = stage.ground + 0.05 * (chance.up - 0.5) + 0.1 * max(0.0, height - 0.75)
    flying = 0.5 + AIR * (2 * chance.up - 1) + height / 2
    return _mean(flying, standing, min(1.0, stage.shadow / FULL_SHADOW))


def _shade(stage: Stage, alpha: np.ndarray, left: int, foot: float) -> None:
    """A wide soft shadow about the foot, and a dark one where the thing touches the ground."""
    height, width = alpha.shape
    feet = np.zeros(SIZE, np.float32)
    touching = alpha[height - max(2, height // 14) :].max(axis=0)
    feet[left : left + width] = touching
    dark = cv2.GaussianBlur(feet[None], (0, 0), SIZE * 0.014)[0]
    middle, half = (left + width / 2) / SIZE, 0.5 * width / SIZE
    wide = np.exp(-(((AXIS - middle) / (half * 0.95)) ** 4))
    depth = 0.02 + 0.05 * half
    near = np.exp(-(((AXIS - foot) / 0.014) ** 2))[:, None] * dark
    far = np.exp(-(((AXIS - foot - 0.004) / depth) ** 2))[:, None] * wide
    shade = np.float32(stage.shadow) * np.maximum(near, 0.75 * far)
    rows = slice(int(SIZE * (foot - 3 * depth)), SIZE)
    stage.pixels[rows] *= 1 - shade[rows, :, None] * SHADOW_COLOUR
