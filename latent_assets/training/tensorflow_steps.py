"""Training steps in TensorFlow: a process per core, gradients averaged between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from latent_assets.training.flat import flattened, loss_of_flat, part_way
from latent_assets.training.parallel import Team


class TensorFlowSteps:
    """The weights as a vector, their moving average, and the optimizer's state."""

    def __init__(
        self,
        loss: Callable[..., Any],
        variables: Sequence[Any],
        optimizer: Any,
        compiled: bool,
        shares: np.ndarray | None = None,
    ) -> None:
        import keras
        import tensorflow as tf

        del compiled  # XLA was measured to slow these networks on a CPU
        self._loss, self._variables, self._optimizer = loss, variables, optimizer
        self._shares = shares
        start = flattened(variables)
        self._flat = keras.Variable(start, name="flat")
        self._average = keras.Variable(start, trainable=False, name="average")
        optimizer.build([self._flat])
        self._gradient = tf.function(self._loss_and_gradient)
        self._apply = tf.function(self._update)

    def _loss_and_gradient(self, *batch: Any) -> tuple[Any, Any]:
        import tensorflow as tf

        flat = tf.convert_to_tensor(self._flat.value)
        with tf.GradientTape() as tape:
            tape.watch(flat)
            loss = loss_of_flat(self._loss, self._variables, flat, *batch)
        return loss, tape.gradient(loss, flat)

    def _update(self, gradient: Any, keep: Any) -> None:
        import tensorflow as tf

        before = None if self._shares is None else tf.identity(self._flat.value)
        self._optimizer.apply([gradient], [self._flat])
        if before is not None:
            self._flat.assign(part_way(before, self._flat.value, self._shares))
        self._average.assign(keep * self._average.value + (1 - keep) * self._flat.value)

    def learn(
        self, team: Team, rank: int, batch: Sequence[np.ndarray], rate: float, keep: float
    ) -> float:
        """One step of the whole team; returns this worker's loss."""
        import tensorflow as tf

        loss, gradient = self._gradient(*(tf.convert_to_tensor(part) for part in batch))
        self._optimizer.learning_rate.assign(rate)
        mean = team.average(rank, gradient.numpy())
        self._apply(tf.convert_to_tensor(mean), tf.constant(keep, tf.float32))
        return float(loss)

    def restart(self) -> None:
        """Take the weights that the models have now, and forget the optimizer's state."""
        start = flattened(self._variables)
        self.restore(
            {name: np.zeros(variable.shape) for name, variable in self._named()}
            | {"flat": start, "average": start}
        )

    def average(self) -> np.ndarray:
        """The averaged weights, as a vector."""
        return self._average.numpy()

    def state(self) -> dict[str, np.ndarray]:
        """Everything that a later run needs to go on."""
        return {name: variable.numpy() for name, variable in self._named()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a `state`."""
        for name, variable in self._named():
            variable.assign(state[name])

    def _named(self) -> list[tuple[str, Any]]:
        optimizer = [(f"optimizer{i}", v) for i, v in enumerate(self._optimizer.variables)]
        return [("flat", self._flat), ("average", self._average), *optimizer]
