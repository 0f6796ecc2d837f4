"""Where a picture came from, written into the picture's own file.

The record is one JSON object (schema in `docs/outputs.md`), as ASCII text: a text chunk in PNG
and APNG, the comment of a GIF, XMP in WebP and AVIF, the `comment` tag of an MP4, a script
element in HTML, the description in the metadata of an SVG.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from PIL import PngImagePlugin

from latent_assets import __version__
from latent_assets.errors import FinishedFileError
from latent_assets.foreign import read_json
from latent_assets.media import reading, xmp
from latent_assets.media.reading import PNG_KEYWORD

SCHEMA = "latent-assets.provenance/1"
_DIGEST = re.compile("[0-9a-f]{64}")
_ANOTHER = "It was damaged, or another program wrote it."


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
    encoder: str = ""
    """By what an animation was encoded (`media.encoders`): the same gives the same again."""
    extra: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types; `root` is computed if it was not given."""
        data = asdict(self)
        data["frame_keys"] = list(self.frame_keys)
        data["frame_digests"] = list(self.frame_digests)
        data["root"] = self.root or root_digest(self.frame_digests)
        return data

    @classmethod
    def from_dict(cls, data: object) -> Provenance:
        """Raises ValueError for another schema, or a list of digests that was altered."""
        if not isinstance(data, dict):
            raise ValueError("it is no object")  # noqa: TRY004 - what a reader of files expects
        if data.get("schema") != SCHEMA:
            raise ValueError(f"its schema is {str(data.get('schema'))[:80]!r}, not {SCHEMA!r}")
        names = {each.name for each in fields(cls)}
        known = {name: value for name, value in data.items() if name in names}
        if absent := {"walk", "model"} - known.keys():
            raise ValueError(f"it has no {min(absent)}")
        for name in ("frame_keys", "frame_digests"):
            digests = known.get(name, [])
            if not isinstance(digests, list) or not all(map(_is_digest, digests)):
                raise ValueError(f"its {name} are not 64 hex digits each")
            known[name] = tuple(digests)
        found = cls(**known)
        found._check()
        return found

    def _check(self) -> None:
        """Raises ValueError for what this project does not write: the record may be anybody's."""
        if not all(isinstance(each, dict) for each in (self.walk, self.model, self.extra)):
            raise ValueError("its walk or model is no object")
        for name in ("project_version", "encoder"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"its {name} is no text")  # noqa: TRY004
        if self.frame_keys and len(self.frame_keys) != len(self.frame_digests):
            raise ValueError("it has not as many frame keys as digests")
        if self.root != root_digest(self.frame_digests):
            raise ValueError("its frame digests do not match their root: it was altered")


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


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

    Raises FinishedFileError if there is none, or if it was damaged or altered.
    """
    try:
        text = reading.record_text(path)
    except FileNotFoundError:
        raise FinishedFileError(f"{path} does not exist", "Give the path of a file.") from None
    except OSError as error:
        why = error.strerror or str(error)
        raise FinishedFileError(f"cannot read {path}: {why}", "Give a file.") from None
    except ValueError as error:
        raise FinishedFileError(f"cannot read {path}: {error}", _ANOTHER) from None
    if text is None:
        raise FinishedFileError(
            f"{path} carries no record of its origin",
            "It was written with --no-metadata, by another program, or was re-encoded on its way.",
        )
    try:
        return Provenance.from_dict(read_json(text))
    except ValueError as error:
        raise FinishedFileError(f"the record in {path} cannot be used: {error}", _ANOTHER) from None
