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
    return LatentModels(_prompt_encoder(model), model.denoiser, model.decoder, model.text_encoder)


def _prompt_encoder(model: embedded.EmbeddedModel) -> Callable[[str], FloatArray]:
    """Prompt -> (16, 192) float32, by a function that is traced once."""
    import tensorflow as tf

    @tf.function(autograph=False, reduce_retracing=True)
    def encode(tokens: Any) -> Any:
        return tf.cast(model.text_encoder(tokens, training=False), tf.float32)

    def encode_prompt(text: str) -> FloatArray:
        return np.asarray(encode(tf.constant(model.tokenize([text]))))[0]

    return encode_prompt
