"""KerasCV's own StableDiffusion around the networks of an engine, at any picture size."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import Any

import numpy as np

from latent_assets.diffusion import tokenizer


def at_size(network: Any, size: tuple[int, int]) -> Any:
    """The same layers and weights as a Keras model for pictures of `size` (height, width)."""
    import keras

    height, width = size
    inputs = [
        keras.Input((height // 8, width // 8, 4), name=each.name)
        if len(each.shape) == 4
        else keras.Input(each.shape[1:], name=each.name)
        for each in network.inputs
    ]
    outputs = network.call(inputs if len(inputs) > 1 else inputs[0])
    return keras.Model(inputs, outputs)


class Twin:
    """`generate_image` with the engine's networks; keeps the final latents it decoded."""

    def __init__(self, models: Any, size: tuple[int, int], second: bool = False) -> None:
        from keras_cv.models import StableDiffusion, StableDiffusionV2

        kind = StableDiffusionV2 if second else StableDiffusion
        with redirect_stdout(io.StringIO()):
            self.model = kind(*size, jit_compile=False)
        self.model._tokenizer = tokenizer
        self.model._text_encoder = models.text_encoder
        self.model._diffusion_model = at_size(models.denoiser, size)
        self.model._decoder = at_size(models.decoder, size)
        self.latents = np.zeros(0)
        decode = self.model._decoder.predict_on_batch

        def spy(latents: Any) -> Any:
            self.latents = np.asarray(latents)
            return decode(latents)

        self.model._decoder.predict_on_batch = spy

    def encode_text(self, prompt: str) -> Any:
        return np.asarray(self.model.encode_text(prompt))

    def generate_image(self, context: Any, **options: Any) -> Any:
        """(pictures, final latents), without the progress bar."""
        with redirect_stdout(io.StringIO()):
            pictures = self.model.generate_image(context, **options)
        return pictures, self.latents
