"""The timeline of a walk: where its frames stand, found by looking at pilots.

The same questions are asked by whoever renders the pilots and by the plan, which only looks at what
is there: so the plan knows what will be rendered next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from latent_assets.digests import digest_of
from latent_assets.walks.pace import (
    PACE_VERSION,
    Jump,
    Paced,
    Pilots,
    Survey,
    lattice,
    pace,
    pace_at_once,
    pilots_beside,
)
from latent_assets.walks.polyline import squares_of
from latent_assets.walks.recipes import FrameRecipe, Rendering
from latent_assets.walks.route import PilotPoints, courses, is_closed, pilot_points
from latent_assets.walks.schema import WALK_ADAPTER, Grid, GuidanceSweep, Walk

Look = Callable[[Sequence[FrameRecipe]], Sequence[npt.NDArray[np.float32]] | None]
"""Recipes -> for each picture its features, (D,) float32; None if one of them is not known."""
Tell = Callable[[Mapping[int, str]], None]
"""Numbers of frames -> keys of pilots that are asked for now and stand about there."""

_NO_MATTER = {
    *("description", "batch_size", "chunk_size", "queue", "output", "schedule", "model", "size"),
    *("pace", "places", "checks", "num_steps", "sampler", "spacing", "negative_prompt"),
}
"""Fields that leave the places alone, or are in the rendering."""


@dataclass(frozen=True)
class Timeline:
    """Where the frames of a walk stand."""

    axes: tuple[Paced, ...]
    """Of the path; of a grid's columns, and of its rows."""
    pilots: int
    """Pictures that were looked at, frames among them."""

    def places(self, *, loop: bool) -> list[list[Fraction]]:
        """Of the frames, as a walk's `places` has them: a loop's end is its beginning."""
        return [list(axis.places[:-1] if loop else axis.places) for axis in self.axes]

    @property
    def jumps(self) -> list[Jump]:
        """Where the model itself jumps."""
        return [jump for axis in self.axes for jump in axis.jumps]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"axes": [axis.as_dict() for axis in self.axes], "pilots": self.pilots}

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Timeline:
        """The inverse of `as_dict`. Raises ValueError, KeyError or TypeError for what is none."""
        return cls(tuple(map(Paced.from_dict, document["axes"])), int(document["pilots"]))


@dataclass(frozen=True)
class Unknown:
    """A timeline that cannot be found yet: some pilot is not known."""

    pilots: tuple[FrameRecipe, ...]
    """That were asked for so far, each once; the unknown ones among the last."""
    at_most: int
    """Pictures that the timeline and the frames take in all, pilots included."""


def timeline_key(walk: Walk, rendering: Rendering, measure: str) -> str:
    """The key of a walk's timeline: what determines it. measure: the name of the distance."""
    assert not isinstance(walk, GuidanceSweep)
    document = WALK_ADAPTER.dump_python(walk, mode="json")
    path = {name: value for name, value in document.items() if name not in _NO_MATTER}
    how = asdict(rendering)
    if not rendering.table:
        del how["table"]
    return digest_of(
        {
            "pace": PACE_VERSION,
            "measure": measure,
            "walk": path,
            # Where keyframes stand may depend on fields that do not matter otherwise.
            "courses": [
                [*map(str, course.places), *map(str, course.times)] for course in courses(walk)
            ],
            "rendering": how,
        }
    )


def find_timeline(
    walk: Walk, rendering: Rendering, look: Look, tell: Tell = lambda _: None
) -> Timeline | Unknown:
    """Asks for pilots until the places are found, or a pilot is not known.

    tell: called before `look` is.
    """
    assert not isinstance(walk, GuidanceSweep)
    seen: dict[str, FrameRecipe] = {}
    axes = []
    for axis, (search, points) in enumerate(_axes(walk)):

        def recipes_at(place: Fraction, points: PilotPoints = points) -> list[FrameRecipe]:
            return [
                FrameRecipe(rendering, point.context, point.noise, point.guidance_scale)
                for point in points(place)
            ]

        known: dict[Fraction, npt.NDArray[np.float32]] = {}
        wanted = next(search)
        while True:
            recipes = {place: recipes_at(place) for place in wanted}
            asked = {recipe.key: recipe for each in recipes.values() for recipe in each}
            seen |= asked
            tell(
                {
                    frame: recipe.key
                    for place, each in recipes.items()
                    for frame, recipe in zip(_frames_near(walk, axis, place), each, strict=True)
                }
            )
            features = look(list(asked.values()))
            if features is None:
                return Unknown(tuple(seen.values()), _at_most(walk))
            by_key = dict(zip(asked, features, strict=True))
            for place, each in recipes.items():
                # The mean over its pictures of squared distances is the square of a distance.
                joined = np.concatenate([by_key[recipe.key] for recipe in each])
                known[place] = (joined / sqrt(len(each))).astype(np.float32)
            places = sorted(known)
            survey = Survey(tuple(places), squares_of(np.stack([known[p] for p in places])))
            try:
                wanted = search.send(survey)
            except StopIteration as found:
                axes.append(found.value)
                break
    return Timeline(tuple(axes), len(seen))


def _axes(walk: Walk) -> Iterator[tuple[Pilots, PilotPoints]]:
    """Each axis: the search for its places, and the pictures of a place."""
    assert not isinstance(walk, GuidanceSweep)
    for course, points in zip(courses(walk), pilot_points(walk), strict=True):
        if isinstance(walk, Grid):
            yield pace_at_once(course, lattice(walk.grid_size)), points
        else:
            yield pace(course, course.steps + 1 + pilots_beside(walk.frames)), points


def _frames_near(walk: Walk, axis: int, place: Fraction) -> list[int]:
    """The numbers of the frames that stand about where a pilot's pictures do (`pilot_points`)."""
    if not isinstance(walk, Grid):
        return [round(place * (walk.frames - 1 + is_closed(walk))) % walk.frames]
    last = walk.grid_size - 1
    along, lines = round(place * last), [round(line * last) for line in lattice(walk.grid_size)]
    cells = [(line, along) if axis == 0 else (along, line) for line in lines]
    return [row * walk.grid_size + column for row, column in cells]


def _at_most(walk: Walk) -> int:
    if isinstance(walk, Grid):
        corners = 4  # are frames in any case
        return walk.frames + len(lattice(walk.grid_size)) ** 2 - corners
    return walk.frames + pilots_beside(walk.frames)
