"""A model that predicts v walks the same way as one that predicts the noise."""

from __future__ import annotations

import numpy as np
import pytest

from latent_assets.diffusion.protocol import EPSILON, V_PREDICTION
from latent_assets.diffusion.sampling_loop import build_loop, build_stepwise_loop
from latent_assets.diffusion.schedule import alphas_cumprod, sampling_schedule

pytestmark = pytest.mark.engine

SPREAD = 0.5
"""Of the data that the model below knows: a normal distribution, so its predictions are known."""


def time_table(timesteps):
    """In place of the embedding: noise and signal of each timestep, (S, 320)."""
    powers = alphas_cumprod()[timesteps]
    table = np.zeros((len(timesteps), 320), np.float32)
    table[:, 0], table[:, 1] = np.sqrt(1 - powers), np.sqrt(powers)
    return table


def predict(prediction):
    def of(latents, time, *_conditions):
        noise, signal = (time[:, i, None, None, None] for i in (0, 1))
        variance = (signal * SPREAD) ** 2 + noise**2
        eps, clean = noise / variance * latents, signal * SPREAD**2 / variance * latents
        return eps if prediction == EPSILON else signal * eps - noise * clean

    return of


@pytest.mark.parametrize("sampler", ["ddim", "dpm++2m", "lcm"])
@pytest.mark.parametrize("stepwise", [False, True])
def test_final_latents_are_the_same(sampler, stepwise):
    build = build_stepwise_loop if stepwise else build_loop
    schedule = sampling_schedule(sampler, 12, "own" if sampler == "lcm" else "uniform")
    noise = np.random.default_rng(0).standard_normal((2, 4, 4, 4)).astype(np.float32)
    context = np.zeros((2, 1, 1), np.float32)
    fresh = np.random.default_rng(1).standard_normal((2, schedule.fresh, 4, 4, 4))
    ones, times = np.ones(2, np.float32), time_table(schedule.timesteps)
    arguments = (noise, context, context, ones, fresh.astype(np.float32), times)
    columns = schedule.coefficients.shape[1]
    latents = {
        kind: np.asarray(
            build(predict(kind), (4, 4, 4), (1, 1), False, kind, columns)(
                *arguments, schedule.coefficients
            )
        )
        for kind in (EPSILON, V_PREDICTION)
    }
    assert np.abs(latents[EPSILON]).max() > 0.1
    assert np.abs(latents[V_PREDICTION] - latents[EPSILON]).max() < 1e-5
