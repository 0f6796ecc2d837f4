"""Sampling for the sheets and the evaluation: DDIM with guidance, in batches.

Rendering proper goes through the engine (`diffusion.tensorflow_engine`); this is the same
arithmetic for many prompts at once with networks that are being trained.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from latent_assets.diffusion.embedded.nets import (
    LATENT_CHANNELS,
    LATENT_SIZE,
    time_embedding,
)
from latent_assets.diffusion.schedule import NUM_TRAIN_TIMESTEPS, alphas_cumprod
from latent_assets.training.sheets import to_uint8

STEPS = 25
GUIDANCE = 3.0
BATCH = 24


def noise_for(seeds: list[int]) -> np.ndarray:
    """Initial noise (N, 16, 16, 4), each row from its own seed."""
    shape = (LATENT_SIZE, LATENT_SIZE, LATENT_CHANNELS)
    rows = [np.random.default_rng(seed).standard_normal(shape) for seed in seeds]
    return np.stack(rows).astype(np.float32)


class Sampler:
    """Draws pictures from contexts with a velocity-predicting denoiser and a decoder."""

    def __init__(self, denoiser: Any, decoder: Any) -> None:
        import tensorflow as tf

        self._velocity: Callable[..., Any] = tf.function(
            lambda latents, time, context: denoiser([latents, time, context])
        )
        self._decode: Callable[..., Any] = tf.function(decoder)

    def __call__(
        self,
        noise: np.ndarray,
        context: np.ndarray,
        guidance: float = GUIDANCE,
        steps: int = STEPS,
    ) -> np.ndarray:
        """Noise (N, 16, 16, 4), context (N, 16, 192) -> pictures (N, 128, 128, 3) uint8."""
        drawn = []
        for start in range(0, len(noise), BATCH):
            rows = slice(start, start + BATCH)
            latents = self._denoise(noise[rows], context[rows], guidance, steps)
            drawn.append(to_uint8(self._decode(latents)))
        return np.concatenate(drawn)

    def _denoise(
        self, latents: np.ndarray, context: np.ndarray, guidance: float, steps: int
    ) -> np.ndarray:
        count = len(latents)
        alphas = alphas_cumprod()
        last = NUM_TRAIN_TIMESTEPS - 1
        timesteps = np.round(np.arange(steps) * last / (steps - 1)).astype(int)[::-1]
        both = np.concatenate([np.zeros_like(context), context])
        for index, timestep in enumerate(timesteps):
            signal, spread = np.sqrt(alphas[timestep]), np.sqrt(1 - alphas[timestep])
            time = time_embedding(np.full(2 * count, timestep))
            doubled = np.concatenate([latents, latents])
            velocity = np.asarray(self._velocity(doubled, time, both), np.float32)
            noise = signal * velocity + spread * doubled
            guided = noise[:count] + guidance * (noise[count:] - noise[:count])
            clean = (latents - spread * guided) / signal
            following = alphas[timesteps[index + 1]] if index + 1 < steps else 1.0
            latents = np.sqrt(following) * clean + np.sqrt(1 - following) * guided
            latents = latents.astype(np.float32)
        return latents
