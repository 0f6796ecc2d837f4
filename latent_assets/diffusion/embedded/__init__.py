"""The model that comes with the project: small, for a CPU, 128 by 128 pixels.

`model_info()` and the vocabulary are cheap; `load_embedded_model()` imports Keras and loads the
weights. The networks follow KerasCV's calling convention (see `nets`), so the common engine
drives them like Stable Diffusion's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latent_assets.diffusion.embedded import nets
from latent_assets.diffusion.embedded.vocabulary import (
    PromptReading,
    Vocabulary,
    describe_prompt,
)
from latent_assets.diffusion.embedded.weights import (
    WORD_VECTORS,
    assign_weights,
    default_directory,
    read_model_card,
    read_weights,
)
from latent_assets.diffusion.protocol import ModelInfo

__all__ = [
    "EmbeddedModel",
    "PromptReading",
    "Vocabulary",
    "describe_prompt",
    "load_embedded_model",
    "model_info",
]


@dataclass(frozen=True)
class EmbeddedModel:
    """The loaded networks, and the function that turns prompts into their tokens.

    text_encoder(tokens (B, 16) int32) -> (B, 16, 192);
    denoiser([latents (B, 16, 16, 4), time (B, 320), context (B, 16, 192)]) -> noise like latents;
    decoder(latents) -> (B, 128, 128, 3) in [-1, 1].
    """

    info: ModelInfo
    text_encoder: Any
    denoiser: Any
    decoder: Any
    vocabulary: Vocabulary
    tokenize: Callable[[Sequence[str]], np.ndarray]
    """N prompts -> (N, 16) int32."""


def model_info(directory: Path | None = None) -> ModelInfo:
    """What `model.json` says of the model; loads nothing."""
    card = read_model_card(directory or default_directory())
    return ModelInfo(
        name=card["name"],
        title=card["title"],
        weights_digest=card["weights_sha256"],
        tokens=card["shapes"]["context"][0],
        context_width=card["shapes"]["context"][1],
        default_size=(128, 128),
        fixed_size=True,
        licence=card["licence"],
        licence_notice=card["licence_notice"],
    )


def load_embedded_model(directory: Path | None = None) -> EmbeddedModel:
    """Import Keras, build the networks and load their weights, whose digest is checked."""
    directory = directory or default_directory()
    info = model_info(directory)
    tensors = read_weights(directory)
    context_encoder = nets.build_context_encoder()
    denoiser = nets.build_denoiser()
    decoder = nets.build_decoder()
    for network in (context_encoder, denoiser, decoder):
        assign_weights(network, tensors)
    text_encoder = nets.build_text_encoder(context_encoder, tensors[WORD_VECTORS])
    vocabulary = Vocabulary.load(directory)

    def tokenize(prompts: Sequence[str]) -> np.ndarray:
        return np.stack([vocabulary.tokens(prompt) for prompt in prompts])

    return EmbeddedModel(info, text_encoder, denoiser, decoder, vocabulary, tokenize)
