"""Even motion: from the distances of some pictures of a walk to places of equal distance.

Pure: places and distances in, places out. Who renders the pilots is not known here; they are
asked for in turns (`pace` is a generator), so that a plan can ask the same questions.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor, isqrt, log2, sqrt
from typing import Any

import numpy as np

from latent_assets.walks.even_steps import Choice, walk
from latent_assets.walks.polyline import BAND, Line, Points, Reals, roughness_of
from latent_assets.walks.timeline import ease

PACE_VERSION = 3
"""Raised when other places come out of the same distances; timelines are then found anew."""
DEPTH = 16
TICKS = 2**DEPTH
"""Within a segment places are multiples of 2^-DEPTH: keys stay exact, denominators bounded."""
JUMP = 1.5
"""Two places a hair apart whose pictures are so many steps apart: the model jumps there."""
_FIRST = 8
"""Parts that a walk is cut into before anything is known."""
_FINE = 8
"""Places that are tried in each step between pilots."""
_PRICES = (0.02, 0.002)
"""What a place that is yet to be rendered must gain, in squared relative error, to be chosen.

One for each refinement: high at first, where distances are guessed and pilots can be frames; low
at last, where they are known. After one look alone (`pace_at_once`) it is the first.
"""
_TOO_DEAR = 2.0
_LINES, _COARSE = 13, 64
"""Of a grid's pilots: columns and rows at most, and the parts of which their places are whole."""
_STILL = 1e-7
"""Distance that counts for the whole way, whatever the pictures."""
_SHORTEST = 0.02
"""The shortest step of an eased segment, of its longest: no frame stands still."""


@dataclass(frozen=True)
class Course:
    """What is to be paced: keyframes along a path, and when each is to be reached."""

    places: tuple[Fraction, ...]
    """Of the keyframes along the path, from 0 to 1; of a loop, the first once more at 1."""
    times: tuple[Fraction | None, ...]
    """Of the keyframes, counted in frames; None: whenever the pace brings it."""
    eases: tuple[str, ...]
    """Of each segment: how the picture moves there, to the eye."""

    @property
    def steps(self) -> int:
        """From the first frame to the last, of a loop to the first again."""
        last = self.times[-1]
        assert last is not None
        return int(last)

    def place(self, segment: int, local: Fraction) -> Fraction:
        """Along the path, of a place within a segment."""
        start, end = self.places[segment : segment + 2]
        return start + (end - start) * local

    def locate(self, place: Fraction) -> tuple[int, Fraction]:
        """Segment and place within it; a keyframe begins its segment, the last ends it."""
        segment = min(bisect_right(self.places, place) - 1, len(self.places) - 2)
        start, end = self.places[segment : segment + 2]
        return segment, (place - start) / (end - start)


@dataclass(frozen=True)
class Survey:
    """Pilots along a path, and how far apart their pictures are."""

    places: tuple[Fraction, ...]
    """In order; the ends and all keyframes among them."""
    squares: Reals
    """(M, BAND): squared distance of pilot i to pilot i + 1 + column; inf beyond the last."""


@dataclass(frozen=True)
class Jump:
    """Two places a hair apart with two different pictures: no pace can help there."""

    start: Fraction
    end: Fraction
    steps: float
    """Their distance, in usual steps."""


@dataclass(frozen=True)
class Paced:
    """What came out."""

    places: tuple[Fraction, ...]
    """Of the frames along the path; of a loop the end once more."""
    distances: tuple[float, ...]
    """From each place to the next."""
    jumps: tuple[Jump, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON, the places exact."""
        return {
            "places": list(map(str, self.places)),
            "distances": list(self.distances),
            "jumps": [[str(jump.start), str(jump.end), jump.steps] for jump in self.jumps],
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Paced:
        """The inverse of `as_dict`. Raises ValueError, KeyError or TypeError for what is none."""
        return cls(
            tuple(map(Fraction, document["places"])),
            tuple(map(float, document["distances"])),
            tuple(Jump(Fraction(a), Fraction(b), float(n)) for a, b, n in document["jumps"]),
        )


Pilots = Generator[list[Fraction], Survey, Paced]
"""Asks for places, is sent the survey of all pilots so far, returns the pace."""


def pilots_beside(frames: int) -> int:
    """So many pilots at most are rendered that are no frames in the end: 23 for 60, 36 for 150."""
    return max(6, min(ceil(0.4 * frames) - 1, floor(3 * sqrt(frames))))


def lattice(side: int) -> list[Fraction]:
    """Where the columns, and the rows, stand on whose crossings a grid's pilots are.

    As many as cost 0.4 of the grid's frames at most, if only the corners are frames in the end;
    three at least, so that something is known of what lies between the edges.
    """
    most = isqrt(floor(0.4 * side * side) + 4)
    parts = min(max(most, 3), side, _LINES) - 1
    return [Fraction(round(k * _COARSE / parts), _COARSE) for k in range(parts + 1)]


def pace_at_once(course: Course, first: list[Fraction]) -> Pilots:
    """Even places after one look, some of them between pilots: where each costs a row of pictures.

    first: the pilots, both ends and all keyframes among them.
    """
    survey = yield first
    ground = _Ground(course, survey)
    return ground.chosen(ground.times(), fine=True)


def pace(course: Course, budget: int) -> Pilots:
    """Even places. budget: the most places that are asked for, more than there are frames."""
    spare = budget - course.steps - 1
    survey = yield _first(course, spare)
    while (left := spare - len(survey.places)) > 0:
        wanted = _Ground(course, survey).widest(min(len(survey.places) // 4 + 1, left))
        if not wanted:
            break
        survey = yield wanted
    times = _Ground(course, survey).times()
    for price in _PRICES:
        ground = _Ground(course, survey)
        tried = ground.times()
        wanted = ground.wanted(tried, budget - len(survey.places), price)
        if wanted is None:  # too many: what was asked for last time is complete
            break
        times = tried
        if not wanted:
            break
        survey = yield wanted
    return _Ground(course, survey).chosen(times)


def _first(course: Course, most: int) -> list[Fraction]:
    """The keyframes, and as many even parts between them as may be, up to `_FIRST`."""
    segments = len(course.places) - 1
    parts = _FIRST
    while parts > 1 and segments * parts + 1 > most:
        parts //= 2
    cuts = [course.place(s, Fraction(k, parts)) for s in range(segments) for k in range(parts)]
    return [*cuts, course.places[-1]]


@dataclass(frozen=True)
class _Part:
    """From one keyframe that stands on a frame to the next such one."""

    first: int
    last: int
    """Its pilots at both ends."""
    weights: tuple[float, ...]
    """Of its steps: their lengths in relation to each other."""


class _Ground:
    """A course and what is known of it."""

    def __init__(self, course: Course, survey: Survey) -> None:
        self.course, self.survey = course, survey
        self.ticks = [_tick(course, place) for place in survey.places]
        # Where the keyframes are among the pilots.
        self.bounds = [bisect_left(survey.places, place) for place in course.places]
        widths, squares = np.diff(self.ticks), _never_still(survey)
        self.line = Line(
            squares,
            solid=frozenset(np.flatnonzero(widths <= _hair(course)).tolist()),
            roughness=self._roughness(squares),
        )

    def _roughness(self, squares: Reals) -> Reals:
        """(M - 1,): of each gap that of its stretch, so that no stretch depends on another."""
        rough = np.empty(len(squares) - 1)
        for a, b, _, _ in _stretches(self.course):
            i, j = self.bounds[a], self.bounds[b]
            rough[i:j] = roughness_of(squares[i : j + 1])
        return rough

    # --- coarse to fine

    def widest(self, count: int) -> list[Fraction]:
        """The middles of the widest gaps that are no hair yet, in the steps of their stretch.

        At most `count`, and none that is less than half as wide as the widest: a gap that stays
        wide, because the picture jumps there, is followed to its place first.
        """
        gaps = self.line.gaps / self._usual_steps()
        order = [i for i in np.argsort(-gaps, kind="stable") if i not in self.line.solid]
        wide = [i for i in order[:count] if gaps[i] >= gaps[order[0]] / 2]
        return sorted(self._place((self.ticks[i] + self.ticks[i + 1]) // 2) for i in wide)

    def _usual_steps(self) -> Reals:
        """(M - 1,): for each gap, about how long a step will be in its stretch."""
        usual = np.empty(len(self.line) - 1)
        for a, b, start, end in _stretches(self.course):
            i, j = self.bounds[a], self.bounds[b]
            usual[i:j] = self.line.gaps[i:j].sum() / float(end - start)
        return usual

    # --- times

    def times(self) -> list[Fraction]:
        """Times of all keyframes: those that are given, and between them as the distances ask."""
        lengths = self._lengths()
        times = [Fraction(0)]
        for a, b, start, end in _stretches(self.course):
            times += [*_shared_out(start, end, lengths[a:b]), end]
        return times

    def _lengths(self) -> list[float]:
        """Of each segment, in steps of the walk's usual length: what is finer does not count."""
        usual = float(self.line.gaps.sum()) / self.course.steps
        return [self._steps_between(i, j, usual) * usual for i, j in pairwise(self.bounds)]

    def _steps_between(self, first: int, last: int, radius: float) -> float:
        """How many steps of `radius` lead from one pilot to another, the last one in part."""
        count, at = 0, (first, 0.0)
        while (after := self.line.advance(at, radius, last)) is not None and after[0] < last:
            count, at = count + 1, after
        return count + self.line.to_pilot(at, last) / radius

    # --- choosing

    def wanted(self, times: list[Fraction], most: int, price: float) -> list[Fraction] | None:
        """The places to render next, so that all frames can be chosen; None if more than `most`.

        price: what each costs, at least; see `Choice`.
        """
        fields = [_Field(self, part, fine=True) for part in self._parts(times)]
        while price < _TOO_DEAR:
            ticks = [tick for field in fields for tick in field.ticks(price)]
            new = sorted(set(ticks) - set(self.ticks))
            if len(new) <= most:
                return [self._place(tick) for tick in new]
            price *= 2
        return None

    def chosen(self, times: list[Fraction], *, fine: bool = False) -> Paced:
        """The frames, among the pilots; fine: or between them, where that makes steps more even."""
        fields = [_Field(self, part, fine=fine) for part in self._parts(times)]
        ticks = [0, *(tick for field in fields for tick in field.ticks(_PRICES[0])[1:])]
        points = self._points(ticks)
        distances = [
            float(self.line.between(points[n : n + 1], points[n + 1 : n + 2])[0, 0])
            for n in range(len(ticks) - 1)
        ]
        return Paced(
            places=tuple(map(self._place, ticks)),
            distances=tuple(distances),
            jumps=self._jumps(distances),
        )

    def _points(self, ticks: Sequence[int]) -> Points:
        """Where places are on the line."""
        known = np.array(self.ticks)
        pilots = np.searchsorted(known, ticks, side="right") - 1
        widths = np.append(np.diff(known), 1)
        return Points(pilots, (np.array(ticks) - known[pilots]) / widths[pilots])

    def _jumps(self, distances: Sequence[float]) -> tuple[Jump, ...]:
        usual = float(np.median(distances))
        return tuple(
            Jump(self.survey.places[i], self.survey.places[i + 1], float(gap / usual))
            for i, gap in enumerate(self.line.gaps)
            if i in self.line.solid and usual and gap >= JUMP * usual
        )

    def _parts(self, times: list[Fraction]) -> list[_Part]:
        lengths = self._lengths()
        standing = [k for k, time in enumerate(times) if time.denominator == 1]
        return [
            _Part(
                self.bounds[a],
                self.bounds[b],
                _weights(times[a : b + 1], lengths[a:b], self.course.eases[a:b]),
            )
            for a, b in pairwise(standing)
        ]

    def _place(self, tick: int) -> Fraction:
        segment, local = divmod(tick, TICKS)
        if segment == len(self.course.places) - 1:
            return self.course.places[-1]
        return self.course.place(segment, Fraction(local, TICKS))


class _Field:
    """What may stand on a part's frames, and how even the steps would be.

    fine: places between pilots may be chosen too; else only pilots serve.
    """

    def __init__(self, ground: _Ground, part: _Part, *, fine: bool) -> None:
        radius, expected = walk(ground.line, part.first, part.last, part.weights)
        points = [(i, 0.0, ground.ticks[i]) for i in range(part.first, part.last + 1)]
        if fine:
            points = sorted([*points, *_between(ground, part, radius)])
        self._ticks = [tick for _, _, tick in points]
        shares = np.array([share for _, share, _ in points])
        self._new = np.where(shares > 0, 1.0, 0.0)
        candidates = Points(np.array([pilot for pilot, _, _ in points]), shares)
        self._choice = Choice(ground.line, candidates, expected, radius * np.array(part.weights))

    def ticks(self, price: float) -> list[int]:
        """The part's places. price: of a place that is no pilot."""
        return [self._ticks[place] for place in self._choice.cheapest(price * self._new)]


def _between(ground: _Ground, part: _Part, radius: float) -> list[tuple[int, float, int]]:
    """Places between pilots, about _FINE in a step, their fractions as short as can be."""
    points = []
    for i in range(part.first, part.last):
        start, width = ground.ticks[i], ground.ticks[i + 1] - ground.ticks[i]
        cuts = min(ceil(ground.line.gaps[i] / radius * _FINE), width, 64 * _FINE)
        grain = 2 ** max(floor(log2(width / (2 * cuts))), 0) if cuts else 1
        inner = {round((start + width * k / cuts) / grain) * grain for k in range(1, cuts)}
        points += [
            (i, (tick - start) / width, tick) for tick in inner if start < tick < start + width
        ]
    return points


def _tick(course: Course, place: Fraction) -> int:
    segment, local = course.locate(place)
    return segment * TICKS + int(local * TICKS)


def _never_still(survey: Survey) -> Reals:
    """The squared distances, and a little for each place: equal pictures are paced by place."""
    places = np.array([float(place) for place in survey.places])
    count = len(places)
    others = np.minimum(np.arange(count)[:, None] + 1 + np.arange(BAND), count - 1)
    return survey.squares + (_STILL * (places[others] - places[:, None])) ** 2


def _hair(course: Course) -> int:
    """In ticks of a segment; far below the steps of the same walk at uniform pace."""
    return TICKS >> min(DEPTH, max(12, ceil(log2(64 * course.steps))))


def _stretches(course: Course) -> Iterator[tuple[int, int, Fraction, Fraction]]:
    """From each keyframe with a time of its own to the next: both, and their times."""
    fixed = [(k, time) for k, time in enumerate(course.times) if time is not None]
    for (a, start), (b, end) in pairwise(fixed):
        yield a, b, start, end


def _shared_out(start: Fraction, end: Fraction, lengths: Sequence[float]) -> list[Fraction]:
    """Times of the keyframes inside a stretch, in proportion to its segments' lengths.

    Whole frames if there are enough, so that a frame stands on each; else those of uniform pace.
    """
    inner = len(lengths) - 1
    first, last = floor(start) + 1, ceil(end) - 1
    if last - first + 1 < inner:
        return [start + (end - start) * k / (inner + 1) for k in range(1, inner + 1)]
    times: list[int] = []
    for k, share in enumerate(np.cumsum(lengths)[:-1] / sum(lengths)):
        ideal = round(float(start) + float(end - start) * float(share))
        least = times[-1] + 1 if times else first
        times.append(min(max(ideal, least), last - (inner - 1 - k)))
    return [Fraction(time) for time in times]


def _weights(
    times: Sequence[Fraction], lengths: Sequence[float], eases: Sequence[str]
) -> tuple[float, ...]:
    """What each step between two frames covers of the segments' lengths; 1 in the mean."""
    first, last = int(times[0]), int(times[-1])
    covered = []
    for frame in range(first, last + 1):
        way = 0.0
        for start, end, length, how in zip(times, times[1:], lengths, eases, strict=False):
            local = min(max((frame - start) / (end - start), Fraction(0)), Fraction(1))
            way += length * float(ease(how, local))
        covered.append(way)
    steps = np.diff(covered)
    return tuple((np.maximum(steps, steps.max() * _SHORTEST) / steps.mean()).tolist())
