"""All weights of a task in one vector, which is what the trainer steps: alike on every backend.

A network is called with pieces of the vector in place of its variables (`keras.StatelessScope`),
so the gradient, the optimizer's state and the moving average are vectors too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from latent_assets.diffusion.embedded.weights import named_weights

FILM = "_film/"
"""In the names of the layers that tell a block of time, prompt and gist."""

Tensor = Any


def flattened(variables: Sequence[Any]) -> np.ndarray:
    """The values of Keras variables, one after the other, float32."""
    from keras import ops

    return np.concatenate([ops.convert_to_numpy(v.value).ravel() for v in variables])


def assign_flat(variables: Sequence[Any], flat: Tensor) -> None:
    """The inverse of `flattened`."""
    start = 0
    for variable in variables:
        size = int(np.prod(variable.shape))
        variable.assign(flat[start : start + size].reshape(variable.shape))
        start += size


def part_way(old: Tensor, new: Tensor, shares: Tensor | None) -> Tensor:
    """From `old` towards `new`, for each number by its share of the way; all the way if None."""
    return new if shares is None else old + shares * (new - old)


def learning_shares(
    models: Sequence[Any], known: Collection[str], gentle: float
) -> np.ndarray | None:
    """Of the learning rate: `gentle` for the weights named in `known`, all of it for the others.

    The known layers through which a denoiser hears what begins anew, those of FiLM (Perez et al.
    2018), take its square root, which lies between. For each trained number, float32, as
    `flattened` has them; None if all learn alike. So what begins anew is learned fast, and what is
    known is hardly disturbed meanwhile.
    """
    if gentle == 1:
        return None
    names = {id(weight): name for model in models for name, weight in named_weights(model).items()}
    trained = [weight for model in models for weight in model.trainable_variables]

    def share(name: str) -> float:
        if name not in known:
            return 1.0
        return gentle**0.5 if FILM in name else gentle

    parts = [np.full(weight.shape, share(names[id(weight)]), np.float32) for weight in trained]
    return np.concatenate([part.ravel() for part in parts])


def loss_of_flat(
    loss: Callable[..., Tensor], variables: Sequence[Any], flat: Tensor, *batch: Tensor
) -> Tensor:
    """`loss(*batch)` with the variables' values taken from the vector `flat`."""
    import keras
    from keras import ops

    ends = np.cumsum([int(np.prod(v.shape)) for v in variables])
    parts = ops.split(flat, ends[:-1].tolist())
    values = [ops.reshape(p, v.shape) for p, v in zip(parts, variables, strict=True)]
    with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
        return loss(*batch)
