"""The embedded model's networks as the engine wants them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from latent_assets.diffusion import embedded
from latent_assets.diffusion.protocol import FloatArray
from latent_assets.diffusion.tensorflow_engine import LatentModels
from latent_assets.diffusion.tensorflow_runtime import precision_scope


def load(directory: Path, precision: str, fast: bool = False) -> LatentModels:
    """The networks with the weights in `directory`, computing in `precision`; fast: few steps."""
    with precision_scope(precision):
        model = embedded.load_embedded_model(directory, fast)
    encode = _tokens_encoder(model)
    vocabulary = model.vocabulary

    def encode_prompt(text: str, clip_skip: int) -> FloatArray:
        del clip_skip  # it has one layer
        return encode(model.tokenize([text]))

    def encode_weighted(prompt: str, chunks: int, clip_skip: int) -> FloatArray:
        del clip_skip
        # The encodings are weighted and no more: their mean, which others restore, is near none.
        reading, weights = vocabulary.read_weighted(prompt)
        encoding = encode(vocabulary.tokens_of(reading.used)[None])
        factors = np.array([[weights[word]] for word in reading.used], np.float32)
        encoding[: len(factors)] *= factors.reshape(-1, 1)
        return np.tile(encoding, (chunks, 1))

    return LatentModels(
        encode_prompt, encode_weighted, model.denoiser, model.decoder, model.text_encoder
    )


def _tokens_encoder(model: embedded.EmbeddedModel) -> Callable[[np.ndarray], FloatArray]:
    """(1, 16) int32 -> (16, 192) float32, by a function that is traced once."""
    import tensorflow as tf

    @tf.function(autograph=False, reduce_retracing=True)
    def encode(tokens: Any) -> Any:
        return tf.cast(model.text_encoder(tokens, training=False), tf.float32)

    return lambda tokens: np.array(encode(tf.constant(tokens)))[0]
