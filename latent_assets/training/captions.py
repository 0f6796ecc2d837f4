"""Captions for pictures: names of the thing, of its style and of what is behind it."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from latent_assets.training.concepts import CONCEPTS

COLOURS = {
    "white": (255, 255, 255),
    "black": (22, 22, 24),
    "grey": (140, 142, 146),
    "red": (214, 44, 46),
    "orange": (245, 140, 36),
    "yellow": (250, 212, 62),
    "green": (66, 160, 72),
    "blue": (44, 96, 204),
    "purple": (130, 70, 176),
    "pink": (246, 160, 196),
    "brown": (122, 80, 50),
    "teal": (32, 150, 150),
}
"""Plain backgrounds: name -> RGB."""

SCENES = {
    "meadow": ("in a meadow", "on the grass", "in a green field"),
    "beach": ("at the beach", "on a beach", "at the seaside"),
    "snow": ("in the snow", "in winter", "on snow"),
    "night": ("at night", "at midnight", "in the dark night"),
    "sunset": ("at sunset", "in the evening", "at dusk"),
    "underwater": ("under water", "underwater", "in the ocean"),
    "desert": ("in the desert", "on the sand", "on desert dunes"),
    "sky": ("in the sky", "in the clouds", "in the blue sky"),
    "forest": ("in a forest", "in the woods", "in a jungle"),
}
"""Painted backgrounds: name -> phrases for it."""

STYLE_PREFIXES = {
    "flat": ("a drawing of a ", "a flat drawing of a ", "a simple sketch of a ", "an icon of a "),
    "painted": ("a painting of a ", "a watercolor painting of a ", "a painted ", "painted "),
}
NEUTRAL_PREFIXES = ("a ", "", "a picture of a ", "a photo of a ")

TINTS = ("red", "yellow", "green", "blue", "purple", "pink", "black")
TINTED = frozenset(
    {
        *("car", "house", "balloon", "butterfly", "rose", "tulip", "heart"),
        *("star", "guitar", "cat", "apple", "fish", "bus", "mushroom"),
    }
)
"""Concepts that are also taught in other colours than their own."""

UNSAID_WHITE_SHARE = 0.6
FIRST_NAME_SHARE = 0.6
UNSAID_FLAT_SHARE = 0.8
WHITE_SHARE, PLAIN_SHARE = 0.30, 0.65
TINTED_SHARE = 0.15

HELD_OUT = frozenset(
    {
        *{("apple", "blue"), ("dog", "beach"), ("guitar", "sunset"), ("penguin", "desert")},
        *{("rocket", "pink"), ("cat", "purple"), ("castle", "night"), ("banana", "teal")},
        *{("owl", "forest"), ("shark", "orange"), ("car", "snow"), ("butterfly", "black")},
        *{("house", "underwater"), ("sunflower", "sky"), ("robot", "meadow"), ("lion", "red")},
        *{("pizza", "green"), ("tree", "yellow"), ("crown", "forest"), ("frog", "night")},
    }
)
"""Concept and background that are never seen together in training: the test of combining."""


@dataclass(frozen=True)
class Scene:
    """What is to be seen: an index into CONCEPTS, a style, a tint or none, a background's name."""

    concept: int
    style: str
    background: str
    tint: str = ""

    @property
    def held_out(self) -> bool:
        """Whether training must not see this."""
        return (CONCEPTS[self.concept].name, self.background) in HELD_OUT


def background_phrase(background: str, rng: random.Random) -> str:
    """Some phrase for a background, such as `on a red background` or `at the beach`."""
    if background in SCENES:
        return f" {rng.choice(SCENES[background])}"
    if background == "white" and rng.random() < UNSAID_WHITE_SHARE:
        return ""
    forms = (" on a {} background", " on {} background", " on {}", ", {} background")
    return rng.choice(forms).format(background)


def caption(scene: Scene, rng: random.Random) -> str:
    """A caption as someone might write it; drawn anew for every sample.

    A prompt without a word for the style means `flat`, so that one prompt has one answer: what
    is left to the noise is place, size and the scene's details.
    """
    names = CONCEPTS[scene.concept].names
    name = names[0] if rng.random() < FIRST_NAME_SHARE else rng.choice(names)
    neutral = scene.style == "flat" and rng.random() < UNSAID_FLAT_SHARE
    prefix = rng.choice(NEUTRAL_PREFIXES if neutral else STYLE_PREFIXES[scene.style])
    tint = f"{scene.tint} " if scene.tint else ""
    return f"{prefix}{tint}{name}{background_phrase(scene.background, rng)}"


def every_caption_word() -> set[str]:
    """All words that can occur in captions, as written."""
    phrases = [name for concept in CONCEPTS for name in concept.names]
    phrases += [phrase for phrases_of in SCENES.values() for phrase in phrases_of]
    phrases += [prefix for prefixes in STYLE_PREFIXES.values() for prefix in prefixes]
    return {word for phrase in phrases for word in phrase.split()} | {*COLOURS, "background"}


def random_background(rng: random.Random) -> str:
    """30 % white, 35 % another colour, 35 % a painted scene."""
    draw = rng.random()
    if draw < WHITE_SHARE:
        return "white"
    return rng.choice(sorted(COLOURS)) if draw < PLAIN_SHARE else rng.choice(sorted(SCENES))


def random_scene(concept: int, styles: list[str], rng: random.Random) -> Scene:
    """A scene that training may see; the flat style is twice as frequent as the painted one."""
    weights = [2.0 if style == "flat" else 1.0 for style in styles]
    scene = Scene(concept, rng.choices(styles, weights)[0], random_background(rng))
    if CONCEPTS[concept].name in TINTED and rng.random() < TINTED_SHARE:
        scene = replace(scene, tint=rng.choice(TINTS))
    return random_scene(concept, styles, rng) if scene.held_out else scene
