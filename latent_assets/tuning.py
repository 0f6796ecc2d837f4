"""Fitting a sampler to a model: `tune-sampler`. Prompts and noise in, a table out.

The model's own trajectories in many steps are what it is fitted to (`diffusion.fitting`). Prompts
and noise are the same every time, so that the same table comes out on the same machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from latent_assets.diffusion.fitting.closed_form import ClosedForm, closed_form, search
from latent_assets.diffusion.fitting.descent import descend
from latent_assets.diffusion.fitting.nodes import choose_nodes
from latent_assets.diffusion.fitting.rollout import Fit, coefficients_of, roll
from latent_assets.diffusion.fitting.trajectory import (
    FloatArray,
    Noise,
    Tell,
    Trajectory,
    distances,
    follow,
)
from latent_assets.diffusion.protocol import Engine, ModelInfo
from latent_assets.diffusion.schedule import MIN_STEPS, sampling_schedule
from latent_assets.errors import ModelError, UsageError
from latent_assets.models.tuned import MOST_OF_A_SCALE, TunedSampler
from latent_assets.studio import Studio
from latent_assets.walks.noise import gaussian

PROMPTS = (
    "a sunflower",
    "a castle",
    "a red apple",
    "a panda",
    "a house on a meadow",
    "a robot at night",
    "a blue car",
    "a strawberry on the beach",
    "a dog on a pink background",
    "a fish under water",
    "a tree in the snow",
    "a clock",
    "a tiger",
    "a train",
    "a flower",
    "a mushroom in a forest",
    "a bicycle at night",
    "a pumpkin",
    "a horse on a meadow",
    "a bus on a yellow background",
    "a bird",
    "a cake",
    "a lighthouse on the beach",
    "a teapot",
)
UNSEEN = (
    "a cat",
    "a rocket at night",
    "a lion in the desert",
    "an owl in a forest",
    "a pizza",
    "a boat on the beach",
    "a penguin in the snow",
    "a guitar on a green background",
)
"""Prompts that the distances are measured on; the fit does not see them."""
SEEDS, UNSEEN_SEEDS = (0, 1), (2,)
LIMIT = ("dpm++2m", 100, "karras")
"""The many steps that stand for the exact solution, where distances are told."""
FOLLOWED = ("dpm++2m", 50, "karras")
"""The same in the fit, where twice as many prompts are worth more than the rest of the way."""
COMPARED, COMPARED_NAME = ("ddim", 25, "uniform"), "ddim uniform, 25 steps"
NO_SIZE = "Leave the size out."
BATCH_SIZE = 8
SEARCH = 12000
"""Evaluations in the search for timesteps, on half of the rows."""
MOST_ROUNDS, EVALUATIONS = 90, 750
"""Of the descent: so many rounds, and no more than so many steps in all of them together."""
BACKWARDS = 3
"""A step of the descent costs about as much as so many evaluations."""
AT_ONCE = 8 * 16 * 16 * 16
"""Numbers in the latents that are evaluated at once."""


@dataclass(frozen=True)
class Request:
    """What is asked for: a table of so many steps, at one guidance scale, for one picture size."""

    model: str
    num_steps: int
    guidance_scale: Fraction
    size: tuple[int, int]


@dataclass(frozen=True)
class Effort:
    """How much of everything; less than this is for tests and for trying out."""

    prompts: Sequence[str] = PROMPTS
    unseen: Sequence[str] = UNSEEN
    limit: tuple[str, int, str] = LIMIT
    followed: tuple[str, int, str] = FOLLOWED
    search: int = SEARCH
    """Evaluations in the search for timesteps."""
    rounds: int | None = None
    """Of the descent; None: by the number of steps."""

    def rounds_of(self, num_steps: int) -> int:
        """Rounds of the descent for so many steps."""
        return min(MOST_ROUNDS, EVALUATIONS // num_steps) if self.rounds is None else self.rounds

    def evaluations(self, num_steps: int) -> int:
        """All of them, those of the descent by what they cost."""
        seen, unseen = len(self.prompts) * len(SEEDS), len(self.unseen) * len(UNSEEN_SEEDS)
        fitting = BACKWARDS * self.rounds_of(num_steps) * min(BATCH_SIZE, seen) * num_steps
        measuring = unseen * (self.limit[1] + COMPARED[1] + num_steps)
        return seen * (self.followed[1] + num_steps) + self.search + fitting + measuring


FULL = Effort()
Stage = Callable[[str], None]
"""Called with what is done now, in words."""


def request_for(
    info: ModelInfo, num_steps: int, guidance_scale: Fraction, size: tuple[int, int] | None
) -> Request:
    """Checked. Raises UsageError for what cannot be fitted."""
    if info.own_sampling is not None:
        raise UsageError(
            f"the model {info.name} samples in {info.own_sampling.num_steps} steps, and in no"
            " other way",
            "Tune the sampler of a model that was not distilled.",
        )
    most = FOLLOWED[1]  # it steps between places of a trajectory of so many
    if not MIN_STEPS <= num_steps <= most:
        raise UsageError(
            f"a sampler cannot be fitted with {num_steps} steps",
            f"Take {MIN_STEPS} to {most}: 6 to 12 pay.",
        )
    if max(guidance_scale.as_integer_ratio()) > MOST_OF_A_SCALE:
        raise UsageError(
            f"the guidance scale {float(guidance_scale):g} has too many digits",
            "Write it with fewer, as in 7.5.",
        )
    size = size or info.default_size
    if info.fixed_size and size != info.default_size:
        height, width = info.default_size
        raise UsageError(f"the model {info.name} renders {height}x{width} px only", NO_SIZE)
    if any(side % info.size_multiple or side <= 0 for side in size):
        raise UsageError(
            f"a side of {info.name}'s pictures is a multiple of {info.size_multiple} px"
        )
    return Request(info.name, num_steps, guidance_scale, size)


def tune(
    studio: Studio,
    request: Request,
    stage: Stage = lambda _: None,
    tell: Tell = lambda _: None,
    effort: Effort = FULL,
) -> TunedSampler:
    """The table; written nowhere. tell: the evaluations as they are made, of `effort`'s.

    Raises ModelError if the model's own trajectories are no numbers.
    """
    engine = studio.load_engine(request.model)
    stage(f"following {request.model} in {effort.followed[1]} steps")
    noise, start = _rows(engine, request, effort.prompts, SEEDS)
    trajectory = follow(noise, start, sampling_schedule(*effort.followed), tell)
    _check(trajectory.end)
    stage(f"choosing {request.num_steps} timesteps")
    first = _begin(noise, trajectory, request.num_steps, effort.search, tell)
    stage("moving all steps together")
    rounds = effort.rounds_of(request.num_steps)
    batch_size = min(BATCH_SIZE, len(start))
    fit = descend(noise, trajectory, first, rounds, batch_size, lambda made: tell(BACKWARDS * made))
    stage("measuring on prompts that it was not fitted to")
    return TunedSampler(
        weights=engine.info.weights_digest,
        guidance_scale=str(request.guidance_scale),
        size=request.size,
        distances=_measure(engine, request, fit, tell, effort),
        timesteps=fit.timesteps.tolist(),
        coefficients=_shortest(coefficients_of(fit.timesteps, fit.weights)),
    )


def _begin(
    noise: Noise, trajectory: Trajectory, num_steps: int, evaluations: int, tell: Tell
) -> ClosedForm:
    """Timesteps at which half of the rows end nearest, and the closed form of all rows there."""
    every = np.arange(len(trajectory.start))
    half = np.sort(np.random.default_rng(0).permutation(every)[: (len(every) + 1) // 2])
    nodes = search(noise, trajectory, half, choose_nodes(trajectory, num_steps), evaluations, tell)
    return closed_form(noise, trajectory, every, nodes, tell)


def _rows(
    engine: Engine, request: Request, prompts: Sequence[str], seeds: Sequence[int]
) -> tuple[Noise, FloatArray]:
    """The denoiser for each prompt with each seed, and the noise, (B, h, w, c)."""
    shape = engine.info.latent_shape(request.size)
    start = np.stack([gaussian(seed, shape) for _ in prompts for seed in seeds])
    contexts = np.repeat(engine.encode_text(prompts), len(seeds), axis=0)
    (unconditional,) = engine.encode_text([""])
    at_once = max(1, AT_ONCE // int(np.prod(shape)))
    scale = float(request.guidance_scale)
    return engine.guided_noise(contexts, unconditional, scale, at_once), start


def _measure(
    engine: Engine, request: Request, fit: Fit, tell: Tell, effort: Effort
) -> dict[str, float]:
    """Medians of the distances to the limit; by sampler."""
    noise, start = _rows(engine, request, effort.unseen, UNSEEN_SEEDS)
    rows = np.arange(len(start))
    limit = follow(noise, start, sampling_schedule(*effort.limit), tell).end
    compared = follow(noise, start, sampling_schedule(*COMPARED), tell).end
    tuned, _ = roll(noise, start, rows, fit.timesteps, fit.weights)
    tell(request.num_steps * len(rows))
    ends = {"tuned": tuned, COMPARED_NAME: compared}
    return {name: round(float(np.median(distances(end, limit))), 4) for name, end in ends.items()}


def _check(latents: FloatArray) -> None:
    if not np.isfinite(latents).all():
        raise ModelError(
            "the model's latents are no numbers: nothing can be fitted to them",
            "Set LATENT_ASSETS_PRECISION=float32 if it is another.",
        )


def _shortest(table: np.ndarray) -> list[list[float]]:
    """Each float32 as the shortest decimal that stands for it."""
    return [[float(str(value)) for value in row] for row in table]
