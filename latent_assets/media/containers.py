"""The parts of GIF, PNG and WebP files, one after the other, without a decoder.

Each part is passed once, whatever the file says of itself; time goes with the file's length, and
memory with what is asked for. References: GIF89a; PNG, third edition; WebP container.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
IMAGE, CONTROL, COMMENT, APPLICATION = b",", b"\xf9", b"\xfe", b"\xff"
_EXTENSION, _TRAILER = b"!", b";"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class GifPart:
    """An image (`head`: its place and flags) or an extension (`data`: its blocks, joined)."""

    kind: bytes
    head: bytes = b""
    data: bytes = b""


def gif_parts(file: BinaryIO, limit: int) -> Iterator[GifPart]:
    """The parts after the screen; of an extension's data no more than `limit` bytes are kept.

    Raises ValueError for what is no GIF; one that is cut short just ends.
    """
    file.seek(0)
    head = file.read(13)
    if head[:6] not in (b"GIF87a", b"GIF89a") or len(head) < 13:  # noqa: PLR2004 - the screen
        raise ValueError("it is no GIF")
    yield GifPart(b"", head[6:10])
    _skip_palette(file, head[10])
    while (sign := file.read(1)) and sign != _TRAILER:
        if sign == IMAGE:
            place = file.read(9)
            if len(place) < 9:  # noqa: PLR2004 - left, top, width, height, flags
                return
            _skip_palette(file, place[8])
            file.read(1)
            _blocks(file, 0)
            yield GifPart(IMAGE, place)
        elif sign == _EXTENSION:
            yield GifPart(file.read(1), data=_blocks(file, limit))
        else:
            raise ValueError("it is no whole GIF: there is something between its parts")


def _skip_palette(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        file.read(3 << (flags & 7) + 1)


def _blocks(file: BinaryIO, limit: int) -> bytes:
    """A chain of data blocks: each has its length in front, the last is empty."""
    kept, room = [], limit
    while (length := file.read(1)) and length != b"\0":
        block = file.read(length[0])
        if room > 0:
            kept.append(block[:room])
            room -= len(block)
    return b"".join(kept)


@dataclass(frozen=True)
class Chunk:
    """A named chunk, and where its content lies."""

    name: bytes
    start: int
    length: int

    def read(self, file: BinaryIO, limit: int) -> bytes:
        """Its content, or as much as `limit` allows; the file's place is left anywhere."""
        file.seek(self.start)
        return file.read(min(self.length, limit))


def png_chunks(file: BinaryIO) -> Iterator[Chunk]:
    """The chunks of a PNG. Raises ValueError for what is none."""
    file.seek(0)
    if file.read(len(PNG_SIGNATURE)) != PNG_SIGNATURE:
        raise ValueError("it is no PNG")
    at = len(PNG_SIGNATURE)
    while len(head := _at(file, at, 8)) == 8:  # noqa: PLR2004 - length and name
        chunk = Chunk(head[4:], at + 8, int.from_bytes(head[:4], "big"))
        yield chunk
        at = chunk.start + chunk.length + 4


def webp_chunks(file: BinaryIO) -> Iterator[Chunk]:
    """The chunks of a WebP. Raises ValueError for what is none."""
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WEBP":
        raise ValueError("it is no WebP")
    at = 12
    while len(head := _at(file, at, 8)) == 8:  # noqa: PLR2004 - name and length
        chunk = Chunk(head[:4], at + 8, int.from_bytes(head[4:], "little"))
        yield chunk
        at = chunk.start + chunk.length + chunk.length % 2


def _at(file: BinaryIO, place: int, length: int) -> bytes:
    file.seek(place)
    return file.read(length)


def between(file: BinaryIO, opening: bytes, closing: bytes, limit: int) -> bytes | None:
    """What stands between the first `opening` and the next `closing`; None without both.

    Raises ValueError if that is more than `limit` bytes. The file is read once, in pieces, and
    each piece is looked at once: time goes with the file's length.
    """
    file.seek(0, os.SEEK_SET)
    tail, parts, kept = b"", None, 0
    while piece := file.read(_CHUNK):
        piece = tail + piece  # what is looked for may lie across their border
        if parts is None:
            place = piece.find(opening)
            if place < 0:
                tail = piece[1 - len(opening) :]
                continue
            piece, parts = piece[place + len(opening) :], []
        end = piece.find(closing)
        border = end if end >= 0 else max(0, len(piece) - len(closing) + 1)
        parts.append(piece[:border])
        tail = piece[border:]
        kept += border
        if kept > limit:
            raise ValueError(f"its record has more than {limit} bytes")
        if end >= 0:
            return b"".join(parts)
    return None
