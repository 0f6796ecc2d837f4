"""From a walk to its frames: where each stands among the text encodings and in the noise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

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
from latent_assets.walks.timeline import keyframe_places, locate, positions


@dataclass(frozen=True)
class FramePoint:
    """One frame of a walk, before a model comes in."""

    context: ContextPoint
    noise: NoisePoint
    guidance_scale: Fraction
    caption: str
    """Where the frame stands, for people."""


def route(walk: Walk) -> list[FramePoint]:
    """The frames of a walk in order (a grid's row by row)."""
    match walk:
        case Interpolation():
            return list(_interpolation(walk))
        case Grid():
            return list(_grid(walk))
        case PromptWalk():
            return list(_prompt_walk(walk))
        case NoiseLoop():
            return list(_noise_loop(walk))
        case GuidanceSweep():
            return list(_guidance_sweep(walk))


def is_closed(walk: Walk) -> bool:
    """Whether the last frame is followed by the first: a loop that plays without a seam."""
    match walk:
        case NoiseLoop():
            return True
        case Interpolation():
            return walk.closed
        case PromptWalk():
            return walk.direction == "orbit"
        case _:
            return False


def prompt_places(walk: Walk) -> list[tuple[str, Fraction]]:
    """The prompts that the walk goes through, and where each stands, counted in frames.

    From the keyframes' places and the corners alone, not from `route`. Walks around one prompt
    have none.
    """
    match walk:
        case Interpolation():
            stand = zip(walk.anchors, _places(walk), strict=False)  # a loop has one place more
            return [(anchor.prompt, place * _divisor(walk)) for anchor, place in stand]
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


def _noise(walk: Walk, position: Fraction) -> NoisePoint:
    if walk.noise == "varying":
        return Gaussian(walk.seed, stream=f"frame at {position}")
    if walk.noise == "loop":
        return Loop.of(walk.seed, position)
    return Gaussian(walk.seed)


def _interpolation(walk: Interpolation) -> Iterable[FramePoint]:
    anchors = walk.anchors
    places = _places(walk)
    seeds = [walk.seed if anchor.seed is None else anchor.seed for anchor in anchors]
    seeded = len(set(seeds)) > 1 or seeds[0] != walk.seed
    context_at = Arc.of if walk.method == "slerp" else Blend.between
    scale, still = exact(walk.guidance_scale), Gaussian(walk.seed)
    # Counted in a unit of which all places are multiples: integers are ten times as fast.
    unit = lcm(_divisor(walk), *(place.denominator for place in places))
    marks = [int(place * unit) for place in places]
    for index in range(walk.frames):
        a, b, local = locate(index * unit // _divisor(walk), marks, anchors)
        start, end = anchors[a].prompt, anchors[b].prompt
        noise: NoisePoint = still
        if seeded:
            noise = NoiseArc.of(seeds[a], seeds[b], local)
        elif walk.noise != "fixed":
            noise = _noise(walk, Fraction(index, _divisor(walk)))
        caption = start if not local else f"{start} → {end}, {float(local):.0%}"
        yield FramePoint(context_at(start, end, local), noise, scale, caption)


def _grid(walk: Grid) -> Iterable[FramePoint]:
    steps = positions(walk.grid_size, closed=False)
    for row, v in enumerate(steps):
        for column, u in enumerate(steps):
            noise = (
                Gaussian(walk.seed, stream=f"cell at {u}, {v}")
                if walk.noise == "varying"
                else Gaussian(walk.seed)
            )
            context = Blend.of(bilinear_weights(u, v), walk.prompts)
            caption = f"row {row + 1}, column {column + 1}"
            yield FramePoint(context, noise, exact(walk.guidance_scale), caption)


def _prompt_walk(walk: PromptWalk) -> Iterable[FramePoint]:
    step = exact(walk.step_size)
    closed = walk.direction == "orbit"
    for index, position in enumerate(positions(walk.frames, closed=closed)):
        context: ContextPoint
        if closed:
            context = Orbit(walk.prompt, walk.seed, step * walk.frames, position)
        else:
            context = Offset.of(walk.prompt, walk.direction, walk.seed, step * index)
        yield FramePoint(
            context,
            _noise(walk, position),
            exact(walk.guidance_scale),
            f"{walk.prompt}, step {index}",
        )


def _noise_loop(walk: NoiseLoop) -> Iterable[FramePoint]:
    for turn in positions(walk.frames, closed=True):
        yield FramePoint(
            Blend.at(walk.prompt),
            Loop.of(walk.seed, turn),
            exact(walk.guidance_scale),
            f"{walk.prompt}, {float(turn) * 360:.0f}°",
        )


def _guidance_sweep(walk: GuidanceSweep) -> Iterable[FramePoint]:
    for scale in walk.guidance_scales:
        yield FramePoint(
            Blend.at(walk.prompt), Gaussian(walk.seed), exact(scale), f"guidance {scale:g}"
        )
