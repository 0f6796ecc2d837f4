"""A small classifier that names the things and the background of a picture.

It is trained apart from the model, on the training pictures with other augmentation (blurred,
darker and brighter), and judges what the model draws. Its own accuracy on pictures that it
has not seen bounds what it can say. Where two things are to be seen, it learns to name either.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latent_assets.diffusion.embedded.weights import assign_weights, model_tensors
from latent_assets.diffusion.tensorflow_runtime import precision_scope
from latent_assets.training.concepts import CONCEPTS
from latent_assets.training.examples import Examples
from latent_assets.training.parallel import Team
from latent_assets.training.shown import (
    BACKGROUNDS,
    SIDE,
    UNNAMED,
    Labelled,
    LiveShown,
    Shown,
    labelled_on_disk,
    shrink,
)
from latent_assets.training.stream import PictureStream
from latent_assets.training.trainer import Budget, Run, train
from latent_assets.training.weight_files import load_tensors, save_tensors

WEIGHTS = "classifier.safetensors"
BLURRED_SHARE = 0.5
CONTRAST, BRIGHTNESS = 0.2, 0.1
"""How far the contrast and the light of pictures in [-1, 1] vary."""
AT_ONCE = 64


def build_network() -> Any:
    """Model pictures (B, 128, 128, 3) in [-1, 1] -> [thing logits, background logits]."""
    import keras
    from keras import layers

    def convolution(x: Any, width: int, name: str, strides: int = 1) -> Any:
        x = layers.Conv2D(width, 3, strides, "same", use_bias=False, name=name)(x)
        return layers.GroupNormalization(16, name=f"{name}-norm")(x)

    pictures = keras.Input((SIDE, SIDE, 3), name="pictures")
    x = layers.Conv2D(32, 5, strides=2, padding="same", activation="relu", name="stem")(pictures)
    for stage, width in enumerate((64, 128, 192, 256), start=1):
        x = layers.Activation("relu")(convolution(x, width, f"stage{stage}-down", strides=2))
        inner = layers.Activation("relu")(convolution(x, width, f"stage{stage}-first"))
        inner = convolution(inner, width, f"stage{stage}-second")
        x = layers.Activation("relu")(layers.Add()([x, inner]))
    pooled = [layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)]
    x = layers.Dropout(0.1)(layers.Concatenate()(pooled))
    heads = [
        layers.Dense(len(CONCEPTS), dtype="float32", name="concept")(x),
        layers.Dense(len(BACKGROUNDS), dtype="float32", name="background")(x),
    ]
    return keras.Model(pictures, heads, name="classifier")


class ClassifierTask:
    """The network and the pictures that it learns from; blends are left out."""

    def __init__(self, examples: Examples, test: Labelled, batch_size: int = 64) -> None:
        self.network = build_network()
        self.models = (self.network,)
        self._examples, self._test = examples, test
        self._rng = np.random.default_rng(7)
        self._batch_size = batch_size

    def batch(self) -> tuple[Any, ...]:
        """(pictures (B, 128, 128, 3) uint8, things (B, 2), backgrounds (B,), chances (B, 3))."""
        chances = self._rng.random((self._batch_size, 3), np.float32)
        return *self._examples.draw(self._batch_size), chances

    def loss(self, pixels: Any, things: Any, backgrounds: Any, chances: Any) -> Any:
        """Cross-entropies: of each of the two things (the same twice, if one), and behind them."""
        import keras
        from keras import ops

        entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
        found, behind = self.network(augmented(pixels, chances), training=True)
        of_things = (entropy(things[:, 0], found) + entropy(things[:, 1], found)) / 2
        named = ops.cast(backgrounds != UNNAMED, "float32")
        of_background = entropy(ops.maximum(backgrounds, 0), behind) * named
        return ops.mean(of_things) + 0.5 * ops.mean(of_background)

    def tend(self, show_average: Any) -> None:
        """See `trainer.Task`."""
        del show_average
        self._examples.tend()

    def report(self, folder: Path, samples: int) -> str:
        """Accuracy on the test pictures."""
        pixels, things, backgrounds = self._test
        found, behind = classify(self.network, pixels)
        alone = things[:, 0] == things[:, 1]
        top1, top5 = top_accuracy(found[alone], things[alone, 0])
        both = both_named(found[~alone], things[~alone])
        right = background_accuracy(behind, backgrounds)
        del folder
        return (
            f"samples {samples} test top-1 {top1:.3f} top-5 {top5:.3f} both {both:.3f}"
            f" background {right:.3f}"
        )


def augmented(pixels: Any, chances: Any) -> Any:
    """uint8 pictures (B, 128, 128, 3) -> float32 about [-1, 1]; chances (B, 3) in 0..1."""
    from keras import ops

    x = ops.cast(pixels, "float32") / 127.5 - 1
    chances = ops.reshape(ops.cast(chances, "float32"), (-1, 3, 1, 1, 1))
    soft = ops.average_pool(x, 3, 1, "same")
    x = ops.where(chances[:, 0] < BLURRED_SHARE, soft, x)
    return x * (1 + CONTRAST * (2 * chances[:, 1] - 1)) + BRIGHTNESS * (2 * chances[:, 2] - 1)


def classify(network: Any, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """uint8 pictures of either size -> (thing logits, background logits)."""
    from keras import ops

    small = pixels if pixels.shape[1] == SIDE else shrink(pixels)
    found = []
    for at in range(0, len(small), AT_ONCE):
        pictures = small[at : at + AT_ONCE].astype(np.float32) / 127.5 - 1
        found.append([ops.convert_to_numpy(x) for x in network(pictures, training=False)])
    things, behind = zip(*found, strict=True)
    return np.concatenate(things), np.concatenate(behind)


def top_accuracy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Shares of rows whose label is the best guess, and among the best five."""
    ranked = np.argsort(-logits, axis=1)[:, :5]
    hits = ranked == np.asarray(labels)[:, None]
    return float(hits[:, 0].mean()), float(hits.any(axis=1).mean())


def both_named(logits: np.ndarray, things: np.ndarray) -> float:
    """Share of rows whose two best guesses are the two things (N, 2); NaN without rows."""
    if not len(things):
        return float("nan")
    best = np.sort(np.argsort(-logits, axis=1)[:, :2], axis=1)
    return float((best == np.sort(things, axis=1)).all(axis=1).mean())


def background_accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Share of the rows with a named background whose background is the best guess."""
    named = labels != UNNAMED
    return float((logits.argmax(axis=1) == labels)[named].mean())


def load_classifier(folder: Path) -> Any | None:
    """The trained network that `folder` holds, or None."""
    path = folder / WEIGHTS
    if not path.is_file():
        return None
    network = build_network()
    assign_weights(network, load_tensors(path))
    return network


@dataclass(frozen=True)
class Training:
    """How the judge learns: from `stream`, or from the pictures on disk, which may be too few."""

    budget: Budget
    batch_size: int = 64
    precision: str = "float32"
    """Keras's dtype policy while it learns; it judges in float32."""
    stream: PictureStream | None = None
    before: int | None = None
    """See `LiveShown`."""
    resume: bool = False
    """Go on with the one in the folder, from its checkpoint."""


def train_classifier(pictures: Path, folder: Path, training: Training) -> Any:
    """Train it (one process), or take the one that `folder` holds; returns the network."""
    known = load_classifier(folder)
    if known is not None and not training.resume:
        return known
    folder.mkdir(parents=True, exist_ok=True)
    stream, batch_size = training.stream, training.batch_size
    examples = Shown(pictures) if stream is None else LiveShown(stream, training.before)
    with precision_scope(training.precision):
        task = ClassifierTask(examples, labelled_on_disk(pictures, "test"), batch_size)
        run = Run(
            folder, pictures, batch_size, training.budget, training.precision, training.resume
        )
        train(task, run, Team(1, 0), 0)
    save_tensors(folder / WEIGHTS, model_tensors(task.network))
    return load_classifier(folder)
