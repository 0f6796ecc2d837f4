"""What a blind trial needs: numbered pictures of prompts drawn at random, and the key apart.

A reader names what a picture shows without having seen prompts or list; another looks at pairs,
one picture of each of two editions in random order, and says which to keep.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
from PIL import Image

from latent_assets.training.captions import Scene, caption, random_background
from latent_assets.training.concepts import CONCEPTS
from latent_assets.training.drawing import Studio
from latent_assets.training.sampling import Sampling
from latent_assets.training.sheets import write_sheet

PICTURES = 24
COLUMNS = 6


def naming_trial(studio: Studio, folder: Path, sampling: Sampling, seed: int) -> list[str]:
    """Write `naming.png`, numbered, and `naming-key.json`; returns the prompts.

    Things, backgrounds, words and noise are all drawn from the seed.
    """
    rng = random.Random(seed)  # noqa: S311 - a fixed choice
    things = rng.sample(range(len(CONCEPTS)), PICTURES)
    prompts = [caption(Scene(thing, random_background(rng)), rng) for thing in things]
    pictures = studio.draw(prompts, [rng.randrange(10**6) for _ in prompts], sampling)
    numbers = [str(number + 1) for number in range(PICTURES)]
    folder.mkdir(parents=True, exist_ok=True)
    write_sheet(folder / "naming.png", list(pictures), COLUMNS, numbers)
    key = dict(zip(numbers, prompts, strict=True))
    _write(folder / "naming-key.json", key)
    return prompts


def keeping_trial(
    folder: Path, prompts: list[str], first: np.ndarray, second: np.ndarray, seed: int
) -> None:
    """Write `keeping.png`, pairs side by side in random order, and `keeping-key.json`.

    first, second: (N, H, W, 3) uint8 of two editions; the smaller ones are enlarged.
    """
    rng = random.Random(seed)  # noqa: S311 - a fixed choice
    side = max(first.shape[1], second.shape[1])
    pairs, key = [], {}
    for number, prompt in enumerate(prompts, start=1):
        shown = [_enlarged(edition[number - 1], side) for edition in (first, second)]
        turned = rng.random() < 0.5  # noqa: PLR2004 - one half
        gap = np.full((side, 6, 3), 255, np.uint8)
        left, right = (shown[1], shown[0]) if turned else (shown[0], shown[1])
        pairs.append(np.concatenate([left, gap, right], axis=1))
        key[str(number)] = {"prompt": prompt, "left": "second" if turned else "first"}
    folder.mkdir(parents=True, exist_ok=True)
    captions = [f"{number}   {prompt}" for number, prompt in enumerate(prompts, start=1)]
    write_sheet(folder / "keeping.png", pairs, 4, captions)
    _write(folder / "keeping-key.json", key)


def _enlarged(picture: np.ndarray, side: int) -> np.ndarray:
    image = Image.fromarray(picture)
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))


def _write(path: Path, document: dict) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
