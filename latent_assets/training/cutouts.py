"""Drawings without their backgrounds, which pictures are composed of, and the file of them all.

The file is an `.npz` of three arrays: the concepts' names, the drawings' WebP bytes one behind
the other, and where each ends. A machine that trains needs this file alone, no npm and no SVG.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from PIL import Image

from latent_assets.errors import TrainingError
from latent_assets.training.concepts import CONCEPTS

SIZE = 256
"""Side of cut-outs and pictures, in pixels."""
PACKING = (
    "`python -m latent_assets.training artwork` fetches and packs it; `data --own-artwork` needs"
    " none, to try the steps."
)


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
    Raises TrainingError.
    """
    names, ends, bodies = _arrays(path)
    starts = [0, *ends[:-1].tolist()]
    found = {
        str(name): bodies[start:end]
        for name, start, end in zip(names, starts, ends.tolist(), strict=True)
    }
    try:
        cutouts = [
            Cutout(index, decoded(found[concept.name]))
            for index, concept in enumerate(CONCEPTS)
            if concept.name in found
        ]
    except OSError as error:
        raise TrainingError(f"{path} holds a drawing that is no picture", PACKING) from error
    if not cutouts:
        raise TrainingError(f"{path} holds no drawing of a thing that the model is taught", PACKING)
    return cutouts


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray, bytes]:
    try:
        with np.load(path) as file:
            return file["names"], file["ends"], file["bodies"].tobytes()
    except FileNotFoundError as error:
        raise TrainingError(
            f"there is no packed artwork: {path} does not exist", PACKING
        ) from error
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror or error}", PACKING) from error
    except (ValueError, KeyError, EOFError, BadZipFile) as error:
        raise TrainingError(f"{path} is no packed artwork", PACKING) from error


def decoded(body: bytes) -> np.ndarray:
    """Bytes of a picture file -> (256, 256, 4) uint8, straight alpha."""
    image = Image.open(io.BytesIO(body)).convert("RGBA")
    if image.size != (SIZE, SIZE):
        image = image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    return np.asarray(image)
