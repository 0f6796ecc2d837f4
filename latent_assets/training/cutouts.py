"""Drawings without their backgrounds, which pictures are composed of, and the file of them all.

The file is an `.npz` of three arrays: the concepts' names, the drawings' WebP bytes one behind
the other, and where each ends. A machine that trains needs this file alone, no npm and no SVG.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from latent_assets.training.concepts import CONCEPTS

SIZE = 256
"""Side of cut-outs and pictures, in pixels."""


@dataclass(frozen=True)
class Cutout:
    """The drawing of one concept: pixels (256, 256, 4) uint8, straight alpha."""

    concept: int
    pixels: np.ndarray


def pack(path: Path, drawings: Mapping[str, bytes]) -> None:
    """Write drawings, name of a concept -> bytes of a picture file, into one file."""
    bodies = list(drawings.values())
    np.savez(
        path,
        names=np.array(list(drawings)),
        ends=np.cumsum([len(body) for body in bodies]),
        bodies=np.frombuffer(b"".join(bodies), np.uint8),
    )


def unpack(path: Path) -> list[Cutout]:
    """Read the drawings of a packed file that belong to a concept, in the concepts' order.

    A concept without a drawing is left out; it is a mistake if there is none at all.
    """
    with np.load(path) as file:
        names, ends, bodies = file["names"], file["ends"], file["bodies"].tobytes()
    starts = [0, *ends[:-1].tolist()]
    found = {
        str(name): bodies[start:end]
        for name, start, end in zip(names, starts, ends.tolist(), strict=True)
    }
    cutouts = [
        Cutout(index, decoded(found[concept.name]))
        for index, concept in enumerate(CONCEPTS)
        if concept.name in found
    ]
    if not cutouts:
        raise ValueError(f"{path} holds no drawing of a thing that the model is taught")
    return cutouts


def decoded(body: bytes) -> np.ndarray:
    """Bytes of a picture file -> (256, 256, 4) uint8, straight alpha."""
    image = Image.open(io.BytesIO(body)).convert("RGBA")
    if image.size != (SIZE, SIZE):
        image = image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    return np.asarray(image)
