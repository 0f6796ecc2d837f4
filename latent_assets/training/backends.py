"""What differs between Keras's backends outside the training step: TensorFlow, or torch."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from latent_assets.training.torch_steps import TorchFunction, place

Tensor = Any


def backend() -> str:
    """`tensorflow`, or `torch` if KERAS_BACKEND says so."""
    import keras

    return keras.backend.backend()


def prepare(precision: str = "float32") -> None:
    """Set Keras's precision; on TensorFlow keep this process to one core.

    To be called before the backend does anything.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    if backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    else:
        import torch

        torch.backends.cudnn.benchmark = True
    keras.config.set_dtype_policy(precision)


def compiled(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The same function of arrays or tensors, made fast; it returns a tensor or a tuple of them."""
    if backend() == "torch":
        return TorchFunction(function)
    import tensorflow as tf

    return tf.function(function)


class Random(Protocol):
    """Random numbers where they are needed."""

    def normal(self, *shape: int) -> Tensor:
        """float32, standard normal."""
        ...

    def uniform(self, *shape: int) -> Tensor:
        """float32, in [0, 1)."""
        ...

    def order(self, size: int) -> Tensor:
        """A permutation of 0 .. size - 1, as float32."""
        ...


class HostRandom:
    """By numpy, from a seed."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def normal(self, *shape: int) -> np.ndarray:
        """See `Random`."""
        return self._rng.standard_normal(shape, np.float32)

    def uniform(self, *shape: int) -> np.ndarray:
        """See `Random`."""
        return self._rng.random(shape, np.float32)

    def order(self, size: int) -> np.ndarray:
        """See `Random`."""
        return self._rng.permutation(size).astype(np.float32)


class DeviceRandom:
    """By torch, on its device."""

    def __init__(self, seed: int) -> None:
        import torch

        self._generator = torch.Generator(place()).manual_seed(seed)
        self._place = {"generator": self._generator, "device": place()}

    def normal(self, *shape: int) -> Tensor:
        """See `Random`."""
        import torch

        return torch.randn(shape, **self._place)

    def uniform(self, *shape: int) -> Tensor:
        """See `Random`."""
        import torch

        return torch.rand(shape, **self._place)

    def order(self, size: int) -> Tensor:
        """See `Random`."""
        import torch

        return torch.randperm(size, **self._place).float()


def random_numbers(seed: int) -> Random:
    """The backend's."""
    return DeviceRandom(seed) if backend() == "torch" else HostRandom(seed)
