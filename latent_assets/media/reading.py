"""The record of origin, found in a file of any kind that we write, without decoding a picture.

Every reader goes through the file once, and keeps no more of it than a record may have.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from latent_assets.foreign import open_regular
from latent_assets.media import boxes, xmp
from latent_assets.media.containers import (
    COMMENT,
    PNG_SIGNATURE,
    between,
    gif_parts,
    png_chunks,
)

MOST_BYTES = 8 * 2**20
"""Of a record: five times that of the longest walk."""
PNG_KEYWORD = "latent-assets:provenance"
_JPEG_COMMENT, _JPEG_SCAN = 0xFE, 0xDA
_BEGINS = b'{"schema":"latent-assets'
_SCRIPT = b'<script type="application/json" id="provenance">', b"</script>"
_DESCRIPTION = b"<dc:description>", b"</dc:description>"
_XMP = f"<{xmp.RECORD_TAG}>".encode(), f"</{xmp.RECORD_TAG}>".encode()


def record_text(path: Path) -> str | None:
    """The record as it was written; None if the file has none.

    Raises OSError, and ValueError for a file that breaks off, or whose record is too long.
    """
    with open_regular(path) as file:
        return _reader(file.read(64))(file)


def _reader(head: bytes) -> Callable[[BinaryIO], str | None]:
    """By what the file begins with. Raises ValueError for what begins otherwise."""
    film = head[4:8] == b"ftyp"
    kinds: list[tuple[bool, Callable[[BinaryIO], str | None]]] = [
        (film and b"avi" not in head[8:32], _from_video),
        (head.lstrip().lower().startswith(b"<!doctype html"), _from_html),
        (head.startswith(b"<?xml"), _from_svg),
        (head.startswith(PNG_SIGNATURE), _from_png),
        (head.startswith(b"GIF8"), _from_gif),
        (head.startswith(b"\xff\xd8"), _from_jpeg),
        (film or head[8:12] == b"WEBP", _from_packet),
    ]
    for fits, reader in kinds:
        if fits:
            return reader
    raise ValueError("it is no file of a kind that we write")


def _from_html(file: BinaryIO) -> str | None:
    return _text(between(file, *_SCRIPT, MOST_BYTES))


def _from_svg(file: BinaryIO) -> str | None:
    return _unescaped(between(file, *_DESCRIPTION, MOST_BYTES))


def _from_packet(file: BinaryIO) -> str | None:
    """XMP, and not where the container says: signing moves the packet in an AVIF."""
    return _unescaped(between(file, *_XMP, MOST_BYTES))


def _from_png(file: BinaryIO) -> str | None:
    keyword = PNG_KEYWORD.encode() + b"\0"
    for chunk in png_chunks(file):
        if chunk.name == b"tEXt" and chunk.read(file, len(keyword)) == keyword:
            _check_length(chunk.length)
            return _text(chunk.read(file, MOST_BYTES)[len(keyword) :])
    return None


def _from_gif(file: BinaryIO) -> str | None:
    for part in gif_parts(file, MOST_BYTES + 1):
        if part.kind == COMMENT and part.data.startswith(_BEGINS):
            _check_length(len(part.data))
            return _text(part.data)
    return None


def _from_jpeg(file: BinaryIO) -> str | None:
    """The comments in front of the picture, joined: each holds 64 kB."""
    parts, room = [], MOST_BYTES
    file.seek(2)
    while len(head := file.read(4)) == 4 and head[0] == 0xFF and head[1] != _JPEG_SCAN:  # noqa: PLR2004
        content = file.read(max(0, int.from_bytes(head[2:], "big") - 2))
        if head[1] == _JPEG_COMMENT:
            room -= len(content)
            _check_length(MOST_BYTES - room)
            parts.append(content)
    return _text(b"".join(parts)) if parts else None


def _from_video(file: BinaryIO) -> str | None:
    return _text(boxes.comment(file, MOST_BYTES))


def _check_length(length: int) -> None:
    if length > MOST_BYTES:
        raise ValueError(f"its record has more than {MOST_BYTES} bytes")


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", errors="replace")


def _unescaped(data: bytes | None) -> str | None:
    return None if data is None else html.unescape(data.decode("utf-8", errors="replace"))
