"""Trains encoder and decoder: pictures to 16x16x4 latents and back.

Loss: L1 + 1.5 L2 of the pixels + L1 of their differences to the neighbours (edges). The latents
get a little noise, so that the decoder forgives the denoiser's errors, and are drawn to zero mean
and unit variance, which the noise schedule of the denoiser presumes.
"""

from __future__ import annotations

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
from latent_assets.training.parallel import Team
from latent_assets.training.sheets import to_float, to_uint8, write_sheet
from latent_assets.training.trainer import Run, parameter_count, train, use_one_thread
from latent_assets.training.weight_files import load_tensors, save_tensors

LATENT_NOISE = 0.05
SHEET_PICTURES = 14
TEST_PICTURES = 256


class AutoencoderTask:
    """Encoder and decoder, and the pictures they learn from."""

    def __init__(self, pictures: Path, rank: int, batch_size: int, init: Tensors | None) -> None:
        self.encoder = nets.build_encoder()
        self.decoder = nets.build_decoder()
        self.models = (self.encoder, self.decoder)
        if init is not None:
            for model in self.models:
                assign_weights(model, init)
        self._train = dataset.load(pictures, "train").pixels
        self._test = np.asarray(dataset.load(pictures, "test").pixels[:TEST_PICTURES])
        self._rng = np.random.default_rng(rank)
        self._batch_size = batch_size

    def batch(self) -> tuple[np.ndarray, ...]:
        """Pictures (B, 128, 128, 3) uint8."""
        rows = np.sort(self._rng.integers(0, len(self._train), self._batch_size))
        return (self._train[rows],)

    def loss(self, pixels: Any) -> Any:
        """pixels: (B, 128, 128, 3) uint8."""
        import tensorflow as tf

        pictures = tf.cast(pixels, tf.float32) / 127.5 - 1
        latents = tf.cast(self.encoder(pictures), tf.float32)
        noisy = latents + LATENT_NOISE * tf.random.normal(tf.shape(latents))
        error = tf.cast(self.decoder(noisy), tf.float32) - pictures
        down, right = error[:, 1:] - error[:, :-1], error[:, :, 1:] - error[:, :, :-1]
        edges = tf.reduce_mean(tf.abs(down)) + tf.reduce_mean(tf.abs(right))
        mean, variance = tf.nn.moments(latents, axes=[0, 1, 2])
        drift = tf.reduce_mean(mean**2) + tf.reduce_mean(tf.math.log(variance + 1e-6) ** 2)
        pixel = tf.reduce_mean(tf.abs(error)) + 1.5 * tf.reduce_mean(error**2)
        return pixel + edges + 0.01 * drift

    def report(self, folder: Path, samples: int) -> str:
        """Sheet of originals above reconstructions; the line says the PSNR on unseen pictures."""
        rebuilt, latents = reconstruct(self.encoder, self.decoder, self._test)
        pairs = [*self._test[:SHEET_PICTURES], *rebuilt[:SHEET_PICTURES]]
        write_sheet(folder / f"sheet-{samples:08d}.png", pairs, SHEET_PICTURES)
        save_tensors(folder / "autoencoder.safetensors", self.tensors())
        spread = np.round(latents.std(axis=(0, 1, 2)), 3).tolist()
        return f"samples {samples} PSNR {psnr(self._test, rebuilt):.2f} dB, latent std {spread}"

    def tensors(self) -> Tensors:
        """The weights by name."""
        return model_tensors(self.encoder) | model_tensors(self.decoder)


def reconstruct(encoder: Any, decoder: Any, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """uint8 pictures -> (pictures after encoding and decoding, their latents)."""
    rebuilt, latents = [], []
    for start in range(0, len(pixels), 32):
        latent = np.asarray(encoder(to_float(pixels[start : start + 32])), np.float32)
        latents.append(latent)
        rebuilt.append(to_uint8(np.asarray(decoder(latent), np.float32)))
    return np.concatenate(rebuilt), np.concatenate(latents)


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Mean over the pictures of the peak signal-to-noise ratio, in dB."""
    error = (first.astype(np.float32) - second.astype(np.float32)) ** 2
    each = np.maximum(error.mean(axis=(1, 2, 3)), 1e-3)
    return float(np.mean(10 * np.log10(255**2 / each)))


def work(team: Team, rank: int, run: Run) -> None:
    """One worker's share of the training; worker 0 leaves the weights in the run's folder."""
    use_one_thread(run.precision)
    init = load_tensors(run.init) if run.init is not None else None
    train(AutoencoderTask(run.pictures, rank, run.batch_size, init), run, team, rank)


def count_parameters() -> int:
    """Number of parameters to be trained."""
    return parameter_count([nets.build_encoder(), nets.build_decoder()])
