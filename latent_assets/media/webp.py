"""Animated WebP, assembled from stills that Pillow encodes one by one.

libwebp's own animation encoder merges equal neighbours, and Pillow hands it all frames at once.
The price: no difference coding between frames, which gains little where all of a frame changes.
Reference: WebP container specification, Google.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from latent_assets.errors import MediaError
from latent_assets.media import xmp
from latent_assets.media.frames import Frames, ImageArray, check_frames, delays
from latent_assets.store.parallel import in_order

TICKS_PER_SECOND = 1000
QUALITY = 90
_THREADS = os.cpu_count() or 1
_MOST_PX = 16_383
_ANIMATED, _HAS_XMP = 1 << 1, 1 << 2
_OVERWRITE = 1 << 1  # no blending with what was there
_MOST_BYTES = 2**32 - 10
Still = tuple[tuple[int, int], bytes]
"""(width, height) of a picture in pixels, and its own chunk, `VP8 ` whole."""


def write_webp(frames: Frames, path: Path, *, fps: Fraction, loop: bool, text: str | None) -> int:
    """Writes the file and returns the number of frames. Lossy; delays are whole milliseconds."""
    with path.open("wb") as file:
        return write_webp_to(file, frames, fps=fps, loop=loop, text=text)


def write_webp_to(
    file: BinaryIO,
    frames: Frames,
    *,
    fps: Fraction,
    loop: bool = True,
    text: str | None = None,
    quality: int = QUALITY,
) -> int:
    """As `write_webp`, into an open file."""
    encode = partial(still, quality=quality)
    stills = in_order(encode, check_frames(frames), _THREADS)
    timed = zip(stills, delays(fps, TICKS_PER_SECOND))  # noqa: B905 - delays never end
    return write_stills(file, timed, loop=loop, text=text)


def write_stills(
    file: BinaryIO,
    timed: Iterable[tuple[Still, int]],
    *,
    loop: bool = True,
    text: str | None = None,
) -> int:
    """Stills that are encoded already, each with its milliseconds on screen, into an open file."""
    number = 0
    mark = b"" if text is None else _chunk(b"XMP ", xmp.packet(text))
    for number, (((width, height), data), delay) in enumerate(timed, start=1):
        size = _u24(width - 1) + _u24(height - 1)
        if number == 1:
            flags = _ANIMATED | (_HAS_XMP if mark else 0)
            file.write(b"RIFF\0\0\0\0WEBP" + _chunk(b"VP8X", bytes([flags, 0, 0, 0]) + size))
            file.write(_chunk(b"ANIM", struct.pack("<IH", 0, 0 if loop else 1)))
        place = _u24(0) + _u24(0) + size + _u24(delay) + bytes([_OVERWRITE])
        file.write(_chunk(b"ANMF", place + data))
    file.write(mark)
    length = file.tell() - 8
    if length > _MOST_BYTES:
        raise MediaError("the webp would exceed 4 GiB", "Use mp4 for a walk this long.")
    file.seek(4)
    file.write(struct.pack("<I", length))
    return number


def still(picture: ImageArray, *, quality: int, method: int = 4) -> Still:
    """One picture (H, W, 3) uint8, encoded. method: 0 is fast, 6 small."""
    height, width = picture.shape[:2]
    if max(height, width) > _MOST_PX:
        raise MediaError(
            f"frames of {width}x{height} px are too large for webp",
            f"It holds at most {_MOST_PX} px a side: use mp4 or apng.",
        )
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "WEBP", quality=quality, method=method)
    wanted = (b"VP8 ", b"VP8L")
    data = b"".join(
        _chunk(name, data) for name, data in _chunks(buffer.getvalue()) if name in wanted
    )
    return (width, height), data


def _chunks(webp: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a WebP file: name, content."""
    at = 12
    while at < len(webp):
        (length,) = struct.unpack_from("<I", webp, at + 4)
        yield webp[at : at + 4], webp[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _u24(value: int) -> bytes:
    return value.to_bytes(3, "little")
