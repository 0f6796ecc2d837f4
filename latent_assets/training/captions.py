"""Captions for pictures: names of the things, their colour, size and place, and what is behind."""

from __future__ import annotations

import random
from dataclasses import dataclass

from latent_assets.training.concepts import CONCEPTS

COLOURS = {
    "white": (252, 252, 252),
    "black": (30, 30, 34),
    "grey": (150, 152, 158),
    "red": (222, 52, 56),
    "orange": (250, 148, 42),
    "yellow": (252, 214, 72),
    "green": (84, 178, 88),
    "blue": (56, 120, 226),
    "purple": (142, 84, 200),
    "pink": (250, 160, 200),
    "brown": (136, 92, 62),
    "teal": (36, 164, 166),
}
"""Plain backgrounds: name -> RGB."""

SCENES = {
    "meadow": ("in a meadow", "on the grass", "in a grassy field"),
    "beach": ("at the beach", "on a beach", "at the seaside"),
    "snow": ("in the snow", "in winter", "on snow"),
    "night": ("at night", "at midnight", "in the dark night"),
    "sunset": ("at sunset", "in the evening", "at dusk"),
    "underwater": ("under water", "underwater", "in the ocean"),
    "desert": ("in the desert", "on the sand", "on desert dunes"),
    "sky": ("in the sky", "high in the sky", "in the air"),
    "forest": ("in a forest", "in the woods", "in a jungle"),
    "city": ("in the city", "in a city street", "in town"),
    "space": ("in space", "in outer space", "in the universe"),
    "mountains": ("in the mountains", "in the alps", "in front of mountains"),
    "garden": ("in a garden", "among flowers", "in a park in spring"),
    "autumn": ("in autumn", "among autumn leaves", "in fall"),
    "kitchen": ("in a kitchen", "on a kitchen table", "on a wooden table"),
    "room": ("in a room", "in a living room", "on the floor of a room"),
}
"""Painted backgrounds: name -> phrases for it."""

UNSAID = "studio"
"""The background of a caption that names none: soft light, in a hue that the noise decides."""

SIZES = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}
PLACES = {"left": ("on the left", "to the left"), "right": ("on the right", "to the right")}

STYLE_PREFIXES = {
    "shaded": ("", "", "a picture of ", "a photo of "),
    "painting": ("a painting of ", "a watercolor painting of ", "an oil painting of "),
    "sketch": ("a sketch of ", "a pencil sketch of ", "a drawing of "),
}
"""Style -> how a caption begins; `shaded` is what a caption without a word for the style means."""

TINTS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "black", "white")
TINTED = frozenset(
    {
        *("cat", "dog", "rabbit", "horse", "bird", "duck", "elephant", "bear", "fish", "whale"),
        *("octopus", "frog", "turtle", "dinosaur", "dragon", "butterfly", "snail", "owl"),
        *("rose", "tulip", "daisy", "hibiscus", "lotus", "mushroom", "maple leaf", "tree"),
        *("apple", "pear", "grapes", "cupcake", "ice cream", "candy", "teapot", "vase"),
        *("house", "tent", "car", "bus", "truck", "train", "scooter", "bicycle", "tractor"),
        *("motorcycle", "rocket", "balloon", "umbrella", "heart", "star", "bow", "gift", "kite"),
        *("shirt", "dress", "scarf", "socks", "hat", "cap", "backpack", "boot", "sneaker"),
        *("guitar", "sofa", "chair", "bucket", "mailbox", "telephone", "yarn", "robot", "diamond"),
    }
)
"""Concepts that are also taught in other colours than their own."""

FIRST_NAME_SHARE = 0.65
STUDIO_SHARE, WHITE_SHARE, PLAIN_SHARE = 0.26, 0.34, 0.55
TINTED_SHARE = 0.3
SIZE_SHARE, PLACE_SHARE, SECOND_SHARE = 0.10, 0.08, 0.10
STYLED_SHARE = 0.12
COLOURLESS = frozenset({"sketch"})
"""Styles in which nothing has a colour: their captions ask for none."""

HELD_OUT = frozenset(
    {
        *{("apple", "blue"), ("dog", "beach"), ("guitar", "sunset"), ("penguin", "desert")},
        *{("rocket", "pink"), ("cat", "purple"), ("castle", "night"), ("banana", "teal")},
        *{("owl", "forest"), ("shark", "orange"), ("car", "snow"), ("butterfly", "black")},
        *{("house", "underwater"), ("sunflower", "sky"), ("robot", "meadow"), ("lion", "red")},
        *{("pizza", "green"), ("tree", "yellow"), ("crown", "forest"), ("frog", "night")},
        *{("teapot", "garden"), ("astronaut", "beach"), ("elephant", "city"), ("fox", "autumn")},
        *{("cupcake", "space"), ("wizard", "mountains"), ("piano", "kitchen"), ("panda", "room")},
        *{("unicorn", "grey"), ("turtle", "brown"), ("tent", "white"), ("dragon", "garden")},
    }
)
"""Concept and background that are never seen together in training: the test of combining."""


@dataclass(frozen=True)
class Scene:
    """What is to be seen, as indices into CONCEPTS and names; "" and -1 mean: not said.

    `second` is another thing beside the first, which then is on the left.
    """

    concept: int
    background: str
    style: str = "shaded"
    tint: str = ""
    size: str = ""
    place: str = ""
    second: int = -1

    @property
    def held_out(self) -> bool:
        """Whether training must not see this."""
        things = {self.concept, self.second} - {-1}
        return any((CONCEPTS[thing].name, self.background) in HELD_OUT for thing in things)


def with_article(words: str) -> str:
    """`a cat`, `an apple`, `a unicorn`."""
    vowel = words[0] in "aeiou" and not words.startswith(("uni", "ufo"))
    return f"{'an' if vowel else 'a'} {words}"


def background_phrase(background: str, rng: random.Random) -> str:
    """Some phrase for a background, such as `on a red background` or `at the beach`."""
    if background in SCENES:
        return f" {rng.choice(SCENES[background])}"
    if background == UNSAID:
        return ""
    forms = (" on {} background", " on {} background", ", {} background", " in front of {} wall")
    return rng.choice(forms).format(with_article(background))


def caption(scene: Scene, rng: random.Random) -> str:
    """A caption as someone might write it; drawn anew for every sample.

    What it does not say, the noise decides: place, size, light, the details of the scene.
    """
    words = [rng.choice(SIZES[scene.size])] if scene.size else []
    words += [scene.tint] if scene.tint else []
    thing = with_article(" ".join([*words, _name(scene.concept, rng)]))
    if scene.second >= 0:
        joint = rng.choice((" and ", " and ", " with ", " next to "))
        thing += joint + with_article(_name(scene.second, rng))
    place = f" {rng.choice(PLACES[scene.place])}" if scene.place else ""
    behind = background_phrase(scene.background, rng)
    return f"{rng.choice(STYLE_PREFIXES[scene.style])}{thing}{place}{behind}"


def _name(concept: int, rng: random.Random) -> str:
    names = CONCEPTS[concept].names
    return names[0] if rng.random() < FIRST_NAME_SHARE else rng.choice(names)


def every_caption_word() -> set[str]:
    """All words that can occur in captions, as written."""
    phrases = [name for concept in CONCEPTS for name in concept.names]
    for group in (SCENES, SIZES, PLACES, STYLE_PREFIXES):
        phrases += [phrase for phrases_of in group.values() for phrase in phrases_of]
    words = {word for phrase in phrases for word in phrase.split()}
    return words | {*COLOURS, *TINTS, "background", "wall"}


def random_background(rng: random.Random) -> str:
    """26 % unsaid, 8 % white, 21 % another colour, 45 % a painted scene."""
    draw = rng.random()
    if draw < STUDIO_SHARE:
        return UNSAID
    if draw < WHITE_SHARE:
        return "white"
    return rng.choice(sorted(COLOURS)) if draw < PLAIN_SHARE else rng.choice(sorted(SCENES))


def random_scene(concept: int, concepts: list[int], rng: random.Random) -> Scene:
    """A scene of a concept that training may see; `concepts` are those that can stand beside it."""
    background = random_background(rng)
    tint = size = place = ""
    second = -1
    if CONCEPTS[concept].name in TINTED and rng.random() < TINTED_SHARE:
        tint = rng.choice(TINTS)
    if rng.random() < SECOND_SHARE and len(concepts) > 1:
        second, tint = rng.choice([other for other in concepts if other != concept]), ""
    else:
        size = rng.choice(sorted(SIZES)) if rng.random() < SIZE_SHARE else ""
        place = rng.choice(sorted(PLACES)) if rng.random() < PLACE_SHARE else ""
    styled = rng.random() < STYLED_SHARE
    style = rng.choice(("painting", "sketch")) if styled else "shaded"
    if style in COLOURLESS:
        tint, background = "", UNSAID if background in COLOURS else background
    scene = Scene(concept, background, style, tint, size, place, second)
    return random_scene(concept, concepts, rng) if scene.held_out else scene
