"""The boxes of MP4 and AVIF: what stands in them, without a decoder.

A decoder believes what a file says of itself, and takes memory for it. Here nothing is taken that
the file does not have, and no box is looked at twice. Reference: ISO/IEC 14496-12 (boxes, sample
tables), ISO/IEC 14496-14, Apple's QuickTime file format (`ilst`).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_MOST_BOXES = 10_000
_LARGE, _TO_THE_END = 1, 0
_LONGEST_TABLE = 64 * 2**20


@dataclass(frozen=True)
class Box:
    """One box: its name, and where its content lies in the file."""

    name: bytes
    start: int
    end: int


def boxes(file: BinaryIO, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes between two places, one after the other; what is no box ends them."""
    end = file.seek(0, os.SEEK_END) if end is None else end
    for _ in range(_MOST_BOXES):
        file.seek(start)
        head = file.read(8) if start + 8 <= end else b""
        if len(head) < 8:  # noqa: PLR2004 - size and name
            return
        size, name, begin = int.from_bytes(head[:4], "big"), head[4:], start + 8
        if size == _LARGE:
            size, begin = int.from_bytes(file.read(8), "big"), start + 16
        stop = end if size == _TO_THE_END else start + size
        if not begin <= stop <= end:
            return
        yield Box(name, begin, stop)
        start = stop


def find(file: BinaryIO, *path: bytes, within: Box | None = None) -> Box | None:
    """The first box at the end of a path of names. A `meta` has four bytes before its boxes."""
    here = within
    for name in path:
        start, end = (0, None) if here is None else (_inside(here), here.end)
        here = next((box for box in boxes(file, start, end) if box.name == name), None)
        if here is None:
            return None
    return here


def _inside(box: Box) -> int:
    return box.start + (4 if box.name == b"meta" else 0)


def content(file: BinaryIO, box: Box | None, limit: int = _LONGEST_TABLE) -> bytes:
    """The bytes of a box, nothing for none. Raises ValueError for more than `limit`."""
    if box is None:
        return b""
    if box.end - box.start > limit:
        raise ValueError(f"its box {box.name!r} has more than {limit} bytes")
    file.seek(box.start)
    return file.read(box.end - box.start)


def comment(file: BinaryIO, limit: int) -> bytes | None:
    """The comment among an MP4's tags."""
    item = find(file, b"moov", b"udta", b"meta", b"ilst", b"\xa9cmt", b"data")
    return None if item is None else content(file, item, limit)[8:]


@dataclass(frozen=True)
class Track:
    """What a file says of its moving pictures."""

    size: tuple[int, int]
    """(height, width) in pixels."""
    count: int
    delays: tuple[tuple[int, int], ...]
    """(so many pictures, so many ticks each), in order."""
    timescale: int
    """Ticks in a second."""


def track(file: BinaryIO) -> Track | None:
    """The first track of pictures; None without one. Raises ValueError."""
    movie = find(file, b"moov")
    if movie is None:
        return None
    for each in boxes(file, movie.start, movie.end):
        media = find(file, b"mdia", within=each) if each.name == b"trak" else None
        table = find(file, b"minf", b"stbl", within=media) if media else None
        entry = content(file, find(file, b"stsd", within=table))[:44] if table else b""
        if media is None or entry[12:16] not in (b"avc1", b"av01"):
            continue
        height_at = 42
        width, height = struct.unpack_from(">HH", entry.ljust(height_at + 2, b"\0"), height_at - 2)
        count = int.from_bytes(content(file, find(file, b"stsz", within=table))[8:12], "big")
        times = content(file, find(file, b"stts", within=table))[8:]
        whole = times[: len(times) // 8 * 8]
        header = content(file, find(file, b"mdhd", within=media))
        at = 20 if header[:1] == b"\1" else 12
        timescale = int.from_bytes(header[at : at + 4], "big")
        return Track((height, width), count, tuple(struct.iter_unpack(">II", whole)), timescale)
    return None


def still_size(file: BinaryIO) -> tuple[int, int] | None:
    """(height, width) of an AVIF of one picture."""
    extent = content(file, find(file, b"meta", b"iprp", b"ipco", b"ispe"))
    if len(extent) < 12:  # noqa: PLR2004 - version, width, height
        return None
    width, height = struct.unpack_from(">II", extent, 4)
    return height, width
