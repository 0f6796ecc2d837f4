"""Animated PNGs, assembled from stills that Pillow encodes one by one.

Pillow's own writer merges equal neighbours and holds all frames in memory. Reference: PNG
specification, third edition, W3C 2025 (acTL, fcTL, fdAT).
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from PIL import Image

from latent_assets.errors import MediaError
from latent_assets.media import xmp
from latent_assets.media.frames import Frames, ImageArray, check_frames
from latent_assets.media.provenance import PNG_KEYWORD
from latent_assets.store.parallel import in_order

_THREADS = os.cpu_count() or 1
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MOST_U16 = 65_535


def write_apng(frames: Frames, path: Path, *, fps: Fraction, loop: bool, text: str | None) -> int:
    """Writes the file and returns the number of frames. Lossless; delays are exact fractions."""
    delay = 1 / fps
    if max(delay.numerator, delay.denominator) > _MOST_U16:
        raise MediaError(f"apng cannot hold {float(fps):g} fps", "Use a rounder number.")
    number = sequence = count_at = 0
    with path.open("wb") as file:
        for number, chunks in enumerate(in_order(_still, check_frames(frames), _THREADS), start=1):
            header = next(data for name, data in chunks if name == b"IHDR")
            if number == 1:
                file.write(_SIGNATURE + _chunk(b"IHDR", header))
                count_at = file.tell()
                file.write(_control(0, loop=loop))
            size = struct.unpack_from(">II", header)
            place = (*size, 0, 0, delay.numerator, delay.denominator, 0, 0)
            file.write(_chunk(b"fcTL", struct.pack(">IIIIIHHBB", sequence, *place)))
            sequence += 1
            for data in (data for name, data in chunks if name == b"IDAT"):
                if number == 1:
                    file.write(_chunk(b"IDAT", data))
                else:
                    file.write(_chunk(b"fdAT", struct.pack(">I", sequence) + data))
                    sequence += 1
        if text is not None:
            # Behind the pictures: FFmpeg looks for the animation in the first two kilobytes alone.
            file.write(_chunk(b"tEXt", PNG_KEYWORD.encode() + b"\0" + text.encode("ascii")))
            file.write(_chunk(b"iTXt", xmp.png_chunk_content()))
        file.write(_chunk(b"IEND", b""))
        file.seek(count_at)
        file.write(_control(number, loop=loop))
    return number


def _control(frames: int, *, loop: bool) -> bytes:
    return _chunk(b"acTL", struct.pack(">II", frames, 0 if loop else 1))


def _still(picture: ImageArray) -> list[tuple[bytes, bytes]]:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=4)
    return list(_chunks(buffer.getvalue()))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG: name, content."""
    at = len(_SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
