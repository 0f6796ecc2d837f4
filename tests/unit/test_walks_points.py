"""A frame's formula and its arrays agree, and where a path meets a prompt it is the prompt."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_assets.walks.noise import gaussian
from latent_assets.walks.points import (
    Arc,
    Blend,
    Gaussian,
    Loop,
    NoiseArc,
    Offset,
    Orbit,
    context_from_dict,
    noise_from_dict,
    prompts_of,
)

PROMPTS = ("a dog", "a cat", "an owl", "a boat")
TOKENS, WIDTH, SAID = 8, 16, 5


def encoding(prompt):
    """An encoding as the embedded model's: rows of zeros after the words."""
    array = gaussian(0, (TOKENS, WIDTH), prompt)
    array[SAID:] = 0
    return array


ENCODINGS = {prompt: encoding(prompt) for prompt in PROMPTS}
prompts = st.sampled_from(PROMPTS)
seeds = st.integers(0, 2**63 - 1)
units = st.fractions(0, 1, max_denominator=500)
lengths = st.fractions(0, 10, max_denominator=10_000)
contexts = st.one_of(
    st.builds(lambda a, b, t: Blend.of([1 - t, t], [a, b]), prompts, prompts, units),
    st.builds(Arc.of, prompts, prompts, units),
    st.builds(Offset.of, prompts, st.sampled_from(["constant", "random"]), seeds, lengths),
    st.builds(Orbit, prompts, seeds, lengths, units),
)
noises = st.one_of(
    st.builds(Gaussian, seeds, st.text(max_size=20)),
    st.builds(Loop.of, seeds, units),
    st.builds(NoiseArc.of, seeds, seeds, units),
)


def rms(array):
    """Root mean square over the tokens that say something."""
    return math.sqrt(float(np.mean(np.square(array[:SAID], dtype=np.float64))))


# --- formulas -----------------------------------------------------------------------------------


@given(contexts)
def test_a_context_read_back_from_a_receipt_is_the_same_point(point):
    assert context_from_dict(json.loads(json.dumps(point.as_dict()))) == point


@given(noises)
def test_a_noise_read_back_from_a_receipt_is_the_same_point(point):
    assert noise_from_dict(json.loads(json.dumps(point.as_dict()))) == point


@given(contexts)
def test_points_name_the_prompts_that_they_need_and_no_other(point):
    needed = {prompt: ENCODINGS[prompt] for prompt in prompts_of(point)}
    found = point.evaluate(needed)
    assert found.dtype == np.float32
    assert found.shape == (TOKENS, WIDTH)


@given(contexts)
def test_padding_stays_zeros_since_moved_it_would_become_words(point):
    assert not point.evaluate(ENCODINGS)[SAID:].any()


@pytest.mark.parametrize(
    "formula",
    [
        {},
        {"op": "sum"},
        {"op": "slerp", "a": "x"},
        {"op": "blend", "terms": 3},
        {"op": "slerp", "a": "x", "b": "y", "t": "half"},
        {"op": "slerp", "a": "x", "b": "y", "t": []},
        {"op": "loop", "seed": 1, "turn": None},
    ],
)
def test_a_receipt_with_another_formula_is_refused_in_one_way(formula):
    for read in (context_from_dict, noise_from_dict):
        with pytest.raises(ValueError, match=r"."):
            read(formula)


# --- where a path meets a prompt ----------------------------------------------------------------


@given(prompts, prompts)
def test_ends_of_every_path_are_the_prompt_itself_and_so_share_its_frame(a, b):
    zero, one = Fraction(0), Fraction(1)
    assert Blend.of([one, zero], [a, b]) == Arc.of(a, b, zero) == Blend.at(a)
    assert Blend.of([zero, one], [a, b]) == Arc.of(a, b, one) == Blend.at(b)
    assert Offset.of(a, "random", 7, zero) == Blend.at(a)
    assert Blend.at(a).evaluate(ENCODINGS).tobytes() == ENCODINGS[a].tobytes()


@given(prompts, prompts, units)
def test_a_walk_and_its_way_back_are_the_same_frames(a, b, t):
    assert Arc.of(a, b, t) == Arc.of(b, a, 1 - t)
    assert Blend.of([1 - t, t], [a, b]) == Blend.of([t, 1 - t], [b, a])
    assert NoiseArc.of(3, 5, t) == NoiseArc.of(5, 3, 1 - t)


@given(prompts, units)
def test_from_a_prompt_to_itself_is_no_way(a, t):
    assert Blend.of([1 - t, t], [a, a]) == Arc.of(a, a, t) == Blend.at(a)
    assert NoiseArc.of(9, 9, t) == Gaussian(9)


def test_a_grid_with_the_same_prompt_twice_adds_its_weights():
    quarter = Fraction(1, 4)
    merged = Blend.of([quarter] * 4, ["b", "a", "b", "c"])
    assert merged.terms == ((quarter, "a"), (2 * quarter, "b"), (quarter, "c"))


def test_the_constant_direction_needs_no_seed_so_seeds_share_its_frames():
    one = Fraction(1)
    assert Offset.of("x", "constant", 3, one) == Offset.of("x", "constant", 4, one)
    assert Offset.of("x", "random", 3, one) != Offset.of("x", "random", 4, one)


# --- around a prompt ----------------------------------------------------------------------------


@given(st.sampled_from(["constant", "random"]), seeds, lengths.filter(bool))
def test_an_offset_is_as_far_as_it_says(direction, seed, distance):
    moved = Offset.of("an owl", direction, seed, distance).evaluate(ENCODINGS)
    change = moved.astype(np.float64) - ENCODINGS["an owl"]
    assert math.isclose(rms(change), float(distance), rel_tol=1e-3, abs_tol=1e-6)


def test_the_constant_direction_adds_the_same_to_every_element_as_the_guide_does():
    moved = Offset.of("an owl", "constant", 0, Fraction(1, 200)).evaluate(ENCODINGS)
    expected = ENCODINGS["an owl"][:SAID] + 0.005
    np.testing.assert_allclose(moved[:SAID], expected, atol=1e-6)


def test_a_random_direction_is_one_line_not_a_new_one_each_frame():
    def change(steps):
        moved = Offset.of("an owl", "random", 4, Fraction(steps, 2)).evaluate(ENCODINGS)
        return (moved.astype(np.float64) - ENCODINGS["an owl"]).ravel()

    one, three = change(1), change(3)
    np.testing.assert_allclose(three, 3 * one, atol=1e-5)


@settings(max_examples=30)
@given(seeds, st.integers(2, 200), st.fractions("1/1000", 1, max_denominator=1000))
def test_an_orbit_is_an_exact_circle_of_steps_as_long_as_stated(seed, n, step):
    """Its arc from frame to frame is the step; the chord is what a circle makes of it."""
    base = ENCODINGS["an owl"].astype(np.float64)
    way = step * n
    radius = float(way) / (2 * math.pi)
    orbit = [Orbit("an owl", seed, way, Fraction(i, n)).evaluate(ENCODINGS) for i in (0, 1)]
    for place in orbit:
        assert math.isclose(rms(place - base), radius, rel_tol=1e-3, abs_tol=1e-6)
    chord = 2 * radius * math.sin(math.pi / n)
    assert math.isclose(
        rms(orbit[1] - orbit[0].astype(np.float64)), chord, rel_tol=1e-2, abs_tol=1e-6
    )


def test_an_orbit_has_its_prompt_in_the_middle_and_comes_back():
    n = 12
    orbit = [Orbit("an owl", 2, Fraction(3), Fraction(i, n)).evaluate(ENCODINGS) for i in range(n)]
    middle = np.mean(np.array(orbit, np.float64), axis=0)
    np.testing.assert_allclose(middle, ENCODINGS["an owl"], atol=1e-6)
    assert len({place.tobytes() for place in orbit}) == n


def test_a_prompt_that_says_nothing_stays_where_it_is():
    """An encoding of zeros has no direction to go: it must not become not-a-number."""
    nothing = {"": np.zeros((TOKENS, WIDTH), np.float32)}
    with np.errstate(all="raise"):
        assert not Orbit("", 1, Fraction(1), Fraction(1, 3)).evaluate(nothing).any()
        assert not Offset.of("", "random", 1, Fraction(1)).evaluate(nothing).any()


@given(prompts, prompts, units)
def test_a_blend_of_two_is_written_as_one_of_many_is(a, b, t):
    assert Blend.between(a, b, t) == Blend.of([1 - t, t], [a, b])
