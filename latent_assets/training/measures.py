"""What the evaluation reckons from pictures alone."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

SMOOTH = 4.0
"""Largest over median change of neighbouring frames, up to which a walk counts as smooth."""


def smoothness(frames: np.ndarray) -> dict[str, Any]:
    """Mean absolute differences of neighbours: their largest over their median, and if any is 0."""
    steps = np.abs(np.diff(frames.astype(np.float32), axis=0)).mean(axis=(1, 2, 3))
    ratio = float(steps.max() / max(np.median(steps), 1e-6))
    return {"max_over_median": round(ratio, 2), "equal_neighbours": int((steps == 0).sum())}


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Root mean square of the difference of two uint8 pictures, in a range of 2 (-1..1)."""
    difference = (first.astype(np.float32) - second.astype(np.float32)) / 127.5
    return float(np.sqrt((difference**2).mean()))


def seeds_and_things(pictures: np.ndarray) -> dict[str, float]:
    """How much a seed changes, and a thing: pictures (things, seeds, H, W, 3) uint8.

    Mean distances between the seeds of a thing and between the things of a seed, and their ratio.
    """
    things, seeds = range(pictures.shape[0]), range(pictures.shape[1])
    between_seeds = np.mean(
        [
            distance(pictures[thing, one], pictures[thing, two])
            for thing in things
            for one, two in itertools.combinations(seeds, 2)
        ]
    )
    between_things = np.mean(
        [
            distance(pictures[one, seed], pictures[two, seed])
            for seed in seeds
            for one, two in itertools.combinations(things, 2)
        ]
    )
    return {
        "between_seeds": round(float(between_seeds), 3),
        "between_things": round(float(between_things), 3),
        "ratio": round(float(between_seeds / max(between_things, 1e-6)), 3),
    }
