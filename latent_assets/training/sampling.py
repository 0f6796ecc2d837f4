"""Sampling for the sheets, the evaluation and the distillation: DDIM, in batches.

Rendering proper goes through the engine (`diffusion.tensorflow_engine`); this is the same
arithmetic for many prompts at once with networks that are being trained, on either backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from latent_assets.diffusion.embedded.nets import LATENT_SHAPE, time_embedding
from latent_assets.diffusion.schedule import (
    NUM_TRAIN_TIMESTEPS,
    alphas_cumprod,
    trailing_timesteps,
    uniform_timesteps,
)
from latent_assets.training.backends import compiled
from latent_assets.training.sheets import to_uint8

STEPS = 25
GUIDANCE = 2.5
FEW_STEPS = 4
BATCH = 24
CLEAN = -1
"""Instead of a timestep: where there is no noise any more."""

Tensor = Any


def noise_for(seeds: Sequence[int]) -> np.ndarray:
    """Initial noise (N, 16, 16, 16), each row from its own seed."""
    rows = [np.random.default_rng(seed).standard_normal(LATENT_SHAPE) for seed in seeds]
    return np.stack(rows).astype(np.float32)


@dataclass(frozen=True)
class Sampling:
    """How to sample: evaluations at `timesteps`, with guidance or in the few-step mode."""

    timesteps: tuple[int, ...]
    guidance: float
    few: bool = False
    ends_at: int = CLEAN
    """The timestep to which the last step leads."""

    def levels(self) -> list[tuple[int, float, float]]:
        """(timestep, cumulative alpha there, and where the step ends) of each step."""
        alphas = [*alphas_cumprod().tolist(), 1.0]  # the last one for CLEAN
        ends = (*self.timesteps[1:], self.ends_at)
        return [(t, alphas[t], alphas[end]) for t, end in zip(self.timesteps, ends, strict=True)]


def many_steps(guidance: float = GUIDANCE, steps: int = STEPS) -> Sampling:
    """Uniform timesteps with guidance, as the engine's default."""
    return Sampling(tuple(uniform_timesteps(steps).tolist()), guidance)


def few_steps() -> Sampling:
    """The few-step mode: trailing timesteps, guidance within the weights."""
    return Sampling(tuple(trailing_timesteps(FEW_STEPS).tolist()), 1.0, few=True)


class Denoising:
    """Steps of DDIM with a network that predicts the velocity (`nets.build_velocity_denoiser`)."""

    def __init__(self, denoiser: Any) -> None:
        self._denoiser = denoiser
        table = time_embedding(np.arange(NUM_TRAIN_TIMESTEPS))
        self._times = table
        self._guided = compiled(self._guided_step)
        self._single = compiled(self._single_step)

    def _velocity(self, latents: Tensor, time: Tensor, context: Tensor, few: Tensor) -> Tensor:
        from keras import ops

        count = latents.shape[0] or ops.shape(latents)[0]
        times = ops.broadcast_to(time[None], (count, time.shape[0]))
        fews = ops.broadcast_to(few[None, None], (count, 1))
        return ops.cast(self._denoiser([latents, times, context, fews]), "float32")

    def _guided_step(
        self, latents: Tensor, context: Tensor, time: Tensor, numbers: Tensor
    ) -> Tensor:
        """numbers: (guidance, alpha here, alpha at the end of the step)."""
        from keras import ops

        both = ops.concatenate([ops.zeros_like(context), context])
        doubled = ops.concatenate([latents, latents])
        without, with_prompt = ops.split(self._velocity(doubled, time, both, numbers[3]), 2)
        return _ddim(latents, without + numbers[0] * (with_prompt - without), numbers)

    def _single_step(
        self, latents: Tensor, context: Tensor, time: Tensor, numbers: Tensor
    ) -> Tensor:
        return _ddim(latents, self._velocity(latents, time, context, numbers[3]), numbers)

    def step(
        self, latents: Tensor, context: Tensor, sampling: Sampling, level: tuple[int, float, float]
    ) -> Tensor:
        """One step of `sampling.levels()`."""
        timestep, here, end = level
        numbers = np.array([sampling.guidance, here, end, float(sampling.few)], np.float32)
        function = self._single if sampling.guidance == 1 else self._guided
        return function(latents, context, self._times[timestep], numbers)

    def run(self, latents: Tensor, context: Tensor, sampling: Sampling) -> Tensor:
        """All steps: noise (N, 16, 16, 16), context (N, 16, 192) -> latents."""
        for level in sampling.levels():
            latents = self.step(latents, context, sampling, level)
        return latents


def _ddim(latents: Tensor, velocity: Tensor, numbers: Tensor) -> Tensor:
    """Song et al. 2021, eta = 0, from the velocity (Salimans & Ho 2022)."""
    from keras import ops

    here, end = numbers[1], numbers[2]
    signal, spread = ops.sqrt(here), ops.sqrt(1 - here)
    clean = signal * latents - spread * velocity
    noise = signal * velocity + spread * latents
    return ops.sqrt(end) * clean + ops.sqrt(1 - end) * noise


class Sampler:
    """Draws pictures from contexts with a velocity-predicting denoiser and a decoder."""

    def __init__(self, denoiser: Any, decoder: Any) -> None:
        self._denoising = Denoising(denoiser)
        self._decode = compiled(decoder.__call__)

    def __call__(
        self, noise: np.ndarray, context: np.ndarray, sampling: Sampling | None = None
    ) -> np.ndarray:
        """Noise (N, 16, 16, 16), context (N, 16, 192) -> pictures (N, 256, 256, 3) uint8."""
        from keras import ops

        sampling = sampling or many_steps()
        drawn = []
        for start in range(0, len(noise), BATCH):
            rows = slice(start, start + BATCH)
            latents = self._denoising.run(noise[rows], context[rows], sampling)
            drawn.append(to_uint8(ops.convert_to_numpy(self._decode(latents))))
        return np.concatenate(drawn)
