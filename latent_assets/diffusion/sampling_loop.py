"""The denoising loop as one TensorFlow graph, and KerasCV's timestep embedding.

One `tf.function` per latent size holds the whole loop: Python is entered once for all steps of
all pictures, and the number of pictures and of steps may vary without a new trace.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

TIME_WIDTH = 320
MAX_PERIOD = 10000
COEFFICIENTS = 5

Tensor = Any
Denoise = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(latents (B, h, w, 4), time (B, 320), context (B, T, D)) -> noise (B, h, w, 4) float32."""


def timestep_embedding(timesteps: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """(S,) timesteps -> (S, 320) float32: cosines, then sines (Vaswani et al. 2017).

    Computed by TensorFlow, in float32, in the order of KerasCV's `_get_timestep_embedding`:
    numpy's exp and cos differ by up to 6e-5, which would be the end of bit-identical pictures.
    """
    from keras import ops

    half = TIME_WIDTH // 2
    exponents = -math.log(MAX_PERIOD) * ops.cast(ops.arange(0, half), "float32") / half
    angles = ops.cast(timesteps, "float32")[:, None] * ops.exp(exponents)
    return np.asarray(ops.concatenate([ops.cos(angles), ops.sin(angles)], axis=1))


def guided_in_one_batch(denoise: Denoise) -> Callable[..., Tensor]:
    """Classifier-free guidance (Ho & Salimans 2022): both passes in one batch of 2B."""
    import tensorflow as tf

    def predict(
        latents: Tensor, time: Tensor, context: Tensor, unconditional: Tensor, scale: Tensor
    ) -> Tensor:
        both = denoise(
            tf.concat([latents, latents], axis=0),
            tf.concat([time, time], axis=0),
            tf.concat([context, unconditional], axis=0),
        )
        with_prompt, without = tf.split(both, 2, axis=0)
        return without + scale * (with_prompt - without)

    return predict


def guided_in_two_calls(denoise: Denoise) -> Callable[..., Tensor]:
    """The same, one call after the other as in KerasCV: bit-identical to its `generate_image`."""

    def predict(
        latents: Tensor, time: Tensor, context: Tensor, unconditional: Tensor, scale: Tensor
    ) -> Tensor:
        without = denoise(latents, time, unconditional)
        with_prompt = denoise(latents, time, context)
        return without + scale * (with_prompt - without)

    return predict


def unguided(denoise: Denoise) -> Callable[..., Tensor]:
    """For guidance scale 1, where the guided prediction is the one with the prompt."""

    def predict(
        latents: Tensor, time: Tensor, context: Tensor, unconditional: Tensor, scale: Tensor
    ) -> Tensor:
        del unconditional, scale
        return denoise(latents, time, context)

    return predict


def build_loop(
    predict: Callable[..., Tensor],
    latent_shape: tuple[int, int, int],
    context_shape: tuple[int, int],
    jit_compile: bool,
    batch: int | None = None,
) -> Callable[..., Tensor]:
    """The loop for one latent size, as a `tf.function`.

    Its arguments: noise (B, h, w, 4), context (B, T, D), unconditional (B, T, D), scale (B,),
    time (S, 320) and coefficients (S, 5), see `schedule`; all float32. It returns the final
    latents, (B, h, w, 4) float32.
    """
    import tensorflow as tf

    def spec(*shape: int | None) -> Any:
        return tf.TensorSpec(shape, tf.float32)

    def loop(
        noise: Tensor,
        context: Tensor,
        unconditional: Tensor,
        scale: Tensor,
        time: Tensor,
        coefficients: Tensor,
    ) -> Tensor:
        count = tf.shape(noise)[0]
        scale = scale[:, None, None, None]

        def step(k: Tensor, latents: Tensor, previous: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            times = tf.ensure_shape(tf.repeat(time[k][None], count, axis=0), (batch, TIME_WIDTH))
            c0, c1, c2, c3, c4 = tf.unstack(coefficients[k])
            eps = predict(latents, times, context, unconditional, scale)
            eps = tf.ensure_shape(eps, (batch, *latent_shape))
            clean = (latents - c0 * eps) / c1
            return k + 1, eps * c2 + c3 * clean + c4 * previous, clean

        steps = tf.shape(coefficients)[0]
        start = (tf.constant(0), noise, tf.zeros_like(noise))
        return tf.while_loop(
            lambda k, *_: k < steps, step, start, parallel_iterations=1, swap_memory=False
        )[1]

    signature = [
        spec(batch, *latent_shape),
        spec(batch, *context_shape),
        spec(batch, *context_shape),
        spec(batch),
        spec(None, TIME_WIDTH),
        spec(None, COEFFICIENTS),
    ]
    return tf.function(loop, input_signature=signature, jit_compile=jit_compile, autograph=False)
