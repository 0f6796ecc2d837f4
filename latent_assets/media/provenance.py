"""Where a picture came from, written into the picture's own file.

The record is one JSON object (schema in `docs/outputs.md`), as ASCII text: a text chunk in PNG
and APNG, the comment of a GIF, XMP in WebP and AVIF, the `comment` tag of an MP4, a script
element in HTML, the description in the metadata of an SVG.
"""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from latent_assets import __version__
from latent_assets.errors import MediaError
from latent_assets.media import xmp

_JPEG_COMMENT, _JPEG_SCAN = 0xFE, 0xDA
SCHEMA = "latent-assets.provenance/1"
PNG_KEYWORD = "latent-assets:provenance"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Provenance:
    """What a file shows and how it can be made again."""

    walk: dict[str, Any]
    """The walk file's content, every default filled in."""
    model: dict[str, Any]
    """`name` and `weights_digest`, and what else is known."""
    frame_keys: tuple[str, ...] = ()
    """Keys in the frame store, in walk order."""
    frame_digests: tuple[str, ...] = ()
    """Hex sha256 of each frame's pixels as rendered, in walk order."""
    root: str = ""
    """`root_digest(frame_digests)`: one value that stands for all frames."""
    project_version: str = __version__
    schema: str = SCHEMA
    extra: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types; `root` is computed if it was not given."""
        data = asdict(self)
        data["frame_keys"] = list(self.frame_keys)
        data["frame_digests"] = list(self.frame_digests)
        data["root"] = self.root or root_digest(self.frame_digests)
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Provenance:
        """Raises ValueError for another schema, or a list of digests that was altered."""
        if data.get("schema") != SCHEMA:
            raise ValueError(f"its schema is {data.get('schema')!r}, not {SCHEMA!r}")
        names = {each.name for each in fields(cls)}
        known = {name: value for name, value in data.items() if name in names}
        try:
            for name in ("frame_keys", "frame_digests"):
                known[name] = tuple(map(str, known.get(name, ())))
            found = cls(**known)
        except TypeError as error:
            raise ValueError(str(error)) from error
        found._check()
        return found

    def _check(self) -> None:
        """Raises ValueError for what this project does not write: the record may be anybody's."""
        if not all(isinstance(each, dict) for each in (self.walk, self.model, self.extra)):
            raise ValueError("its walk or model is no object")
        if not all(map(_DIGEST.fullmatch, (*self.frame_keys, *self.frame_digests))):
            raise ValueError("its frame keys or digests are not 64 hex digits each")
        if self.frame_keys and len(self.frame_keys) != len(self.frame_digests):
            raise ValueError("it has not as many frame keys as digests")
        if self.root != root_digest(self.frame_digests):
            raise ValueError("its frame digests do not match their root: it was altered")


def root_digest(digests: Iterable[str]) -> str:
    """Hex sha256 over the digests, one a line: changes if any frame or their order does."""
    return hashlib.sha256("".join(f"{digest}\n" for digest in digests).encode()).hexdigest()


def to_text(provenance: Mapping[str, Any]) -> str:
    """One line of ASCII JSON, its schema first."""
    ordered = {"schema": provenance.get("schema", SCHEMA), **provenance}
    return json.dumps(ordered, separators=(",", ":"), allow_nan=False)


def png_info(text: str | None) -> PngImagePlugin.PngInfo | None:
    """The text, and the mark, as chunks for Pillow's PNG encoder."""
    if text is None:
        return None
    info = PngImagePlugin.PngInfo()
    info.add_text(PNG_KEYWORD, text)
    info.add_itxt(xmp.PNG_KEYWORD, xmp.packet().decode())
    return info


def inspect_file(path: Path) -> Provenance:
    """Reads the record of any file that this project writes.

    Raises MediaError if there is none, or if it was damaged or altered.
    """
    try:
        text = _reader(path)(path)
    except FileNotFoundError as error:
        raise MediaError(f"{path} does not exist") from error
    except Exception as error:  # decoders meet foreign bytes with any kind of exception
        raise MediaError(f"cannot read {path}: {error}") from error
    if text is None:
        raise MediaError(
            f"{path} carries no record of its origin",
            "It was written with --no-metadata, by another program, or was re-encoded on its way.",
        )
    try:
        return Provenance.from_dict(json.loads(text))
    except (ValueError, AttributeError, RecursionError) as error:
        raise MediaError(f"the record in {path} cannot be used: {error}") from error


def _reader(path: Path) -> Callable[[Path], str | None]:
    with path.open("rb") as file:
        head = file.read(64)
    if head[4:8] == b"ftyp" and b"avi" not in head[8:32]:
        return _from_video
    if head.lstrip().lower().startswith(b"<!doctype html"):
        return _from_html
    if head.startswith(b"<?xml"):
        return _from_svg
    if head.startswith(b"\xff\xd8"):
        return _from_jpeg
    return _from_png if head.startswith(_PNG_SIGNATURE) else _from_image


def _from_png(path: Path) -> str | None:
    """By the chunks alone: Pillow refuses pictures as large as a big grid."""
    with path.open("rb") as file:
        file.seek(len(_PNG_SIGNATURE))
        while len(head := file.read(8)) == 8:  # noqa: PLR2004 - length and name
            length, name = int.from_bytes(head[:4], "big"), head[4:]
            if name == b"tEXt":
                keyword, _, text = file.read(length).partition(b"\0")
                if keyword == PNG_KEYWORD.encode():
                    return text.decode("ascii", errors="replace")
                file.seek(4, os.SEEK_CUR)
            else:
                file.seek(length + 4, os.SEEK_CUR)
    return None


def _from_jpeg(path: Path) -> str | None:
    """The comments in front of the picture, joined."""
    parts = []
    with path.open("rb") as file:
        file.seek(2)
        while len(head := file.read(4)) == 4 and head[0] == 0xFF and head[1] != _JPEG_SCAN:  # noqa: PLR2004
            content = file.read(max(0, int.from_bytes(head[2:], "big") - 2))
            if head[1] == _JPEG_COMMENT:
                parts.append(content)
    return b"".join(parts).decode("ascii", errors="replace") if parts else None


def _from_image(path: Path) -> str | None:
    with Image.open(path, formats=["GIF", "WEBP", "AVIF"]) as image:
        comment = image.info.get("comment")
        if isinstance(comment, bytes) and comment.startswith(b'{"schema":"latent-assets'):
            return comment.decode("ascii", errors="replace")
        packet = image.info.get("xmp")
    # Signing moves the packet in an AVIF, and the film's own pointer to it then points elsewhere.
    found = _from_xmp(packet)
    return found if found is not None else _from_xmp(xmp.scanned(path))


def _from_xmp(packet: object) -> str | None:
    if not isinstance(packet, bytes):
        return None
    found = re.search(f"<{xmp.RECORD_TAG}>(.*?)</{xmp.RECORD_TAG}>".encode(), packet, re.DOTALL)
    return html.unescape(found[1].decode("utf-8", errors="replace")) if found else None


def _from_video(path: Path) -> str | None:
    # 0.2 s and 100 MB of libraries that only videos need
    import av  # noqa: PLC0415

    with av.open(str(path)) as container:
        return container.metadata.get("comment")


def _from_html(path: Path) -> str | None:
    found = re.search(
        r'<script type="application/json" id="provenance">(.*?)</script>',
        path.read_text(encoding="utf-8", errors="replace"),
        re.DOTALL,
    )
    return found[1] if found else None


def _from_svg(path: Path) -> str | None:
    text = path.read_text(encoding="utf-8", errors="replace")
    found = re.search(r"<dc:description>(.*?)</dc:description>", text, re.DOTALL)
    return html.unescape(found[1]) if found else None
