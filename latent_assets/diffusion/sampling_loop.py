"""The denoising loop in TensorFlow, and KerasCV's timestep embedding.

A loop is traced once per latent size: the number of pictures and of steps may vary without a
new trace.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from latent_assets.diffusion.protocol import EPSILON, V_PREDICTION, Prediction

TIME_WIDTH = 320
MAX_PERIOD = 10000
COEFFICIENTS, WITH_HISTORY = 5, 6
"""Columns of a table, of one that looks two steps back; with a seventh, fresh noise is added."""

Tensor = Any
Denoise = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(latents (B, h, w, 4), time (B, 320), context (B, T, D)) -> noise or v, like the latents."""
Predict = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
"""(latents, time, context, unconditional, scale (B, 1, 1, 1)) -> the guided noise or v."""


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


def guided_in_one_batch(
    denoise: Denoise,
    latents: Tensor,
    time: Tensor,
    context: Tensor,
    unconditional: Tensor,
    scale: Tensor,
) -> Tensor:
    """Classifier-free guidance (Ho & Salimans 2022): both passes in one batch of 2B."""
    import tensorflow as tf

    both = denoise(
        tf.concat([latents, latents], axis=0),
        tf.concat([time, time], axis=0),
        tf.concat([context, unconditional], axis=0),
    )
    with_prompt, without = tf.split(both, 2, axis=0)
    return without + scale * (with_prompt - without)


def guided_in_two_calls(
    denoise: Denoise,
    latents: Tensor,
    time: Tensor,
    context: Tensor,
    unconditional: Tensor,
    scale: Tensor,
) -> Tensor:
    """The same, one call after the other as in KerasCV: bit-identical to its `generate_image`."""
    without = denoise(latents, time, unconditional)
    with_prompt = denoise(latents, time, context)
    return without + scale * (with_prompt - without)


def unguided(
    denoise: Denoise, latents: Tensor, time: Tensor, context: Tensor, *_unused: Tensor
) -> Tensor:
    """For guidance scale 1, where the guided prediction is the one with the prompt."""
    return denoise(latents, time, context)


def noise_of_v(latents: Tensor, v: Tensor, noise: Tensor, signal: Tensor) -> Tensor:
    """The noise that a prediction of v = signal * eps - noise * x0 means.

    Salimans & Ho 2022, appendix D; x = signal * x0 + noise * eps, signal^2 + noise^2 = 1.
    """
    return signal * v + noise * latents


def _noise_and_clean(
    prediction: Prediction, latents: Tensor, predicted: Tensor, c0: Tensor, c1: Tensor
) -> tuple[Tensor, Tensor]:
    """The noise and the denoised latents that a prediction means; c0 = noise, c1 = signal."""
    if prediction == V_PREDICTION:  # without dividing by the signal, which is small at first
        return noise_of_v(latents, predicted, c0, c1), c1 * latents - c0 * predicted
    return predicted, (latents - c0 * predicted) / c1


def _stepper(predict: Predict, prediction: Prediction, columns: int) -> Callable[..., Tensor]:
    """One step of `schedule`'s docstring, for tables of 5, 6 or 7 columns.

    (latents, the x0 of the last steps, conditions, time, coefficients, fresh noise) -> (latents,
    x0 of the last steps): of one, and where the table has a sixth column of two.
    """
    import tensorflow as tf

    def step(
        latents: Tensor,
        history: tuple[Tensor, ...],
        conditions: tuple[Tensor, Tensor, Tensor],
        time: Tensor,
        coefficients: Tensor,
        fresh: Tensor,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        context, unconditional, scale = conditions
        times = tf.repeat(time[None], tf.shape(latents)[0], axis=0)
        predicted = predict(latents, times, context, unconditional, scale[:, None, None, None])
        c0, c1, c2, c3, c4, *more = tf.unstack(coefficients)
        eps, clean = _noise_and_clean(prediction, latents, predicted, c0, c1)
        found = eps * c2 + c3 * clean + c4 * history[0]
        if more:
            found = found + more[0] * history[1]
        if columns > WITH_HISTORY:
            found = found + more[1] * fresh
        return found, (clean, *history)[: len(history)]

    return step


def _beginning(noise: Tensor, columns: int) -> tuple[Tensor, ...]:
    """The x0 of the steps before the first."""
    import tensorflow as tf

    return (tf.zeros_like(noise),) * (2 if columns >= WITH_HISTORY else 1)


def build_loop(
    predict: Predict,
    latent_shape: tuple[int, int, int],
    context_shape: tuple[int, int],
    jit_compile: bool,
    prediction: Prediction = EPSILON,
    columns: int = COEFFICIENTS,
) -> Callable[..., Tensor]:
    """The loop for one latent size, as a single `tf.function`.

    Its arguments: noise (B, h, w, 4), context (B, T, D), unconditional (B, T, D), scale (B,),
    fresh (B, F, h, w, 4), the noise of the first F steps (none but for 7 columns), time (S, 320)
    and coefficients (S, columns), see `schedule`; all float32. It returns the final latents,
    (B, h, w, 4) float32.
    """
    import tensorflow as tf

    step = _stepper(predict, prediction, columns)

    def loop(
        noise: Tensor,
        context: Tensor,
        unconditional: Tensor,
        scale: Tensor,
        fresh: Tensor,
        time: Tensor,
        coefficients: Tensor,
    ) -> Tensor:
        conditions = (context, unconditional, scale)

        def body(k: Tensor, latents: Tensor, history: tuple[Tensor, ...]) -> tuple[Any, ...]:
            # The last step has none: whatever stands there is multiplied by zero.
            own = (
                fresh[:, tf.minimum(k, tf.shape(fresh)[1] - 1)] if columns > WITH_HISTORY else None
            )
            return k + 1, *step(latents, history, conditions, time[k], coefficients[k], own)

        steps = tf.shape(coefficients)[0]
        start = (tf.constant(0), noise, _beginning(noise, columns))
        return tf.while_loop(lambda k, *_: k < steps, body, start, parallel_iterations=1)[1]

    signature = [
        _spec(None, *latent_shape),
        _spec(None, *context_shape),
        _spec(None, *context_shape),
        _spec(None),
        _spec(None, None, *latent_shape),
        _spec(None, TIME_WIDTH),
        _spec(None, columns),
    ]
    return tf.function(loop, input_signature=signature, jit_compile=jit_compile, autograph=False)


def build_stepwise_loop(
    predict: Predict,
    latent_shape: tuple[int, int, int],
    context_shape: tuple[int, int],
    jit_compile: bool,
    prediction: Prediction = EPSILON,
    columns: int = COEFFICIENTS,
) -> Callable[..., Tensor]:
    """The same function of the same arguments, with the loop in Python around one step's graph.

    TensorFlow optimises the body of a loop otherwise than a graph on its own, and from 256 px on
    a graph with an open batch size otherwise than one with a fixed size; either moves the last
    bits (1e-5 of the largest latent). A graph per step and batch size has the bits of KerasCV's.
    """
    import tensorflow as tf

    del latent_shape, context_shape  # traced for each shape that comes
    step = tf.function(
        _stepper(predict, prediction, columns), jit_compile=jit_compile, autograph=False
    )

    def loop(
        noise: Tensor,
        context: Tensor,
        unconditional: Tensor,
        scale: Tensor,
        fresh: Tensor,
        time: Tensor,
        coefficients: Tensor,
    ) -> Tensor:
        latents, history = noise, _beginning(noise, columns)
        steps = zip(tf.unstack(time), tf.unstack(coefficients), strict=True)
        for k, (each_time, each) in enumerate(steps):
            own = fresh[:, min(k, fresh.shape[1] - 1)] if columns > WITH_HISTORY else noise
            latents, history = step(
                latents, history, (context, unconditional, scale), each_time, each, own
            )
        return latents

    return loop


def _spec(*shape: int | None) -> Any:
    import tensorflow as tf

    return tf.TensorSpec(shape, tf.float32)
