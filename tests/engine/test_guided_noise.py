"""What a sampler is fitted with: the guided noise of a loaded model, and its gradient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from latent_assets.diffusion.fitting.closed_form import closed_form
from latent_assets.diffusion.fitting.nodes import choose_nodes
from latent_assets.diffusion.fitting.rollout import coefficients_of, roll
from latent_assets.diffusion.fitting.trajectory import follow
from latent_assets.diffusion.guided_noise import GuidedNoise, guided_noise
from latent_assets.diffusion.protocol import EPSILON, V_PREDICTION
from latent_assets.diffusion.registry import WeightsSource, load_engine
from latent_assets.diffusion.schedule import SamplingSchedule, alphas_cumprod, sampling_schedule

pytestmark = pytest.mark.engine

SOURCE = WeightsSource(Path(__file__).parents[2] / "data" / "models")
ROWS = np.arange(2)
SCALE = 3.0


def draw(number, shape):
    return np.random.default_rng(number).standard_normal(shape).astype(np.float32)


def test_a_fit_to_the_embedded_model_does_what_its_table_does():
    engine = load_engine("embedded", SOURCE)
    contexts, (unconditional,) = engine.encode_text(["a cat", "a boat"]), engine.encode_text([""])
    start = draw(0, (2, *engine.info.latent_shape(engine.info.default_size)))
    noise = engine.guided_noise(contexts, unconditional, SCALE, 8)
    scales = np.full(2, SCALE, np.float32)

    def sampled(schedule):
        return engine.sample(start, contexts, unconditional, scales, schedule)

    schedule = sampling_schedule("dpm++2m", 6, "karras")
    trajectory = follow(noise, start, schedule)
    assert np.abs(trajectory.end - sampled(schedule)).max() < 1e-3
    fit = closed_form(noise, trajectory, ROWS, choose_nodes(trajectory, 3)).fit
    end, _ = roll(noise, start, ROWS, fit.timesteps, fit.weights)
    table = SamplingSchedule("tuned", fit.timesteps, coefficients_of(fit.timesteps, fit.weights))
    assert np.abs(end - sampled(table)).max() < 1e-3

    timestep, along, gradient = 500, draw(1, start.shape), draw(2, start.shape)
    back, _ = noise.pull_back(start, timestep, ROWS, gradient)

    there, here = (noise.predict(start + by * along, timestep, ROWS) for by in (0.01, -0.01))
    difference = float(np.vdot(gradient, there - here)) / 0.02
    assert np.vdot(back, along) == pytest.approx(difference, rel=0.03)


@pytest.mark.parametrize("prediction", [EPSILON, V_PREDICTION])
@pytest.mark.parametrize("at_once", [1, 2])
def test_guidance_and_prediction_are_those_of_the_loop(prediction, at_once):
    import tensorflow as tf

    def denoise(latents, time, context):
        return latents * 0.1 + tf.reduce_mean(context, axis=(1, 2))[:, None, None, None] + (
            time[:, 0, None, None, None] * 0.2
        )  # fmt: skip

    contexts, unconditional = draw(0, (3, 2, 2)), draw(1, (2, 2))
    function = guided_noise(denoise, prediction, unconditional, SCALE)
    noise = GuidedNoise(function, tf.function, contexts, at_once)
    x, rows, timestep = draw(2, (2, 4, 4, 4)), np.array([2, 0]), 321
    of_prompts = contexts[rows].mean(axis=(1, 2))[:, None, None, None]
    guided = unconditional.mean() + SCALE * (of_prompts - unconditional.mean())
    found = x * 0.1 + guided + 0.2 * np.cos(timestep)
    power = alphas_cumprod()[timestep]
    v = prediction == V_PREDICTION
    wanted = np.sqrt(power) * found + np.sqrt(1 - power) * x if v else found
    assert noise.predict(x, timestep, rows) == pytest.approx(wanted, abs=1e-4)
    back, of_time = noise.pull_back(x, timestep, rows, np.ones_like(x))
    slope = 0.1 * np.sqrt(power) + np.sqrt(1 - power) if v else 0.1
    assert back == pytest.approx(np.full_like(x, slope), abs=1e-5)
    factor = np.sqrt(power) if v else 1
    assert of_time == pytest.approx(-0.2 * np.sin(timestep) * factor * x.size, rel=1e-3)
