"""Trains text encoder and denoiser on the latents of the training pictures.

The denoiser predicts the velocity (Salimans & Ho 2022) with the min-SNR weight (Hang et al. 2023,
gamma 5). Timesteps are stratified over a batch; some samples are pure noise, as the sampler's
first step is. One caption in ten is left out, for guidance. The word vectors get noise, so that
a word's neighbours mean nearly the same. A blend's context is the mixture of two captions'.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latent_assets.diffusion.embedded import nets
from latent_assets.diffusion.embedded.vocabulary import Vocabulary
from latent_assets.diffusion.embedded.weights import (
    WEIGHTS_FILE,
    WORD_VECTORS,
    Tensors,
    assign_weights,
    model_tensors,
)
from latent_assets.diffusion.schedule import NUM_TRAIN_TIMESTEPS, alphas_cumprod
from latent_assets.training import dataset
from latent_assets.training.captions import caption
from latent_assets.training.parallel import Team
from latent_assets.training.sampling import Sampler, noise_for
from latent_assets.training.sheets import to_float, write_sheet
from latent_assets.training.trainer import Run, parameter_count, train, use_one_thread
from latent_assets.training.weight_files import load_tensors, save_tensors

UNCONDITIONAL_SHARE = 0.1
PURE_NOISE_SHARE = 0.04
PURE_NOISE_FROM = 975
"""A timestep at which next to nothing of the picture is left."""
WORD_NOISE = 0.1
MIN_SNR = 5.0

SHEET_PROMPTS = (
    "a cat",
    "a dog at the beach",
    "an apple on a blue background",
    "a castle at night",
    "a rocket in the sky",
    "a penguin in the snow",
    "a sunflower in a meadow",
    "a car on a yellow background",
    "a painting of an owl",
    "a house in the snow",
    "a butterfly",
    "a strawberry on a pink background",
    "a bowl of fruit",
    "a skyscraper",
    "a painting of a tower at night",
    "a cow in a meadow",
    "a windmill in a meadow",
    "a panda in a forest",
)


def encode_pictures(encoder: Any, pixels: np.ndarray) -> np.ndarray:
    """(N, 128, 128, 3) uint8 -> latents (N, 16, 16, 4) in half precision."""
    import tensorflow as tf

    encode = tf.function(encoder)
    parts = [
        np.asarray(encode(to_float(pixels[start : start + 64])), np.float16)
        for start in range(0, len(pixels), 64)
    ]
    return np.concatenate(parts)


def cached_latents(folder: Path, pictures: Path, autoencoder: Tensors) -> np.ndarray:
    """The latents of the training pictures, encoded once."""
    path = folder / "latents.npy"
    if not path.is_file():
        encoder = nets.build_encoder()
        assign_weights(encoder, autoencoder)
        folder.mkdir(parents=True, exist_ok=True)
        np.save(path, encode_pictures(encoder, dataset.load(pictures, "train").pixels))
    return np.load(path)


@dataclass(frozen=True)
class TrainingData:
    """Latents (N, 16, 16, 4) with their records, and how captions become word vectors (V, 128)."""

    records: list[dataset.Record]
    latents: np.ndarray
    vocabulary: Vocabulary
    word_vectors: np.ndarray


class DenoiserTask:
    """Text encoder and denoiser, and the latents and captions they learn from."""

    def __init__(self, data: TrainingData, decoder: Any, seed: int, batch_size: int) -> None:
        self.denoiser = nets.build_denoiser("velocity")
        self.context_encoder = nets.build_context_encoder()
        self.models = (self.context_encoder, self.denoiser)
        self._data = data
        self._decoder = decoder
        self._rng = np.random.default_rng(seed)
        self._words = random.Random(seed)  # noqa: S311 - no secrets in captions
        self._batch_size = batch_size
        self._alphas = alphas_cumprod().astype(np.float32)
        self._sampler: Sampler | None = None

    def batch(self) -> tuple[np.ndarray, ...]:
        """What `loss` takes."""
        size = self._batch_size
        rows = self._rng.integers(0, len(self._data.records), size)
        tokens = np.stack([self._tokens(self._data.records[row]) for row in rows])
        tokens[self._rng.random(size) < UNCONDITIONAL_SHARE] = 0
        weights = np.array([self._data.records[row].weight for row in rows], np.float32)
        latents = self._data.latents[rows].astype(np.float32)
        noise = self._rng.standard_normal(latents.shape).astype(np.float32)
        timesteps = self._timesteps(size)
        vectors = self._data.word_vectors[tokens]
        vectors += WORD_NOISE * self._rng.standard_normal(vectors.shape).astype(np.float32)
        presence = (tokens > 0).astype(np.float32)
        alphas = self._alphas[timesteps]
        pure = (timesteps >= PURE_NOISE_FROM).astype(np.float32)
        return (
            *(latents, noise, nets.time_embedding(timesteps), alphas, pure),
            *(vectors * presence[..., None], presence, weights),
        )

    def _tokens(self, record: dataset.Record) -> np.ndarray:
        """(2, 16): the tokens of the scene and of the one blended in (or the same again)."""
        first = self._data.vocabulary.tokens(caption(record.scene, self._words))
        if record.other is None:
            return np.stack([first, first])
        return np.stack([first, self._data.vocabulary.tokens(caption(record.other, self._words))])

    def _timesteps(self, size: int) -> np.ndarray:
        """(size,) integers, one from each of `size` equal parts of the schedule."""
        places = (self._rng.permutation(size) + self._rng.random(size)) / size
        steps = (places * (1 + PURE_NOISE_SHARE) * NUM_TRAIN_TIMESTEPS).astype(int)
        top = self._rng.integers(PURE_NOISE_FROM, NUM_TRAIN_TIMESTEPS, size)
        return np.where(steps >= NUM_TRAIN_TIMESTEPS, top, steps)

    def loss(
        self,
        latents: Any,
        noise: Any,
        time: Any,
        alphas: Any,
        pure: Any,
        vectors: Any,
        presence: Any,
        weights: Any,
    ) -> Any:
        """Weighted squared error of the velocity.

        latents, noise: (B, 16, 16, 4); time: (B, 320); alphas, pure, weights: (B,);
        vectors: (B, 2, 16, 128); presence: (B, 2, 16).
        """
        import tensorflow as tf

        alphas, pure = alphas[:, None, None, None], pure[:, None, None, None]
        signal, spread = tf.sqrt(alphas), tf.sqrt(1 - alphas)
        seen = (1 - pure) * (signal * latents + spread * noise) + pure * noise
        target = (signal * seen - latents) / spread
        first = self.context_encoder([vectors[:, 0], presence[:, 0]])
        second = self.context_encoder([vectors[:, 1], presence[:, 1]])
        share = tf.cast(weights, first.dtype)[:, None, None]
        context = first + share * (second - first)
        predicted = tf.cast(self.denoiser([seen, time, context]), tf.float32)
        importance = tf.minimum(1.0, (MIN_SNR + 1) * (1 - alphas))
        return tf.reduce_mean(importance * (predicted - target) ** 2)

    def contexts(self, prompts: list[str]) -> np.ndarray:
        """(N, 16, 192) float32."""
        tokens = np.stack([self._data.vocabulary.tokens(prompt) for prompt in prompts])
        presence = (tokens > 0).astype(np.float32)
        encoded = self.context_encoder([self._data.word_vectors[tokens], presence])
        return np.asarray(encoded, np.float32)

    def report(self, folder: Path, samples: int) -> str:
        """A sheet of the prompts above; saves the averaged weights."""
        if self._sampler is None:
            self._sampler = Sampler(self.denoiser, self._decoder)
        prompts = list(SHEET_PROMPTS)
        pictures = self._sampler(noise_for([5] * len(prompts)), self.contexts(prompts))
        write_sheet(folder / f"sheet-{samples:08d}.png", list(pictures), 6, prompts)
        save_tensors(folder / "denoiser.safetensors", self.tensors())
        return f"samples {samples} sheet and weights written"

    def tensors(self) -> Tensors:
        """The weights by name."""
        return model_tensors(self.context_encoder) | model_tensors(self.denoiser)


def work(team: Team, rank: int, run: Run, autoencoder: Path, model: Path) -> None:
    """One worker's share of the training; worker 0 leaves the weights in the run's folder.

    autoencoder: a weights file; model: where the vocabulary and the word vectors lie.
    """
    use_one_thread(run.precision)
    codec = load_tensors(autoencoder)
    latents = cached_latents(run.folder, run.pictures, codec)
    decoder = nets.build_decoder()
    assign_weights(decoder, codec)
    data = TrainingData(
        dataset.load(run.pictures, "train").records,
        latents,
        Vocabulary.load(model),
        load_tensors(model / WEIGHTS_FILE)[WORD_VECTORS].astype(np.float32),
    )
    # A resumed run must not see the same samples in the same order again.
    seed = time.time_ns() % 2**32 if run.resume else 100 + rank
    task = DenoiserTask(data, decoder, seed, run.batch_size)
    if run.init is not None:
        tensors = load_tensors(run.init)
        for network in task.models:
            assign_weights(network, tensors)
    train(task, run, team, rank)


def count_parameters() -> int:
    """Number of parameters to be trained."""
    return parameter_count([nets.build_context_encoder(), nets.build_denoiser("velocity")])
