"""Animated GIFs, assembled from stills that Pillow encodes one by one.

Pillow's own animation writer merges equal neighbours (a still walk of 5 frames becomes 1), and
holds all frames in memory. Here each frame is a frame, and one is in memory at a time.
Reference: GIF89a specification, W3C.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np

from latent_assets.media import xmp
from latent_assets.media.frames import Frames, ImageArray, check_frames, delays
from latent_assets.media.quantize import quantize
from latent_assets.store.parallel import in_order

TICKS_PER_SECOND = 100
_EXTENSION = 0x21
_KEEP_IN_PLACE = 1 << 2
_THREADS = os.cpu_count() or 1


def write_gif(
    frames: Frames, path: Path, *, fps: Fraction, loop: bool, text: str | None, dither: bool = False
) -> int:
    """Writes the file and returns the number of frames. Delays are whole hundredths of a second.

    loop: whether it plays for ever; text: ASCII, as the file's comment; without it no mark either.
    """
    with path.open("wb") as file:
        return write_gif_to(file, frames, fps=fps, loop=loop, text=text, dither=dither)


def write_gif_to(
    file: BinaryIO,
    frames: Frames,
    *,
    fps: Fraction,
    loop: bool,
    text: str | None = None,
    dither: bool = False,
    fast: bool = False,
) -> int:
    """As `write_gif`, into an open file. fast: see `quantize`."""
    number = 0
    stills = in_order(
        lambda picture: _still(picture, dither=dither, fast=fast), _novel(frames), _THREADS
    )
    for number, (still, delay) in enumerate(zip(stills, delays(fps, TICKS_PER_SECOND)), start=1):  # noqa: B905 - delays never end
        if number == 1:
            file.write(_header(still, loop=loop, text=text))
        file.write(_control(delay) + _as_local(still))
    file.write(b"\x3b")
    return number


def _novel(frames: Frames) -> Iterator[ImageArray]:
    """Each frame, or its first pixel alone if the frame equals the one before (it then stays)."""
    before: ImageArray | None = None
    for picture in check_frames(frames):
        same = before is not None and np.array_equal(picture, before)
        yield picture[:1, :1] if same else picture
        before = picture


@dataclass(frozen=True)
class _Still:
    """The parts of a GIF of one picture."""

    size: tuple[int, int]
    palette_bits: int
    """The palette has 2 ** (bits + 1) colours."""
    palette: bytes
    data: bytes
    """LZW code size and data blocks."""


def _still(picture: ImageArray, *, dither: bool, fast: bool) -> _Still:
    buffer = io.BytesIO()
    quantize(picture, dither=dither, fast=fast).save(buffer, "GIF", interlace=0, optimize=False)
    return _parse(buffer.getvalue())


def _parse(gif: bytes) -> _Still:
    """Takes a GIF of one picture apart: header, global palette, extensions, image, trailer."""
    bits = gif[10] & 7
    at = 13 + 3 * 2 ** (bits + 1)
    palette = gif[13:at]
    while gif[at] == _EXTENSION:
        at = _after_blocks(gif, at + 2)
    width, height = struct.unpack_from("<HH", gif, at + 5)
    start = at + 10
    return _Still((width, height), bits, palette, gif[start : _after_blocks(gif, start + 1)])


def _after_blocks(gif: bytes, at: int) -> int:
    """The place after a chain of data blocks: each has its length in front, the last is empty."""
    while gif[at]:
        at += 1 + gif[at]
    return at + 1


def _blocks(data: bytes) -> bytes:
    """A chain of data blocks of at most 255 bytes."""
    parts = (data[at : at + 255] for at in range(0, len(data), 255))
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def _header(first: _Still, *, loop: bool, text: str | None) -> bytes:
    """Signature, size, no global palette; the loop flag and the comment if asked for."""
    header = b"GIF89a" + struct.pack("<HHBBB", *first.size, 0x70, 0, 0)
    if loop:
        header += b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"  # 0 repetitions: for ever
    if text is not None:
        header += b"\x21\xfe" + _blocks(text.encode("ascii")) + xmp.gif_extension()
    return header


def _control(delay: int) -> bytes:
    """Graphic control extension. delay: hundredths of a second."""
    return b"\x21\xf9\x04" + struct.pack("<BHBB", _KEEP_IN_PLACE, delay, 0, 0)


def _as_local(still: _Still) -> bytes:
    """The picture at the top left, with its own palette."""
    place = struct.pack("<BHHHHB", 0x2C, 0, 0, *still.size, 0x80 | still.palette_bits)
    return place + still.palette + still.data
