"""Where the frames of a walk stand, as exact fractions.

Exact, since a frame's key is the hash of its place: with floating point, frame 2 of 5 and
frame 4 of 9 would be two pictures instead of one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from latent_assets.walks.exact import fraction
from latent_assets.walks.schema import Keyframe


class Place(NamedTuple):
    """A place on a keyframed walk: `local`, from 0 to 1, on the way from keyframe a to b."""

    a: int
    b: int
    local: Fraction


def positions(frames: int, *, closed: bool) -> list[Fraction]:
    """Places of the frames along the walk, 0 to 1.

    Open: i / (n - 1), both ends reached. Closed: i / n, so that the last frame is followed by
    the first and none is repeated. A walk of 2n - 1 (closed: 2n) frames holds all the places of
    one of n.
    """
    return [position(number, frames, closed=closed) for number in range(frames)]


def position(number: int, frames: int, *, closed: bool) -> Fraction:
    """The place of one of the frames alone, see `positions`."""
    return fraction(number, frames if closed else max(frames - 1, 1))


def ease(name: str, t: Fraction) -> Fraction:
    """Easing of t in [0, 1]: polynomials, so that the result stays an exact fraction.

    ease-in t^2, ease-out 1 - (1 - t)^2, ease-in-out 3t^2 - 2t^3 (smoothstep).
    """
    if name == "ease-in":
        return t * t
    if name == "ease-out":
        return 1 - (1 - t) * (1 - t)
    if name == "ease-in-out":
        return t * t * (3 - 2 * t)
    return t


def keyframe_places(keyframes: Sequence[Keyframe], *, closed: bool) -> list[Fraction]:
    """Places of the keyframes; those without `at` are spread evenly between their neighbours.

    A closed walk has one more place, 1, where it is back at keyframe 0.
    """
    known: list[Fraction | None] = [keyframe.at for keyframe in keyframes]
    known[0] = Fraction(0)
    if closed:
        known.append(Fraction(1))
    known[-1] = Fraction(1)
    places: list[Fraction] = []
    left = 0
    for index, place in enumerate(known):
        if place is None:
            continue
        start = known[left] or Fraction(0)
        gap = (place - start) / max(index - left, 1)
        places.extend(start + gap * step for step in range(1, index - left))
        places.append(place)
        left = index
    return places


def locate(
    position: int | Fraction,
    places: Sequence[int | Fraction],
    keyframes: Sequence[Keyframe],
    *,
    eased: bool = True,
) -> Place:
    """The segment that `position` lies on. A keyframe belongs to one segment only.

    position, places: exact, in one unit, whichever. eased: the position is a time, to which the
    segment's easing is applied; else it is a place.
    """
    segment = bisect_right(places, position) - 1
    if segment == len(places) - 1:
        last = segment % len(keyframes)
        return Place(last, last, Fraction(0))
    start, end = places[segment], places[segment + 1]
    if position == start:
        return Place(segment, segment, Fraction(0))
    local = fraction(position - start, end - start)
    if eased:
        local = ease(keyframes[segment].ease, local)
    return Place(segment, (segment + 1) % len(keyframes), local)
