"""What a finished film really shows: its pictures, decoded, beside the frames that it names.

A record of origin says which frames a film was made from; bits may have flipped since, or somebody
may have painted over them. The frames are encoded again, and the film's pictures must come as near
to them as those do. Where the encoder is another one than the film's, formats with loss show other
pixels, but no region looks otherwise.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from latent_assets.errors import FinishedFileError
from latent_assets.media.animation import FORMATS, write_animation
from latent_assets.media.census import Census, census
from latent_assets.media.encoders import encoder_of
from latent_assets.media.frames import ImageArray, delays

COMPARED = (".gif", ".webp", ".mp4", ".apng", ".avif")
"""Endings of the files that can be compared: those that show frames whole, one after the other."""
_WHOLE_FILMS = (".mp4", ".avif")
"""Endings of those whose pictures are encoded by what came before."""
_TICKS = {".gif": 100, ".webp": 1000, ".avif": 1000}
_BLOCK = 8
_TOLERANCE = 32.0
"""Change of the mean of an 8 by 8 block, of 255; a GIF reaches 18, the others 11 (measured)."""
_WORSE = 2
"""Levels by which a pixel may be further from its frame than one that is encoded here."""


@dataclass(frozen=True)
class Film:
    """What a file should show."""

    order: Sequence[int]
    """The places in the walk that it plays, one after the other (`play_order`)."""
    places: Collection[int]
    """Those of them whose frames are at hand; only they are compared."""
    frame_at: Callable[[int], ImageArray]
    """Place in the walk -> (H, W, 3) uint8."""
    fps: Fraction
    encoder: str = ""
    """What the file was encoded by, if that is known (`encoder_of`)."""


@dataclass
class Finding:
    """What a file shows instead."""

    altered: list[int] = field(default_factory=list)
    """Numbers of its pictures, as played: those that show something else, miss or are too many."""
    why: list[str] = field(default_factory=list)
    """In words, what else is wrong with it."""
    by_encoding: bool = True
    """Whether the pictures were compared with what the encoder gives, or by regions alone."""

    @property
    def good(self) -> bool:
        """Whether the file shows what it should."""
        return not self.altered and not self.why


def compared(path: Path, film: Film) -> Finding:
    """What a file shows otherwise than it should. path: its ending is one of `COMPARED`.

    Nothing is decoded before what the file says of its size and its pictures is known to fit.
    Raises FinishedFileError for a file that is no film at all.
    """
    count = len(film.order)
    try:
        says = census(path, count)
    except (OSError, ValueError) as error:
        raise FinishedFileError(f"cannot read the pictures of {path}: {error}") from None
    finding = Finding()
    size = film.frame_at(next(iter(film.places))).shape[:2] if film.places else says.size
    if not _fits(says.size, size, path.suffix):
        theirs, ours = (f"{each[1]}x{each[0]} px" for each in (says.size, size))
        finding.altered = list(range(count))
        finding.why.append(f"its pictures are {theirs}, those that it names are {ours}")
        return finding
    if says.count != count:
        more = "more than " if says.count > count else ""
        finding.why.append(
            f"it holds {more}{min(says.count, count)} pictures, its record names {count}"
        )
    elif says.seconds and says.seconds != _seconds(film, path.suffix):
        finding.why.append("its pictures do not follow each other at the times they should")
    _compare_pictures(path, says, film, finding)
    finding.altered += range(count, says.count)
    return finding


def _fits(size: tuple[int, ...], wanted: tuple[int, ...], suffix: str) -> bool:
    """Videos have even sides: they show one row or column more."""
    even = suffix == ".mp4"
    return all(a == b + (b % 2 if even else 0) for a, b in zip(size, wanted, strict=True))


def _seconds(film: Film, suffix: str) -> tuple[Fraction, ...]:
    """How long each picture is to be shown."""
    count, ticks = len(film.order), _TICKS.get(suffix)
    if ticks is None:
        return (1 / film.fps,) * count
    return tuple(Fraction(each, ticks) for each in islice(delays(film.fps, ticks), count))


def _compare_pictures(path: Path, says: Census, film: Film, finding: Finding) -> None:
    """Fill in which of the pictures show something else."""
    count, wanted = len(film.order), set(film.places)
    far, other, exact = [], [], 0
    lossless = FORMATS[path.suffix[1:]].lossless
    number = -1
    encoded = _encoded(path.suffix, film)
    try:
        shown = islice(shown_frames(path, says), count)
        for number, (picture, again) in enumerate(zip(shown, encoded, strict=False)):
            place = film.order[number]
            if place not in wanted:
                continue
            frame = film.frame_at(place)
            exact += again is not None and np.array_equal(picture, again)
            if not looks_like(picture, frame, exact=lossless):
                far.append(number)
            if lossless or again is None or _is_worse(picture, again, frame):
                other.append(number)
    except FinishedFileError as error:
        finding.why.append(f"{error.problem}, from number {number + 1} on")
    finally:
        encoded.close()
    same = not lossless and (exact or film.encoder == encoder_of(path.suffix[1:]))
    finding.by_encoding = bool(same or lossless)
    finding.altered = [*(other if same else far), *range(number + 1, count)]


def looks_like(shown: ImageArray, frame: ImageArray, *, exact: bool = False) -> bool:
    """Whether no region of the picture differs by more than compression explains.

    exact: whether the file's format loses nothing.
    """
    if exact:
        return bool(np.array_equal(shown, frame))
    height, width = frame.shape[:2]
    if shown.shape[0] - height not in (0, 1) or shown.shape[1] - width not in (0, 1):
        return False
    return _worst_block(shown[:height, :width], frame) <= _TOLERANCE


def _is_worse(shown: ImageArray, again: ImageArray, frame: ImageArray) -> bool:
    """Whether a pixel is further from the frame than where the frame is encoded again.

    Not just another: of two colours of a palette that are equally near, another processor may
    take the other one.
    """
    if shown.shape != again.shape:
        return True
    height, width = frame.shape[:2]
    theirs, ours = (
        np.abs(each[:height, :width].astype(np.int16) - frame).max(axis=2)
        for each in (shown, again)
    )
    return bool((theirs > ours + _WORSE).any())


def _worst_block(shown: ImageArray, frame: ImageArray) -> float:
    apart = shown.astype(np.int16) - frame
    height, width = (side // _BLOCK * _BLOCK for side in apart.shape[:2])
    if not (height and width):
        return float(np.abs(apart.mean(axis=(0, 1))).max())
    blocks = apart[:height, :width].reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK, 3)
    return float(np.abs(blocks.mean(axis=(1, 3))).max())


# --- encoding again -------------------------------------------------------------------------------


def _encoded(suffix: str, film: Film) -> Generator[ImageArray | None, None, None]:
    """What the encoder here gives for each picture; None where it cannot be told."""
    if suffix == ".apng":  # the frame itself
        for place in film.order:
            yield film.frame_at(place) if place in film.places else None
    elif suffix not in _WHOLE_FILMS:
        for place in film.order:
            yield _alone(suffix, film.frame_at(place)) if place in film.places else None
    elif set(film.order) <= set(film.places):
        with _written(suffix, lambda: map(film.frame_at, film.order), film.fps) as again:
            yield from shown_frames(again)
    else:
        yield from [None] * len(film.order)


def _alone(suffix: str, frame: ImageArray) -> ImageArray:
    with _written(suffix, lambda: [frame], Fraction(1)) as again:
        return next(iter(shown_frames(again)))


@contextmanager
def _written(suffix: str, frames: Callable, fps: Fraction) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="latent-assets-") as folder:
        path = Path(folder, f"again{suffix}")
        write_animation(frames, path, format=suffix[1:], fps=fps)
        yield path


# --- decoding -------------------------------------------------------------------------------------


def shown_frames(path: Path, says: Census | None = None) -> Iterator[ImageArray]:
    """The pictures of an animation in the order of play, (H, W, 3) uint8.

    says: what is known of a file from elsewhere; no picture may be larger. Raises
    FinishedFileError.
    """
    try:
        if path.suffix in _WHOLE_FILMS:
            yield from _from_video(path, says)
        else:
            yield from _from_image(path)
    except Exception as error:  # decoders meet foreign bytes with any kind of exception
        raise FinishedFileError(f"cannot read the pictures of {path}: {error}") from error


def _from_image(path: Path) -> Iterator[ImageArray]:
    with Image.open(path, formats=["GIF", "WEBP", "PNG"]) as image:
        for place in range(getattr(image, "n_frames", 1)):
            image.seek(place)
            yield np.asarray(image.convert("RGB"))


def _from_video(path: Path, says: Census | None) -> Iterator[ImageArray]:
    # 0.2 s and 100 MB of libraries that only videos need
    import av  # noqa: PLC0415

    # Video encoders pad to whole blocks; a decoder that meets more than that takes nothing.
    limits = {"max_pixels": str((says.size[0] + 64) * (says.size[1] + 64))} if says else {}
    options: Any = [limits, limits]  # of both streams; the stub says texts, av says mappings
    with av.open(str(path), stream_options=options) as container:
        # A moving AVIF begins with a still one, for those who cannot play it.
        stream = container.streams.video[-1]
        stream.codec_context.options = limits
        for frame in container.decode(stream):
            yield frame.to_ndarray(format="rgb24")
