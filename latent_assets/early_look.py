"""A walk while it is rendered: a film of the frames that are there, written anew as they come.

It takes a bounded share of the time. Each frame is encoded once; what is written anew is the file
around them. What cannot be written is told once, and no render fails for it.
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from latent_assets.errors import LatentAssetsError
from latent_assets.media.frames import ImageArray, evenly, exact_fps, play_order
from latent_assets.media.output import written
from latent_assets.media.thumbnails import FILM_FRAMES, reduced, thumbnail, thumbnail_film
from latent_assets.media.webp import TICKS_PER_SECOND, Still, still, write_stills
from latent_assets.store import DamagedError, MissingError
from latent_assets.studio import Studio, WalkSpec
from latent_assets.walks.order import rendering_order, stand_ins
from latent_assets.walks.route import is_closed
from latent_assets.walks.schema import Grid, Walk

FOLDER = "early"
"""Of the cache: whatever lies there may be deleted at any time."""
SHARE = 0.02
"""Of the time that passes, about so much is spent here at most."""
HEAD_START_S = 0.25
"""May be spent at once, so that a first look need not wait."""
PERIOD_S = 1.0
"""The file is written no more often than this."""
FIRST_AFTER_S = 2.0
"""Seconds of rendering: a walk that is whole by then needs none, and it would cost much of it."""
_QUALITY, _METHOD = 70, 2
_NOTE_PX = 160
_NOTE_CHARACTERS = 6_000

logger = logging.getLogger(__name__)


def early_look_path(studio: Studio, spec: WalkSpec) -> Path:
    """Where the early look of a walk lies while it is rendered."""
    return studio.settings.cache_dir / FOLDER / f"{spec.published}.webp"


def will_have_early_look(estimate_s: float | None) -> bool:
    """estimate_s: how long it is expected to render; None if nobody knows."""
    return estimate_s is None or estimate_s > FIRST_AFTER_S


def remove_early_look(studio: Studio, spec: WalkSpec) -> None:
    """The walk's files are there: nobody needs it any more."""
    with suppress(OSError):
        early_look_path(studio, spec).unlink(missing_ok=True)


class EarlyLook:
    """The early look of one walk, for whoever renders it: call `update` when frames have come.

    Others may render frames of the same walk: what is in the store is shown, whoever put it there.
    """

    def __init__(
        self,
        studio: Studio,
        spec: WalkSpec,
        *,
        clock: Callable[[], float] = time.monotonic,
        worked: Callable[[], float] = time.thread_time,
    ) -> None:
        """clock, worked: seconds that have passed, and that this thread has computed."""
        self.path = early_look_path(studio, spec)
        self._frames, self._clock = studio.frames, clock
        self._shape = _Mosaic(spec.walk) if isinstance(spec.walk, Grid) else _Film(spec.walk)
        self._order = rendering_order(spec.walk)[: self._shape.most]
        self._share = _Share(clock, worked)
        self._keys: dict[int, str] = {}
        self._small: dict[str, Any] = {}
        self._written_at: float | None = None
        self._broken = False
        if not spec.has_timeline:
            self.settle([recipe.key for recipe in spec.recipes()])

    def expect(self, keys: Mapping[int, str]) -> None:
        """Pilots, each by the frame that stands about there; of several the first."""
        self._keys = {**keys, **self._keys}

    def settle(self, keys: Sequence[str]) -> None:
        """These are the walk's frames; what was expected before were pilots."""
        self._keys = dict(enumerate(keys))

    @property
    def known(self) -> list[int]:
        """The frames that are in the film, in order."""
        return sorted(place for place, key in self._keys.items() if key in self._small)

    def update(self) -> bool:
        """Take in what is in the store by now; returns whether the file was written anew.

        Nothing, if it was a moment ago, or if this has had its share of the time.
        """
        now = self._clock()
        if self._written_at is not None and now - self._written_at < PERIOD_S:
            return False
        if self._broken or not self._share.is_left:
            return False
        try:
            with self._share.taken():
                return self._update()
        except (LatentAssetsError, OSError) as error:
            self._broken = True
            logger.warning("there is no early look at the walk: %s", error)
            return False

    def note(self) -> str | None:
        """What is there, so small that a database takes it: a `data:` URL; None if nothing is."""
        keys = {place: self._keys[place] for place in self.known}
        if not keys:
            return None
        try:
            with self._share.taken():
                return self._shape.note(
                    keys, self._small, lambda key: self._frames.read(key).pixels
                )
        except (LatentAssetsError, OSError):  # a frame was collected, or set aside, this moment
            return None

    def _update(self) -> bool:
        if not self._take_in():
            return False
        small = {place: self._small[self._keys[place]] for place in self.known}
        with written(self.path) as temporary:
            temporary.write_bytes(self._shape.file(small))
        self._written_at = self._clock()
        return True

    def _take_in(self) -> bool:
        """What has come, coarse to fine, as long as there is time; whether anything has."""
        wanted = (self._keys[place] for place in self._order if place in self._keys)
        missing = [key for key in dict.fromkeys(wanted) if key not in self._small]
        there, new = self._frames.contains(missing), False
        for key in missing:
            if key not in there:
                continue
            with suppress(MissingError, DamagedError):  # whoever lists the frames tells of it
                self._small[key] = self._shape.small(self._frames.read(key).pixels)
                new = True
            if not self._share.is_left:
                break
        return new


class _Share:
    """A share of the time that passes: whoever has taken more has to wait."""

    def __init__(self, clock: Callable[[], float], worked: Callable[[], float]) -> None:
        self._clock, self._worked = clock, worked
        self._began, self._taken = clock(), 0.0
        self._since: float | None = None

    @property
    def is_left(self) -> bool:
        """Whether less was taken than has come together."""
        taken = self._taken
        if self._since is not None:
            taken += self._worked() - self._since
        return taken <= HEAD_START_S + SHARE * (self._clock() - self._began)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """What is computed in the block is taken from the share."""
        self._since = self._worked()
        try:
            yield
        finally:
            self._taken += self._worked() - self._since
            self._since = None


class _Film:
    """A film as long as the finished one: until a frame is there, the nearest stands in for it."""

    most = 129
    """Frames: of a longer walk both ends, and what seven halvings give."""
    _px = 256

    def __init__(self, walk: Walk) -> None:
        self._count, self._fps = walk.frames, exact_fps(walk.output.fps)
        self._loop = is_closed(walk)
        self._order = play_order(walk.frames, ping_pong=walk.output.ping_pong, closed=self._loop)

    def small(self, picture: ImageArray) -> Still:
        return still(np.asarray(reduced(picture, self._px)), quality=_QUALITY, method=_METHOD)

    def file(self, small: Mapping[int, Still]) -> bytes:
        near = stand_ins(small, self._count, loop=self._loop)
        tick = TICKS_PER_SECOND / Fraction(self._fps)
        film: list[tuple[Still, int]] = []
        shown = 0
        for place, run in groupby(near[each] for each in self._order):
            begun, shown = shown, shown + len(list(run))
            film.append((small[place], round(shown * tick) - round(begun * tick)))
        buffer = io.BytesIO()
        write_stills(buffer, film)
        return buffer.getvalue()

    def note(
        self, keys: Mapping[int, str], _small: object, read: Callable[[str], ImageArray]
    ) -> str:
        near = stand_ins(keys, self._count, loop=self._loop)
        shown = [keys[near[place]] for place in evenly(self._count, FILM_FRAMES)]
        pictures = {key: read(key) for key in dict.fromkeys(shown)}
        return thumbnail_film(
            lambda: [pictures[key] for key in shown],
            seconds=float(self._count / self._fps),
            longest_px=_NOTE_PX,
            max_characters=_NOTE_CHARACTERS,
        )


class _Mosaic:
    """The picture of a grid, in small, grey where nothing is known yet."""

    most = 1089
    """Cells: of a larger grid those of 33 rows and columns."""
    _px, _least_px, _grey = 768, 8, 238

    def __init__(self, walk: Grid) -> None:
        self._side = walk.grid_size

    def small(self, picture: ImageArray) -> ImageArray:
        return np.asarray(reduced(picture, max(self._px // self._side, self._least_px)))

    def file(self, small: Mapping[int, ImageArray]) -> bytes:
        buffer = io.BytesIO()
        whole = Image.fromarray(self._whole(small))
        whole.save(buffer, "WEBP", quality=_QUALITY, method=_METHOD)
        return buffer.getvalue()

    def note(self, keys: Mapping[int, str], small: Mapping[str, ImageArray], _read: object) -> str:
        whole = self._whole({place: small[key] for place, key in keys.items()})
        return thumbnail(whole, longest_px=2 * _NOTE_PX, max_characters=_NOTE_CHARACTERS)

    def _whole(self, small: Mapping[int, ImageArray]) -> ImageArray:
        height, width, _ = next(iter(small.values())).shape
        side = self._side
        whole = np.full((side * height, side * width, 3), self._grey, np.uint8)
        for place, cell in small.items():
            top, left = place // side * height, place % side * width
            whole[top : top + height, left : left + width] = cell
        return whole
