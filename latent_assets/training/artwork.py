"""The artwork: SVG drawings from openly licensed npm packages, rendered to pictures.

`npm pack` fetches the packages at pinned versions into a work directory; nothing of them is kept
in the repository. Two drawings that no package has are the project's own.
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import resvg_py
from PIL import Image

from latent_assets.training.concepts import CONCEPTS, Concept
from latent_assets.training.cutouts import SIZE, Cutout


@dataclass(frozen=True)
class Source:
    """One npm package of drawings, in iconify's JSON form."""

    package: str
    version: str
    licence: str


STYLES = {
    "flat": Source("@iconify-json/fluent-emoji-flat", "1.2.6", "MIT"),
    "painted": Source("@iconify-json/noto", "1.2.9", "Apache-2.0"),
}
"""Style of drawing -> where it comes from."""

WINDMILL = """
<path d="M46 60 L82 60 L92 122 L36 122 Z" fill="#c98d5a"/>
<path d="M42 62 Q64 26 86 62 Z" fill="#8a4b3a"/>
<rect x="56" y="96" width="16" height="26" rx="8" fill="#5d3a2e"/>
<rect x="58" y="74" width="12" height="12" rx="2" fill="#9fd3f5"/>
<g fill="#f4efe2" stroke="#6d5140" stroke-width="3">
<g transform="rotate(20 64 52)"><rect x="66" y="4" width="13" height="40"/>
<rect x="49" y="60" width="13" height="40"/><rect x="72" y="54" width="40" height="13"/>
<rect x="16" y="37" width="40" height="13"/></g></g>
<g stroke="#6d5140" stroke-width="4" transform="rotate(20 64 52)">
<path d="M64 4 V100 M16 52 H112"/></g><circle cx="64" cy="52" r="6" fill="#4a352a"/>
"""
FRUIT_BOWL = """
<path d="M80 62 Q118 52 112 18 Q100 20 98 34 Q92 50 72 54 Z" fill="#f8d247"/>
<circle cx="40" cy="52" r="24" fill="#e23d3d"/><path d="M40 30 Q42 20 50 16" stroke="#6d4426"
 stroke-width="4" fill="none"/><path d="M42 26 Q54 14 62 24 Q52 32 42 26" fill="#5fae46"/>
<circle cx="70" cy="56" r="20" fill="#f79a2c"/>
<g fill="#8453b5"><circle cx="92" cy="62" r="9"/><circle cx="104" cy="64" r="9"/>
<circle cx="98" cy="52" r="9"/></g>
<path d="M8 66 H120 Q118 108 82 112 H46 Q10 108 8 66 Z" fill="#3f8fc4"/>
<rect x="42" y="110" width="44" height="10" rx="4" fill="#2f6f9c"/>
<rect x="4" y="62" width="120" height="10" rx="5" fill="#68b1de"/>
"""
OWN_DRAWINGS = {"windmill": WINDMILL, "bowl of fruit": FRUIT_BOWL}
"""Name of a concept -> body of an SVG of 128 by 128 units, drawn for this project."""


def fetch(work: Path) -> None:
    """Have npm pack every source into `work/npm`, unless it is there already."""
    folder = work / "npm"
    folder.mkdir(parents=True, exist_ok=True)
    for source in STYLES.values():
        if not _archive(work, source).is_file():
            name = f"{source.package}@{source.version}"
            subprocess.run(  # noqa: S603 - a fixed command
                ["npm", "pack", "--silent", name],  # noqa: S607 - npm is where PATH has it
                cwd=folder,
                check=True,
            )


def _archive(work: Path, source: Source) -> Path:
    stem = source.package.removeprefix("@").replace("/", "-")
    return work / "npm" / f"{stem}-{source.version}.tgz"


class Drawings:
    """The drawings of one style, by emoji."""

    def __init__(self, archive: Path) -> None:
        icons = self._json(archive, "package/icons.json")
        characters = self._json(archive, "package/chars.json")
        self._icons = icons["icons"]
        self._size = icons.get("width", 16), icons.get("height", 16)
        self._names = {code.replace("-fe0f", ""): name for code, name in characters.items()}

    @staticmethod
    def _json(archive: Path, name: str) -> dict[str, Any]:
        with tarfile.open(archive) as tar:
            member = tar.extractfile(name)
            if member is None:
                raise FileNotFoundError(f"{name} is not in {archive}")
            return json.load(member)

    def svg(self, emoji: str) -> str | None:
        """The drawing of an emoji as an SVG document, or None if this style has none."""
        code = "-".join(f"{ord(character):x}" for character in emoji if character != "\ufe0f")
        icon = self._icons.get(self._names.get(code, ""))
        if icon is None:
            return None
        width, height = icon.get("width", self._size[0]), icon.get("height", self._size[1])
        return svg_document(icon["body"], icon.get("left", 0), icon.get("top", 0), width, height)


def svg_document(
    body: str, left: int = 0, top: int = 0, width: int = SIZE, height: int = SIZE
) -> str:
    """A whole SVG document of 128 by 128 pixels around a body drawn in its own units."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        f' viewBox="{left} {top} {width} {height}" width="{SIZE}" height="{SIZE}">{body}</svg>'
    )


def render(svg: str) -> np.ndarray:
    """(128, 128, 4) uint8, straight alpha."""
    png = resvg_py.svg_to_bytes(svg_string=svg, width=SIZE, height=SIZE)
    return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGBA"))


def render_concept(index: int, concept: Concept, styles: dict[str, Drawings]) -> list[Cutout]:
    """Every style's drawing of a concept."""
    if not concept.emoji:
        pixels = render(svg_document(OWN_DRAWINGS[concept.name]))
        return [Cutout(index, style, pixels) for style in STYLES]
    svgs = {style: drawings.svg(concept.emoji) for style, drawings in styles.items()}
    return [Cutout(index, style, render(svg)) for style, svg in svgs.items() if svg]


def render_own() -> list[Cutout]:
    """The project's own drawings alone: enough to try the pipeline without a network."""
    return [
        cutout
        for index, concept in enumerate(CONCEPTS)
        if not concept.emoji
        for cutout in render_concept(index, concept, {})
    ]


def render_all(work: Path) -> list[Cutout]:
    """Every drawing of every concept; the sources must have been fetched."""
    styles = {style: Drawings(_archive(work, source)) for style, source in STYLES.items()}
    return [
        cutout
        for index, concept in enumerate(CONCEPTS)
        for cutout in render_concept(index, concept, styles)
    ]
