"""Fits the weights of a rollout: step by step in closed form, then all of them by descent.

In closed form each step takes the walk as near as it can to the model's own trajectory (least
squares, from the first step on, from where the walk then is). Descent then moves all weights and
timesteps together towards the trajectory's end, with the gradient through the whole rollout, as
Bespoke Non-Stationary solvers (Shaul et al. 2024) and S4S (Frankel et al. 2025) do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from latent_assets.diffusion.fitting.nodes import choose_nodes
from latent_assets.diffusion.fitting.rollout import (
    Weights,
    begin_step,
    end_step,
    pull_back,
    roll,
)
from latent_assets.diffusion.fitting.trajectory import FloatArray, Noise, Tell, Trajectory
from latent_assets.diffusion.schedule import NUM_TRAIN_TIMESTEPS

RATE, TIME_RATE = 0.05, 10.0
"""Of the descent, for each unit of the distance that it begins with: of weights, in units that move
the latents by 1; of timesteps, in timesteps."""
LARGEST = 0.4
"""From this distance on the rates grow no more."""
_MEAN, _SQUARE = 0.9, 0.98
"""Adam's (Kingma & Ba 2015)."""
_RIDGE, _WHITENING = 1e-6, 1e-4
_TINY = 1e-6


@dataclass(frozen=True)
class Fit:
    """A sampler: (S,) int64, decreasing, and the weights of `rollout`."""

    timesteps: npt.NDArray[np.int64]
    weights: Weights


@dataclass(frozen=True)
class Start:
    """What the closed form gives, and for each step the directions in which descent goes."""

    fit: Fit
    directions: list[npt.NDArray[np.float64]]
    """(m, m): each column moves the latents of the next step by about 1."""


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


def closed_form(
    noise: Noise, trajectory: Trajectory, num_steps: int, tell: Tell = lambda _: None
) -> Start:
    """Timesteps on the trajectory, and each step's weights by least squares."""
    nodes = choose_nodes(trajectory, num_steps)
    timesteps = trajectory.timesteps[nodes]
    rows, latents = np.arange(len(trajectory.start)), trajectory.start
    steps, weights, directions = [], [], []
    for k, timestep in enumerate(timesteps.tolist()):
        steps.append(begin_step(noise, latents, timestep, rows, steps))
        tell(len(rows))
        last = k + 1 == num_steps
        wanted = trajectory.end if last else trajectory.latents[nodes[k + 1]]
        solved, whitening = _least_squares(steps[-1].features, wanted)
        weights.append(solved)
        directions.append(whitening)
        latents = end_step(steps[-1], solved)
    return Start(Fit(timesteps, weights), directions)


def _least_squares(
    features: list[FloatArray], wanted: FloatArray
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The weights, and the directions in which all features together change by 1."""
    matrix = np.stack([feature.ravel() for feature in features], axis=1).astype(np.float64)
    products = matrix.T @ matrix / len(matrix)
    eye = np.eye(len(products))
    right = matrix.T @ wanted.ravel().astype(np.float64) / len(matrix)
    whitening = np.linalg.inv(np.linalg.cholesky(products + _WHITENING * eye)).T
    return np.linalg.solve(products + _RIDGE * eye, right), whitening


def descend(
    noise: Noise,
    trajectory: Trajectory,
    start: Start,
    rounds: int,
    batch_size: int,
    tell: Tell = lambda _: None,
) -> Fit:
    """`rounds` steps of descent from `start`, each on `batch_size` rows of the trajectory.

    What is made small is the mean of the logarithms of the distances. Rows that jump, because the
    model itself sends near latents to far ends, pull hardest on the mean of distances, each into a
    direction of its own; here each row counts by how much nearer it comes in proportion.

    The rows of a round are drawn with a fixed seed: the same arguments give the same fit. What it
    began with is given back if that is nearer.
    """
    every = np.arange(len(trajectory.start))

    def apart(fit: Fit) -> float:
        end, _ = roll(noise, trajectory.start, every, fit.timesteps, fit.weights)
        return float(np.mean(np.log(distances(end, trajectory.end) + _TINY)))

    before = apart(start.fit)
    reach = min(math.exp(before), LARGEST)
    random = np.random.default_rng(0)
    moved = [_Adam(np.zeros(len(weights))) for weights in start.fit.weights]
    times = _Adam(start.fit.timesteps.astype(np.float64))
    order: list[int] = []

    def settled() -> Fit:
        each = zip(start.fit.weights, start.directions, moved, strict=True)
        weights = [first + directions @ adam.value for first, directions, adam in each]
        return Fit(_whole(times.value), weights)

    for round_ in range(rounds):
        if len(order) < batch_size:
            order = random.permutation(len(trajectory.start)).tolist()
        rows, order = np.array(order[:batch_size]), order[batch_size:]
        fit = settled()
        end, steps = roll(noise, trajectory.start[rows], rows, fit.timesteps, fit.weights)
        back = pull_back(
            noise, rows, fit.timesteps, fit.weights, steps, _away(end, trajectory.end[rows])
        )
        rate = reach * 0.5 * (1 + math.cos(math.pi * round_ / rounds))
        for adam, directions, gradient in zip(moved, start.directions, back.weights, strict=True):
            adam.move(directions.T @ gradient, rate * RATE)
        times.move(back.timesteps, rate * TIME_RATE)
        tell(len(rows) * len(steps))
    found = settled()
    return found if apart(found) < before else start.fit


def distances(latents: FloatArray, wanted: FloatArray) -> npt.NDArray[np.float64]:
    """(B,): root mean square of the difference, of each row."""
    apart = (latents - wanted).astype(np.float64)
    return np.sqrt(np.mean(apart**2, axis=(1, 2, 3)))


def _away(end: FloatArray, wanted: FloatArray) -> FloatArray:
    """The gradient of the mean of the logarithms of `distances`."""
    apart = end - wanted
    square = np.mean(apart**2, axis=(1, 2, 3), keepdims=True) + _TINY
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
