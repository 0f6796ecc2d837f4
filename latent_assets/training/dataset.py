"""The training pictures: drawings on backgrounds, with what is to be seen in them.

A work directory holds `pictures.npy` (N, 128, 128, 3) uint8 and `records.json`, one record per
picture. Some pictures are *blends*: the thing of one scene on a background that is a mixture of
two scenes'. Their context is the same mixture of the two captions' contexts, so that a walk from
one prompt to another sees its background change little by little instead of at one frame.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from latent_assets.training.backgrounds import paint
from latent_assets.training.captions import COLOURS, SCENES, Scene, random_scene
from latent_assets.training.cutouts import SIZE, Cutout

BLEND_SHARE = 0.2
BLEND_OF_TWO_THINGS_SHARE = 0.5
SPLITS = {"train": 0, "test": 1}
"""Name of a set of pictures -> offset of its seeds; `test` is never trained on."""


@dataclass(frozen=True)
class Record:
    """What a picture shows: `scene`, and on a blend the share `weight` (< 0.5) of `other`."""

    scene: Scene
    other: Scene | None = None
    weight: float = 0.0


@dataclass(frozen=True)
class Pictures:
    """A set of pictures: pixels (N, 128, 128, 3) uint8, memory-mapped, and their records."""

    pixels: np.ndarray
    records: list[Record]


def tinted(pixels: np.ndarray, colour: str) -> np.ndarray:
    """Recolour a cut-out, keeping its light and shade. pixels: (H, W, 4) uint8."""
    light = pixels[..., :3] @ np.array([0.3, 0.59, 0.11], np.float32) / 255
    inside = light[pixels[..., 3] > SIZE]
    low, high = np.percentile(inside, [2, 98]) if inside.size else (0.0, 1.0)
    light = np.clip((light - low) / max(high - low, 0.15), 0, 1)[..., None]
    target = np.array(COLOURS[colour], np.float32)
    middle = 0.6
    dark = target * (0.35 + 0.65 * light / middle)
    bright = target + (255 - target) * (light - middle) / (1 - middle) * 0.75
    rgb = np.where(light < middle, dark, bright).clip(0, 255).astype(np.uint8)
    return np.concatenate([rgb, pixels[..., 3:]], axis=-1)


def place(cutout: np.ndarray, behind: np.ndarray, on_scene: bool, rng: random.Random) -> np.ndarray:
    """Put a cut-out (128, 128, 4) on a background (128, 128, 3); returns uint8.

    It varies little in place and size: what varies, a small model can only blur.
    """
    share = rng.uniform(0.70, 0.78) if on_scene else rng.uniform(0.80, 0.88)
    side = round(SIZE * share)
    room = SIZE - side
    left = round(room * rng.uniform(0.4, 0.6))
    top = round(room * (rng.uniform(0.65, 0.8) if on_scene else rng.uniform(0.4, 0.6)))
    small = _resized_premultiplied(cutout, side)
    picture = behind.copy()
    window = picture[top : top + side, left : left + side]
    window *= 1 - small[..., 3:] / 255
    window += small[..., :3]
    return picture.clip(0, 255).round().astype(np.uint8)


def _resized_premultiplied(pixels: np.ndarray, side: int) -> np.ndarray:
    """(side, side, 4) float32, colours multiplied by alpha so that no edge turns dark."""
    scaled = pixels.astype(np.float32)
    scaled[..., :3] *= scaled[..., 3:] / 255
    channels = [Image.fromarray(scaled[..., channel]) for channel in range(4)]
    small = [channel.resize((side, side), Image.Resampling.BILINEAR) for channel in channels]
    return np.stack([np.asarray(channel) for channel in small], axis=-1)


class Composer:
    """Draws records and their pictures."""

    def __init__(self, cutouts: list[Cutout]) -> None:
        self._pixels = {(cutout.concept, cutout.style): cutout.pixels for cutout in cutouts}
        self.concepts = sorted({concept for concept, _ in self._pixels})

    def styles(self, concept: int) -> list[str]:
        """The styles in which a concept is drawn."""
        return sorted(style for other, style in self._pixels if other == concept)

    def draw(self, record: Record, rng: random.Random) -> np.ndarray:
        """The picture of a record, (128, 128, 3) uint8."""
        scene = record.scene
        cutout = self._pixels[scene.concept, scene.style]
        if scene.tint:
            cutout = tinted(cutout, scene.tint)
        behind = paint(scene.background, rng)
        if record.other is not None:
            behind += record.weight * (paint(record.other.background, rng) - behind)
        return place(cutout, behind, scene.background in SCENES, rng)

    def random_record(self, concept: int, rng: random.Random) -> Record:
        """A record of a concept; one in five is a blend, half of these with another thing."""
        scene = random_scene(concept, self.styles(concept), rng)
        if rng.random() >= BLEND_SHARE:
            return Record(scene)
        alike = rng.random() >= BLEND_OF_TWO_THINGS_SHARE
        second = concept if alike else rng.choice(self.concepts)
        other = random_scene(second, self.styles(second), rng)
        return Record(scene, other, round(rng.uniform(0, 0.5), 3))

    def random_picture(self, seed: int) -> tuple[np.ndarray, Record]:
        """Picture number `seed`: concepts take turns."""
        rng = random.Random(seed)  # noqa: S311 - no secrets in pictures
        record = self.random_record(self.concepts[seed % len(self.concepts)], rng)
        return self.draw(record, rng), record


def build(folder: Path, cutouts: list[Cutout], counts: dict[str, int]) -> None:
    """Write the sets of pictures: counts maps the name of a split to its number of pictures."""
    composer = Composer(cutouts)
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in counts.items():
        first = SPLITS[split] * 10_000_000
        with ProcessPoolExecutor(2) as pool:
            make = partial(Composer.random_picture, composer)
            made = list(pool.map(make, range(first, first + count), chunksize=128))
        np.save(folder / f"{split}.npy", np.stack([pixels for pixels, _ in made]))
        records = [asdict(record) for _, record in made]
        (folder / f"{split}.json").write_text(json.dumps(records), encoding="utf-8")


def load(folder: Path, split: str) -> Pictures:
    """Open a set of pictures."""
    rows = json.loads((folder / f"{split}.json").read_text(encoding="utf-8"))
    return Pictures(np.load(folder / f"{split}.npy", mmap_mode="r"), list(_records(rows)))


def _records(rows: list[dict]) -> Iterator[Record]:
    for row in rows:
        other = Scene(**row["other"]) if row["other"] else None
        yield Record(Scene(**row["scene"]), other, row["weight"])
