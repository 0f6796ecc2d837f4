"""Ties the noise of a training sample to what chance decides in its picture.

A caption leaves place, size, light and the details of the scene open. Where noise and pictures are
drawn apart, the sampling decides them by and by, and another decision is a jump: halfway between
two prompts a thing is suddenly larger, or elsewhere. So a few directions of the noise carry the
picture's chance (its *code*): a chequerboard in each latent channel and quadrant. They are
normally distributed as before, and so is the noise; what the model sees of the code at the first
step it would otherwise have had to guess. Pairing noise and data for straighter ways: Pooladian
et al. 2023 (multisample flow matching), here by a known variable in place of transport.

Samplers that bring in new noise on the way break the tie, so later timesteps are taught without it
as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import NormalDist
from typing import Any

import numpy as np

from latent_assets.diffusion.embedded import nets
from latent_assets.training.composing import chance_of_ground, open_questions

LOOSE_BELOW = 600
"""The timestep under which a picture's coarse traits are to be seen through the noise."""
LOOSE_SHARE = 0.5
"""Share of the samples under it whose noise knows nothing of the picture."""
OUTERMOST = 1e-4
"""Quantiles beyond this one and its mirror are not told apart: a normal number has no end."""

Tensor = Any


def codes_of(numbers: Iterable[int]) -> np.ndarray:
    """What chance decides in pictures, from their numbers: (N, 64) float32, standard normal."""
    normal = NormalDist()
    rows = [
        [normal.inv_cdf(min(max(share, OUTERMOST), 1 - OUTERMOST)) for share in _shares(number)]
        for number in numbers
    ]
    return np.array(rows, np.float32).reshape(-1, nets.GIST_WIDTH)


def _shares(number: int) -> list[float]:
    """(64,) in 0..1: first what the thing and the light take, then the ground."""
    asked, ground = open_questions(number), chance_of_ground(number)
    return [*asked, *(ground.random() for _ in range(nets.GIST_WIDTH - len(asked)))]


def coupled(noise: Tensor, codes: Tensor) -> Tensor:
    """The noise (B, 16, 16, 16) with the codes (B, 64) for its gist (`nets.gist_of`)."""
    from keras import ops

    size, channels = nets.LATENT_SIZE, nets.LATENT_CHANNELS
    side = size // nets.QUADRANTS
    shift = (ops.cast(codes, "float32") - nets.gist_of(noise)) / side
    down = ops.tile(
        ops.reshape(shift, (-1, nets.QUADRANTS, 1, nets.QUADRANTS * channels)), (1, 1, side, 1)
    )
    across = ops.tile(
        ops.reshape(down, (-1, size, nets.QUADRANTS, 1, channels)), (1, 1, 1, side, 1)
    )
    return noise + ops.multiply(ops.reshape(across, (-1, *nets.LATENT_SHAPE)), nets.gist_pattern())
