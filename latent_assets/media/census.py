"""What a finished film says of itself: its size, its pictures and their times, without a decoder.

A decoder takes memory for a canvas of a million pixels a side before anybody has asked whether
there should be one. So this is asked first, and compared with the record.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from latent_assets.foreign import open_regular
from latent_assets.media import boxes
from latent_assets.media.containers import (
    CONTROL,
    IMAGE,
    gif_parts,
    png_chunks,
    webp_chunks,
)


@dataclass(frozen=True)
class Census:
    """What a film says of itself."""

    size: tuple[int, int]
    """(height, width) in pixels, of every picture."""
    count: int
    """Its pictures; of more than were asked for, one more than those."""
    seconds: tuple[Fraction, ...]
    """How long each picture is shown."""


def census(path: Path, most: int) -> Census:
    """Counts the pictures of a film, `most` and one at most.

    Raises OSError, and ValueError for a file that is no film of its ending, or whose pictures
    reach beyond its canvas.
    """
    with open_regular(path) as file:
        return _COUNTERS[path.suffix](file, most)


def _gif(file: BinaryIO, most: int) -> Census:
    width = height = delay = 0
    seconds: list[Fraction] = []
    for part in gif_parts(file, 8):
        if part.kind == b"":
            width, height = struct.unpack("<HH", part.head)
        elif part.kind == CONTROL and len(part.data) >= 3:  # noqa: PLR2004 - flags, delay
            delay = int.from_bytes(part.data[1:3], "little")
        elif part.kind == IMAGE:
            _within((height, width), *struct.unpack_from("<HHHH", part.head))
            seconds.append(Fraction(delay, 100))
        if len(seconds) > most:
            break
    return Census((height, width), len(seconds), tuple(seconds))


def _apng(file: BinaryIO, most: int) -> Census:
    size = (0, 0)
    seconds: list[Fraction] = []
    for chunk in png_chunks(file):
        if chunk.name == b"IHDR":
            width, height = struct.unpack(">II", chunk.read(file, 8).ljust(8, b"\0"))
            size = height, width
        elif chunk.name == b"fcTL":
            fields = struct.unpack(">IIIIIHH", chunk.read(file, 24).ljust(24, b"\0"))
            _within(size, fields[3], fields[4], fields[1], fields[2])
            seconds.append(Fraction(fields[5], fields[6] or 100))
        if len(seconds) > most:
            break
    return Census(size, len(seconds), tuple(seconds))


def _webp(file: BinaryIO, most: int) -> Census:
    size = (0, 0)
    seconds: list[Fraction] = []
    for chunk in webp_chunks(file):
        if chunk.name == b"VP8X":
            head = chunk.read(file, 10).ljust(10, b"\0")
            size = _u24(head, 7) + 1, _u24(head, 4) + 1
        elif chunk.name == b"ANMF":
            head = chunk.read(file, 15).ljust(15, b"\0")
            left, top = 2 * _u24(head, 0), 2 * _u24(head, 3)
            _within(size, left, top, _u24(head, 6) + 1, _u24(head, 9) + 1)
            seconds.append(Fraction(_u24(head, 12), 1000))
        if len(seconds) > most:
            break
    return Census(size, len(seconds), tuple(seconds))


def _boxed(file: BinaryIO, most: int) -> Census:
    track = boxes.track(file)
    if track is None:
        size = boxes.still_size(file)
        if size is None:
            raise ValueError("it has no pictures")
        return Census(size, 1, ())
    seconds: list[Fraction] = []
    for times, ticks in track.delays:
        if len(seconds) > most:
            break
        seconds += [Fraction(ticks, track.timescale or 1)] * min(times, most + 1 - len(seconds))
    return Census(track.size, min(track.count, most + 1), tuple(seconds))


def _within(size: tuple[int, int], left: int, top: int, width: int, height: int) -> None:
    if top + height > size[0] or left + width > size[1]:
        raise ValueError(f"a picture of it reaches beyond its {size[1]}x{size[0]} px")


def _u24(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")


_COUNTERS: dict[str, Callable[[BinaryIO, int], Census]] = {
    ".gif": _gif,
    ".apng": _apng,
    ".webp": _webp,
    ".mp4": _boxed,
    ".avif": _boxed,
}
