"""Noise is the same bytes on every machine, is noise, and its loop closes without a repeat."""

import hashlib
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_assets.walks.noise import gaussian
from latent_assets.walks.points import Gaussian, Loop, NoiseArc
from latent_assets.walks.timeline import positions

SHAPE = (16, 16, 4)
LARGE = (64, 64, 4)
seeds = st.integers(0, 2**63 - 1)


@pytest.mark.parametrize(
    ("seed", "stream", "digest"),
    [
        (0, "", "6035ed0860b602ae642d4d1a327bc896f7dbdc7e9d4c47c078397dc04b103ecb"),
        (12345, "", "c9d242d322ed12a471e0848f1f79fe17f4816741c598d0d7543a3aa668616608"),
        (
            2**63 - 1,
            "frame at 1/3",
            "09d803e1ab5143b64fb124c527eb9212264c8783efb56fb70d3d5a6555e590f8",
        ),
    ],
)
def test_noise_is_the_same_bytes_today_and_in_a_year(seed, stream, digest):
    """A change of numpy's stream, or of ours, would render every stored walk anew."""
    noise = gaussian(seed, (8, 8, 4), stream)
    assert hashlib.sha256(noise.astype("<f4").tobytes()).hexdigest() == digest


def test_noise_is_made_in_one_precision_and_touches_no_global_state():
    np.random.seed(7)  # noqa: NPY002 - the global state is what must stay as it is
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    noise = gaussian(1, SHAPE)
    assert noise.dtype == np.float32
    assert noise.shape == SHAPE
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@given(seeds)
def test_a_seed_gives_the_same_noise_again(seed):
    assert gaussian(seed, (3, 5)).tobytes() == gaussian(seed, (3, 5)).tobytes()


def test_noise_is_standard_normal():
    noise = gaussian(3, (1_000_000,)).astype(np.float64)
    assert abs(noise.mean()) < 0.005
    assert abs(noise.var() - 1) < 0.01
    assert abs((noise**3).mean()) < 0.02
    assert abs((noise**4).mean() - 3) < 0.05
    for bound, share in ((1, 0.682689), (2, 0.954500), (3, 0.997300)):
        assert abs((np.abs(noise) < bound).mean() - share) < 0.003


def test_streams_and_seeds_are_independent_of_each_other():
    """Were they not, varying noise would show the same stains in every frame."""
    noises = [
        gaussian(seed, LARGE, stream).ravel()
        for seed in (0, 1, 2**32, 2**63 - 1)
        for stream in ("", "x", "frame at 1/2")
    ]
    correlation = np.corrcoef(noises) - np.eye(len(noises))
    assert np.abs(correlation).max() < 5 / math.sqrt(math.prod(LARGE))


def test_seed_and_stream_are_not_run_together():
    assert gaussian(1, (8,), "2").tobytes() != gaussian(12, (8,), "").tobytes()
    assert gaussian(1, (8,), "\n2").tobytes() != gaussian(1, (8,), "2").tobytes()


# --- loop ---------------------------------------------------------------------------------------


def loop(seed, n):
    return [Loop.of(seed, turn).evaluate(SHAPE) for turn in positions(n, closed=True)]


@settings(max_examples=20)
@given(seeds, st.integers(2, 40))
def test_a_loop_closes_and_repeats_no_frame(seed, n):
    """The guide's loop takes both 0 and 2 pi: its last frame is its first again."""
    frames = loop(seed, n)
    assert len({frame.tobytes() for frame in frames}) == n
    assert Loop.of(seed, Fraction(1)) == Loop.of(seed, Fraction(0)) == Gaussian(seed)
    step = [
        float(np.linalg.norm(b - a)) for a, b in zip(frames, frames[1:] + frames[:1], strict=True)
    ]
    assert max(step) < 1.3 * min(step)  # the step over the seam is a step like the others


@settings(max_examples=20)
@given(seeds, st.integers(0, 99))
def test_frame_i_of_a_loop_is_at_2_pi_i_over_n(seed, i):
    x, y = gaussian(seed, SHAPE), gaussian(seed, SHAPE, "loop y")
    angle = 2 * math.pi * i / 100
    expected = math.cos(angle) * x.astype(np.float64) + math.sin(angle) * y
    found = Loop.of(seed, Fraction(i, 100)).evaluate(SHAPE)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_quarters_of_a_loop_are_x_and_y_themselves_to_the_bit():
    x, y = gaussian(5, SHAPE), gaussian(5, SHAPE, "loop y")
    turns = [Loop.of(5, Fraction(i, 4)).evaluate(SHAPE) for i in range(4)]
    for found, expected in zip(turns, (x, y, -x, -y), strict=True):
        np.testing.assert_array_equal(found, expected)


@settings(max_examples=20)
@given(seeds, st.fractions(0, 1, max_denominator=360))
def test_every_frame_of_a_loop_has_the_variance_that_the_model_expects(seed, turn):
    noise = Loop.of(seed, turn).evaluate(LARGE)
    assert abs(float(noise.astype(np.float64).var()) - 1) < 6 * math.sqrt(2 / math.prod(LARGE))


@settings(max_examples=20)
@given(seeds, seeds, st.fractions(0, 1, max_denominator=100))
def test_noise_between_two_seeds_keeps_the_length_of_noise(a, b, t):
    lengths = [float(np.linalg.norm(gaussian(seed, LARGE))) for seed in (a, b)]
    between = float(np.linalg.norm(NoiseArc.of(a, b, t).evaluate(LARGE)))
    assert min(lengths) * 0.999 <= between <= max(lengths) * 1.001


POINTS = [Gaussian(3, "frame at 1/3"), Loop(3, Fraction(1, 5)), NoiseArc(3, 4, Fraction(1, 5))]


@pytest.mark.parametrize("point", POINTS)
def test_each_step_of_a_sampler_has_noise_of_its_own(point):
    steps = [point.evaluate(LARGE, step).ravel() for step in range(4)]
    assert np.array_equal(steps[0], point.evaluate(LARGE).ravel())
    assert np.all(np.abs(np.corrcoef(steps) - np.eye(4)) < 0.05)
    assert np.std(steps[2]) == pytest.approx(1, abs=0.05)


def test_the_noise_of_a_step_goes_round_with_the_loop():
    """As far from frame to frame as the initial noise, at the seam too."""
    for step in (0, 1, 3):
        noises = [Loop.of(5, turn).evaluate(LARGE, step) for turn in positions(12, closed=True)]
        steps = [np.linalg.norm(noises[i] - noises[i - 1]) for i in range(12)]
        assert max(steps) / min(steps) < 1.1


def test_the_noise_of_a_step_goes_from_seed_to_seed():
    ends = [NoiseArc.of(1, 2, t).evaluate(SHAPE, 2) for t in (Fraction(0), Fraction(1))]
    assert np.array_equal(ends[0], Gaussian(1).evaluate(SHAPE, 2))
    assert np.array_equal(ends[1], Gaussian(2).evaluate(SHAPE, 2))
