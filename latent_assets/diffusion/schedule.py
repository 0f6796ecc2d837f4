"""Noise schedule and samplers as tables of coefficients: pure numpy, computed on the host.

Every sampler here is a linear multistep method in the data prediction, so one step is

    x0  = (x - c0 * eps) / c1                    the denoised latents
    x'  = c2 * eps + c3 * x0 + c4 * x0_previous  the latents at the next timestep

with eps the (guided) noise prediction at `timesteps[k]` and x0_previous the x0 of step k - 1.
A table may have a sixth column, c5 * x0 of step k - 2, and a seventh, c6 * fresh noise of step k.
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
SAMPLERS = ("ddim", "dpm++2m", "euler", "lcm")
SPACINGS = ("uniform", "karras", "trailing", "leading", "ays")
OWN = "own"
"""The spacing of a sampler that has timesteps of its own, the only one for it."""
TUNED = "tuned"
"""The sampler whose table was fitted to a model, and lies beside it: see `fitting`."""
SAMPLER_VERSION = 1
"""Enters every frame's key: raise it when a table below changes by more than rounding."""

KARRAS_RHO = 7.0
LCM_DISTILLED = 50
"""Timesteps between which latent consistency models were distilled (Luo et al. 2023)."""
LCM_SIGMA_DATA, LCM_SCALING = 0.5, 10.0
AYS_TIMESTEPS = (999, 850, 736, 645, 545, 455, 343, 233, 124, 24)
AYS_SIGMAS = (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029)
"""As published for Stable Diffusion 1.5 and ten steps (Sabour et al. 2024)."""

Timesteps = npt.NDArray[np.int64]
Table = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SamplingSchedule:
    """What a sampler does, step by step, from the largest timestep to the smallest.

    timesteps: (S,) int64; coefficients: (S, 5 to 7) float32, the module's c0..c4, c5, c6.
    """

    sampler: str
    timesteps: npt.NDArray[np.int64]
    coefficients: npt.NDArray[np.float32]

    @property
    def fresh(self) -> int:
        """How many steps, the first ones, ask for noise of their own."""
        return int(np.count_nonzero(self.coefficients[:, 6])) if self.draws else 0

    @property
    def draws(self) -> bool:
        """Whether there is a column for fresh noise."""
        return self.coefficients.shape[1] > 6  # noqa: PLR2004 - c0 to c6


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
    return _apart(_nearest(wanted))


def trailing_timesteps(num_steps: int) -> Timesteps:
    """(S,) int64, decreasing from 999 by 1000/S: 999, 749, 499, 249 for four.

    The last step goes from where there still is noise to none, so that none of a few steps is
    spent where nothing is left to do (Lin et al. 2023, table 2).
    """
    ends = NUM_TRAIN_TIMESTEPS - np.arange(num_steps) * (NUM_TRAIN_TIMESTEPS / num_steps)
    return ends.round().astype(np.int64) - 1


def leading_timesteps(num_steps: int) -> Timesteps:
    """(S,) int64, decreasing to 1 by the whole part of 1000/S: as Stable Diffusion was published.

    Of 1000 steps the first would be no timestep, so that it is left out and 999 remain.
    """
    ratio = NUM_TRAIN_TIMESTEPS // num_steps
    return np.minimum(np.arange(num_steps) * ratio + 1, NUM_TRAIN_TIMESTEPS - 1)[::-1].copy()


def ays_timesteps(num_steps: int) -> Timesteps:
    """(S,) int64, strictly decreasing: Align Your Steps, made for Stable Diffusion 1.5.

    Ten are the published timesteps. Other numbers as the authors give them: log sigma of the
    published ones, linear between them, each taken to the nearest whole timestep.
    """
    if num_steps == len(AYS_TIMESTEPS):
        return np.array(AYS_TIMESTEPS, np.int64)
    places = np.linspace(0, 1, num_steps + 1)[:-1]
    log_sigmas = np.interp(places, np.linspace(0, 1, len(AYS_SIGMAS)), np.log(AYS_SIGMAS))
    return _apart(_nearest(log_sigmas))


def lcm_timesteps(num_steps: int) -> Timesteps:
    """(S,) int64: every k-th of the 50 timesteps of the distillation, from 999 down."""
    step = NUM_TRAIN_TIMESTEPS // LCM_DISTILLED
    distilled = (np.arange(1, LCM_DISTILLED + 1) * step - 1)[::-1]
    places = np.floor(np.linspace(0, LCM_DISTILLED, num_steps, endpoint=False)).astype(np.int64)
    return distilled[places]


SPACED = {
    "uniform": uniform_timesteps,
    "karras": karras_timesteps,
    "trailing": trailing_timesteps,
    "leading": leading_timesteps,
    "ays": ays_timesteps,
    OWN: lcm_timesteps,
}


def sampling_schedule(sampler: str, num_steps: int, spacing: str = "uniform") -> SamplingSchedule:
    """The table of a sampler.

    sampler: one of `SAMPLERS`; num_steps: denoiser evaluations (without guidance), 2 to 1000, of
    lcm to 50; spacing: one of `SPACINGS`, of lcm `OWN`. Raises UsageError for anything else.
    """
    if sampler not in SAMPLERS:
        raise UsageError(f"there is no sampler {sampler!r}", f"Choose from {_listed(SAMPLERS)}.")
    own = sampler == "lcm"
    if spacing not in ((OWN,) if own else SPACINGS):
        choice = (
            f"The sampler {sampler} has its {OWN}." if own else f"Choose from {_listed(SPACINGS)}."
        )
        raise UsageError(f"there is no timestep spacing {spacing!r}", choice)
    if own and num_steps > LCM_DISTILLED:
        cure = f"The sampler lcm has {MIN_STEPS} to {LCM_DISTILLED} steps."
        raise UsageError(f"num_steps is {num_steps}", cure)
    if not MIN_STEPS <= num_steps <= NUM_TRAIN_TIMESTEPS:
        raise UsageError(
            f"num_steps is {num_steps}",
            f"Take {MIN_STEPS} to {NUM_TRAIN_TIMESTEPS}: one step would visit timestep 0 only.",
        )
    timesteps = SPACED[spacing](num_steps)
    alphas = alphas_cumprod()[timesteps]
    if own:
        table = _lcm(timesteps, alphas)
    else:
        table = {"ddim": _ddim, "euler": _ddim, "dpm++2m": _dpm_solver_pp_2m}[sampler](alphas)
    return SamplingSchedule(sampler, timesteps, table.astype(np.float32))


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def _log_sigmas() -> Table:
    """(1000,) float64, increasing: log of noise over signal at each timestep."""
    alphas = alphas_cumprod()
    return 0.5 * (np.log1p(-alphas) - np.log(alphas))


def _nearest(log_sigmas: Table) -> Timesteps:
    """Of each log sigma the whole timestep that is nearest to it."""
    places = np.interp(log_sigmas, _log_sigmas(), np.arange(NUM_TRAIN_TIMESTEPS))
    return places.round().astype(np.int64)


def _apart(timesteps: Timesteps) -> Timesteps:
    """Those that fell on one timestep are pushed apart, upwards from 0: none is spent twice."""
    for step in range(len(timesteps) - 2, -1, -1):
        timesteps[step] = max(timesteps[step], timesteps[step + 1] + 1)
    return np.minimum(timesteps, NUM_TRAIN_TIMESTEPS - 1 - np.arange(len(timesteps)))


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


def _lcm(timesteps: Timesteps, alphas: Table) -> Table:
    """Multistep consistency sampling, Luo et al. 2023 (algorithm 3), (S,) -> (S, 7).

    The consistency function is f = c_skip x + c_out x0 with its boundary at t = 0; the next
    latents are signal' f + noise' * fresh noise, the last ones f itself.
    """
    scaled = timesteps.astype(np.float64) * LCM_SCALING
    skip = LCM_SIGMA_DATA**2 / (scaled**2 + LCM_SIGMA_DATA**2)
    out = scaled / np.sqrt(scaled**2 + LCM_SIGMA_DATA**2)
    following = np.append(alphas[1:], 1.0)
    signal, noise = np.sqrt(following), np.sqrt(1 - following)
    zeros = np.zeros_like(alphas)
    columns = (
        np.sqrt(1 - alphas),
        np.sqrt(alphas),
        signal * skip * np.sqrt(1 - alphas),  # x = sqrt(a) x0 + sqrt(1 - a) eps
        signal * (out + skip * np.sqrt(alphas)),
        zeros,
        zeros,
        noise,
    )
    return np.stack(columns, axis=1).astype(np.float64)


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
