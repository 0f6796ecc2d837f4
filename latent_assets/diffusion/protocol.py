"""What an engine is: a text-to-image latent diffusion model that renders batches of frames.

Terms: B frames in a batch, T tokens in a context, D its width, h and w the height and width
of the latents, S denoising steps. Everything crosses this seam as numpy arrays: the rest of the
project neither knows nor imports TensorFlow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from latent_assets.diffusion.fitting.trajectory import Noise
from latent_assets.diffusion.schedule import SamplingSchedule
from latent_assets.diffusion.tensorflow_runtime import Device

FloatArray = npt.NDArray[np.float32]
ImageArray = npt.NDArray[np.uint8]

Prediction = Literal["epsilon", "v_prediction"]
"""What a denoiser was trained to predict: the noise, or v (Salimans & Ho 2022)."""
EPSILON: Prediction = "epsilon"
V_PREDICTION: Prediction = "v_prediction"


@dataclass(frozen=True)
class OwnSampling:
    """The one way of sampling for which a distilled model was made; guidance is within it."""

    sampler: str
    num_steps: int
    spacing: str


@dataclass(frozen=True)
class ModelInfo:
    """What can be known of a model without loading it (nor TensorFlow).

    `weights_digest` is a hex sha256 that stands for the weights; it enters every frame's key.
    """

    name: str
    title: str
    weights_digest: str
    tokens: int
    context_width: int
    latent_channels: int = 4
    downscale: int = 8
    """Pixels per latent, along each side."""
    size_multiple: int = 128
    """Height and width must be multiples of this many pixels."""
    default_size: tuple[int, int] = (512, 512)
    """Height, width in pixels."""
    fixed_size: bool = False
    """Whether `default_size` is the only size that the model renders."""
    own_sampling: OwnSampling | None = None
    """How it samples, if there is but one way."""
    licence: str = ""
    licence_notice: str = ""
    prediction: Prediction = EPSILON
    text_layers: int = 1
    """Layers of the text encoder, from which `clip_skip` counts; of the embedded model one."""
    name_in_recipes: str = ""
    """What stands for the model in a frame's recipe, if not its name: it may then be renamed."""

    def latent_shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """Shape (h, w, channels) of the latents of one picture of `size` (height, width) px."""
        height, width = size
        return height // self.downscale, width // self.downscale, self.latent_channels


@dataclass(frozen=True)
class EngineOptions:
    """How an engine computes; `precision` alone changes the pixels by more than rounding."""

    precision: str = "float32"
    """`float32`, `mixed_float16` or `mixed_bfloat16`."""
    jit_compile: bool | None = None
    """XLA; None means on for a GPU, off for a CPU (where it is several times slower)."""
    reference: bool = False
    """Two denoiser calls a step, in KerasCV's own order of operations: bit-identical to it."""
    truncate: bool = False
    """Cut a prompt that is too long for the model, instead of refusing it with a ModelError."""


@dataclass(frozen=True)
class Prompt:
    """How a model reads one prompt: what it understands of it and what not."""

    text: str
    token_count: int
    warnings: tuple[str, ...] = field(default=())
    chunks: int = 1
    """Of a weighted prompt: how many times the model's tokens it takes."""


class Engine(Protocol):
    """A loaded model. Not thread-safe; loaded once per process by `registry.load_engine`."""

    info: ModelInfo
    options: EngineOptions
    device: Device
    batch_limit: int | None
    """Frames that fit at once, once memory ran out; a larger batch is carried out in parts."""
    jit_compile: bool
    """Whether XLA is on: what `options.jit_compile` came to on this device."""

    def encode_text(self, prompts: Sequence[str], clip_skip: int = 1) -> FloatArray:
        """prompts: N strings. Returns the text encodings, (N, T, D) float32.

        clip_skip: which layer of the text encoder they come from, counted from the last, 1.

        Each row depends on its prompt alone, never on its neighbours in the call: prompts are
        encoded one by one, so that an encoding is the same bytes in every walk.
        """
        ...

    def encode_weighted(self, prompt: str, chunks: int, clip_skip: int = 1) -> FloatArray:
        """The encoding of a weighted prompt (`prompt_syntax`), (T * chunks, D) float32.

        A prompt that is shorter is filled up. Raises ModelError for one that is longer.
        """
        ...

    def predict_noise(self, latents: FloatArray, timestep: int, context: FloatArray) -> FloatArray:
        """One denoiser evaluation, without guidance.

        latents: (B, h, w, 4) float32; timestep in 0..999; context: (B, T, D) float32.
        Returns the predicted noise, (B, h, w, 4) float32; also of a model that predicts v.
        """
        ...

    def sample(
        self,
        noise: FloatArray,
        context: FloatArray,
        unconditional: FloatArray,
        guidance_scale: FloatArray,
        schedule: SamplingSchedule,
        fresh: FloatArray | None = None,
    ) -> FloatArray:
        """The whole denoising loop.

        noise: (B, h, w, 4) float32, the latents at the first (largest) timestep;
        context: (B, T, D) float32, T also a multiple of the model's tokens; unconditional: (T, D);
        guidance_scale: (B,) float32, uncond + s * (cond - uncond), no second pass if all are 1, or
        all are 0; fresh: (B, F, h, w, 4) float32, noise of the first F steps, for a schedule that
        asks for it (`SamplingSchedule.fresh`).
        Returns the final latents, (B, h, w, 4) float32.
        """
        ...

    def guided_noise(
        self, contexts: FloatArray, unconditional: FloatArray, scale: float, at_once: int
    ) -> Noise:
        """The denoiser with prompts and guidance settled, and its gradient: to fit a sampler with.

        contexts: (N, T, D), whose rows it is asked for by number; unconditional: (T, D); at_once:
        rows in one evaluation.
        """
        ...

    def decode(self, latents: FloatArray) -> ImageArray:
        """latents: (B, h, w, 4) float32. Returns pictures, (B, height, width, 3) uint8."""
        ...
