"""The sheets of the evaluation that people look at; what is measured is in `evaluate`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from latent_assets.training.captions import TINTS, with_article
from latent_assets.training.drawing import Studio
from latent_assets.training.prompts import GRID_PROMPTS, LOOP_PROMPT, PROMPTS, TINTS_SHOWN
from latent_assets.training.sampling import Sampling, noise_for
from latent_assets.training.sheets import write_sheet

GRID = 6
LOOP_FRAMES = 16


def firsts(captions: list[str], every: int) -> list[str]:
    """Captions for the first picture of each group alone, so that they do not overlap."""
    return ["" if number % every else caption for number, caption in enumerate(captions)]


def prompts_sheet(studio: Studio, path: Path, sampling: Sampling, count: int) -> None:
    """Some prompts by three seeds."""
    prompts = [prompt for prompt in PROMPTS[:count] for _ in range(3)]
    seeds = [100 + number % 3 for number in range(len(prompts))]
    pictures = studio.draw(prompts, seeds, sampling)
    write_sheet(path, list(pictures), 6, firsts(prompts, 3))


def tints_sheet(studio: Studio, path: Path, sampling: Sampling) -> None:
    """Things in every colour."""
    prompts = [with_article(f"{tint} {name}") for name in TINTS_SHOWN for tint in TINTS]
    pictures = studio.draw(prompts, [5] * len(prompts), sampling)
    write_sheet(path, list(pictures), len(TINTS), prompts)


def grid_sheet(studio: Studio, path: Path, sampling: Sampling) -> None:
    """Four prompts at the corners, mixtures between."""
    corners = studio.contexts(GRID_PROMPTS)
    places = [(y / (GRID - 1), x / (GRID - 1)) for y in range(GRID) for x in range(GRID)]
    blends = [
        (1 - y) * ((1 - x) * corners[0] + x * corners[1])
        + y * ((1 - x) * corners[2] + x * corners[3])
        for y, x in places
    ]
    pictures = studio.mixtures(np.stack(blends).astype(np.float32), 7, sampling)
    write_sheet(path, list(pictures), GRID)


def loop_sheet(studio: Studio, path: Path, sampling: Sampling) -> None:
    """A closed walk through the noise."""
    first, second = noise_for([11, 12])
    angles = 2 * np.pi * np.arange(LOOP_FRAMES) / LOOP_FRAMES
    loop = np.stack([np.cos(angle) * first + np.sin(angle) * second for angle in angles])
    pictures = studio.from_noise(LOOP_PROMPT, loop.astype(np.float32), sampling)
    write_sheet(path, list(pictures), 8)
