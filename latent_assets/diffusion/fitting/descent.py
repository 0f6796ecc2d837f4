"""Moves all weights and timesteps of a rollout together towards the trajectory's end.

By the gradient through the whole rollout, as Bespoke Non-Stationary solvers (Shaul et al. 2024) and
S4S (Frankel et al. 2025) do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from latent_assets.diffusion.fitting.closed_form import ClosedForm
from latent_assets.diffusion.fitting.rollout import Fit, pull_back, roll
from latent_assets.diffusion.fitting.trajectory import (
    TINY,
    FloatArray,
    Noise,
    Tell,
    Trajectory,
    mean_logarithm,
)
from latent_assets.diffusion.schedule import NUM_TRAIN_TIMESTEPS

RATE, TIME_RATE = 0.025, 5.0
"""Of the descent, for each unit of the distance that it begins with: of weights, in units that move
the latents by 1; of timesteps, in timesteps."""
LARGEST = 0.4
"""From this distance on the rates grow no more."""
_MEAN, _SQUARE = 0.9, 0.98
"""Adam's (Kingma & Ba 2015)."""


@dataclass
class _Adam:
    """Moments of one array of numbers."""

    value: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64] = field(init=False)
    square: npt.NDArray[np.float64] = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        self.mean, self.square = np.zeros_like(self.value), np.zeros_like(self.value)

    def move(self, gradient: npt.NDArray[np.float64], rate: float) -> None:
        self.count += 1
        self.mean = _MEAN * self.mean + (1 - _MEAN) * gradient
        self.square = _SQUARE * self.square + (1 - _SQUARE) * gradient**2
        mean = self.mean / (1 - _MEAN**self.count)
        root = np.sqrt(self.square / (1 - _SQUARE**self.count))
        self.value = self.value - rate * mean / (root + 1e-9)


def descend(
    noise: Noise,
    trajectory: Trajectory,
    start: ClosedForm,
    rounds: int,
    batch_size: int,
    tell: Tell = lambda _: None,
) -> Fit:
    """`rounds` steps of descent, each on `batch_size` rows; start: of all rows.

    What is made small is the mean of the logarithms of the distances (`mean_logarithm`). The rows
    of a round are drawn with a fixed seed: the same arguments give the same fit. What it began with
    is given back if that is nearer.
    """
    reach = min(math.exp(start.off), LARGEST)
    random = np.random.default_rng(0)
    moved = [_Adam(np.zeros(len(each.weights))) for each in start.solved]
    times = _Adam(start.timesteps.astype(np.float64))
    order: list[int] = []

    def settled() -> Fit:
        pairs = zip(start.solved, moved, strict=True)
        weights = [each.weights + each.directions @ adam.value for each, adam in pairs]
        return Fit(_whole(times.value), weights)

    for round_ in range(rounds):
        if len(order) < batch_size:
            order = random.permutation(len(trajectory.start)).tolist()
        rows, order = np.array(order[:batch_size]), order[batch_size:]
        fit = settled()
        end, steps = roll(noise, trajectory.start[rows], rows, fit.timesteps, fit.weights)
        away = _away(end, trajectory.end[rows])
        back = pull_back(noise, rows, fit.timesteps, fit.weights, steps, away, held)
        rate = reach * 0.5 * (1 + math.cos(math.pi * round_ / rounds))
        for adam, each, gradient in zip(moved, start.solved, back.weights, strict=True):
            adam.move(each.directions.T @ gradient, rate * RATE)
        times.move(back.timesteps, rate * TIME_RATE)
        tell(len(rows) * len(steps))
    found, every = settled(), np.arange(len(trajectory.start))
    end, _ = roll(noise, trajectory.start, every, found.timesteps, found.weights)
    return found if mean_logarithm(end, trajectory.end) < start.off else start.fit


def held(gradient: FloatArray) -> FloatArray:
    """No row of it longer than the middle one.

    On the way back through a rollout the rows on which the model jumps grow without end, and would
    rule the descent, each in a direction of its own.
    """
    lengths = np.sqrt(np.sum(gradient.astype(np.float64) ** 2, axis=(1, 2, 3), keepdims=True))
    return (gradient * np.minimum(1, np.median(lengths) / (lengths + 1e-12))).astype(np.float32)


def _away(end: FloatArray, wanted: FloatArray) -> FloatArray:
    """The gradient of the mean of the logarithms of `distances`."""
    apart = end - wanted
    square = np.mean(apart**2, axis=(1, 2, 3), keepdims=True) + TINY
    return (apart / square / apart.size).astype(np.float32)


def _whole(times: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The nearest whole timesteps, none twice, in decreasing order."""
    count = len(times)
    whole = np.clip(np.rint(times), 0, NUM_TRAIN_TIMESTEPS - 1).astype(np.int64)
    for step in range(1, count):
        whole[step] = min(whole[step], whole[step - 1] - 1)
    for step in range(count - 1, -1, -1):
        whole[step] = max(whole[step], count - 1 - step)
    return whole
