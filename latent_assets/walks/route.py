"""From a walk to its frames: where each stands among the text encodings and in the noise."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from math import lcm
from typing import NamedTuple

from latent_assets.errors import UnpacedError
from latent_assets.walks.pace import TICKS, Course, lattice
from latent_assets.walks.paths import bilinear_weights
from latent_assets.walks.points import (
    Arc,
    Blend,
    ContextPoint,
    Gaussian,
    Loop,
    NoiseArc,
    NoisePoint,
    Offset,
    Orbit,
)
from latent_assets.walks.schema import (
    MAX_FRAMES,
    Grid,
    GuidanceSweep,
    Interpolation,
    NoiseLoop,
    PromptWalk,
    Walk,
)
from latent_assets.walks.timeline import keyframe_places, locate, position, positions


class FramePoint(NamedTuple):
    """One frame of a walk, before a model comes in."""

    context: ContextPoint
    noise: NoisePoint
    guidance_scale: Fraction
    words: str
    values: tuple[str | Fraction, ...]
    """The caption's template and what goes into it: put together when somebody asks."""

    @property
    def caption(self) -> str:
        """Where the frame stands, for people."""
        said = [value if isinstance(value, str) else float(value) for value in self.values]
        return self.words.format(*said)


def route(walk: Walk, at: Sequence[int] | None = None) -> list[FramePoint]:
    """The frames of a walk in order (a grid's row by row). Raises UnpacedError.

    at: numbers of frames, counted from 0: those alone, in this order. What others would take is
    not computed.
    """
    numbers = range(walk.frames) if at is None else at
    match walk:
        case Grid():
            cells = _grid(walk)
            return [cells(number) for number in numbers]
        case GuidanceSweep():
            return [_sweep(walk, walk.guidance_scales[number]) for number in numbers]
        case _:
            point, place = _point(walk), _place_of(walk)
            return [point(place(number)) for number in numbers]


def frame_places(walk: Interpolation | Grid | PromptWalk | NoiseLoop) -> list[list[Fraction]]:
    """Where the frames stand along the path; of a grid its columns, and its rows.

    Raises UnpacedError for a walk of perceptual pace whose places are not known yet.
    """
    if walk.pace == "uniform":
        return [positions(length, closed=walk.is_loop) for length in walk.lengths]
    if walk.places is None:
        raise UnpacedError(
            "the walk's places are not known yet", "Render it, or materialize its timeline."
        )
    return walk.places


def _place_of(walk: Interpolation | PromptWalk | NoiseLoop) -> Callable[[int], Fraction]:
    """The number of a frame -> where it stands; without the places of all others."""
    if walk.pace == "uniform":
        return lambda number: position(number, walk.frames, closed=walk.is_loop)
    return frame_places(walk)[0].__getitem__


def is_closed(walk: Walk) -> bool:
    """Whether the last frame is followed by the first: a loop that plays without a seam."""
    return not isinstance(walk, GuidanceSweep) and walk.is_loop


def courses(walk: Interpolation | Grid | PromptWalk | NoiseLoop) -> list[Course]:
    """What is to be paced of a walk: its path; of a grid its columns, and its rows."""
    if isinstance(walk, Interpolation):
        ends = [*walk.anchors, walk.anchors[0]] if walk.closed else walk.anchors
        places, divisor = _places(walk), _divisor(walk)
        last = len(places) - 1
        times = [
            place * divisor if k in (0, last) or anchor.at is not None else None
            for k, (anchor, place) in enumerate(zip(ends, places, strict=True))
        ]
        eases = [anchor.ease for anchor in walk.anchors[:last]]
        return [Course(tuple(places), tuple(times), tuple(eases))]
    ends = (Fraction(0), Fraction(1))
    return [
        Course(ends, (Fraction(0), Fraction(length if walk.is_loop else length - 1)), ("linear",))
        for length in walk.lengths
    ]


PilotPoints = Callable[[Fraction], list[FramePoint]]
"""A place -> the frames whose pictures say how far it is from others."""


def pilot_points(walk: Interpolation | Grid | PromptWalk | NoiseLoop) -> list[PilotPoints]:
    """For each of the walk's `courses`, the frames of a place.

    Of a path one; of a grid's column or row those at its crossings with the lines of `lattice`: a
    line within says what the edges do not know, and a frame stands on a crossing of two lines that
    are chosen.
    """
    if isinstance(walk, Grid):
        cell, lines = _cell(walk), lattice(walk.grid_size)
        return [
            lambda place: [cell(place, line, "pilot") for line in lines],
            lambda place: [cell(line, place, "pilot") for line in lines],
        ]
    point = _point(walk)
    return [lambda place: [point(place % 1 if walk.is_loop else place)]]


def prompt_places(walk: Walk) -> list[tuple[str, Fraction]]:
    """The prompts that the walk goes through, and where each stands, counted in frames.

    From the places of keyframes, frames and corners alone, not from `route`. Walks around one
    prompt have none. Raises UnpacedError.
    """
    match walk:
        case Interpolation():
            stand = zip(walk.anchors, _places(walk), strict=False)  # a loop has one place more
            frames = frame_places(walk)[0]
            return [(anchor.prompt, _in_frames(place, frames)) for anchor, place in stand]
        case Grid(grid_size=side):
            corners = [0, side - 1, side * (side - 1), side * side - 1]
            return list(zip(walk.prompts, map(Fraction, corners), strict=True))
        case _:
            return []


def prompt_frames(walk: Walk) -> list[tuple[str, int | None]]:
    """The prompts that the walk goes through, each with the frame that stands on it, if any."""
    return [
        (prompt, int(place) if place.denominator == 1 else None)
        for prompt, place in prompt_places(walk)
    ]


def lengths_on_every_prompt(walk: Interpolation) -> list[int]:
    """The numbers of frames next to the walk's own with which a frame stands on every prompt."""
    period = lcm(*(place.denominator for place in _places(walk)))
    one_more = walk.frames - _divisor(walk)
    below = _divisor(walk) // period * period
    lengths = [divisor + one_more for divisor in (below, below + period) if divisor]
    return [length for length in lengths if length <= MAX_FRAMES]


def _places(walk: Interpolation) -> list[Fraction]:
    return keyframe_places(walk.anchors, closed=walk.closed)


def _divisor(walk: Interpolation) -> int:
    """Into how many parts the frames cut the walk; see `timeline.positions`."""
    return walk.frames if walk.closed else walk.frames - 1


def exact(number: float) -> Fraction:
    """The number as it was written: 7.5 -> 15/2, 0.005 -> 1/200."""
    return Fraction(str(number))


def _in_frames(place: Fraction, frames: Sequence[Fraction]) -> Fraction:
    """A place along the path, counted in frames: between two of them by the way between them."""
    before = bisect_right(frames, place) - 1
    start, end = frames[before], frames[before + 1] if before + 1 < len(frames) else Fraction(1)
    return Fraction(before) if place == start else before + (place - start) / (end - start)


def _point(walk: Interpolation | PromptWalk | NoiseLoop) -> Callable[[Fraction], FramePoint]:
    """The frame at a place along the walk."""
    match walk:
        case Interpolation():
            return _interpolation(walk)
        case PromptWalk():
            return partial(_prompt_walk, walk)
        case NoiseLoop():
            return partial(_noise_loop, walk)


def _noise(walk: Walk, position: Fraction) -> NoisePoint:
    if walk.noise == "varying":
        return Gaussian(walk.seed, stream=f"frame at {position}")
    if walk.noise == "loop":
        return Loop.of(walk.seed, position)
    return Gaussian(walk.seed)


def _interpolation(walk: Interpolation) -> Callable[[Fraction], FramePoint]:
    anchors = walk.anchors
    read = [walk.read(anchor.prompt) for anchor in anchors]
    places = _places(walk)
    seeds = [walk.seed if anchor.seed is None else anchor.seed for anchor in anchors]
    seeded = len(set(seeds)) > 1 or seeds[0] != walk.seed
    eased = walk.pace == "uniform"  # else the easing is in the places, and to the eye
    context_at = Arc.of if walk.method == "slerp" else Blend.between
    scale, still = exact(walk.guidance_scale), Gaussian(walk.seed)
    # Counted in a unit of which all places are multiples: integers are ten times as fast.
    unit = lcm(_divisor(walk), *(place.denominator for place in places))
    unit *= 1 if eased else TICKS
    marks = [int(place * unit) for place in places]

    def point(place: Fraction) -> FramePoint:
        part, whole = place.as_integer_ratio()
        times, rest = divmod(unit, whole)
        at = place * unit if rest else part * times
        a, b, local = locate(at, marks, anchors, eased=eased)
        start, end = anchors[a].prompt, anchors[b].prompt
        from_prompt, to_prompt = read[a], read[b]
        noise: NoisePoint = still
        if seeded:
            noise = NoiseArc.of(seeds[a], seeds[b], local)
        elif walk.noise != "fixed":
            noise = _noise(walk, place)
        context = context_at(from_prompt, to_prompt, local)
        if not local:
            return FramePoint(context, noise, scale, "{}", (start,))
        return FramePoint(context, noise, scale, "{} → {}, {:.0%}", (start, end, local))

    return point


def _grid(walk: Grid) -> Callable[[int], FramePoint]:
    columns, rows = frame_places(walk)
    cell = _cell(walk)

    def numbered(number: int) -> FramePoint:
        row, column = divmod(number, len(columns))
        return cell(columns[column], rows[row], f"row {row + 1}, column {column + 1}")

    return numbered


def _cell(walk: Grid) -> Callable[[Fraction, Fraction, str], FramePoint]:
    prompts = [walk.read(prompt) for prompt in walk.prompts]
    scale = exact(walk.guidance_scale)

    def cell(u: Fraction, v: Fraction, caption: str) -> FramePoint:
        stream = f"cell at {u}, {v}" if walk.noise == "varying" else ""
        context = Blend.of(bilinear_weights(u, v), prompts)
        noise = Gaussian(walk.seed, stream)
        return FramePoint(context, noise, scale, "{}", (caption,))

    return cell


def _prompt_walk(walk: PromptWalk, position: Fraction) -> FramePoint:
    steps = position * (walk.frames if walk.is_loop else walk.frames - 1)
    step = exact(walk.step_size)
    context: ContextPoint
    if walk.is_loop:
        context = Orbit(walk.read(walk.prompt), walk.seed, step * walk.frames, position)
    else:
        context = Offset.of(walk.read(walk.prompt), walk.direction, walk.seed, step * steps)
    noise, scale = _noise(walk, position), exact(walk.guidance_scale)
    return FramePoint(context, noise, scale, "{}, step {:.4g}", (walk.prompt, steps))


def _noise_loop(walk: NoiseLoop, turn: Fraction) -> FramePoint:
    return FramePoint(
        Blend.at(walk.read(walk.prompt)),
        Loop.of(walk.seed, turn),
        exact(walk.guidance_scale),
        "{}, {:.0f}°",
        (walk.prompt, 360 * turn),
    )


def _sweep(walk: GuidanceSweep, scale: float) -> FramePoint:
    return FramePoint(
        Blend.at(walk.read(walk.prompt)),
        Gaussian(walk.seed),
        exact(scale),
        "guidance {:g}",
        (exact(scale),),
    )
