"""Teaches the denoiser to draw in four steps, without guidance, and goes on with its first task.

The teacher is the denoiser as it was trained, with guidance. It walks from noise to a picture in
many small steps; the denoiser, told that it draws in few, has to make each of four large ones at
once. Where a step of the trajectory ends is known, so this is plain regression: progressive
distillation (Salimans & Ho 2022) in one stage, with the guidance of Meng et al. 2023 within.

The starts of the large steps are the teacher's in one round, and in the next where the learner
itself arrives, so that it learns to mend its own errors. A quarter of every batch is the first
task, with the same weights: the sampling with many steps is not forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latent_assets.diffusion.embedded import nets
from latent_assets.diffusion.embedded.weights import Tensors, assign_weights
from latent_assets.diffusion.schedule import alphas_cumprod
from latent_assets.training.backends import backend, compiled
from latent_assets.training.denoiser import DenoiserTask, begun
from latent_assets.training.parallel import Team
from latent_assets.training.pools import Pool, new_pool
from latent_assets.training.sampling import CLEAN, Denoising, Sampling, few_steps
from latent_assets.training.torch_steps import place
from latent_assets.training.trainer import Run, train
from latent_assets.training.weight_files import load_tensors

TEACHER_GUIDANCE = 2.0
SMALL_STEPS = 6
"""Steps of the teacher within each of the learner's."""
LARGE_STEPS_SHARE = 0.75
"""Share of a batch; the rest is the first task."""

Tensor = Any


def segment(index: int, guidance: float = TEACHER_GUIDANCE) -> Sampling:
    """The teacher's small steps within the learner's step number `index`."""
    starts = (*few_steps().timesteps, CLEAN)
    inner = np.linspace(starts[index], starts[index + 1], SMALL_STEPS + 1).round().astype(int)
    return Sampling(tuple(inner[:-1].tolist()), guidance, ends_at=int(inner[-1]))


def velocity_between(start: Tensor, end: Tensor, here: float, there: float) -> Tensor:
    """The velocity with which one DDIM step leads from `start` to `end`.

    here, there: the cumulative alphas at both. From end = signal' x0 + noise' eps and
    start = signal x0 + noise eps follows x0 = (end - r start) / (signal' - r signal), where r is
    noise' / noise; the velocity is (signal start - x0) / noise.
    """
    signal, noise = here**0.5, (1 - here) ** 0.5
    ratio = (1 - there) ** 0.5 / noise
    clean = (end - ratio * start) / (there**0.5 - ratio * signal)
    return (signal * start - clean) / noise


class Trajectories:
    """Large steps with what they should lead to, in a pool."""

    def __init__(self, teacher: Any, learner: Any, pool: Pool) -> None:
        self._teacher, self._learner, self._pool = Denoising(teacher), Denoising(learner), pool
        self._velocity = compiled(velocity_between)
        self.rounds = 0

    def add(
        self, noise: Tensor, told: Tensor, understood: Tensor, captions: tuple[Tensor, ...]
    ) -> None:
        """A round: all steps from `noise`, the starts by teacher and learner in turn.

        told, understood: (N, 16, 192), the teacher's contexts and the learner's; captions:
        the tokens and weights that both were made of.
        """
        from keras import ops

        own = self.rounds % 2 == 1
        start, alphas = noise, [*alphas_cumprod().tolist(), 1.0]
        steps = few_steps()
        for index, level in enumerate(steps.levels()):
            inner = segment(index)
            end = self._teacher.run(start, told, inner)
            here, there = alphas[inner.timesteps[0]], alphas[inner.ends_at]
            goal = self._velocity(start, end, np.float32(here), np.float32(there))
            timesteps = np.full(len(noise), inner.timesteps[0], np.int32)
            rows = (ops.cast(start, "float16"), ops.cast(goal, "float16"))
            self._pool.add(*rows, timesteps, *captions)
            start = self._learner.step(start, understood, steps, level) if own else end
        self.rounds += 1

    def draw(self, size: int) -> tuple[Tensor, ...]:
        """(starts, velocities in half precision, timesteps int32, tokens, weights)."""
        return self._pool.draw(size)


@dataclass(frozen=True)
class Rounds:
    """How trajectories are made: so many at once, so many rounds at first, then one every ..."""

    trajectories: int = 64
    first: int = 2
    every: int = 16
    """Steps of the learner between two rounds."""
    room: int = 8192
    """Large steps that are kept."""


class FewStepsTask(DenoiserTask):
    """The denoiser in both modes. It goes on from what another task has learned.

    taught: whether its weights know the few steps already, and are to go on from there; otherwise
    that mode begins as the other one is.
    """

    sampling: Sampling = few_steps()

    def __init__(self, learned: DenoiserTask, rounds: Rounds, taught: bool) -> None:
        self.__dict__.update(learned.__dict__)
        weights = learned.tensors()
        if not taught:
            self.assign(weights | _few_like_many(weights))
        teacher, reader = nets.build_velocity_denoiser(), nets.build_context_encoder()
        for network in (teacher, reader):
            assign_weights(network, weights)
        pool = new_pool(rounds.room, 1)
        self._trajectories = Trajectories(teacher, self.denoiser, pool)
        self._rounds, self._steps = rounds, 0
        self._told = compiled(lambda *captions: self._plain_context(reader, *captions))
        self._understood = compiled(
            lambda *captions: self._plain_context(self.context_encoder, *captions)
        )

    def _plain_context(self, encoder: Any, tokens: Tensor, weights: Tensor) -> Tensor:
        from keras import ops

        silence = ops.zeros((*tokens.shape, nets.WORD_WIDTH))
        return self.mixed_context(tokens, weights, ops.ones_like(weights), silence, encoder)

    def tend(self, show_average: Callable[[], None]) -> None:
        """New trajectories, when they are due."""
        super().tend(show_average)
        if self._steps % self._rounds.every == 0:
            show_average()
            for _ in range(1 if self._steps else self._rounds.first):
                self._go_round()
        self._steps += 1

    def _go_round(self) -> None:
        count = self._rounds.trajectories
        _, *captions, _ = self._examples.draw(count)
        noise = self._numbers.normal(count, *nets.LATENT_SHAPE)
        told, understood = self._told(*captions), self._understood(*captions)
        self._trajectories.add(noise, told, understood, tuple(captions))

    def batch(self) -> tuple[Tensor, ...]:
        """What `loss` takes: large steps, and rows of the first task."""
        from keras import ops

        large = min(round(self._batch_size * LARGE_STEPS_SHARE), self._batch_size - 1)
        start, goal, timesteps, tokens, weights = self._trajectories.draw(large)
        one = ops.ones_like(weights)
        start, goal = ops.cast(start, "float32"), ops.cast(goal, "float32")
        steps = (start, goal, timesteps, one, one, tokens, weights, one)
        return self.joined(steps, self._noised_rows(self._batch_size - large))


def _few_like_many(weights: Tensors) -> Tensors:
    """The few-step mode starts from what the other one is told of the time."""
    return {
        name.replace("/time", "/few"): tensor
        for name, tensor in weights.items()
        if name.startswith("denoiser/time")
    }


def rounds_of(run: Run) -> Rounds:
    """As many trajectories as what computes can take."""
    gpu = backend() == "torch" and place().type == "cuda"
    return Rounds(1024, 6, 24, 65536) if gpu else Rounds(run.batch_size)


def work(team: Team, rank: int, run: Run, autoencoder: Path, model: Path, learned: Path) -> None:
    """One worker's share of the training; learned: the weights file of the denoiser."""
    task = begun(run, rank, autoencoder, model)
    task.assign(load_tensors(learned))
    few = FewStepsTask(task, rounds_of(run), run.init is not None)
    train(few, run, team, rank, shares=task.shares(run.budget.gentle))


def work_together(
    team: Team, rank: int, first: Run, run: Run, autoencoder: Path, model: Path
) -> None:
    """The same after the denoiser, `first`, with its examples and the graph of its step."""
    task = begun(first, rank, autoencoder, model)
    learner = train(task, first, team, rank, shares=task.shares(first.budget.gentle))
    few = FewStepsTask(task, rounds_of(run), first.init is not None)
    train(few, run, team, rank, learner)
