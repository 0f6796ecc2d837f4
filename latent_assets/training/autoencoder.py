"""Trains encoder and decoder: pictures to 16x16x16 latents and back, then sharpens the decoder.

Loss: L1 + L2 of the pixels, L1 of their differences to the neighbours (edges) and of what is left
when a pixel's surroundings are taken off (fine detail). The latents get a little noise, so that
the decoder forgives the denoiser's errors, and are drawn to zero mean and unit variance, which
the noise schedule of the denoiser presumes.

Where a loss of this kind is in doubt it blurs. So afterwards the decoder goes on alone, and is held
to the originals' mean gradient in every neighbourhood, wherever exactly the edges lie in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from latent_assets.diffusion.embedded import nets
from latent_assets.diffusion.embedded.weights import (
    Tensors,
    assign_weights,
    model_tensors,
)
from latent_assets.training import dataset
from latent_assets.training.backends import Random, backend, compiled, prepare, random_numbers
from latent_assets.training.examples import Examples, Pictures, ResidentPictures
from latent_assets.training.parallel import Team
from latent_assets.training.sheets import to_float, to_uint8, write_sheet
from latent_assets.training.trainer import Budget, Run, parameter_count, train
from latent_assets.training.weight_files import load_tensors, save_tensors

LATENT_NOISE = 0.05
SHARPENING_LATENT_NOISE = 0.03
ENERGY_WEIGHT = 0.5
NEIGHBOURHOOD = 8
"""Side, in pixels, of the neighbourhoods whose mean gradient is compared."""
SHARPENING_SHARE = 0.25
"""Share of a run's budget for the sharpening."""
MIRRORED_SHARE = 0.5
SHEET_PICTURES = 8
TEST_PICTURES = 256

Tensor = Any


def slopes(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Differences to the neighbour below and to the right."""
    return pictures[:, 1:] - pictures[:, :-1], pictures[:, :, 1:] - pictures[:, :, :-1]


def reconstruction_loss(rebuilt: Tensor, pictures: Tensor) -> Tensor:
    """What a rebuilt picture is charged for; both (B, H, W, 3) in [-1, 1]."""
    from keras import ops

    error = rebuilt - pictures
    down, right = slopes(error)
    edges = ops.mean(ops.abs(down)) + ops.mean(ops.abs(right))
    around = ops.average_pool(error, 3, 1, padding="same")
    detail = ops.mean(ops.abs(error - around)[:, 1:-1, 1:-1])
    return ops.mean(ops.abs(error)) + ops.mean(error**2) + edges + 0.5 * detail


def energy_loss(rebuilt: Tensor, pictures: Tensor) -> Tensor:
    """How far the mean gradients of neighbourhoods are apart, whatever their direction."""
    from keras import ops

    def energies(shown: Tensor) -> list[Tensor]:
        return [
            ops.average_pool(ops.abs(slope), NEIGHBOURHOOD, NEIGHBOURHOOD, padding="valid")
            for slope in slopes(shown)
        ]

    pairs = zip(energies(rebuilt), energies(pictures), strict=True)
    return sum(ops.mean(ops.abs(mine - theirs)) for mine, theirs in pairs)


class AutoencoderTask:
    """Encoder and decoder, and the pictures they learn from."""

    def __init__(
        self, examples: Examples, test: np.ndarray, numbers: Random, batch_size: int
    ) -> None:
        self.encoder = nets.build_encoder()
        self.decoder = nets.build_decoder()
        self.models: tuple[Any, ...] = (self.encoder, self.decoder)
        self._examples, self._test, self._numbers = examples, test, numbers
        self._batch_size = batch_size
        self._rebuild = Rebuilding(self.encoder, self.decoder)

    def assign(self, tensors: Tensors) -> None:
        """Start from weights."""
        for model in (self.encoder, self.decoder):
            assign_weights(model, tensors)

    def batch(self) -> tuple[Any, ...]:
        """(pictures (B, 256, 256, 3) uint8, mirrored (B,): 1 or 0, noise like the latents)."""
        (pixels,) = self._examples.draw(self._batch_size)
        mirrored = self._numbers.uniform(self._batch_size)
        return pixels, mirrored, self._numbers.normal(self._batch_size, *nets.LATENT_SHAPE)

    def tend(self, show_average: Callable[[], None]) -> None:
        """See `trainer.Task`."""
        del show_average
        self._examples.tend()

    def loss(self, pixels: Tensor, mirrored: Tensor, noise: Tensor) -> Tensor:
        """Of `batch`."""
        from keras import ops

        pictures = _as_pictures(pixels, mirrored)
        latents = ops.cast(self.encoder(pictures), "float32")
        rebuilt = ops.cast(self.decoder(latents + LATENT_NOISE * noise), "float32")
        mean = ops.mean(latents, axis=(0, 1, 2))
        variance = ops.var(latents, axis=(0, 1, 2))
        drift = ops.mean(mean**2) + ops.mean(ops.log(variance + 1e-6) ** 2)
        return reconstruction_loss(rebuilt, pictures) + 0.01 * drift

    def report(self, folder: Path, samples: int) -> str:
        """Sheet of originals above reconstructions; the line has the figures of unseen pictures."""
        rebuilt, latents = self._rebuild(self._test)
        pairs = [*self._test[:SHEET_PICTURES], *rebuilt[:SHEET_PICTURES]]
        write_sheet(folder / f"sheet-{samples:08d}.png", pairs, SHEET_PICTURES)
        save_tensors(folder / "autoencoder.safetensors", self.tensors())
        spread = latents.std(axis=(0, 1, 2))
        return (
            f"samples {samples} PSNR {psnr(self._test, rebuilt):.2f} dB,"
            f" gradient {gradient_ratio(rebuilt, self._test):.3f} of the originals',"
            f" latent std {spread.min():.2f} to {spread.max():.2f}"
        )

    def tensors(self) -> Tensors:
        """The weights by name."""
        return model_tensors(self.encoder) | model_tensors(self.decoder)


class SharpeningTask(AutoencoderTask):
    """The decoder alone, held to the originals' gradients; the encoder stands still."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.models = (self.decoder,)

    def loss(self, pixels: Tensor, mirrored: Tensor, noise: Tensor) -> Tensor:
        """Of `batch`."""
        from keras import ops

        pictures = _as_pictures(pixels, mirrored)
        latents = ops.stop_gradient(ops.cast(self.encoder(pictures), "float32"))
        noisy = latents + SHARPENING_LATENT_NOISE * noise
        rebuilt = ops.cast(self.decoder(noisy), "float32")
        energy = ENERGY_WEIGHT * energy_loss(rebuilt, pictures)
        return reconstruction_loss(rebuilt, pictures) + energy


def _as_pictures(pixels: Tensor, mirrored: Tensor) -> Tensor:
    """uint8 -> [-1, 1], some of them mirrored."""
    from keras import ops

    pictures = ops.cast(pixels, "float32") / 127.5 - 1
    return ops.where(
        mirrored[:, None, None, None] < 1 - MIRRORED_SHARE, pictures, ops.flip(pictures, axis=2)
    )


class Rebuilding:
    """Pictures through encoder and decoder."""

    PART = 32

    def __init__(self, encoder: Any, decoder: Any) -> None:
        self._encode = compiled(encoder.__call__)
        self._decode = compiled(decoder.__call__)

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """uint8 pictures -> (pictures after encoding and decoding, their latents)."""
        from keras import ops

        rebuilt, latents = [], []
        for start in range(0, len(pixels), self.PART):
            latent = ops.cast(self._encode(to_float(pixels[start : start + self.PART])), "float32")
            latents.append(ops.convert_to_numpy(latent))
            rebuilt.append(
                to_uint8(ops.convert_to_numpy(ops.cast(self._decode(latent), "float32")))
            )
        return np.concatenate(rebuilt), np.concatenate(latents)


def reconstruct(encoder: Any, decoder: Any, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`Rebuilding`, once."""
    return Rebuilding(encoder, decoder)(pixels)


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Mean over the pictures of the peak signal-to-noise ratio, in dB."""
    error = [
        np.mean((a.astype(np.float32) - b.astype(np.float32)) ** 2)
        for a, b in zip(first, second, strict=True)
    ]
    return float(np.mean(10 * np.log10(255**2 / np.maximum(error, 1e-3))))


def mean_gradient(pixels: np.ndarray) -> float:
    """Mean absolute difference to the neighbours below and to the right, of uint8 pictures."""
    each = [
        sum(float(np.abs(slope).mean()) for slope in slopes(picture[None].astype(np.float32)))
        for picture in pixels
    ]
    return float(np.mean(each))


def gradient_ratio(made: np.ndarray, originals: np.ndarray) -> float:
    """How sharp pictures are: their mean gradient as a share of the originals'."""
    return mean_gradient(made) / mean_gradient(originals)


def run_both(
    tasks: tuple[AutoencoderTask, SharpeningTask], run: Run, team: Team, rank: int
) -> None:
    """Train, then sharpen with what is left of the budget."""
    first, second = tasks
    sharpening = replace(
        _share_of(run.budget, SHARPENING_SHARE),
        learning_rate=run.budget.learning_rate / 5,
        average=0.99,
    )
    train(first, replace(run, budget=_share_of(run.budget, 1 - SHARPENING_SHARE)), team, rank)
    second.assign(first.tensors())
    sharpened = replace(run, folder=run.folder / "sharpened", budget=sharpening)
    train(second, sharpened, team, rank)
    if rank == 0:
        save_tensors(run.folder / "autoencoder.safetensors", second.tensors())


def _share_of(budget: Budget, share: float) -> Budget:
    steps = None if budget.steps is None else max(1, round(budget.steps * share))
    return replace(budget, minutes=budget.minutes * share, steps=steps)


def work(team: Team, rank: int, run: Run) -> None:
    """One worker's share of the training; worker 0 leaves the weights in the run's folder."""
    prepare(run.precision)
    pixels = dataset.load(run.pictures, "train").pixels
    test = np.asarray(dataset.load(run.pictures, "test").pixels[:TEST_PICTURES])
    resident = ResidentPictures if backend() == "torch" else Pictures
    arguments = (resident(pixels, rank), test, random_numbers(rank), run.batch_size)
    tasks = AutoencoderTask(*arguments), SharpeningTask(*arguments)
    if run.init is not None:
        tasks[0].assign(load_tensors(run.init))
    run_both(tasks, run, team, rank)


def count_parameters() -> int:
    """Number of parameters to be trained."""
    return parameter_count([nets.build_encoder(), nets.build_decoder()])
