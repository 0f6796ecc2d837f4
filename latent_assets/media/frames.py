"""What every writer here is given: frames, their order of play, their times on screen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from latent_assets.errors import MediaError

ImageArray = npt.NDArray[np.uint8]

Frames = Callable[[], Iterable[ImageArray]]
"""Makes a new iterable of pictures (H, W, 3) uint8, all of one size, each time it is called."""


def check_frames(frames: Frames) -> Iterator[ImageArray]:
    """The pictures one by one, each checked. Raises MediaError for none, or for an odd one out."""
    shape: tuple[int, ...] | None = None
    for number, picture in enumerate(frames()):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:  # noqa: PLR2004
            raise MediaError(
                f"frame {number} is {picture.dtype} {picture.shape}",
                "A frame is a picture of (height, width, 3) uint8.",
            )
        if shape is None:
            shape = picture.shape
        if picture.shape != shape or not picture.size:
            raise MediaError(
                f"frame {number} is {_size(picture.shape)} px, frame 0 is {_size(shape)} px",
                "Frames of one animation have one size: render them with the same `size`.",
            )
        yield np.ascontiguousarray(picture)
    if shape is None:
        raise MediaError("there are no frames to write", "Render at least one frame.")


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def ping_pong_order(count: int) -> list[int]:
    """There and back again: 0 .. n-1, then n-2 .. 1, so that no frame is shown twice in a row.

    Played in a loop, the first frame follows the second. (The guide's rubber band skips frame 1
    on the way back, and shows the last frame of 5 for as long as the others only by chance.)
    """
    return [*range(count), *range(count - 2, 0, -1)]


def play_order(count: int, *, ping_pong: bool, closed: bool = False) -> list[int]:
    """Indices of the frames in the order in which they are shown.

    closed: the walk ends where it began; it needs no way back, and its first frame is not
    repeated at the end.
    """
    return ping_pong_order(count) if ping_pong and not closed else list(range(count))


def evenly(count: int, most: int) -> list[int]:
    """Indices of at most `most` of `count` frames, evenly spread, both ends among them.

    Of one alone it is the first. For what shows a part of a long walk: chosen so, the others need
    not be read.
    """
    if count <= most:
        return list(range(count))
    return [round(index * (count - 1) / max(most - 1, 1)) for index in range(most)]


def delays(fps: Fraction, ticks_per_second: int) -> Iterator[int]:
    """How many whole ticks each frame stays, without end.

    The rounding is spread: after n frames the sum is round(n * ticks_per_second / fps), so the
    mean rate is right (30 fps in hundredths of a second: 3, 4, 3, 3, 4, 3 ...).
    """
    shown, number = 0, 0
    while True:
        number += 1
        until = (2 * number * ticks_per_second * fps.denominator + fps.numerator) // (
            2 * fps.numerator
        )
        yield until - shown
        shown = until


def exact_fps(fps: float | Fraction) -> Fraction:
    """The rate as a fraction; 29.97 becomes 2997/100. Raises MediaError unless it is positive."""
    if not math.isfinite(fps) or fps <= 0:
        raise MediaError(f"fps is {fps}", "Frames per second are a positive number, such as 10.")
    return Fraction(fps).limit_denominator(1000) or Fraction(1, 1000)
