"""The training pictures: drawings on backgrounds, with what is to be seen in them.

A work directory holds `<split>.npy` (N, 256, 256, 3) uint8 and `<split>.json`, one record per
picture. Some pictures are *blends* of two scenes with one chance: of backgrounds, of places and
sizes, of two things, one turning into the other. Their context is the same mixture of the two
captions' contexts, so that a walk from one prompt to another changes little by little.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from latent_assets.diffusion.embedded.vocabulary import MAX_TOKENS, Vocabulary
from latent_assets.errors import TrainingError
from latent_assets.training.captions import Scene, caption, random_scene
from latent_assets.training.composing import NOT_MIRRORED, Chance, put, spot_of, staged
from latent_assets.training.concepts import CONCEPTS
from latent_assets.training.cutouts import SIZE, Cutout
from latent_assets.training.sprites import Shapes
from latent_assets.training.styles import styled

SPLITS = {"train": 0, "test": 1}
"""Name of a set of pictures -> offset of its seeds; `test` is never trained on."""


@dataclass(frozen=True)
class Shares:
    """What share of the pictures are blends, and of these blends of two things."""

    blends: float = 0.45
    two_things: float = 0.6
    same_background: float = 0.6
    """Of the blends of two things: those where only the thing changes."""


@dataclass(frozen=True)
class Record:
    """What a picture shows: `scene`, and on a blend the share `weight` (<= 0.5) of `other`."""

    scene: Scene
    other: Scene | None = None
    weight: float = 0.0


@dataclass(frozen=True)
class Pictures:
    """A set of pictures: pixels (N, 256, 256, 3) uint8, memory-mapped, and their records."""

    pixels: np.ndarray
    records: list[Record]


class Composer:
    """Draws records and their pictures."""

    def __init__(self, cutouts: list[Cutout], shares: Shares | None = None) -> None:
        self._shapes = Shapes({cutout.concept: cutout.pixels for cutout in cutouts})
        self.concepts = sorted(cutout.concept for cutout in cutouts)
        self._shares = shares or Shares()

    def draw(self, record: Record, number: int) -> np.ndarray:
        """The picture of a record, (256, 256, 3) uint8; `number` decides what it leaves open."""
        scene, other, weight = record.scene, record.other or record.scene, record.weight
        chance = Chance.of(number)
        stage = staged(chance, scene.background, other.background, weight)
        things = {scene.concept, scene.second, other.concept} - {-1}
        fixed = any(CONCEPTS[thing].name in NOT_MIRRORED for thing in things)
        mirrored = chance.mirrored and not fixed
        shapes = (scene.concept, scene.tint), (other.concept, other.tint)
        thing = self._shapes.between(*shapes, weight, mirrored)
        first, second = (np.array(spot_of(which, chance)) for which in (scene, other))
        put(stage, thing, *(first + weight * (second - first)), chance)
        if scene.second >= 0:
            beside = (scene.second, "")
            thing = self._shapes.between(beside, beside, 0, mirrored)
            put(stage, thing, *spot_of(scene, chance, second=True), chance)
        pixels = (stage.pixels * chance.light).clip(0, 255).round().astype(np.uint8)
        return styled(pixels, scene.style, other.style, weight)

    def random_record(self, concept: int, rng: random.Random) -> Record:
        """A record of a concept: plain, or a blend of two scenes of it, or with another thing."""
        scene = random_scene(concept, self.concepts, rng)
        if rng.random() >= self._shares.blends:
            return Record(scene)
        scene = replace(scene, second=-1)
        alike = rng.random() >= self._shares.two_things
        other = random_scene(concept if alike else rng.choice(self.concepts), self.concepts, rng)
        other = replace(other, second=-1)
        if not alike and rng.random() < self._shares.same_background:
            same = replace(other, background=scene.background, style=scene.style)
            same = replace(same, size=scene.size, place=scene.place)
            other = other if same.held_out else same
        return Record(scene, other, round(rng.uniform(0, 0.5), 3))

    def random_picture(self, seed: int) -> tuple[np.ndarray, Record]:
        """Picture number `seed`: concepts take turns."""
        rng = random.Random(seed)  # noqa: S311 - no secrets in pictures
        record = self.random_record(self.concepts[seed % len(self.concepts)], rng)
        return self.draw(record, seed), record


def build(
    folder: Path,
    cutouts: list[Cutout],
    counts: dict[str, int],
    processes: int = 2,
    shares: Shares | None = None,
) -> None:
    """Write the sets of pictures: counts maps the name of a split to its number of pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(processes, initializer=_start, initargs=(cutouts, shares)) as pool:
        for split, count in counts.items():
            first = SPLITS[split] * 10_000_000
            shape = (count, SIZE, SIZE, 3)
            pixels = np.lib.format.open_memmap(folder / f"{split}.npy", "w+", np.uint8, shape)
            records = []
            for row, (picture, record) in enumerate(
                pool.map(_picture, range(first, first + count), chunksize=64)
            ):
                pixels[row] = picture
                records.append(asdict(record))
            pixels.flush()
            (folder / f"{split}.json").write_text(json.dumps(records), encoding="utf-8")


_composer: Composer
"""A worker's own."""


def _start(cutouts: list[Cutout], shares: Shares | None) -> None:
    global _composer  # noqa: PLW0603 - the drawings travel to a worker once, not with each picture
    cv2.setNumThreads(1)
    _composer = Composer(cutouts, shares)


def _picture(seed: int) -> tuple[np.ndarray, Record]:
    return _composer.random_picture(seed)


def load(folder: Path, split: str) -> Pictures:
    """Open a set of pictures. Raises TrainingError."""
    pixels, captions = folder / f"{split}.npy", folder / f"{split}.json"
    for path in (pixels, captions):  # the captions are written last
        if not path.is_file():
            raise TrainingError(
                f"the {split} pictures are not there, or not all of them: {path} does not exist",
                "`python -m latent_assets.training data` composes them.",
            )
    rows = json.loads(captions.read_text(encoding="utf-8"))
    return Pictures(np.load(pixels, mmap_mode="r"), list(_records(rows)))


def _records(rows: list[dict]) -> Iterator[Record]:
    for row in rows:
        other = Scene(**row["other"]) if row["other"] else None
        yield Record(Scene(**row["scene"]), other, row["weight"])


def caption_tokens(
    records: Sequence[Record], vocabulary: Vocabulary, draws: int, seed: int
) -> np.ndarray:
    """Captions as tokens, (N, draws, 2, 16) uint16: of `scene`, and of `other` or zeros."""
    rng = random.Random(seed)  # noqa: S311 - no secrets in captions
    tokens = np.zeros((len(records), draws, 2, MAX_TOKENS), np.uint16)
    for row, record in enumerate(records):
        for draw in range(draws):
            tokens[row, draw, 0] = vocabulary.tokens(caption(record.scene, rng))
            if record.other is not None:
                tokens[row, draw, 1] = vocabulary.tokens(caption(record.other, rng))
    return tokens
