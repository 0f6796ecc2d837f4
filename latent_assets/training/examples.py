"""Where batches come from: pictures on disk, or pictures that lie on the device and grow in number.

Both hand out rows drawn at random. The memory-mapped file is for a machine with few cores, which
composes its pictures once; the pool is for a GPU, which is fed by other processes while it trains.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from latent_assets.diffusion.embedded.vocabulary import Vocabulary
from latent_assets.training.captions import caption
from latent_assets.training.coupling import codes_of
from latent_assets.training.dataset import Record
from latent_assets.training.pools import DevicePool, new_pool
from latent_assets.training.stream import CHUNK, Chunk, PictureStream

ROOM, FIRST_PICTURES = 400_000, 6_000
"""Latents kept of pictures that are composed while training; how many there are to begin with."""

Tensor = Any


class Examples(Protocol):
    """Rows of arrays with a common first axis."""

    def draw(self, size: int) -> tuple[Tensor, ...]:
        """`size` rows, drawn with replacement."""
        ...

    def tend(self) -> None:
        """Take in what has become ready; called between steps."""
        ...


class Pictures:
    """uint8 pictures (N, 256, 256, 3) of a memory-mapped array."""

    def __init__(self, pixels: np.ndarray, seed: int) -> None:
        self._pixels = pixels
        self._rng = np.random.default_rng(seed)

    def draw(self, size: int) -> tuple[np.ndarray]:
        """(pictures (B, 256, 256, 3) uint8,)."""
        return (self._pixels[np.sort(self._rng.integers(0, len(self._pixels), size))],)

    def tend(self) -> None:
        """See `Examples`: all pictures are there."""


@dataclass(frozen=True)
class Captioner:
    """Captions for records as tokens, drawn anew for every sample."""

    vocabulary: Vocabulary
    random: random.Random

    def tokens(self, record: Record) -> np.ndarray:
        """(2, 16): the tokens of the scene and of the one blended in (or the same again)."""
        first = self.vocabulary.tokens(caption(record.scene, self.random))
        if record.other is None:
            return np.stack([first, first])
        return np.stack([first, self.vocabulary.tokens(caption(record.other, self.random))])


class Latents:
    """Latents (N, 16, 16, 16) of the pictures on disk, numbered from 0, with their records."""

    def __init__(self, latents: np.ndarray, records: list[Record], captioner: Captioner) -> None:
        self._latents, self._records, self._captioner = latents, records, captioner
        self._codes = codes_of(range(len(records)))
        self._rng = np.random.default_rng(captioner.random.randrange(2**32))

    def draw(self, size: int) -> tuple[np.ndarray, ...]:
        """(latents float32, tokens (B, 2, 16) int32, share of the second caption (B,), codes)."""
        rows = self._rng.integers(0, len(self._records), size)
        records = [self._records[row] for row in rows]
        tokens = np.stack([self._captioner.tokens(record) for record in records])
        weights = np.array([record.weight for record in records], np.float32)
        return self._latents[rows].astype(np.float32), tokens, weights, self._codes[rows]

    def tend(self) -> None:
        """See `Examples`: all latents are there."""


class ResidentPictures:
    """The same pictures, all in the device's memory (torch)."""

    def __init__(self, pixels: np.ndarray, seed: int) -> None:
        self._pool = DevicePool(len(pixels), seed)
        for start in range(0, len(pixels), CHUNK):
            self._pool.add(np.ascontiguousarray(pixels[start : start + CHUNK]))

    def draw(self, size: int) -> tuple[Tensor]:
        """As `Pictures.draw`."""
        (pixels,) = self._pool.draw(size)
        return (pixels,)

    def tend(self) -> None:
        """See `Examples`: all pictures are there."""


class Composed:
    """Rows made of pictures that other processes compose.

    columns: what a chunk becomes. room: the most rows that are kept, the newest; first: how many
    there are to begin with. before: compose so many first and none after, so that the learning has
    all cores to itself; None: a few first, the others meanwhile.
    """

    def __init__(
        self,
        stream: PictureStream,
        columns: Callable[[Chunk], tuple[Tensor, ...]],
        room: int,
        first: int,
        seed: int,
        before: int | None = None,
    ) -> None:
        self._stream, self._columns, self._ends = stream, columns, before is not None
        self._pool = new_pool(room if before is None else before, seed)
        while self._pool.added < (first if before is None else before):
            self._take(wait_for_one=True)
        if self._ends:
            stream.close()

    def draw(self, size: int) -> tuple[Tensor, ...]:
        """`size` rows of every column; on torch, tensors."""
        return self._pool.draw(size)

    def tend(self) -> None:
        """Take in what is ready."""
        if not self._ends:
            self._take()

    def _take(self, wait_for_one: bool = False) -> None:
        for chunk in self._stream.ready(wait_for_one):
            self._pool.add(*self._columns(chunk))


class LiveLatents(Composed):
    """The latents of such pictures, with several captions each.

    encode: pictures uint8 -> latents, on the device.
    """

    def __init__(
        self,
        stream: PictureStream,
        encode: Callable[[Tensor], Tensor],
        seed: int,
        before: int | None = None,
    ) -> None:
        def columns(chunk: Chunk) -> tuple[Tensor, ...]:
            from keras import ops

            latents = ops.cast(encode(chunk.pixels), "float16")
            return latents, chunk.tokens, chunk.weights, chunk.codes

        super().__init__(stream, columns, ROOM, FIRST_PICTURES, seed, before)
        self._rng = np.random.default_rng(seed)

    def draw(self, size: int) -> tuple[Tensor, ...]:
        """As `Latents.draw`: one of each row's captions."""
        from keras import ops

        latents, tokens, weights, codes = super().draw(size)
        chosen = tokens[np.arange(size), self._rng.integers(0, tokens.shape[1], size)]
        return ops.cast(latents, "float32"), ops.cast(chosen, "int32"), weights, codes
