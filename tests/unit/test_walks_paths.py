"""Paths end where they say, are the same both ways, and bend as they should."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from latent_assets.walks.noise import gaussian
from latent_assets.walks.paths import (
    bilinear_weights,
    blend,
    circle,
    lerp,
    rotate,
    slerp,
    step_sizes,
)

units = st.fractions(0, 1, max_denominator=500)
inner = units.filter(lambda t: 0 < t < 1)
seeds = st.integers(0, 10_000)
METHODS = (lerp, slerp)
methods = st.sampled_from(METHODS)
elements = st.floats(-100, 100, width=32)
arrays = hnp.arrays(np.float32, (3, 4), elements=elements)


def angles(x, y):
    """Angle between vectors along the last axis, exact also when it is small."""
    u, v = (each / np.linalg.norm(each, axis=-1, keepdims=True) for each in (x, y))
    half = np.linalg.norm(u - v, axis=-1), np.linalg.norm(u + v, axis=-1)
    return 2 * np.arctan2(*half)


def pair(seed):
    return gaussian(seed, (5, 64), "a"), gaussian(seed, (5, 64), "b")


# --- end points, symmetry -----------------------------------------------------------------------


@given(methods, arrays, arrays)
def test_paths_end_at_the_end_points_untouched(method, a, b):
    """A rounding at the ends would make a keyframe another picture than its prompt's."""
    assert method(a, b, Fraction(0)).tobytes() == a.tobytes()
    assert method(a, b, Fraction(1)).tobytes() == b.tobytes()


@given(methods, arrays, arrays, units)
def test_a_path_read_backwards_gives_the_same_bytes(method, a, b, t):
    forth, back = method(a, b, t), method(b, a, 1 - t)
    assert forth.dtype == np.float32
    np.testing.assert_array_equal(forth, back)  # -0.0 equals 0.0 to a model too


def test_backwards_holds_at_every_place_of_a_long_walk():
    """1 - float(1/3) is not float(2/3): rounded so, one frame in some thousands differed."""
    chance = np.random.default_rng(0)
    for _ in range(3000):
        a = chance.standard_normal((3, 4)).astype(np.float32)
        b = (a * chance.uniform(-3, 3)).astype(np.float32)
        t = Fraction(int(chance.integers(1, 300)), 300)
        np.testing.assert_array_equal(slerp(a, b, t), slerp(b, a, 1 - t))


@given(seeds, inner)
def test_backwards_holds_for_noise_as_one_vector(seed, t):
    a, b = pair(seed)
    assert slerp(a, b, t, axes=None).tobytes() == slerp(b, a, 1 - t, axes=None).tobytes()


@given(methods, arrays, arrays, units)
def test_paths_stay_finite_whatever_they_lie_between(method, a, b, t):
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(method(a, b, t)).all()


@given(methods, arrays, units)
def test_a_path_from_a_point_to_itself_stays_there(method, a, t):
    np.testing.assert_allclose(method(a, a, t), a, rtol=1e-6)


# --- lerp ---------------------------------------------------------------------------------------


@given(arrays, arrays, units)
def test_lerp_is_the_weighted_mean(a, b, t):
    expected = float(1 - t) * a.astype(np.float64) + float(t) * b.astype(np.float64)
    np.testing.assert_array_equal(lerp(a, b, t), expected.astype(np.float32))


@given(seeds)
def test_lerp_takes_even_steps(seed):
    a, b = pair(seed)
    walk = np.stack([lerp(a, b, Fraction(i, 8)) for i in range(9)]).astype(np.float64)
    np.testing.assert_allclose(
        np.diff(walk, axis=0), np.broadcast_to((b - a) / 8, (8, 5, 64)), atol=2e-6
    )


# --- slerp --------------------------------------------------------------------------------------


@given(seeds, inner)
def test_slerp_turns_at_constant_speed_token_by_token(seed, t):
    a, b = pair(seed)
    whole, part = angles(a, b), angles(a, slerp(a, b, t))
    np.testing.assert_allclose(part, float(t) * whole, atol=1e-5)
    np.testing.assert_allclose(angles(slerp(a, b, t), b), float(1 - t) * whole, atol=1e-5)


@given(seeds, inner)
def test_slerp_keeps_the_length_between_equals_and_runs_it_evenly_else(seed, t):
    """lerp's midpoint of two noises has 0.7 of their length: a picture of mush."""
    a, b = pair(seed)
    lengths = [np.linalg.norm(each, axis=-1) for each in (a, b)]
    expected = float(1 - t) * lengths[0] + float(t) * lengths[1]
    np.testing.assert_allclose(np.linalg.norm(slerp(a, b, t), axis=-1), expected, rtol=1e-5)


@pytest.mark.parametrize("angle", [0.02, 0.3, 1, 2, 3, 3.13])
def test_slerp_keeps_to_the_sphere_between_near_and_far_directions(angle):
    """Prompts that differ in one word are near: even there a straight line cuts the corner."""
    a = np.array([[1, 0, 0]], np.float32)
    b = np.array([[math.cos(angle), math.sin(angle), 0]], np.float32)
    for t in (Fraction(1, 4), Fraction(1, 2), Fraction(7, 8)):
        turned = slerp(a, b, t)
        assert math.isclose(float(np.linalg.norm(turned)), 1, abs_tol=1e-6)
        assert math.isclose(math.atan2(turned[0, 1], turned[0, 0]), t * angle, rel_tol=1e-4)


@given(seeds)
def test_noise_turns_as_one_vector_not_row_by_row(seed):
    a, b = pair(seed)
    middle = slerp(a, b, Fraction(1, 2), axes=None)
    flat = slerp(a.ravel(), b.ravel(), Fraction(1, 2)).reshape(a.shape)
    np.testing.assert_allclose(middle, flat, rtol=1e-6)
    assert not np.allclose(middle, slerp(a, b, Fraction(1, 2)), rtol=1e-3)


def test_tokens_of_zeros_stay_zeros():
    a, b = pair(1)
    a[3:], b[3:] = 0, 0
    assert not slerp(a, b, Fraction(1, 3))[3:].any()


@given(inner)
def test_a_token_that_one_prompt_lacks_fades_in_straight(t):
    a, b = pair(2)
    a[4] = 0
    np.testing.assert_allclose(slerp(a, b, t)[4], float(t) * b[4], rtol=1e-6)


@given(inner)
def test_parallel_vectors_are_interpolated_in_length(t):
    a = gaussian(3, (5, 64))
    np.testing.assert_allclose(slerp(a, 3 * a, t), (1 + 2 * float(t)) * a, rtol=1e-5)


@given(inner)
def test_opposite_vectors_go_straight_since_no_arc_is_the_shortest(t):
    a = gaussian(3, (5, 64))
    np.testing.assert_allclose(slerp(a, -a, t), (1 - 2 * float(t)) * a, atol=1e-5)


@pytest.mark.parametrize("tilt", [1e-2, 2e-3, 1e-3, 5e-4, 1e-4, 1e-6])
def test_slerp_does_not_jump_where_it_turns_into_lerp(tilt):
    a, b = pair(4)
    b = a + np.float32(tilt) * b
    middle = slerp(a, b, Fraction(1, 2))
    np.testing.assert_allclose(middle, lerp(a, b, Fraction(1, 2)), atol=1e-4)


# --- grid ---------------------------------------------------------------------------------------


@given(units, units)
def test_bilinear_weights_are_exact_shares(u, v):
    weights = bilinear_weights(u, v)
    assert sum(weights) == 1
    assert all(isinstance(weight, Fraction) and 0 <= weight <= 1 for weight in weights)


@pytest.mark.parametrize(("u", "v", "corner"), [(0, 0, 0), (1, 0, 1), (0, 1, 2), (1, 1, 3)])
def test_each_corner_of_the_grid_is_its_prompt_in_reading_order(u, v, corner):
    weights = bilinear_weights(Fraction(u), Fraction(v))
    assert weights == tuple(Fraction(i == corner) for i in range(4))


@given(units)
def test_edges_of_the_grid_are_straight_walks_between_their_corners(t):
    corners = [gaussian(seed, (2, 8)) for seed in range(4)]

    def at(u, v):
        return blend(corners, bilinear_weights(Fraction(u), Fraction(v)))

    np.testing.assert_allclose(at(t, 0), lerp(corners[0], corners[1], t), atol=1e-6)
    np.testing.assert_allclose(at(t, 1), lerp(corners[2], corners[3], t), atol=1e-6)
    np.testing.assert_allclose(at(0, t), lerp(corners[0], corners[2], t), atol=1e-6)
    np.testing.assert_allclose(at(1, t), lerp(corners[1], corners[3], t), atol=1e-6)


def test_a_blend_of_one_is_the_array_itself():
    a = gaussian(0, (2, 3))
    assert blend([a], [Fraction(1)]).tobytes() == a.tobytes()


def test_a_blend_with_too_few_weights_is_refused_not_cut_short():
    a = gaussian(0, (2, 3))
    with pytest.raises(ValueError, match="zip"):
        blend([a, a], [Fraction(1)])


# --- circle -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("turn", "place"),
    [
        ("0", (1, 0)),
        ("1/4", (0, 1)),
        ("1/2", (-1, 0)),
        ("3/4", (0, -1)),
        ("1", (1, 0)),
        ("5/4", (0, 1)),
        ("-1/4", (0, -1)),
    ],
)
def test_quarter_turns_are_exact(turn, place):
    """cos(pi / 2) is 6e-17 in floating point: the frames at the quarters would be smudged."""
    assert circle(Fraction(turn)) == place


@given(st.fractions(-3, 3, max_denominator=200))
def test_a_circle_is_round_and_comes_back(turn):
    cosine, sine = circle(turn)
    assert math.isclose(cosine * cosine + sine * sine, 1, rel_tol=1e-12)
    assert circle(turn + 1) == (cosine, sine)
    back = circle(-turn)
    assert math.isclose(back[0], cosine, abs_tol=1e-12)
    assert math.isclose(back[1], -sine, abs_tol=1e-12)


@given(st.integers(2, 200), st.integers(0, 199))
def test_frame_i_of_n_stands_at_angle_2_pi_i_over_n(n, i):
    cosine, sine = circle(Fraction(i % n, n))
    assert math.isclose(cosine, math.cos(2 * math.pi * (i % n) / n), abs_tol=1e-12)
    assert math.isclose(sine, math.sin(2 * math.pi * (i % n) / n), abs_tol=1e-12)


@given(seeds, units)
def test_rotation_scales_with_its_radius(seed, turn):
    x, y = pair(seed)
    np.testing.assert_allclose(rotate(x, y, turn, 0.25), 0.25 * rotate(x, y, turn), atol=1e-6)


def test_the_sizes_of_steps_are_those_of_the_whole_path_at_once():
    path = np.random.default_rng(0).standard_normal((9, 4, 6)).astype(np.float32)
    expected = np.sqrt(np.mean(np.square(np.diff(path, axis=0)), axis=(1, 2)))
    np.testing.assert_allclose(step_sizes(iter(path)), expected, rtol=1e-6)
    assert step_sizes(iter(path[:1])) == []
