"""The guided noise of a loaded model, and its gradient: what a sampler is fitted with."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from latent_assets.diffusion.protocol import V_PREDICTION, FloatArray, Prediction
from latent_assets.diffusion.sampling_loop import (
    MAX_PERIOD,
    TIME_WIDTH,
    Denoise,
    guided_in_one_batch,
    noise_of_v,
    unguided,
)
from latent_assets.diffusion.schedule import alphas_cumprod

Rows = npt.NDArray[np.int64]
Tensor = Any
Function = Callable[..., Any]


class GuidedNoise:
    """`fitting.trajectory.Noise` of a denoiser; contexts: (N, T, D), one for each row.

    noise: see `guided_noise`; compiled: makes a graph of a function; at_once: rows in one call.
    """

    def __init__(
        self,
        noise: Function,
        compiled: Callable[[Function], Function],
        contexts: FloatArray,
        at_once: int,
    ) -> None:
        self._contexts, self._at_once = contexts, at_once
        self._alphas = alphas_cumprod()
        self._predict = compiled(noise)
        self._pull_back = compiled(_backwards(noise))

    def predict(self, latents: FloatArray, timestep: int, rows: Rows) -> FloatArray:
        """(B, h, w, c) -> the guided noise, of that shape."""
        parts = [
            np.asarray(self._predict(latents[part], self._contexts[of], *self._level(timestep)))
            for part, of in self._parts(rows)
        ]
        return np.concatenate(parts)

    def pull_back(
        self, latents: FloatArray, timestep: int, rows: Rows, gradient: FloatArray
    ) -> tuple[FloatArray, float]:
        """The gradient carried back to latents and to the timestep."""
        of_latents, of_time = [], 0.0
        for part, of in self._parts(rows):
            given = latents[part], gradient[part], self._contexts[of]
            back, time = self._pull_back(*given, *self._level(timestep))
            of_latents.append(np.asarray(back))
            of_time += float(time)
        return np.concatenate(of_latents), of_time

    def _level(self, timestep: int) -> tuple[Tensor, ...]:
        """The timestep, its noise and its signal, as tensors: as numbers each would be traced."""
        import tensorflow as tf

        alpha = self._alphas[timestep]
        return tuple(
            tf.constant(value, tf.float32) for value in (timestep, np.sqrt(1 - alpha), alpha**0.5)
        )

    def _parts(self, rows: Rows) -> list[tuple[slice, Rows]]:
        starts = range(0, len(rows), self._at_once)
        slices = [slice(start, start + self._at_once) for start in starts]
        return [(part, rows[part]) for part in slices]


def guided_noise(
    denoise: Denoise, prediction: Prediction, unconditional: FloatArray, scale: float
) -> Function:
    """(latents (B, h, w, c), contexts (B, T, D), timestep, noise, signal) -> noise like latents.

    At scale 0 and 1 there is no second pass: contexts are then the ones to take.
    """
    import tensorflow as tf

    guidance = unguided if scale in {0, 1} else guided_in_one_batch

    def noise(latents: Tensor, contexts: Tensor, timestep: Tensor, *level: Tensor) -> Tensor:
        latents, contexts = tf.convert_to_tensor(latents), tf.convert_to_tensor(contexts)
        count = tf.shape(latents)[0]
        times = tf.repeat(_embedded(timestep)[None], count, axis=0)
        without = tf.repeat(tf.constant(unconditional)[None], count, axis=0)
        scales = tf.fill((count, 1, 1, 1), np.float32(scale))
        found = guidance(denoise, latents, times, contexts, without, scales)
        return noise_of_v(latents, found, *level) if prediction == V_PREDICTION else found

    return noise


def _backwards(noise: Function) -> Function:
    """(latents, gradient, contexts, timestep, noise, signal) -> of latents, of the timestep.

    Of a timestep's noise and signal nothing is carried back: they hardly move within one.
    """

    def pull_back(latents: Tensor, gradient: Tensor, contexts: Tensor, *times: Tensor) -> Any:
        import tensorflow as tf

        latents = tf.convert_to_tensor(latents)
        with tf.GradientTape() as tape:
            tape.watch([latents, times[0]])
            found = noise(latents, contexts, *times)
        return tape.gradient(found, [latents, times[0]], output_gradients=gradient)

    return pull_back


def _embedded(timestep: Tensor) -> Tensor:
    """A timestep -> (320,), as `sampling_loop.timestep_embedding`, and with a gradient."""
    import tensorflow as tf

    half = TIME_WIDTH // 2
    exponents = -math.log(MAX_PERIOD) * tf.range(half, dtype=tf.float32) / half
    angles = timestep * tf.exp(exponents)
    return tf.concat([tf.cos(angles), tf.sin(angles)], axis=0)
