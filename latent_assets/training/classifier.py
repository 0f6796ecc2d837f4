"""A small classifier that names the thing and the background of a picture.

It is trained apart from the model, on the training pictures with other augmentation (mirrored,
moved, blurred, darker and brighter), and judges what the model draws. Its own accuracy on
pictures that it has not seen bounds what it can say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from latent_assets.training import dataset
from latent_assets.training.captions import COLOURS, SCENES
from latent_assets.training.concepts import CONCEPTS
from latent_assets.training.parallel import Team
from latent_assets.training.trainer import Budget, Run, train

SIDE = 64
MAX_SHIFT = 6
MIRRORED_SHARE = 0.5
BLURRED_SHARE = 0.5
BACKGROUNDS = (*sorted(COLOURS), *sorted(SCENES))


def shrink(pixels: np.ndarray) -> np.ndarray:
    """(N, 128, 128, 3) -> (N, 64, 64, 3), means of 2x2, as uint8."""
    count = len(pixels)
    blocks = pixels.reshape(count, SIDE, 2, SIDE, 2, 3).astype(np.float32)
    return blocks.mean(axis=(2, 4)).round().astype(np.uint8)


def build_network() -> Any:
    """Model pictures (B, 64, 64, 3) in [-1, 1] -> [concept logits, background logits]."""
    import keras
    from keras import layers

    pictures = keras.Input((SIDE, SIDE, 3), name="pictures")
    x = layers.Conv2D(32, 5, strides=2, padding="same", activation="relu", name="conv1")(pictures)
    for index, width in enumerate((64, 96, 128), start=2):
        x = layers.Conv2D(width, 3, strides=2, padding="same", name=f"conv{index}")(x)
        x = layers.Activation("relu")(layers.GroupNormalization(16, name=f"norm{index}")(x))
    x = layers.Dropout(0.2)(layers.Flatten()(x))
    x = layers.Dense(256, activation="relu", name="hidden")(x)
    heads = [
        layers.Dense(len(CONCEPTS), dtype="float32", name="concept")(x),
        layers.Dense(len(BACKGROUNDS), dtype="float32", name="background")(x),
    ]
    return keras.Model(pictures, heads, name="classifier")


class ClassifierTask:
    """The network and the pictures that it learns from; blends are left out."""

    def __init__(self, pictures: Path, batch_size: int = 64) -> None:
        self.network = build_network()
        self.models = (self.network,)
        self._pixels, self._concepts, self._backgrounds = _labelled(pictures, "train")
        self._test = _labelled(pictures, "test")
        self._rng = np.random.default_rng(7)
        self._batch_size = batch_size

    def batch(self) -> tuple[np.ndarray, ...]:
        """(augmented pictures (B, 64, 64, 3) float32, concepts (B,), backgrounds (B,))."""
        rows = self._rng.integers(0, len(self._pixels), self._batch_size)
        pictures = np.stack([self._augmented(self._pixels[row]) for row in rows])
        return pictures, self._concepts[rows], self._backgrounds[rows]

    def _augmented(self, pixels: np.ndarray) -> np.ndarray:
        picture = pixels.astype(np.float32) / 127.5 - 1
        shift = self._rng.integers(-MAX_SHIFT, MAX_SHIFT + 1, 2)
        padded = np.pad(picture, ((MAX_SHIFT,) * 2, (MAX_SHIFT,) * 2, (0, 0)), mode="edge")
        top, left = MAX_SHIFT + shift
        picture = padded[top : top + SIDE, left : left + SIDE]
        if self._rng.random() < MIRRORED_SHARE:
            picture = picture[:, ::-1]
        if self._rng.random() < BLURRED_SHARE:
            rows = (picture + np.roll(picture, 1, 0) + np.roll(picture, -1, 0)) / 3
            picture = (rows + np.roll(rows, 1, 1) + np.roll(rows, -1, 1)) / 3
        picture = picture * self._rng.uniform(0.85, 1.15) + self._rng.uniform(-0.1, 0.1)
        noise = self._rng.standard_normal(picture.shape).astype(np.float32)
        return (picture + 0.06 * self._rng.random() * noise).astype(np.float32)

    def loss(self, pictures: Any, concepts: Any, backgrounds: Any) -> Any:
        """Cross-entropy of both heads."""
        import tensorflow as tf

        thing, behind = self.network(pictures, training=True)
        entropy = tf.nn.sparse_softmax_cross_entropy_with_logits
        return tf.reduce_mean(entropy(concepts, thing)) + 0.5 * tf.reduce_mean(
            entropy(backgrounds, behind)
        )

    def report(self, folder: Path, samples: int) -> str:
        """The accuracy on the test pictures."""
        pixels, concepts, backgrounds = self._test
        things, behind = classify(self.network, pixels)
        top1, top5 = top_accuracy(things, concepts)
        right = float((behind.argmax(1) == backgrounds).mean())
        del folder
        return f"samples {samples} test top-1 {top1:.3f} top-5 {top5:.3f} background {right:.3f}"


def _labelled(pictures: Path, split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(pictures (N, 64, 64, 3), concepts (N,), backgrounds (N,)), without blends."""
    loaded = dataset.load(pictures, split)
    rows = [row for row, record in enumerate(loaded.records) if record.other is None]
    scenes = [loaded.records[row].scene for row in rows]
    concepts = np.array([scene.concept for scene in scenes], np.int32)
    backgrounds = np.array([BACKGROUNDS.index(scene.background) for scene in scenes], np.int32)
    parts = [shrink(loaded.pixels[rows[at : at + 512]]) for at in range(0, len(rows), 512)]
    return np.concatenate(parts), concepts, backgrounds


def classify(network: Any, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """uint8 pictures of either size -> (concept logits, background logits)."""
    small = pixels if pixels.shape[1] == SIDE else shrink(pixels)
    pictures = small.astype(np.float32) / 127.5 - 1
    parts = [network(pictures[at : at + 128], training=False) for at in range(0, len(small), 128)]
    things, behind = zip(*parts, strict=True)
    return np.concatenate([np.asarray(t) for t in things]), np.concatenate(
        [np.asarray(b) for b in behind]
    )


def top_accuracy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Shares of rows whose label is the best guess, and among the best five."""
    ranked = np.argsort(-logits, axis=1)[:, :5]
    hits = ranked == np.asarray(labels)[:, None]
    return float(hits[:, 0].mean()), float(hits.any(axis=1).mean())


def train_classifier(pictures: Path, folder: Path, minutes: float) -> Any:
    """Train it (one process), or take the one that `folder` holds; returns the network."""
    path = folder / "classifier.weights.h5"
    if path.is_file():
        network = build_network()
        network.load_weights(path)
        return network
    task = ClassifierTask(pictures)
    run = Run(folder, pictures, 64, Budget(minutes=minutes, average=0.99))
    train(task, run, Team(1, 0), 0)
    task.network.save_weights(path)
    return task.network
