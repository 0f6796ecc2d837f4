"""Sixteen scenes painted by code, in soft light, with a ground for the thing to stand on.

Every painter takes its chances from a random generator: the horizon first, then hills, clouds,
stars and the like, moderately: what varies must still be the same place.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from latent_assets.training import landscapes, lived_in
from latent_assets.training.scenery import Stage

PAINTERS: dict[str, Callable[[random.Random], Stage]] = {
    "meadow": landscapes.meadow,
    "beach": landscapes.beach,
    "snow": landscapes.snow,
    "night": landscapes.night,
    "sunset": landscapes.sunset,
    "underwater": landscapes.underwater,
    "desert": landscapes.desert,
    "sky": landscapes.sky,
    "forest": landscapes.forest,
    "city": lived_in.city,
    "space": landscapes.space,
    "mountains": landscapes.mountains,
    "garden": lived_in.garden,
    "autumn": landscapes.autumn,
    "kitchen": lived_in.kitchen,
    "room": lived_in.room,
}
"""Scene -> its painter; the names are those of `captions.SCENES`."""
