"""Data-parallel training on one machine: one process per core, gradients averaged in shared memory.

Two processes of one thread each were measured to be about twice as fast here as one process of
two threads: the networks are too small to keep a thread pool busy.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable
from multiprocessing.sharedctypes import RawArray
from typing import Any

import numpy as np

from latent_assets.errors import LatentAssetsError

TIMEOUT_SECONDS = 900


class Team:
    """What the worker processes share: a gradient slot each, and the progress of the run."""

    def __init__(self, size: int, parameters: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.size = size
        self.context = context
        self._slots = RawArray("f", size * parameters)
        self._progress = RawArray("d", 1)
        self._barrier = context.Barrier(size)

    def average(self, rank: int, gradient: np.ndarray) -> np.ndarray:
        """The mean of all workers' flat gradients, (up to `parameters`,) float32, all as long."""
        if self.size == 1:
            return gradient
        slots = np.frombuffer(self._slots, np.float32).reshape(self.size, -1)[:, : gradient.size]
        slots[rank] = gradient
        self._barrier.wait(TIMEOUT_SECONDS)
        mean = slots.mean(axis=0)
        self._barrier.wait(TIMEOUT_SECONDS)
        return mean

    def agree(self, rank: int, progress: float) -> float:
        """The progress (0..1) as worker 0 sees it, so that all stop at the same step."""
        if self.size == 1:
            return progress
        if rank == 0:
            self._progress[0] = progress
        self._barrier.wait(TIMEOUT_SECONDS)
        return self._progress[0]


def run_team(team: Team, work: Callable[..., None], *arguments: Any) -> None:
    """Run `work(team, rank, *arguments)` in `team.size` processes; the first is this one."""
    others = [
        team.context.Process(target=_join, args=(work, team, rank, *arguments))
        for rank in range(1, team.size)
    ]
    for process in others:
        process.start()
    try:
        work(team, 0, *arguments)
    except BaseException:
        for process in others:
            process.terminate()
        raise
    for process in others:
        process.join()


def _join(work: Callable[..., None], *arguments: Any) -> None:
    # Ctrl-C reaches all processes of a terminal; the first one alone answers, and ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        work(*arguments)
    except LatentAssetsError:
        sys.exit(1)  # the first one misses the same, and tells it
