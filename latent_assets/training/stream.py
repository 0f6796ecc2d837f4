"""Pictures composed by other processes while this one trains."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass

import cv2
import numpy as np

from latent_assets.diffusion.embedded.vocabulary import Vocabulary
from latent_assets.training.coupling import codes_of
from latent_assets.training.cutouts import Cutout
from latent_assets.training.dataset import Composer, Record, Shares, caption_tokens

CHUNK = 64
CAPTIONS = 8
"""Captions drawn for each picture."""
NICE = 10
"""The niceness of those that compose: where they take all cores, fusing a GPU's kernels is slow."""


@dataclass(frozen=True)
class Chunk:
    """Some pictures: pixels (N, 256, 256, 3) uint8, tokens (N, 8, 2, 16), weights (N,) float32.

    codes: (N, 64) float32, what chance decided in them (`coupling`).
    """

    pixels: np.ndarray
    tokens: np.ndarray
    weights: np.ndarray
    codes: np.ndarray
    records: list[Record]


class _Workshop:
    """What a composing process has at hand."""

    composer: Composer
    vocabulary: Vocabulary


def _set_up(cutouts: list[Cutout], vocabulary: Vocabulary, shares: Shares | None) -> None:
    cv2.setNumThreads(1)  # each process has a core
    os.nice(NICE)
    _Workshop.composer, _Workshop.vocabulary = Composer(cutouts, shares), vocabulary


def _compose(first: int) -> Chunk:
    made = [_Workshop.composer.random_picture(first + number) for number in range(CHUNK)]
    records = [record for _, record in made]
    tokens = caption_tokens(records, _Workshop.vocabulary, CAPTIONS, first)
    weights = np.array([record.weight for record in records], np.float32)
    pixels = np.stack([picture for picture, _ in made])
    codes = codes_of(range(first, first + CHUNK))
    return Chunk(pixels, tokens.astype(np.int16), weights, codes, records)


class PictureStream:
    """Chunk after chunk of new pictures, from seed `first` on; to be closed.

    To be opened before the device is used: the processes are forked.
    """

    def __init__(
        self,
        cutouts: list[Cutout],
        vocabulary: Vocabulary,
        processes: int,
        first: int = 0,
        shares: Shares | None = None,
    ) -> None:
        self._next = first
        self._processes = processes
        self._workers = ProcessPoolExecutor(
            processes,
            multiprocessing.get_context("fork"),
            initializer=_set_up,
            initargs=(cutouts, vocabulary, shares),
        )
        self._pending: set[Future[Chunk]] = set()
        self._refill()

    def _refill(self) -> None:
        while len(self._pending) < 3 * self._processes:
            self._pending.add(self._workers.submit(_compose, self._next))
            self._next += CHUNK

    def ready(self, wait_for_one: bool = False) -> Iterator[Chunk]:
        """The chunks that are done, each once; with `wait_for_one`, at least one."""
        timeout = None if wait_for_one else 0
        done, self._pending = wait(self._pending, timeout, FIRST_COMPLETED)
        self._refill()
        for future in done:
            yield future.result()

    def close(self) -> None:
        """End the processes."""
        self._workers.shutdown(wait=False, cancel_futures=True)
