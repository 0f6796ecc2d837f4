"""Rows of arrays from which batches are drawn, and whose oldest make room for new ones."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from latent_assets.training.backends import backend
from latent_assets.training.torch_steps import place

Tensor = Any


class Pool(Protocol):
    """Columns with a common first axis, of at most `room` rows."""

    added: int
    """Rows added so far, those that were displaced included."""

    def add(self, *columns: Tensor) -> None:
        """More rows, of the same shapes and dtypes as the first ones."""
        ...

    def draw(self, size: int) -> tuple[Tensor, ...]:
        """`size` rows of every column, with replacement."""
        ...


class HostPool:
    """By numpy."""

    def __init__(self, room: int, seed: int) -> None:
        self._room, self._rng = room, np.random.default_rng(seed)
        self._columns: list[np.ndarray] = []
        self.added = 0

    def add(self, *columns: Tensor) -> None:
        """See `Pool`."""
        arrays = [np.asarray(column) for column in columns]
        if not self._columns:
            self._columns = [np.empty((self._room, *a.shape[1:]), a.dtype) for a in arrays]
        rows = (np.arange(len(arrays[0])) + self.added) % self._room
        for held, array in zip(self._columns, arrays, strict=True):
            held[rows] = array
        self.added += len(rows)

    def draw(self, size: int) -> tuple[np.ndarray, ...]:
        """See `Pool`."""
        rows = self._rng.integers(0, min(self.added, self._room), size)
        return tuple(column[rows] for column in self._columns)


class DevicePool:
    """By torch, in the device's memory."""

    def __init__(self, room: int, seed: int) -> None:
        import torch

        self._room = room
        self._columns: list[Any] = []
        self._generator = torch.Generator(place()).manual_seed(seed)
        self.added = 0

    def add(self, *columns: Tensor) -> None:
        """See `Pool`."""
        import torch

        tensors = [torch.as_tensor(column).to(place()) for column in columns]
        if not self._columns:
            self._columns = [
                torch.empty((self._room, *t.shape[1:]), dtype=t.dtype, device=place())
                for t in tensors
            ]
        rows = (torch.arange(len(tensors[0]), device=place()) + self.added) % self._room
        for held, tensor in zip(self._columns, tensors, strict=True):
            held[rows] = tensor
        self.added += len(rows)

    def draw(self, size: int) -> tuple[Tensor, ...]:
        """See `Pool`."""
        import torch

        high = min(self.added, self._room)
        rows = torch.randint(high, (size,), generator=self._generator, device=place())
        return tuple(column[rows] for column in self._columns)


def new_pool(room: int, seed: int) -> Pool:
    """The backend's."""
    return DevicePool(room, seed) if backend() == "torch" else HostPool(room, seed)
