"""The artwork: shaded drawings from an openly licensed npm package, and two of the project's own.

`npm pack` fetches the package at a pinned version into a work directory; nothing of it is kept
in the repository. What the model is taught is packed into one file, from which pictures are made.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from latent_assets.training.concepts import CONCEPTS
from latent_assets.training.cutouts import SIZE, Cutout, decoded, pack
from latent_assets.training.fetching import fetch_with
from latent_assets.training.own_drawings import OWN_DRAWINGS

PACKAGE, VERSION, LICENCE = "@lobehub/fluent-emoji-3d", "1.1.0", "MIT"
"""Where the drawings come from: Microsoft's Fluent Emoji in 3D, 256 px, as WebP with alpha."""
PACK = "artwork.npz"
VARIATION = 0xFE0F
"""The character that asks for a coloured emoji; the package's file names have it or not."""


def fetch(work: Path) -> Path:
    """Have npm pack the package into `work/npm`, unless it is there already; returns its path."""
    folder = work / "npm"
    archive = folder / f"{PACKAGE.removeprefix('@').replace('/', '-')}-{VERSION}.tgz"
    if not archive.is_file():
        fetch_with(["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"], folder, "the artwork")
    return archive


def build(work: Path) -> Path:
    """Fetch the package and pack every concept's drawing into `work/artwork.npz`."""
    wanted = {
        name: concept.name
        for concept in CONCEPTS
        if concept.emoji
        for name in file_names(concept.emoji)
    }
    drawings = {wanted[name]: body for name, body in _files(fetch(work)) if name in wanted}
    drawings |= {name: render(svg) for name, svg in OWN_DRAWINGS.items()}
    missing = [concept.name for concept in CONCEPTS if concept.name not in drawings]
    if missing:
        raise ValueError(f"{PACKAGE} {VERSION} has no drawing of {', '.join(missing)}")
    pack(work / PACK, {concept.name: drawings[concept.name] for concept in CONCEPTS})
    return work / PACK


def file_names(emoji: str) -> set[str]:
    """How the package may call the file of an emoji: code points with and without variation."""
    codes = [ord(character) for character in emoji]
    bare = [code for code in codes if code != VARIATION]
    spellings = (codes, bare, [*bare, VARIATION], [bare[0], VARIATION, *bare[1:]])
    return {"-".join(f"{code:x}" for code in spelling) + ".webp" for spelling in spellings}


def _files(archive: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None:
                yield Path(member.name).name, file.read()


def render(body: str) -> bytes:
    """The body of an SVG of 256 by 256 units -> a lossless WebP file."""
    import resvg_py  # noqa: PLC0415 - machines that only train have no need of it

    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}"'
        f' width="{SIZE}" height="{SIZE}">{body}</svg>'
    )
    image = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg))))
    file = io.BytesIO()
    image.convert("RGBA").save(file, "WEBP", lossless=True)
    return file.getvalue()


def render_own() -> list[Cutout]:
    """The project's own drawings alone: enough to try the pipeline without a network."""
    names = [concept.name for concept in CONCEPTS]
    return [Cutout(names.index(name), decoded(render(svg))) for name, svg in OWN_DRAWINGS.items()]
