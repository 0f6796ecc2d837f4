"""Draws many pictures at once with the exported networks, for the evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from latent_assets.diffusion.embedded import nets
from latent_assets.diffusion.embedded.vocabulary import Vocabulary
from latent_assets.diffusion.embedded.weights import (
    WORD_VECTORS,
    assign_weights,
    read_weights,
    reads_gist,
)
from latent_assets.training.sampling import Sampler, Sampling, noise_for


class Studio:
    """The exported model, ready to draw, in one way of sampling."""

    def __init__(self, model: Path) -> None:
        from keras import ops

        tensors = read_weights(model)
        self.encoder, self.decoder = nets.build_encoder(), nets.build_decoder()
        denoiser = nets.build_velocity_denoiser(reads_gist(tensors))
        context_encoder = nets.build_context_encoder()
        for network in (self.encoder, self.decoder, denoiser, context_encoder):
            assign_weights(network, tensors)
        self._text_encoder = nets.build_text_encoder(context_encoder, tensors[WORD_VECTORS])
        self._as_numpy = ops.convert_to_numpy
        self._vocabulary = Vocabulary.load(model)
        self._sample = Sampler(denoiser, self.decoder)

    def contexts(self, prompts: Sequence[str]) -> np.ndarray:
        """(N, 16, 192)."""
        tokens = np.stack([self._vocabulary.tokens(prompt) for prompt in prompts])
        return self._as_numpy(self._text_encoder(tokens)).astype(np.float32)

    def draw(self, prompts: Sequence[str], seeds: Sequence[int], sampling: Sampling) -> np.ndarray:
        """A picture of each prompt, (N, 256, 256, 3) uint8."""
        return self._sample(noise_for(seeds), self.contexts(prompts), sampling)

    def walk(self, start: str, end: str, frames: int, seed: int, sampling: Sampling) -> np.ndarray:
        """Frames from one prompt to another with the same noise, (frames, 256, 256, 3) uint8."""
        first, last = self.contexts([start, end])
        shares = np.linspace(0, 1, frames, dtype=np.float32)[:, None, None]
        return self._sample(noise_for([seed] * frames), first + shares * (last - first), sampling)

    def mixtures(self, contexts: np.ndarray, seed: int, sampling: Sampling) -> np.ndarray:
        """Pictures of given contexts (N, 16, 192) with the same noise."""
        return self._sample(noise_for([seed] * len(contexts)), contexts, sampling)

    def from_noise(self, prompt: str, noise: np.ndarray, sampling: Sampling) -> np.ndarray:
        """Pictures of one prompt with given noise (N, 16, 16, 16)."""
        contexts = np.repeat(self.contexts([prompt]), len(noise), axis=0)
        return self._sample(noise, contexts, sampling)
