"""A walk in few steps that remembers two, and the gradient of where it ends.

Step k makes of the latents x, the noise eps and the denoised latents of the two steps before

    x' = w0 x + w1 eps + w2 x0_(k-1) + w3 x0_(k-2),    x0_k = (x - noise_k eps) / signal_k,

which is a table of six columns of `schedule` in another writing. The gradient is the adjoint of
these lines, with the denoiser's own from `Noise.pull_back`: one step's activations at a time are
all that it keeps, so that a large model needs no more memory than for one evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from latent_assets.diffusion.fitting.trajectory import FloatArray, Noise, Rows
from latent_assets.diffusion.schedule import alphas_cumprod

HISTORY = 2
Weights = list[npt.NDArray[np.float64]]
"""Of each step: of x and eps, and of what it remembers; 2, 3 and then 4 numbers."""


@dataclass(frozen=True)
class Fit:
    """A sampler: (S,) int64, decreasing, and the weights of its steps."""

    timesteps: npt.NDArray[np.int64]
    weights: Weights


@dataclass
class Step:
    """What a step was made of."""

    latents: FloatArray
    features: list[FloatArray]
    """What its weights multiply."""
    clean: FloatArray


@dataclass(frozen=True)
class Gradient:
    """Of a number that depends on the end of a rollout."""

    weights: Weights
    timesteps: npt.NDArray[np.float64]


def levels(timesteps: npt.NDArray[np.int64]) -> tuple[Any, Any]:
    """(noise, signal) of each timestep, (S,) float64."""
    alphas = alphas_cumprod()[timesteps]
    return np.sqrt(1 - alphas), np.sqrt(alphas)


def begin_step(
    noise: Noise, latents: FloatArray, timestep: int, rows: Rows, before: list[Step]
) -> Step:
    """Evaluates the denoiser; before: the steps that were made."""
    eps = noise.predict(latents, timestep, rows)
    ratio, signal = (float(level[0]) for level in levels(np.array([timestep])))
    clean = ((latents - ratio * eps) / signal).astype(np.float32)
    remembered = [step.clean for step in before[: -HISTORY - 1 : -1]]
    return Step(latents, [latents, eps, *remembered], clean)


def end_step(step: Step, weights: npt.NDArray[np.float64]) -> FloatArray:
    """Where the step leads."""
    parts = (w * feature for w, feature in zip(weights, step.features, strict=True))
    return np.asarray(sum(parts), np.float32)


def roll(
    noise: Noise,
    start: FloatArray,
    rows: Rows,
    timesteps: npt.NDArray[np.int64],
    weights: Weights,
) -> tuple[FloatArray, list[Step]]:
    """Where the walk ends, and its steps."""
    latents, steps = start, []
    for timestep, each in zip(timesteps.tolist(), weights, strict=True):
        steps.append(begin_step(noise, latents, timestep, rows, steps))
        latents = end_step(steps[-1], each)
    return latents, steps


def pull_back(
    noise: Noise,
    rows: Rows,
    timesteps: npt.NDArray[np.int64],
    weights: Weights,
    steps: list[Step],
    gradient: FloatArray,
    hold: Callable[[FloatArray], FloatArray] = lambda gradient: gradient,
) -> Gradient:
    """gradient: with respect to the end of the rollout, (B, h, w, c).

    hold: what is made of it there and at each step on the way back.
    """
    ratios, signals = levels(timesteps)
    gradient = hold(gradient)
    of_clean = [np.zeros_like(gradient) for _ in steps]
    of_weights: Weights = [np.zeros(0)] * len(steps)
    of_times = np.zeros(len(steps))
    for k in range(len(steps) - 1, -1, -1):
        step, each = steps[k], weights[k]
        of_weights[k] = np.array([np.vdot(gradient, f) for f in step.features], np.float64)
        for back in range(1, len(each) - 1):
            of_clean[k - back] += each[back + 1] * gradient
        of_eps = each[1] * gradient - ratios[k] / signals[k] * of_clean[k]
        direct = each[0] * gradient + of_clean[k] / signals[k]
        through, of_times[k] = noise.pull_back(
            step.latents, int(timesteps[k]), rows, of_eps.astype(np.float32)
        )
        gradient = hold((direct + through).astype(np.float32))
    return Gradient(of_weights, of_times)


def coefficients_of(timesteps: npt.NDArray[np.int64], weights: Weights) -> npt.NDArray[np.float32]:
    """(S, 6): the table of `schedule`; with x = signal x0 + noise eps put in."""
    ratios, signals = levels(timesteps)
    table = np.zeros((len(weights), 6))
    for k, (row, each) in enumerate(zip(table, weights, strict=True)):
        remembered = each[2:]
        row[:4] = ratios[k], signals[k], each[1] + each[0] * ratios[k], each[0] * signals[k]
        row[4 : 4 + len(remembered)] = remembered
    return table.astype(np.float32)
