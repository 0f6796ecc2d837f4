"""Noise schedule and samplers as tables of coefficients: pure numpy, computed on the host.

Every sampler here is a linear multistep method in the data prediction, so one step is

    x0  = (x - c0 * eps) / c1                    the denoised latents
    x'  = c2 * eps + c3 * x0 + c4 * x0_previous  the latents at the next timestep

with eps the (guided) noise prediction at `timesteps[k]` and x0_previous the x0 of step k - 1.
A sampler is then nothing but the table `coefficients`, and one loop serves them all. With
c0 = sqrt(1 - a), c1 = sqrt(a), c2 = sqrt(1 - a_next), c3 = sqrt(a_next), c4 = 0 it is DDIM
(Song et al. 2021, eta = 0) in the order of operations of KerasCV's `generate_image`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NUM_TRAIN_TIMESTEPS = 1000


@dataclass(frozen=True)
class SamplingSchedule:
    """What a sampler does, step by step, from the largest timestep to the smallest.

    timesteps: (S,) int64; coefficients: (S, 5) float32, the c0..c4 of the module's docstring.
    """

    sampler: str
    timesteps: npt.NDArray[np.int64]
    coefficients: npt.NDArray[np.float32]


def alphas_cumprod() -> npt.NDArray[np.float64]:
    """(1000,) float64, strictly decreasing: the scaled-linear schedule of Stable Diffusion.

    betas = linspace(sqrt(0.00085), sqrt(0.012), 1000) ** 2 (Rombach et al. 2022).
    """
    root_betas = np.linspace(0.00085**0.5, 0.012**0.5, NUM_TRAIN_TIMESTEPS, dtype=np.float64)
    return np.cumprod(1.0 - root_betas**2)
