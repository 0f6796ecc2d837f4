"""Stable Diffusion's networks from KerasCV, with weights from files or from a seed.

KerasCV's classes are used as they are. Two things are done around them: layers start at zero
(or at seeded random values) instead of Keras' default initialisers, which would take longer
than loading the weights; and the text encoder stays in float32 at every precision, so that
encodings are the same bytes whatever the frames are rendered in.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from latent_assets.diffusion import tokenizer
from latent_assets.diffusion.protocol import FloatArray
from latent_assets.diffusion.stable_diffusion import STABLE_DIFFUSION_2_1, StableDiffusionModel
from latent_assets.diffusion.tensorflow_engine import LatentModels
from latent_assets.diffusion.tensorflow_runtime import precision_scope
from latent_assets.errors import ModelError

logger = logging.getLogger(__name__)

BUILD_SIZE_PX = 128
"""The networks are built at the smallest size; the engine calls them at any (see there)."""

COLLECT_EVERY = 32
"""Weights between two collections of the garbage that drawing them leaves (see below)."""

Initializer = Callable[..., Any]


def load_from_files(
    model: StableDiffusionModel, paths: tuple[Path, ...], precision: str, truncate: bool = False
) -> LatentModels:
    """The networks with the weights of three h5 files: text encoder, denoiser, decoder.

    Raises ModelError if a file does not fit its network.
    """
    with _initialised_by(_zeros):
        networks = _build(model, precision)
    for network, path in zip(networks, paths, strict=True):
        _load_weights(network, path, model)
    return _assemble(networks, truncate)


def _load_weights(network: Any, path: Path, model: StableDiffusionModel) -> None:
    try:
        network.load_weights(str(path))
    except (ValueError, OSError, KeyError) as error:
        raise ModelError(
            f"{path} does not fit {model.title}'s {network.name}: {error}",
            "It must be an h5 file of weights in KerasCV's layout.",
        ) from error


def load_random(
    model: StableDiffusionModel, seed: int, precision: str, truncate: bool = False
) -> LatentModels:
    """The networks with seeded random weights, scaled so that signals keep their size."""
    with _initialised_by(_random_initializers(seed)):
        networks = _build(model, precision)
    return _assemble(networks, truncate)


def _build(model: StableDiffusionModel, precision: str) -> tuple[Any, Any, Any]:
    """Text encoder, denoiser, decoder, without pretrained weights."""
    from keras_cv.src.models.stable_diffusion import diffusion_model, text_encoder
    from keras_cv.src.models.stable_diffusion.decoder import Decoder

    second = model is STABLE_DIFFUSION_2_1
    encoder_class = text_encoder.TextEncoderV2 if second else text_encoder.TextEncoder
    denoiser_class = diffusion_model.DiffusionModelV2 if second else diffusion_model.DiffusionModel
    size = (BUILD_SIZE_PX, BUILD_SIZE_PX)
    with precision_scope("float32"):
        encoder = encoder_class(tokenizer.MAX_TOKENS, name="text_encoder", download_weights=False)
    with precision_scope(precision):
        denoiser = denoiser_class(
            *size, tokenizer.MAX_TOKENS, name="denoiser", download_weights=False
        )
        decoder = Decoder(*size, name="decoder", download_weights=False)
    return encoder, denoiser, decoder


def _assemble(networks: tuple[Any, Any, Any], truncate: bool) -> LatentModels:
    _release_memory()
    encoder, denoiser, decoder = networks
    return LatentModels(_prompt_encoder(encoder, truncate), denoiser, decoder, encoder)


def _release_memory() -> None:
    """Give back what building and loading left behind.

    Building leaves cycles that hold initial values, as much again as the weights; and glibc
    keeps what was freed for itself unless it is asked (measured: a third of the weights).
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # another C library keeps nothing to trim
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _prompt_encoder(encoder: Any, truncate: bool) -> Callable[[str], FloatArray]:
    """Prompt -> (77, D) float32, by a function that is traced once."""
    import tensorflow as tf

    shape = (1, tokenizer.MAX_TOKENS)
    positions = tf.reshape(tf.range(tokenizer.MAX_TOKENS), shape)

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.int32)], autograph=False)
    def encode(tokens: Any) -> Any:
        return encoder([tokens, positions], training=False)

    def encode_prompt(text: str) -> FloatArray:
        ids = tokenizer.pad(tokenizer.encode(text), truncate)
        with precision_scope("float32"):
            return np.asarray(encode(tf.constant([ids], tf.int32)))[0]

    return encode_prompt


@contextlib.contextmanager
def _initialised_by(choose: Callable[[str], Initializer]) -> Iterator[None]:
    """Every weight made inside starts with `choose(its name)(shape)`.

    Keras has no setting for this, and KerasCV's classes take no initialisers.
    """
    from keras.layers import Layer

    original = Layer.add_weight

    def add_weight(self: Any, shape: Any = None, initializer: Any = None, **options: Any) -> Any:
        del initializer
        return original(
            self, shape=shape, initializer=choose(str(options.get("name", ""))), **options
        )

    Layer.add_weight = add_weight
    try:
        yield
    finally:
        Layer.add_weight = original


def _zeros(name: str) -> Initializer:
    del name
    from keras.initializers import Zeros

    return Zeros()


def _random_initializers(seed: int) -> Callable[[str], Initializer]:
    """Kernels uniform with variance 1 / fan-in, scales one, offsets zero; all from `seed`.

    The generator of each weight is seeded by its number in the order of making, so that the
    values do not depend on how many were drawn before.
    """
    counter = iter(range(1_000_000))

    def choose(name: str) -> Initializer:
        number = next(counter)
        if number % COLLECT_EVERY == 0:
            gc.collect()

        def draw(shape: tuple[int, ...], dtype: Any = None) -> Any:
            from keras import ops

            if name in ("gamma", "beta", "bias"):
                return ops.full(shape, 1.0 if name == "gamma" else 0.0, dtype=dtype)
            fan_in = math.prod(shape[:-1]) if name == "kernel" else 1
            generator = np.random.Generator(np.random.SFC64([seed, number]))
            values = generator.random(shape, dtype=np.float32)
            values -= np.float32(0.5)
            values *= np.float32(math.sqrt(12 / fan_in))
            return ops.convert_to_tensor(values, dtype=dtype)

        return draw

    return choose
