"""Stored frames in, larger pictures out, each made once: the one loop of upscaling."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import median

from latent_assets.errors import LatentAssetsError
from latent_assets.rendering import ALONE, Manners
from latent_assets.store import DamagedError, Receipt, environment, pixel_digest
from latent_assets.store.receipts import utc_now
from latent_assets.studio import Studio, upscale_profile
from latent_assets.upscaling import Upscaling
from latent_assets.walks.schema import Upscale

logger = logging.getLogger(__name__)

OnPicture = Callable[[int, int], None]
"""Called after each picture with (how many are done, of how many)."""


@dataclass(frozen=True)
class LargerFrames:
    """The larger pictures of a walk, in the order of its frames."""

    keys: list[str]
    digests: list[str]
    made: int
    """How many were made just now; the others were in the store."""
    seconds: float


def larger_keys(studio: Studio, upscale: Upscale | None, keys: Iterable[str]) -> set[str]:
    """The keys of the larger pictures of those of the frames that are stored."""
    if upscale is None:
        return set()
    upscaling = studio.open_upscaling(upscale.method, upscale.factor)
    return {upscaling.key_of(digest) for digest in studio.frames.digests(keys).values()}


def upscale_frames(
    studio: Studio,
    upscale: Upscale,
    keys: Sequence[str],
    digests: Sequence[str],
    *,
    on_picture: OnPicture = lambda _done, _count: None,
    manners: Manners = ALONE,
) -> LargerFrames:
    """Make those frames larger that are not yet, and store each as soon as it is done.

    keys, digests: of the frames, in order. A picture is made by itself, so that its bytes depend
    on nothing but its frame; for `manners` it is a batch. Raises MissingError or DamagedError for
    a frame that is not there.
    """
    upscaling = studio.open_upscaling(upscale.method, upscale.factor)
    frame_of = dict(zip(map(upscaling.key_of, digests), keys, strict=True))
    wrong = studio.upscaled.check(frame_of)
    for error in wrong.values():
        if isinstance(error, DamagedError):
            logger.warning("%s; the picture is made larger again", error.problem)
    seconds = []
    with manners.turn() if wrong else nullcontext():
        for done, key in enumerate(wrong, start=1):
            with manners.batch():
                seconds.append(_upscale(studio, upscaling, key, frame_of[key]))
            on_picture(done, len(wrong))
    if len(seconds) > 1:  # loading and compiling are in the first
        size = studio.upscaled.read_receipt(next(iter(wrong))).recipe["size"]
        studio.timings.record(upscale_profile(upscale, size), median(seconds[1:]))
    large = [upscaling.key_of(digest) for digest in digests]
    found = studio.upscaled.digests(large)
    return LargerFrames(large, [found[key] for key in large], len(wrong), sum(seconds))


def _upscale(studio: Studio, upscaling: Upscaling, key: str, frame_key: str) -> float:
    """Make and store one picture; returns the seconds that making it took."""
    frame = studio.frames.read(frame_key)
    recipe = upscaling.as_dict(frame.receipt.pixel_digest)
    if upscaling.key_of(frame.receipt.pixel_digest) != key:
        raise LatentAssetsError(
            f"frame {frame_key} is another than the one that was listed",
            "It was rendered anew meanwhile: render the walk again.",
        )
    started = time.perf_counter()
    picture = upscaling.enlarge(frame.pixels)
    seconds = time.perf_counter() - started
    receipt = Receipt(
        key=key,
        recipe={**recipe, "size": list(frame.pixels.shape[:2])},
        pixel_digest=pixel_digest(picture),
        environment=environment(),
        batch=(key,),
        position=0,
        seconds=round(seconds, 4),
        created=utc_now(),
        licence=frame.receipt.licence,
    )
    studio.upscaled.write(key, picture, receipt)
    return seconds
