"""The samplers solve what they claim to solve: exact cases, order of convergence, invariants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent_assets.diffusion.schedule import (
    SAMPLERS,
    SPACINGS,
    alphas_cumprod,
    ays_timesteps,
    karras_timesteps,
    leading_timesteps,
    sampling_schedule,
    trailing_timesteps,
    uniform_timesteps,
)
from latent_assets.errors import UsageError

steps = st.integers(2, 1000)


def sample(schedule, eps, x):
    """The loop of `schedule`'s docstring in float64; eps(x, timestep) predicts the noise."""
    previous = older = np.zeros_like(x)
    for timestep, row in zip(
        schedule.timesteps, schedule.coefficients.astype(np.float64), strict=True
    ):
        c0, c1, c2, c3, c4, c5 = [*row, 0.0][:6]
        noise = eps(x, timestep)
        clean = (x - c0 * noise) / c1
        x = c2 * noise + c3 * clean + c4 * previous + c5 * older
        previous, older = clean, previous
    return x


def test_alphas_are_those_of_stable_diffusion():
    alphas = alphas_cumprod()
    # First and last values of the published checkpoint's buffer.
    assert alphas[0] == 0.99915
    assert alphas[-1] == pytest.approx(0.0046601, abs=1e-7)
    assert np.all(np.diff(alphas) < 0)


@pytest.mark.engine
def test_alphas_are_kerascvs_table_to_the_last_bit():
    from keras_cv.src.models.stable_diffusion.constants import _ALPHAS_CUMPROD

    assert alphas_cumprod().tolist() == list(_ALPHAS_CUMPROD)


def test_uniform_timesteps_are_those_of_generate_image():
    assert uniform_timesteps(5).tolist() == [999, 749, 500, 250, 0]
    assert uniform_timesteps(2).tolist() == [999, 0]


@given(steps)
def test_timesteps_visit_no_timestep_twice_and_reach_both_ends(count):
    for timesteps in (uniform_timesteps(count), karras_timesteps(count)):
        assert len(timesteps) == count
        assert np.all(np.diff(timesteps) < 0)
        assert (timesteps[0], timesteps[-1]) == (999, 0)


def test_karras_spacing_follows_its_law_where_timesteps_are_sparse():
    timesteps = karras_timesteps(10)[:7]  # further down, rounding to whole timesteps shows
    alphas = alphas_cumprod()
    sigma = np.sqrt((1 - alphas) / alphas)
    law = np.linspace(sigma[999] ** (1 / 7), sigma[0] ** (1 / 7), 10) ** 7
    assert sigma[timesteps] == pytest.approx(law[:7], rel=5e-3)


PICTURE = np.array([0.3, -1.7, 2.0])


def noise_beside(picture):
    """The noise prediction of a model that knows one picture only."""
    alphas = alphas_cumprod()
    return lambda x, t: (x - np.sqrt(alphas[t]) * picture) / np.sqrt(1 - alphas[t])


DETERMINISTIC = [sampler for sampler in SAMPLERS if sampler != "lcm"]


@given(st.sampled_from(DETERMINISTIC), st.sampled_from(SPACINGS), st.integers(2, 200))
def test_a_known_picture_is_found_exactly(sampler, spacing, count):
    """If the data is one picture, the noise prediction is exact and so is every sampler."""
    schedule = sampling_schedule(sampler, count, spacing)
    first = alphas_cumprod()[schedule.timesteps[0]]
    start = np.sqrt(first) * PICTURE + np.sqrt(1 - first) * np.array([1.0, -0.5, 0.2])
    found = sample(schedule, noise_beside(PICTURE), start)
    assert found == pytest.approx(PICTURE, abs=2e-5)


@given(st.integers(2, 50))
def test_lcm_finds_a_known_picture_whatever_noise_it_is_given(count):
    schedule = sampling_schedule("lcm", count, "own")
    assert (schedule.fresh, schedule.coefficients[-1, 6]) == (count - 1, 0)
    assert len(set(schedule.timesteps)) == count
    eps, rng = noise_beside(PICTURE), np.random.default_rng(count)
    x = rng.standard_normal(3)
    for timestep, row in zip(schedule.timesteps, schedule.coefficients, strict=True):
        c0, c1, c2, c3, _, _, c6 = row.astype(np.float64)
        noise = eps(x, timestep)
        x = c2 * noise + c3 * (x - c0 * noise) / c1 + c6 * rng.standard_normal(3)
    assert x == pytest.approx(PICTURE, abs=1e-4)


def test_align_your_steps_is_the_published_schedule():
    assert ays_timesteps(10).tolist() == [999, 850, 736, 645, 545, 455, 343, 233, 124, 24]
    for count in (4, 9, 11, 20, 500):
        found = ays_timesteps(count)
        assert (len(found), found[0]) == (count, 999)
        assert np.all(np.diff(found) < 0)


def test_leading_timesteps_are_those_of_stable_diffusion_as_published():
    assert leading_timesteps(50).tolist() == list(range(981, 0, -20))
    assert leading_timesteps(999)[[0, -1]].tolist() == [999, 1]


def gaussian_error(sampler, count, spread=0.5, mean=1.0):
    """Distance to the exact end of the probability-flow ODE for data N(mean, spread^2).

    In sigma's terms the solution is x/signal = mean + (x0/signal0 - mean) * sqrt(
    (spread^2 + sigma^2) / (spread^2 + sigma0^2)) (Karras et al. 2022, appendix B.3). The last
    step, to sigma = 0, is first order in every sampler and small: it is solved exactly here.
    """
    schedule = sampling_schedule(sampler, count, "karras")
    alphas = alphas_cumprod()
    sigma = np.sqrt((1 - alphas) / alphas)

    def exact(sigma_from, sigma_to, value):
        ratio = np.sqrt((spread**2 + sigma_to**2) / (spread**2 + sigma_from**2))
        return mean + (value - mean) * ratio

    def eps(x, timestep):
        s = sigma[timestep]
        return s * (x / np.sqrt(alphas[timestep]) - mean) / (spread**2 + s**2)

    start = np.array([0.7])
    truncated = type(schedule)(sampler, schedule.timesteps[:-1], schedule.coefficients[:-1])
    reached = sample(truncated, eps, start) / np.sqrt(alphas[0])
    solution = exact(sigma[999], sigma[0], start / np.sqrt(alphas[999]))
    return float(np.abs(reached - solution)[0])


@pytest.mark.parametrize(("sampler", "order"), [("ddim", 1), ("euler", 1), ("dpm++2m", 2)])
def test_order_of_convergence_on_a_gaussian(sampler, order):
    """Twice the steps: half the error at first order, a quarter at second."""
    coarse, fine = gaussian_error(sampler, 12), gaussian_error(sampler, 24)
    assert np.log2(coarse / fine) == pytest.approx(order, abs=0.35)


def test_the_second_order_sampler_beats_the_first_by_far_at_equal_cost():
    assert gaussian_error("dpm++2m", 20) < gaussian_error("ddim", 20) / 5


def test_euler_in_sigma_is_ddim():
    for spacing in SPACINGS:
        ddim, euler = (sampling_schedule(name, 20, spacing) for name in ("ddim", "euler"))
        assert np.array_equal(ddim.coefficients, euler.coefficients)


def test_two_steps_of_the_multistep_sampler_are_ddim():
    """The first step has no history and the last is first order by design."""
    ddim, dpm = (sampling_schedule(name, 2).coefficients for name in ("ddim", "dpm++2m"))
    assert np.array_equal(ddim, dpm)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("plms", 20), "plms"),
        (("ddim", 1), "num_steps"),
        (("ddim", 1001), "num_steps"),
        (("ddim", 20, "cosine"), "cosine"),
        (("ddim", 20, "own"), "own"),
        (("lcm", 4, "trailing"), "The sampler lcm has its own"),
        (("lcm", 51, "own"), "lcm has 2 to 50 steps"),
    ],
)
def test_what_is_not_there_is_refused_by_name(arguments, word):
    with pytest.raises(UsageError, match=word):
        sampling_schedule(*arguments)


def test_trailing_timesteps_end_where_there_still_is_noise():
    assert trailing_timesteps(4).tolist() == [999, 749, 499, 249]


@given(steps)
def test_trailing_timesteps_fall_from_the_last_one(count):
    found = trailing_timesteps(count)
    assert (len(found), found[0]) == (count, 999)
    assert np.all(np.diff(found) < 0)
    assert found[-1] >= 0
