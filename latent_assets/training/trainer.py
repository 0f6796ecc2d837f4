"""The training loop that autoencoder, denoiser and classifier share.

A run has a budget in minutes, or a number of steps; the learning rate falls with the share of it
that is spent, so a run is at its best when it ends, whenever that is. The weights that count are
an exponential moving average. Checkpoints hold everything, so a run that was stopped goes on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from latent_assets.training.backends import backend
from latent_assets.training.flat import assign_flat
from latent_assets.training.parallel import Team
from latent_assets.training.tensorflow_steps import TensorFlowSteps
from latent_assets.training.torch_steps import TorchSteps

Batch = tuple[Any, ...]
"""Arrays, or on the torch backend tensors, with a common first axis."""


class Task(Protocol):
    """Something to be trained."""

    models: Sequence[Any]
    """Keras models whose trainable weights are learned."""

    def batch(self) -> Batch:
        """The next batch of this worker."""
        ...

    def loss(self, *batch: Any) -> Any:
        """The scalar loss of a batch, in `keras.ops`."""
        ...

    def tend(self, show_average: Callable[[], None]) -> None:
        """Called between steps, to take in new examples; `show_average` updates the models."""
        ...

    def report(self, folder: Path, samples: int) -> str:
        """Write sample sheets with the averaged weights; returns a line for the log."""
        ...


@dataclass(frozen=True)
class Budget:
    """How long to train, and how. Ends after `minutes`, or after `steps` if these are given."""

    minutes: float = 30.0
    steps: int | None = None
    learning_rate: float = 1e-3
    warm_up: int = 100
    flat_share: float = 0.3
    """Share of the budget before the learning rate falls (along a cosine)."""
    average: float = 0.998
    weight_decay: float = 0.01
    beta_1: float = 0.9
    beta_2: float = 0.97
    report_minutes: float = 5.0
    gentle: float = 1.0
    """Share of the learning rate for layers whose weights are known at the start."""
    compiled: bool = False
    """Whether torch's compiler fuses the kernels of a step (a minute, before the first step)."""


@dataclass(frozen=True)
class Run:
    """One run of a training step, told to every worker."""

    folder: Path
    """Where checkpoint, log, sheets and weights go."""
    pictures: Path
    batch_size: int
    """Samples of one worker's step."""
    budget: Budget
    precision: str = "mixed_bfloat16"
    resume: bool = False
    init: Path | None = None
    """A weights file to start from."""
    artwork: Path | None = None
    """Packed drawings: pictures are composed while training, in place of those in `pictures`."""
    processes: int = 1
    """Processes that compose."""
    before: int | None = None
    """Compose so many pictures before training, and none meanwhile."""


def parameter_count(models: Sequence[Any]) -> int:
    """Number of trained parameters."""
    return sum(int(np.prod(v.shape)) for model in models for v in model.trainable_variables)


def learning_rate(budget: Budget, step: int, progress: float) -> float:
    """Warm-up, flat, then down along a half cosine to 1 % of its height."""
    falling = max(0.0, (progress - budget.flat_share) / (1 - budget.flat_share))
    height = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, falling)))
    return budget.learning_rate * height * min(1.0, (step + 1) / budget.warm_up)


class Learner:
    """Takes the steps: `tensorflow_steps` or `torch_steps` does the arithmetic."""

    def __init__(self, task: Task, budget: Budget, shares: np.ndarray | None = None) -> None:
        import keras

        self._budget = budget
        self.variables = [v for model in task.models for v in model.trainable_variables]
        optimizer = keras.optimizers.AdamW(
            budget.learning_rate,
            budget.weight_decay,
            beta_1=budget.beta_1,
            beta_2=budget.beta_2,
            global_clipnorm=1.0,
        )
        steps = TensorFlowSteps if backend() == "tensorflow" else TorchSteps
        self._steps = steps(task.loss, self.variables, optimizer, budget.compiled, shares)
        self.samples = 0
        self.step = 0

    def learn(self, team: Team, rank: int, batch: Batch, progress: float) -> Any:
        """One step of the whole team; returns this worker's loss (torch: not yet waited for)."""
        rate = learning_rate(self._budget, self.step, progress)
        keep = min(self._budget.average, (1 + self.step) / (12 + self.step))
        loss = self._steps.learn(team, rank, batch, rate, keep)
        self.step += 1
        self.samples += len(batch[0]) * team.size
        return loss

    def start_again(self, budget: Budget) -> None:
        """A new budget, from the weights that the models have now."""
        self._budget = budget
        self.samples = self.step = 0
        self._steps.restart()

    def show_average(self) -> None:
        """Give the task's models the averaged weights; learning does not look at the models'."""
        assign_flat(self.variables, self._steps.average())

    def save(self, path: Path) -> None:
        """Write everything that a later run needs to go on."""
        counts = {"samples": np.array(self.samples), "step": np.array(self.step)}
        fresh = path.with_suffix(".new.npz")
        np.savez(fresh, **counts, **self._steps.state())
        fresh.replace(path)

    def load(self, path: Path) -> None:
        """Go on from `save`."""
        with np.load(path) as arrays:
            self.samples, self.step = int(arrays["samples"]), int(arrays["step"])
            self._steps.restore(dict(arrays))


def train(
    task: Task,
    run: Run,
    team: Team,
    rank: int,
    learner: Learner | None = None,
    shares: np.ndarray | None = None,
) -> Learner:
    """Train until the budget is spent; leaves the averaged weights in the task's models.

    Worker 0 writes `checkpoint.npz`, sample sheets and the log. learner: one that has learned
    another task of the same loss and models; its graph is there already. shares: for each trained
    number (as `flat.flattened` has them, float32) its share of the learning rate; None: all of it.
    """
    budget, folder = run.budget, run.folder
    if learner is None:
        learner = Learner(task, budget, shares)
    else:
        learner.start_again(budget)
    checkpoint = folder / "checkpoint.npz"
    if run.resume and checkpoint.is_file():
        learner.load(checkpoint)
    log = Log(folder, budget.report_minutes)
    first_step = learner.step
    while True:
        share = _progress(budget, log.seconds, learner.step - first_step)
        progress = team.agree(rank, share)
        if progress >= 1:
            break
        task.tend(learner.show_average)
        loss = learner.learn(team, rank, task.batch(), progress)
        if rank == 0:
            log.add(learner, loss, progress)
            if log.report_is_due():
                learner.save(checkpoint)
                _report(task, learner, log, folder)
    if rank == 0:
        learner.save(checkpoint)
    learner.show_average()
    if rank == 0:
        log.say(task.report(folder, learner.samples))
    return learner


def _progress(budget: Budget, seconds: float, steps: int) -> float:
    if budget.steps is not None:
        return steps / budget.steps
    return seconds / (60 * budget.minutes)


def _report(task: Task, learner: Learner, log: Log, folder: Path) -> None:
    learner.show_average()
    log.say(task.report(folder, learner.samples))


class Log:
    """The loss log, one line per hundred steps, on stdout and in `log.txt`."""

    EVERY = 100

    def __init__(self, folder: Path, report_minutes: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "log.txt"
        self._start = time.monotonic()
        self._last = self._start
        self._last_samples = -1
        self._next_report = report_minutes * 60
        self._report_seconds = report_minutes * 60
        self._losses: list[Any] = []

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def add(self, learner: Learner, loss: Any, progress: float) -> None:
        """Note one step."""
        self._losses.append(loss)
        if learner.step % self.EVERY:
            return
        mean = float(np.mean([float(loss) for loss in self._losses]))
        now = time.monotonic()
        rate = ""
        if self._last_samples >= 0:
            rate = f" {(learner.samples - self._last_samples) / (now - self._last):.0f}/s"
        self._last, self._last_samples, self._losses = now, learner.samples, []
        self.say(f"{progress:6.1%} step {learner.step} samples {learner.samples} {mean:.4f}{rate}")

    def report_is_due(self) -> bool:
        """Whether a sample sheet is due (and reckon the next)."""
        if self.seconds < self._next_report:
            return False
        self._next_report = self.seconds + self._report_seconds
        return True

    def say(self, line: str) -> None:
        """Print a line and keep it."""
        stamp = time.strftime("%H:%M:%S")
        print(f"{stamp} {line}", flush=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{stamp} {line}\n")
