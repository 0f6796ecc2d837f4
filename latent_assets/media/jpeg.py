"""JPEG: for grids and posters, where a small file counts more than the last level.

The record of origin stands in comments. One holds at most 64 kB, so a long record fills several,
one after the other. Reference: ITU-T T.81, annex B.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from latent_assets.media import provenance as records
from latent_assets.media import xmp
from latent_assets.media.frames import ImageArray
from latent_assets.media.output import written
from latent_assets.media.signing import Seal

_START, _COMMENT, _APP1 = b"\xff\xd8", 0xFE, 0xE1
_XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"
_MOST_BYTES = 65_533
"""Of a segment's content: its length, two bytes, counts itself."""


def write_jpeg(
    picture: ImageArray,
    path: Path,
    *,
    provenance: Mapping[str, Any] | None = None,
    seal: Seal | None = None,
) -> Path:
    """picture: (H, W, 3) uint8; seal: signs the file. Quality 92, no colour is halved.

    See `media.provenance` for the record. Raises MediaError.
    """
    text = None if provenance is None else records.to_text(provenance)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=92, subsampling=0)
    data = buffer.getvalue()
    with written(path) as temporary:
        with temporary.open("wb") as file:
            file.write(_START)
            if text is not None:
                file.write(_segment(_APP1, _XMP_NAME + xmp.packet()))
                for part in _parts(text.encode("ascii")):
                    file.write(_segment(_COMMENT, part))
            file.write(data[len(_START) :])
        if seal is not None:
            seal(temporary, ".jpg")
    return path


def _parts(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), _MOST_BYTES):
        yield data[at : at + _MOST_BYTES]


def _segment(kind: int, content: bytes) -> bytes:
    return bytes([0xFF, kind]) + (len(content) + 2).to_bytes(2, "big") + content
