"""The training loop that autoencoder, denoiser and classifier share.

A run has a budget in minutes, or a number of steps; the learning rate falls with the share of it
that is spent, so a run is at its best when it ends, whenever that is. The weights that count are
an exponential moving average. Checkpoints hold everything, so a run that was stopped goes on.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from latent_assets.training.parallel import Team

Batch = tuple[np.ndarray, ...]


class Task(Protocol):
    """Something to be trained."""

    models: Sequence[Any]
    """Keras models whose trainable weights are learned."""

    def batch(self) -> Batch:
        """The next batch of this worker."""
        ...

    def loss(self, *batch: Any) -> Any:
        """The scalar loss of a batch, as TensorFlow."""
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
    beta_2: float = 0.97
    report_minutes: float = 5.0


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


def use_one_thread(precision: str = "float32") -> None:
    """Keep this process to one core, before TensorFlow does anything. Sets Keras's precision."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.mixed_precision.set_global_policy(precision)


def parameter_count(models: Sequence[Any]) -> int:
    """Number of trained parameters."""
    return sum(int(np.prod(v.shape)) for model in models for v in model.trainable_variables)


def learning_rate(budget: Budget, step: int, progress: float) -> float:
    """Warm-up, flat, then down along a half cosine to 1 % of its height."""
    falling = max(0.0, (progress - budget.flat_share) / (1 - budget.flat_share))
    height = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, falling)))
    return budget.learning_rate * height * min(1.0, (step + 1) / budget.warm_up)


class Learner:
    """Weights, their moving average and the optimizer's state."""

    def __init__(self, task: Task, budget: Budget) -> None:
        import keras
        import tensorflow as tf

        self._budget = budget
        self.variables = [v for model in task.models for v in model.trainable_variables]
        self.averages = [tf.Variable(v.value, trainable=False) for v in self.variables]
        self.optimizer = keras.optimizers.AdamW(
            budget.learning_rate, budget.weight_decay, beta_2=budget.beta_2, global_clipnorm=1.0
        )
        self.optimizer.build(self.variables)
        self.samples = 0
        self.step = 0
        self._gradient = tf.function(self._gradient_of(task.loss))
        self._apply = tf.function(self._apply_flat)

    def _gradient_of(self, loss_of: Callable[..., Any]) -> Callable[..., Any]:
        import tensorflow as tf

        def gradient(*batch: Any) -> tuple[Any, Any]:
            with tf.GradientTape() as tape:
                loss = loss_of(*batch)
            parts = tape.gradient(loss, [v.value for v in self.variables])
            return loss, tf.concat([tf.reshape(part, [-1]) for part in parts], axis=0)

        return gradient

    def _apply_flat(self, flat: Any, keep: Any) -> None:
        import tensorflow as tf

        sizes = [int(np.prod(v.shape)) for v in self.variables]
        parts = tf.split(flat, sizes)
        shaped = [tf.reshape(p, v.shape) for p, v in zip(parts, self.variables, strict=True)]
        self.optimizer.apply(shaped, self.variables)
        for average, variable in zip(self.averages, self.variables, strict=True):
            average.assign(keep * average + (1 - keep) * variable.value)

    def learn(self, team: Team, rank: int, batch: Batch, progress: float) -> float:
        """One step of the whole team; returns this worker's loss."""
        import tensorflow as tf

        loss, gradient = self._gradient(*(tf.convert_to_tensor(part) for part in batch))
        self.optimizer.learning_rate.assign(learning_rate(self._budget, self.step, progress))
        keep = min(self._budget.average, (1 + self.step) / (12 + self.step))
        flat = team.average(rank, gradient.numpy())
        self._apply(tf.convert_to_tensor(flat), tf.constant(keep, tf.float32))
        self.step += 1
        self.samples += len(batch[0]) * team.size
        return float(loss)

    def swap_average(self) -> None:
        """Exchange the weights with their average (twice is back again)."""
        for average, variable in zip(self.averages, self.variables, strict=True):
            value = variable.numpy()
            variable.assign(average)
            average.assign(value)

    def save(self, path: Path) -> None:
        """Write everything that a later run needs to go on."""
        arrays = {"samples": np.array(self.samples), "step": np.array(self.step)}
        for kind, items in self._state().items():
            arrays |= {f"{kind}/{index}": item.numpy() for index, item in enumerate(items)}
        fresh = path.with_suffix(".new.npz")
        np.savez(fresh, **arrays)
        fresh.replace(path)

    def load(self, path: Path) -> None:
        """Go on from `save`."""
        with np.load(path) as arrays:
            self.samples, self.step = int(arrays["samples"]), int(arrays["step"])
            for kind, items in self._state().items():
                for index, item in enumerate(items):
                    item.assign(arrays[f"{kind}/{index}"])

    def _state(self) -> dict[str, list[Any]]:
        return {
            "weights": self.variables,
            "averages": self.averages,
            "optimizer": list(self.optimizer.variables),
        }


def train(task: Task, run: Run, team: Team, rank: int) -> None:
    """Train until the budget is spent; leaves the averaged weights in the task's models.

    Worker 0 writes `checkpoint.npz`, sample sheets and the log.
    """
    budget, folder = run.budget, run.folder
    learner = Learner(task, budget)
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
        loss = learner.learn(team, rank, task.batch(), progress)
        if rank == 0:
            log.add(learner, loss, progress)
            if log.report_is_due():
                learner.save(checkpoint)
                _report(task, learner, log, folder)
    if rank == 0:
        learner.save(checkpoint)
    learner.swap_average()
    if rank == 0:
        log.say(task.report(folder, learner.samples))


def _progress(budget: Budget, seconds: float, steps: int) -> float:
    if budget.steps is not None:
        return steps / budget.steps
    return seconds / (60 * budget.minutes)


def _report(task: Task, learner: Learner, log: Log, folder: Path) -> None:
    learner.swap_average()
    log.say(task.report(folder, learner.samples))
    learner.swap_average()


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
        self._losses: list[float] = []

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def add(self, learner: Learner, loss: float, progress: float) -> None:
        """Note one step."""
        self._losses.append(loss)
        if learner.step % self.EVERY:
            return
        now = time.monotonic()
        mean = float(np.mean(self._losses))
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
