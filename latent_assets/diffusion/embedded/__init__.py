"""The model that comes with the project: small, for a CPU, 256 by 256 pixels.

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
    reads_gist,
)
from latent_assets.diffusion.protocol import ModelInfo, OwnSampling

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
    denoiser([latents (B, 16, 16, 16), time (B, 320), context (B, 16, 192)]) -> noise like latents;
    decoder(latents) -> (B, 256, 256, 3) in [-1, 1].
    """

    info: ModelInfo
    text_encoder: Any
    denoiser: Any
    decoder: Any
    vocabulary: Vocabulary
    tokenize: Callable[[Sequence[str]], np.ndarray]
    """N prompts -> (N, 16) int32."""


def model_info(directory: Path | None = None, fast: bool = False) -> ModelInfo:
    """What `model.json` says of the model; loads nothing. fast: of its few-step mode."""
    card = read_model_card(directory or default_directory())
    shapes = card["shapes"]
    height, width, _ = shapes["picture"]
    few = card["few_steps"]
    own = OwnSampling("ddim", few["num_steps"], few["spacing"]) if fast else None
    return ModelInfo(
        name=few["name"] if fast else card["name"],
        title=few["title"] if fast else card["title"],
        weights_digest=card["weights_sha256"],
        tokens=shapes["context"][0],
        context_width=shapes["context"][1],
        latent_channels=shapes["latents"][2],
        downscale=height // shapes["latents"][0],
        size_multiple=height,
        default_size=(height, width),
        fixed_size=True,
        own_sampling=own,
        licence=card["licence"],
        licence_notice=card["licence_notice"],
    )


def load_embedded_model(directory: Path | None = None, fast: bool = False) -> EmbeddedModel:
    """Import Keras, build the networks and load their weights, whose digest is checked.

    fast: the denoiser's few-step mode.
    """
    directory = directory or default_directory()
    info = model_info(directory, fast)
    tensors = read_weights(directory)
    context_encoder = nets.build_context_encoder()
    denoiser = nets.build_denoiser(fast, reads_gist(tensors))
    decoder = nets.build_decoder()
    for network in (context_encoder, denoiser, decoder):
        assign_weights(network, tensors)
    text_encoder = nets.build_text_encoder(context_encoder, tensors[WORD_VECTORS])
    vocabulary = Vocabulary.load(directory)

    def tokenize(prompts: Sequence[str]) -> np.ndarray:
        return np.stack([vocabulary.tokens(prompt) for prompt in prompts])

    return EmbeddedModel(info, text_encoder, denoiser, decoder, vocabulary, tokenize)
