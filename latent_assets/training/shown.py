"""What the judge is shown: pictures at half their side, with the labels of what is in them.

Blends of two scenes are left out: half of a thing has no name.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from latent_assets.training import dataset
from latent_assets.training.captions import COLOURS, SCENES
from latent_assets.training.cutouts import SIZE
from latent_assets.training.dataset import Record
from latent_assets.training.examples import Composed
from latent_assets.training.stream import Chunk, PictureStream

SIDE = 128
BACKGROUNDS = (*sorted(COLOURS), *sorted(SCENES))
UNNAMED = -1
"""The label of a background that no caption names; it is not learned, nor judged."""
ROOM, FIRST_PICTURES = 150_000, 6_000
"""Pictures kept of those that are composed meanwhile; how many there are to begin with."""

Labelled = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Pictures (N, 128, 128, 3) uint8, things (N, 2) int32, backgrounds (N,) int32."""


def shrink(pixels: np.ndarray) -> np.ndarray:
    """(N, 256, 256, 3) -> (N, 128, 128, 3), means of 2x2, as uint8."""
    factor = SIZE // SIDE
    blocks = pixels.reshape(len(pixels), SIDE, factor, SIDE, factor, 3).astype(np.float32)
    return blocks.mean(axis=(2, 4)).round().astype(np.uint8)


def labelled(records: Sequence[Record], pixels: np.ndarray) -> Labelled:
    """The pictures without blends, shrunk, with their labels."""
    rows = [row for row, record in enumerate(records) if record.other is None]
    scenes = [records[row].scene for row in rows]
    things = [(s.concept, s.second if s.second >= 0 else s.concept) for s in scenes]
    backgrounds = [background_label(scene.background) for scene in scenes]
    parts = [shrink(pixels[rows[at : at + 512]]) for at in range(0, len(rows), 512)]
    labels = np.array(things, np.int32), np.array(backgrounds, np.int32)
    return np.concatenate(parts), *labels


def labelled_on_disk(pictures: Path, split: str) -> Labelled:
    """Those of a split of the pictures on disk."""
    loaded = dataset.load(pictures, split)
    return labelled(loaded.records, loaded.pixels)


class Shown:
    """Labelled pictures on disk."""

    def __init__(self, pictures: Path) -> None:
        self._columns = labelled_on_disk(pictures, "train")
        self._rng = np.random.default_rng(7)

    def draw(self, size: int) -> Labelled:
        """Rows of `Labelled`."""
        pixels, things, backgrounds = self._columns
        rows = self._rng.integers(0, len(pixels), size)
        return pixels[rows], things[rows], backgrounds[rows]

    def tend(self) -> None:
        """See `Examples`: all pictures are there."""


class LiveShown(Composed):
    """Labelled pictures that other processes compose; before: see `Composed`."""

    def __init__(self, stream: PictureStream, before: int | None = None) -> None:
        def columns(chunk: Chunk) -> Labelled:
            return labelled(chunk.records, chunk.pixels)

        super().__init__(stream, columns, ROOM, FIRST_PICTURES, 7, before)


def background_label(name: str) -> int:
    """Its place in BACKGROUNDS, or UNNAMED."""
    return BACKGROUNDS.index(name) if name in BACKGROUNDS else UNNAMED
