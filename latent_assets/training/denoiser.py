"""Trains text encoder and denoiser on the latents of the training pictures.

The denoiser predicts the velocity (Salimans & Ho 2022) with the min-SNR weight (Hang et al. 2023,
gamma 5). Timesteps are stratified over a batch; some samples are pure noise, as the sampler's
first step is. The noise is tied to what chance decides in the picture (`coupling`). One caption in
ten is left out, for guidance. The word vectors get noise, so that a word's neighbours mean nearly
the same. A blend's context is the mixture of two captions'.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latent_assets.diffusion.embedded import nets
from latent_assets.diffusion.embedded.vocabulary import Vocabulary
from latent_assets.diffusion.embedded.weights import (
    GIST,
    WEIGHTS_FILE,
    WORD_VECTORS,
    Tensors,
    assign_weights,
    model_tensors,
)
from latent_assets.diffusion.schedule import NUM_TRAIN_TIMESTEPS, alphas_cumprod
from latent_assets.training import dataset
from latent_assets.training.backends import Random, compiled, prepare, random_numbers
from latent_assets.training.coupling import LOOSE_BELOW, LOOSE_SHARE, coupled
from latent_assets.training.cutouts import unpack
from latent_assets.training.examples import Captioner, Examples, Latents, LiveLatents
from latent_assets.training.flat import learning_shares
from latent_assets.training.parallel import Team
from latent_assets.training.sampling import Sampler, Sampling, many_steps, noise_for
from latent_assets.training.sheets import write_sheet
from latent_assets.training.stream import PictureStream
from latent_assets.training.trainer import Run, parameter_count, train
from latent_assets.training.weight_files import load_tensors, save_tensors

UNCONDITIONAL_SHARE = 0.1
PURE_NOISE_SHARE = 0.04
PURE_NOISE_FROM = 975
"""A timestep at which next to nothing of the picture is left."""
WORD_NOISE = 0.1
MIN_SNR = 5.0
ENCODED_AT_ONCE = 64

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
    "a robot on a white background",
    "a bee",
    "a guitar at sunset",
    "a cow in a meadow",
    "a fish under water",
    "a panda in a forest",
)

Tensor = Any


class Encoding:
    """Pictures to latents, a fixed number at once."""

    def __init__(self, encoder: Any) -> None:
        self._encoder = encoder
        self._encode: Callable[..., Tensor] = compiled(self._latents)

    def _latents(self, pixels: Tensor) -> Tensor:
        from keras import ops

        return ops.cast(self._encoder(ops.cast(pixels, "float32") / 127.5 - 1), "float32")

    def __call__(self, pixels: Tensor) -> Tensor:
        """(N, 256, 256, 3) uint8 -> latents (N, 16, 16, 16) float32, a tensor."""
        return self._encode(pixels)

    def all(self, pixels: np.ndarray) -> np.ndarray:
        """Many pictures, in parts -> latents in half precision."""
        from keras import ops

        starts = range(0, len(pixels), ENCODED_AT_ONCE)
        parts = (self(pixels[start : start + ENCODED_AT_ONCE]) for start in starts)
        return np.concatenate([ops.convert_to_numpy(part).astype(np.float16) for part in parts])


def cached_latents(run: Run, autoencoder: Tensors) -> np.ndarray:
    """The latents of the training pictures, encoded once for each run's folder."""
    path = run.folder / "latents.npy"
    if not path.is_file():
        encoder = nets.build_encoder()
        assign_weights(encoder, autoencoder)
        run.folder.mkdir(parents=True, exist_ok=True)
        np.save(path, Encoding(encoder).all(dataset.load(run.pictures, "train").pixels))
    return np.load(path)


@dataclass(frozen=True)
class Words:
    """How prompts become word vectors (V, 128)."""

    vocabulary: Vocabulary
    vectors: np.ndarray

    @classmethod
    def load(cls, model: Path) -> Words:
        """From a folder with a vocabulary and its vectors."""
        vectors = load_tensors(model / WEIGHTS_FILE)[WORD_VECTORS].astype(np.float32)
        return cls(Vocabulary.load(model), vectors)


class DenoiserTask:
    """Text encoder and denoiser, and the latents and captions they learn from."""

    sampling: Sampling = many_steps()

    def __init__(
        self,
        examples: Examples,
        words: Words,
        decoder: Any,
        numbers: Random,
        batch_size: int,
    ) -> None:
        self.denoiser = nets.build_velocity_denoiser()
        self.context_encoder = nets.build_context_encoder()
        self.models: tuple[Any, ...] = (self.context_encoder, self.denoiser)
        self._examples, self._words, self._numbers = examples, words, numbers
        self._batch_size = batch_size
        self._alphas = alphas_cumprod().astype(np.float32)
        self._times = nets.time_embedding(np.arange(NUM_TRAIN_TIMESTEPS))
        self._sampler = Sampler(self.denoiser, decoder)
        self._encode = compiled(lambda *inputs: self.context_encoder(list(inputs)))
        self._noised = compiled(self.noised)
        self._known: frozenset[str] = frozenset()

    def assign(self, tensors: Tensors) -> None:
        """Start from weights; what reads the gist begins anew where they have none."""
        fresh = {name: tensor for name, tensor in self.tensors().items() if name.startswith(GIST)}
        for model in (self.context_encoder, self.denoiser):
            assign_weights(model, fresh | tensors)
        self._known = frozenset(tensors)

    def shares(self, gentle: float) -> np.ndarray | None:
        """See `flat.learning_shares`: what was assigned learns gently, what began anew does not."""
        return learning_shares(self.models, self._known, gentle)

    def batch(self) -> tuple[Tensor, ...]:
        """What `loss` takes."""
        return self.joined(self._noised_rows(self._batch_size))

    def _noised_rows(self, size: int) -> tuple[Tensor, ...]:
        """Rows of the examples at random timesteps, without captions for some."""
        numbers = self._numbers
        latents, tokens, weights, codes = self._examples.draw(size)
        noise, loose = numbers.normal(*latents.shape), numbers.uniform(size)
        places = (numbers.order(size) + numbers.uniform(size)) / size
        seen, target, timesteps, importance = self._noised(latents, noise, places, codes, loose)
        said = numbers.uniform(size)
        return seen, target, timesteps, importance, 0 * weights, tokens, weights, said

    def joined(self, *parts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Parts of a batch, one behind the other, and noise for the words."""
        from keras import ops

        columns = zip(*parts, strict=True)
        batch = [column[0] if len(parts) == 1 else ops.concatenate(column) for column in columns]
        return (*batch, self._numbers.normal(*batch[5].shape, nets.WORD_WIDTH))

    def tend(self, show_average: Callable[[], None]) -> None:
        """See `trainer.Task`."""
        del show_average
        self._examples.tend()

    def loss(
        self,
        seen: Tensor,
        target: Tensor,
        timesteps: Tensor,
        importance: Tensor,
        few: Tensor,
        tokens: Tensor,
        weights: Tensor,
        said: Tensor,
        word_noise: Tensor,
    ) -> Tensor:
        """Weighted squared error of the velocity.

        seen, target: (B, 16, 16, 16); timesteps: (B,) int32; importance, few: (B,), the latter 1
        for a step of the few-step mode; tokens: (B, 2, 16); weights: (B,), share of the second
        caption; said: (B,) in [0, 1), small where the caption is left out; word_noise:
        (B, 2, 16, 128).
        """
        from keras import ops

        shown = ops.cast(said >= UNCONDITIONAL_SHARE, "float32")
        context = self.mixed_context(tokens, weights, shown, word_noise)
        inputs = [seen, self.times(timesteps), context, few[:, None]]
        predicted = ops.cast(self.denoiser(inputs), "float32")
        errors = ops.mean((predicted - target) ** 2, axis=(1, 2, 3))
        return ops.mean(importance * errors)

    def noised(
        self, latents: Tensor, noise: Tensor, places: Tensor, codes: Tensor, loose: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What the denoiser sees, the velocity it should say, the timestep, the weight.

        latents, noise: (B, 16, 16, 16); places: (B,) in [0, 1), one in each of B equal parts;
        codes: (B, 64), see `coupling`; loose: (B,) in [0, 1), small where late noise has none.
        """
        from keras import ops

        last = NUM_TRAIN_TIMESTEPS
        steps = places * (1 + PURE_NOISE_SHARE) * last
        top = PURE_NOISE_FROM + (steps - last) / (PURE_NOISE_SHARE * last) * (
            last - PURE_NOISE_FROM
        )
        timesteps = ops.cast(ops.where(steps >= last, top, steps), "int32")
        timesteps = ops.clip(timesteps, 0, last - 1)
        alphas = ops.take(ops.convert_to_tensor(self._alphas), timesteps)
        importance = ops.minimum(1.0, (MIN_SNR + 1) * (1 - alphas))
        alphas = alphas[:, None, None, None]
        pure = ops.cast(timesteps >= PURE_NOISE_FROM, "float32")[:, None, None, None]
        signal, spread = ops.sqrt(alphas), ops.sqrt(1 - alphas)
        free = ops.logical_and(timesteps < LOOSE_BELOW, loose < LOOSE_SHARE)
        noise = ops.where(free[:, None, None, None], noise, coupled(noise, codes))
        seen = (1 - pure) * (signal * latents + spread * noise) + pure * noise
        target = (signal * seen - latents) / spread
        return seen, target, timesteps, importance

    def times(self, timesteps: Tensor) -> Tensor:
        """(B,) int32 -> (B, 320)."""
        from keras import ops

        return ops.take(ops.convert_to_tensor(self._times), timesteps, axis=0)

    def mixed_context(
        self,
        tokens: Tensor,
        weights: Tensor,
        said: Tensor,
        word_noise: Tensor,
        encoder: Any = None,
    ) -> Tensor:
        """(B, 16, 192): the mixture of two captions' contexts. said: (B,), 0 leaves them out."""
        from keras import ops

        presence = ops.cast(tokens > 0, "float32") * said[:, None, None]
        vectors = ops.take(ops.convert_to_tensor(self._words.vectors), tokens, axis=0)
        vectors = (vectors + WORD_NOISE * word_noise) * presence[..., None]
        both = [ops.concatenate([part[:, 0], part[:, 1]]) for part in (vectors, presence)]
        first, second = ops.split(ops.cast((encoder or self.context_encoder)(both), "float32"), 2)
        return first + weights[:, None, None] * (second - first)

    def contexts(self, prompts: list[str]) -> np.ndarray:
        """(N, 16, 192) float32."""
        from keras import ops

        tokens = np.stack([self._words.vocabulary.tokens(prompt) for prompt in prompts])
        presence = (tokens > 0).astype(np.float32)
        encoded = self._encode(self._words.vectors[tokens], presence)
        return ops.convert_to_numpy(ops.cast(encoded, "float32"))

    def report(self, folder: Path, samples: int) -> str:
        """A sheet of the prompts above; saves the averaged weights."""
        prompts = list(SHEET_PROMPTS)
        noise = noise_for([5] * len(prompts))
        pictures = self._sampler(noise, self.contexts(prompts), self.sampling)
        write_sheet(folder / f"sheet-{samples:08d}.png", list(pictures), 6, prompts)
        save_tensors(folder / "denoiser.safetensors", self.tensors())
        return f"samples {samples} sheet and weights written"

    def tensors(self) -> Tensors:
        """The weights by name."""
        return model_tensors(self.context_encoder) | model_tensors(self.denoiser)


def decoder_of(autoencoder: Tensors) -> Any:
    """The decoder with its weights."""
    decoder = nets.build_decoder()
    assign_weights(decoder, autoencoder)
    return decoder


def work(team: Team, rank: int, run: Run, autoencoder: Path, model: Path) -> None:
    """One worker's share of the training; worker 0 leaves the weights in the run's folder."""
    task = begun(run, rank, autoencoder, model)
    train(task, run, team, rank, shares=task.shares(run.budget.gentle))


def begun(run: Run, rank: int, autoencoder: Path, model: Path) -> DenoiserTask:
    """The task as it begins, from the run's initial weights if it has any.

    autoencoder: a weights file; model: where the vocabulary and the word vectors lie.
    """
    prepare(run.precision)
    task = new_task(run, rank, load_tensors(autoencoder), Words.load(model))
    if run.init is not None:
        task.assign(load_tensors(run.init))
    return task


def new_task(run: Run, rank: int, codec: Tensors, words: Words) -> DenoiserTask:
    """The task with its examples, composed before or while it trains."""
    # A resumed run must not see the same samples in the same order again.
    seed = time.time_ns() % 2**32 if run.resume else 100 + rank
    if run.artwork is None:
        examples: Examples = latents_on_disk(run, codec, words, seed)
    else:
        examples = live_latents(run, codec, words, seed)
    numbers = random_numbers(seed)
    return DenoiserTask(examples, words, decoder_of(codec), numbers, run.batch_size)


def latents_on_disk(run: Run, codec: Tensors, words: Words, seed: int) -> Latents:
    """The latents of the training pictures with captions drawn anew."""
    records = dataset.load(run.pictures, "train").records
    captioner = Captioner(words.vocabulary, random.Random(seed))  # noqa: S311 - no secrets
    return Latents(cached_latents(run, codec), records, captioner)


def live_latents(run: Run, codec: Tensors, words: Words, seed: int) -> LiveLatents:
    """The latents of pictures that other processes compose, `run.before` of them at once."""
    assert run.artwork is not None
    cutouts = unpack(run.artwork)
    stream = PictureStream(cutouts, words.vocabulary, run.processes, seed * 1_000_000)
    encoder = nets.build_encoder()
    assign_weights(encoder, codec)
    return LiveLatents(stream, Encoding(encoder), seed, run.before)


def count_parameters() -> int:
    """Number of parameters to be trained."""
    return parameter_count([nets.build_context_encoder(), nets.build_velocity_denoiser()])
