"""Stable Diffusion's networks from KerasCV, with weights from files or from a seed.

KerasCV's classes are used as they are. Two things are done around them: layers start with what
stands in memory (or with seeded random values) instead of Keras' default initialisers, which would
take longer than loading the weights; and the text encoder stays in float32 at every precision, so
that encodings are the same bytes whatever the frames are rendered in.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib.util
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from latent_assets.diffusion import prompt_chunks, tokenizer
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


def require() -> None:
    """Raises ModelError where KerasCV is not installed: a light installation leaves it out."""
    if importlib.util.find_spec("keras_cv") is None:
        raise ModelError(
            "Stable Diffusion needs keras-cv, which is not installed",
            "pip install keras-cv. The embedded models do without.",
        )


def load_from_files(
    model: StableDiffusionModel, paths: tuple[Path, ...], precision: str, truncate: bool = False
) -> LatentModels:
    """The networks with the weights of three h5 files: text encoder, denoiser, decoder.

    Raises ModelError if a file does not fit its network.
    """
    networks = build_networks(model is STABLE_DIFFUSION_2_1, precision)
    for network, path in zip(networks, paths, strict=True):
        load_h5(network, path, model.title)
    return assemble(networks, truncate)


def load_h5(network: Any, path: Path, title: str) -> None:
    """Give a network the weights of an h5 file in KerasCV's layout. Raises ModelError."""
    try:
        network.load_weights(str(path))
    except (ValueError, OSError, KeyError) as error:
        raise ModelError(
            f"{path} does not fit {title}'s {network.name}: {error}",
            "It must be an h5 file of weights in KerasCV's layout.",
        ) from error


def load_random(
    model: StableDiffusionModel, seed: int, precision: str, truncate: bool = False
) -> LatentModels:
    """The networks with seeded random weights, scaled so that signals keep their size."""
    second = model is STABLE_DIFFUSION_2_1
    networks = build_networks(second, precision, _random_initializers(seed))
    return assemble(networks, truncate)


def build_networks(
    second: bool, precision: str, initializers: Callable[[str], Initializer] | None = None
) -> tuple[Any, Any, Any]:
    """Text encoder, denoiser, decoder of Stable Diffusion 1.x, or if `second` of 2.x.

    initializers: of the weights, by their names; without, every weight is to be loaded.
    """
    with _initialised_by(initializers or _untouched()):
        return _build(second, precision)


def _build(second: bool, precision: str) -> tuple[Any, Any, Any]:
    from keras_cv.src.models.stable_diffusion import diffusion_model, text_encoder
    from keras_cv.src.models.stable_diffusion.decoder import Decoder

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


def assemble(
    networks: tuple[Any, Any, Any],
    truncate: bool,
    names: Mapping[str, Sequence[int]] | None = None,
    padding: int = tokenizer.END_OF_TEXT,
) -> LatentModels:
    """The loaded networks as the engine wants them.

    names: what stands for tokens of its own; padding: the id behind a prompt's end.
    """
    _release_memory()
    encoder, denoiser, decoder = networks
    encode_ids = _ids_encoder(encoder)

    def pad(ids: list[int]) -> list[int]:
        return tokenizer.pad(ids, truncate, padding)

    def encode_prompt(text: str, clip_skip: int) -> FloatArray:
        return encode_ids(pad(tokenizer.encode(text, names)), clip_skip)

    def encode_weighted(prompt: str, chunks: int, clip_skip: int) -> FloatArray:
        encode = partial(encode_ids, clip_skip=clip_skip)
        return prompt_chunks.encode(prompt, chunks, encode, pad, names)

    return LatentModels(encode_prompt, encode_weighted, denoiser, decoder, encoder)


def _release_memory() -> None:
    """Give back what building and loading left behind.

    Building leaves cycles that hold initial values, as much again as the weights; and glibc
    keeps what was freed for itself unless it is asked (measured: a third of the weights).
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # another C library keeps nothing to trim
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _ids_encoder(encoder: Any) -> Callable[..., FloatArray]:
    """77 ids and which layer from the last -> (77, D) float32, by functions traced once."""
    import tensorflow as tf

    shape = (1, tokenizer.MAX_TOKENS)
    positions = tf.reshape(tf.range(tokenizer.MAX_TOKENS), shape)

    @cache
    def traced(clip_skip: int) -> Callable[[Any], Any]:
        network = _without_last_layers(encoder, clip_skip - 1)

        @tf.function(input_signature=[tf.TensorSpec(shape, tf.int32)], autograph=False)
        def encode(tokens: Any) -> Any:
            return network([tokens, positions], training=False)

        return encode

    def encode_ids(ids: Sequence[int], clip_skip: int = 1) -> FloatArray:
        with precision_scope("float32"):
            return np.asarray(traced(clip_skip)(tf.constant([ids], tf.int32)))[0]

    return encode_ids


def _without_last_layers(encoder: Any, count: int) -> Any:
    """The text encoder, its last normalisation put after an earlier layer (`clip_skip`)."""
    import keras

    if not count:
        return encoder
    layers = [each for each in encoder.layers if type(each).__name__ == "CLIPEncoderLayer"]
    normalisation = encoder.layers[-1]
    return keras.Model(encoder.inputs, normalisation(layers[-1 - count].output))


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


def _untouched() -> Callable[[str], Initializer]:
    """Room for values that are to be loaded, with nothing written to it.

    Memory counts from the first write. Zeros would be written, and stay beside what replaces them:
    TensorFlow keeps for itself what it has once had.
    """
    import tensorflow as tf

    def room(shape: tuple[int, ...], dtype: Any = None) -> Any:
        return tf.raw_ops.Empty(shape=shape, dtype=dtype or tf.float32)

    return lambda _name: room


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
