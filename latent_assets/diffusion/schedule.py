"""Noise schedule and samplers as tables of coefficients: pure numpy, computed on the host.

Every sampler here is a linear multistep method in the data prediction, so one step is

    x0  = (x - c0 * eps) / c1                    the denoised latents
    x'  = c2 * eps + c3 * x0 + c4 * x0_previous  the latents at the next timestep

with eps the (guided) noise prediction at `timesteps[k]` and x0_previous the x0 of step k - 1.
A sampler is then nothing but the table `coefficients`, and one loop serves them all. With
c0 = sqrt(1 - a), c1 = sqrt(a), c2 = sqrt(1 - a_next), c3 = sqrt(a_next), c4 = 0 it is DDIM
(Song et al. 2021, eta = 0) in the order of operations of KerasCV's `generate_image`.

Notation: a is the cumulative alpha of a timestep, signal = sqrt(a), noise = sqrt(1 - a),
sigma = noise / signal (Karras et al. 2022), lambda = -log(sigma) (Lu et al. 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latent_assets.errors import UsageError

NUM_TRAIN_TIMESTEPS = 1000
MIN_STEPS = 2
SAMPLERS = ("ddim", "dpm++2m", "euler")
SPACINGS = ("uniform", "karras", "trailing")
SAMPLER_VERSION = 1
"""Enters every frame's key: raise it when a table below changes by more than rounding."""

KARRAS_RHO = 7.0

Timesteps = npt.NDArray[np.int64]
Table = npt.NDArray[np.float64]


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

    betas = linspace(sqrt(0.00085), sqrt(0.012), 1000) ** 2 (Rombach et al. 2022), in the values
    of KerasCV's `_ALPHAS_CUMPROD`: the shortest decimals of the float32 buffer in the published
    checkpoint. The last bits matter, since near a = 1 they move sqrt(1 - a).
    """
    root_betas = np.linspace(0.00085**0.5, 0.012**0.5, NUM_TRAIN_TIMESTEPS, dtype=np.float64)
    exact = np.cumprod(1.0 - root_betas**2)
    return np.array([float(str(value)) for value in exact.astype(np.float32)])


def uniform_timesteps(num_steps: int) -> Timesteps:
    """(S,) int64, decreasing from 999 to 0: round(arange(S) * 999 / (S - 1)), as KerasCV has it."""
    ratio = (NUM_TRAIN_TIMESTEPS - 1) / (num_steps - 1)
    return (np.arange(num_steps) * ratio).round().astype(np.int64)[::-1].copy()


def karras_timesteps(num_steps: int) -> Timesteps:
    """(S,) int64, strictly decreasing from 999 to 0, dense where there is little noise.

    sigma ** (1 / rho) runs linearly, rho = 7 (Karras et al. 2022, equation 5); each sigma is
    taken to the timestep nearest in log sigma, because the denoiser was trained on whole ones.
    """
    log_sigmas = _log_sigmas()
    high, low = np.exp(log_sigmas[[-1, 0]] / KARRAS_RHO)
    wanted = KARRAS_RHO * np.log(np.linspace(high, low, num_steps))
    nearest = np.interp(wanted, log_sigmas, np.arange(NUM_TRAIN_TIMESTEPS)).round()
    timesteps = nearest.astype(np.int64)
    # Neighbours that fell on one timestep are pushed apart, upwards from 0: none is spent twice.
    for step in range(num_steps - 2, -1, -1):
        timesteps[step] = max(timesteps[step], timesteps[step + 1] + 1)
    return np.minimum(timesteps, NUM_TRAIN_TIMESTEPS - 1 - np.arange(num_steps))


def trailing_timesteps(num_steps: int) -> Timesteps:
    """(S,) int64, decreasing from 999 by 1000/S: 999, 749, 499, 249 for four.

    The last step goes from where there still is noise to none, so that none of a few steps is
    spent where nothing is left to do (Lin et al. 2023, table 2).
    """
    ends = NUM_TRAIN_TIMESTEPS - np.arange(num_steps) * (NUM_TRAIN_TIMESTEPS / num_steps)
    return ends.round().astype(np.int64) - 1


SPACED = {
    "uniform": uniform_timesteps,
    "karras": karras_timesteps,
    "trailing": trailing_timesteps,
}


def sampling_schedule(sampler: str, num_steps: int, spacing: str = "uniform") -> SamplingSchedule:
    """The table of a sampler.

    sampler: one of `SAMPLERS`; num_steps: denoiser evaluations (without guidance), 2 to 1000;
    spacing: one of `SPACINGS`. Raises UsageError for anything else.
    """
    if sampler not in SAMPLERS:
        raise UsageError(f"there is no sampler {sampler!r}", f"Choose from {_listed(SAMPLERS)}.")
    if spacing not in SPACINGS:
        raise UsageError(
            f"there is no timestep spacing {spacing!r}", f"Choose from {_listed(SPACINGS)}."
        )
    if not MIN_STEPS <= num_steps <= NUM_TRAIN_TIMESTEPS:
        raise UsageError(
            f"num_steps is {num_steps}",
            f"Take {MIN_STEPS} to {NUM_TRAIN_TIMESTEPS}: one step would visit timestep 0 only.",
        )
    timesteps = SPACED[spacing](num_steps)
    alphas = alphas_cumprod()[timesteps]
    table = {"ddim": _ddim, "euler": _ddim, "dpm++2m": _dpm_solver_pp_2m}[sampler](alphas)
    return SamplingSchedule(sampler, timesteps, table.astype(np.float32))


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def _log_sigmas() -> Table:
    """(1000,) float64, increasing: log of noise over signal at each timestep."""
    alphas = alphas_cumprod()
    return 0.5 * (np.log1p(-alphas) - np.log(alphas))


def _ddim(alphas: Table) -> Table:
    """Song et al. 2021 (Denoising Diffusion Implicit Models), eta = 0. (S,) -> (S, 5).

    Euler's method in sigma (Karras et al. 2022; `euler` in k-diffusion) is the same table:
    x'/signal' = x/signal + (sigma' - sigma) * eps, times signal', is signal' * x0 + noise' * eps.
    """
    following = np.append(alphas[1:], 1.0)
    zeros = np.zeros_like(alphas)
    columns = (
        np.sqrt(1 - alphas),
        np.sqrt(alphas),
        np.sqrt(1.0 - following),
        np.sqrt(following),
        zeros,
    )
    return np.stack(columns, axis=1)


def _dpm_solver_pp_2m(alphas: Table) -> Table:
    """DPM-Solver++(2M), Lu et al. 2022 (algorithm 2), for the data prediction. (S,) -> (S, 5).

    x' = noise'/noise * x - signal' * (exp(-h) - 1) * D, with h = lambda' - lambda and
    D = (1 + 1/2r) * x0 - 1/2r * x0_previous, r = h_previous / h; x = signal * x0 + noise * eps
    put in, it takes the form of the module's docstring. The first step has no previous one and
    the last goes to zero noise, where h is infinite: both are first order (DDIM).
    """
    table = _ddim(alphas)
    lambdas = 0.5 * (np.log(alphas) - np.log1p(-alphas))
    h = np.diff(lambdas)
    for step in range(1, len(alphas) - 1):
        signal = np.sqrt(alphas[step + 1])
        extrapolation = -signal * np.expm1(-h[step]) * h[step] / (2 * h[step - 1])
        table[step, 3] = signal + extrapolation
        table[step, 4] = -extrapolation
    return table
