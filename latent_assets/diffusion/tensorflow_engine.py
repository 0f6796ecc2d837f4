"""The engine over three Keras models in KerasCV's calling convention.

    encode_prompt(text, clip_skip) -> context (T, D)
    denoiser([latents (B, h, w, 4), time (B, 320), context (B, T, D)]) -> noise, or v, (B, h, w, 4)
    decoder(latents (B, h, w, 4)) -> pictures (B, height, width, 3) in [-1, 1]

Stable Diffusion and the embedded model differ in nothing else. The models are called past the
check of their input shape, so that one set of weights serves every picture size.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from latent_assets.diffusion import sampling_loop
from latent_assets.diffusion.guided_noise import GuidedNoise, guided_noise
from latent_assets.diffusion.protocol import (
    V_PREDICTION,
    EngineOptions,
    FloatArray,
    ImageArray,
    ModelInfo,
)
from latent_assets.diffusion.schedule import SamplingSchedule, alphas_cumprod
from latent_assets.diffusion.small_convolutions import small_convolutions_as_products
from latent_assets.diffusion.tensorflow_runtime import (
    check_precision,
    default_jit,
    precision_scope,
    prepare_device,
)
from latent_assets.errors import ModelError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LatentModels:
    """The parts of a loaded model; see the module's docstring for their shapes."""

    encode_prompt: Callable[[str, int], FloatArray]
    """A prompt, and which layer from the last -> (T, D)."""
    encode_weighted: Callable[[str, int, int], FloatArray]
    """A weighted prompt, a number of chunks, and which layer from the last -> (T * chunks, D)."""
    denoiser: Any
    decoder: Any
    text_encoder: Any = None
    """The network behind `encode_prompt`, for whoever wants to look at it."""


class TensorFlowEngine:
    """A loaded model (`protocol.Engine`). Not thread-safe.

    `batch_limit` is None until the device ran out of memory; then it is the largest number of
    frames that a call still tries at once. A call with more is carried out in parts.
    """

    def __init__(self, info: ModelInfo, models: LatentModels, options: EngineOptions) -> None:
        self.info = info
        self.options = options
        self.device = prepare_device()
        self.jit_compile = (
            default_jit(self.device) if options.jit_compile is None else options.jit_compile
        )
        self.batch_limit: int | None = None
        self._models = models
        self._functions: dict[tuple[object, ...], Callable[..., Any]] = {}
        check_precision(options.precision)

    def encode_text(self, prompts: Sequence[str], clip_skip: int = 1) -> FloatArray:
        """N prompts -> (N, T, D) float32, each encoded alone (see `protocol.Engine`)."""
        shape = (0, self.info.tokens, self.info.context_width)
        rows = [self._models.encode_prompt(prompt, clip_skip) for prompt in prompts]
        return np.stack(rows) if rows else np.zeros(shape, np.float32)

    def encode_weighted(self, prompt: str, chunks: int, clip_skip: int = 1) -> FloatArray:
        """A weighted prompt -> (T * chunks, D); see `protocol.Engine`."""
        return self._models.encode_weighted(prompt, chunks, clip_skip)

    def predict_noise(self, latents: FloatArray, timestep: int, context: FloatArray) -> FloatArray:
        """(B, h, w, 4), timestep, (B, T, D) -> (B, h, w, 4); see `protocol.Engine`."""
        latents, context = self._checked(latents, context)
        time = sampling_loop.timestep_embedding(np.array([timestep]))
        function = self._function(("denoise", latents.shape[1:]), self._denoise_function)
        predicted = self._in_parts(
            lambda latents, context: function(latents, np.repeat(time, len(latents), 0), context),
            latents,
            context,
        )
        if self.info.prediction == V_PREDICTION:
            signal_power = alphas_cumprod()[timestep]
            noise, signal = np.sqrt([1 - signal_power, signal_power]).astype(np.float32)
            return sampling_loop.noise_of_v(latents, predicted, noise, signal)
        return predicted

    def sample(
        self,
        noise: FloatArray,
        context: FloatArray,
        unconditional: FloatArray,
        guidance_scale: FloatArray,
        schedule: SamplingSchedule,
        fresh: FloatArray | None = None,
    ) -> FloatArray:
        """The whole denoising loop -> final latents (B, h, w, 4); see `protocol.Engine`."""
        noise, context = self._checked(noise, context)
        scale = np.broadcast_to(np.asarray(guidance_scale, np.float32), len(noise))
        unconditional = np.broadcast_to(np.asarray(unconditional, np.float32), context.shape)
        if np.all(scale == 0):  # the prompts are not looked at: the other pass is the only one
            context, scale = unconditional, np.ones_like(scale)
        if fresh is None:
            fresh = np.zeros((len(noise), 0, *noise.shape[1:]), np.float32)
        if fresh.shape[1] != schedule.fresh:
            raise ModelError(
                f"{schedule.sampler} asks for {schedule.fresh} noises a frame, not {fresh.shape[1]}"
            )
        columns = schedule.coefficients.shape[1]
        guided = not np.all(scale == 1)
        loop = self._loop(noise.shape[1:], context.shape[1], guided=guided, columns=columns)
        time = sampling_loop.timestep_embedding(schedule.timesteps)
        return self._in_parts(
            lambda *batch: loop(*batch, time, schedule.coefficients),
            noise,
            context,
            unconditional,
            scale,
            fresh,
        )

    def guided_noise(
        self, contexts: FloatArray, unconditional: FloatArray, scale: float, at_once: int
    ) -> GuidedNoise:
        """The denoiser with prompts and guidance settled, and its gradient; see `guided_noise`."""

        def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
            return self._in_scope(self._compile_as_it_is(function))

        guided = guided_noise(self._denoise, self.info.prediction, unconditional, scale)
        if scale == 0:
            contexts = np.broadcast_to(unconditional, contexts.shape)
        return GuidedNoise(guided, compiled, contexts, at_once)

    def decode(self, latents: FloatArray) -> ImageArray:
        """(B, h, w, 4) -> (B, height, width, 3) uint8, truncated as KerasCV does.

        A picture with values that are not finite comes back black: see `faults.find_faults`.
        """
        latents = np.asarray(latents, np.float32)
        function = self._function(
            ("decode", latents.shape[1:]), lambda: self._compile(self._models.decoder.call)
        )
        pictures = self._in_parts(function, latents)
        finite = np.isfinite(pictures).all(axis=(1, 2, 3), keepdims=True)
        pictures = np.where(finite, ((pictures + 1) / 2) * 255, 0)
        return np.clip(pictures, 0, 255).astype(np.uint8)

    def _checked(self, latents: FloatArray, context: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Both as float32, or a ModelError that names the shapes.

        Float64 noise (numpy's default) would make the whole loop float64 in KerasCV.
        """
        latents, context = np.asarray(latents, np.float32), np.asarray(context, np.float32)
        info = self.info
        step = info.size_multiple // info.downscale
        fits = (
            latents.ndim == 4  # noqa: PLR2004
            and latents.shape[3] == info.latent_channels
            and min(latents.shape[1:3]) > 0
            and latents.shape[1] % step == latents.shape[2] % step == 0
            and (not info.fixed_size or latents.shape[1:] == info.latent_shape(info.default_size))
        )
        if not fits:
            raise ModelError(
                f"{info.title} has no latents of shape {latents.shape}",
                f"They are (frames, height/{info.downscale}, width/{info.downscale},"
                f" {info.latent_channels}); height and width are {_allowed_sizes(info)}.",
            )
        chunks = context.shape[1] // info.tokens if context.ndim == 3 else 1  # noqa: PLR2004
        expected = (len(latents), info.tokens * max(chunks, 1), info.context_width)
        if context.shape != expected:
            raise ModelError(f"the context has shape {context.shape}; it should be {expected}")
        return latents, context

    def _loop(
        self, latent_shape: tuple[int, ...], tokens: int, *, guided: bool, columns: int
    ) -> Callable[..., Any]:
        if self.options.reference:
            guidance = sampling_loop.guided_in_two_calls
        else:
            guidance = sampling_loop.guided_in_one_batch if guided else sampling_loop.unguided
        reference = self.options.reference
        build = sampling_loop.build_stepwise_loop if reference else sampling_loop.build_loop
        return self._function(
            (guidance.__name__, latent_shape, tokens, columns),
            lambda: build(
                partial(guidance, self._denoise),
                (latent_shape[0], latent_shape[1], latent_shape[2]),
                (tokens, self.info.context_width),
                self.jit_compile,
                self.info.prediction,
                columns,
            ),
        )

    def _denoise(self, latents: Any, time: Any, context: Any) -> Any:
        import tensorflow as tf

        by_product = self.device.kind == "CPU" and not self.options.reference
        with small_convolutions_as_products() if by_product else nullcontext():
            noise = self._models.denoiser.call([latents, time, context], training=False)
        return tf.cast(noise, tf.float32)

    def _denoise_function(self) -> Callable[..., Any]:
        return self._compile(self._denoise)

    def _compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        import tensorflow as tf

        return self._compile_as_it_is(lambda *given: tf.cast(function(*given), tf.float32))

    def _compile_as_it_is(self, function: Callable[..., Any]) -> Callable[..., Any]:
        import tensorflow as tf

        # An open batch size saves traces, a fixed one has the last bits of KerasCV's calls.
        return tf.function(
            function,
            jit_compile=self.jit_compile,
            reduce_retracing=not self.options.reference,
            autograph=False,
        )

    def _function(
        self, key: tuple[object, ...], build: Callable[[], Callable[..., Any]]
    ) -> Callable[..., Any]:
        """The compiled function of that key, traced under the engine's precision."""
        if key not in self._functions:
            self._functions[key] = self._in_scope(build())
        return self._functions[key]

    def _in_scope(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            with precision_scope(self.options.precision):
                return function(*arguments)

        return call

    def _in_parts(self, function: Callable[..., Any], *arrays: FloatArray) -> FloatArray:
        """`function` over arrays with a common first axis; half as many at once after each OOM."""
        import tensorflow as tf

        done: list[FloatArray] = []
        start, count = 0, len(arrays[0])
        while start < count:
            size = min(self.batch_limit or count, count - start)
            try:
                part = function(*(tf.constant(array[start : start + size]) for array in arrays))
                done.append(np.asarray(part))
            except tf.errors.ResourceExhaustedError as error:
                self._halve(size, error)
                continue
            start += size
        return np.concatenate(done) if len(done) > 1 else done[0]

    def _halve(self, size: int, error: Exception) -> None:
        if size == 1:
            raise ModelError(
                f"{self.device} has too little memory for one frame of {self.info.title}",
                "Take a smaller picture size, or on a GPU LATENT_ASSETS_PRECISION=mixed_float16.",
            ) from error
        self.batch_limit = size // 2
        logger.warning(
            "%s ran out of memory with %d frames at once; going on with %d. Set batch_size to %d"
            " to avoid the failed attempt.",
            self.device,
            size,
            self.batch_limit,
            self.batch_limit,
        )


def _allowed_sizes(info: ModelInfo) -> str:
    if info.fixed_size:
        return "{} and {} pixels".format(*info.default_size)
    return f"multiples of {info.size_multiple} pixels"
