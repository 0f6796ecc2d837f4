"""Every kind of walk takes the way that its file says, frame by frame."""

from fractions import Fraction
from itertools import pairwise

import pytest

from latent_assets.walks.points import Arc, Blend, Gaussian, Loop, NoiseArc, Offset, Orbit
from latent_assets.walks.route import (
    exact,
    is_closed,
    lengths_on_every_prompt,
    prompt_frames,
    route,
)
from latent_assets.walks.schema import KINDS, WALK_ADAPTER, walk_prompts

HALF, QUARTER = Fraction(1, 2), Fraction(1, 4)


def walk(kind, **fields):
    return WALK_ADAPTER.validate_python({"kind": kind, **fields})


def interpolation(*prompts, frames=5, **fields):
    return walk("interpolation", prompts=list(prompts), frames=frames, **fields)


def alone(walked):
    """The frames whose text encoding is a prompt's own, by number."""
    blends = [(number, point.context) for number, point in enumerate(route(walked))]
    return {
        number: context.terms[0][1]
        for number, context in blends
        if isinstance(context, Blend) and len(context.terms) == 1
    }


EXAMPLES = {
    "interpolation": interpolation("a", "b", "c", frames=7),
    "grid": walk("grid", prompts=["a", "b", "c", "d"], grid_size=3),
    "prompt_walk": walk("prompt_walk", prompt="a", frames=6, step_size=0.005),
    "noise_loop": walk("noise_loop", prompt="a", frames=8),
    "guidance_sweep": walk("guidance_sweep", prompt="a", guidance_scales=[1, 7.5, 3]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_walk_has_as_many_frames_as_it_says_each_with_a_caption(kind):
    points = route(EXAMPLES[kind])
    assert len(points) == EXAMPLES[kind].frames
    assert all(point.caption for point in points)


@pytest.mark.parametrize("kind", KINDS)
def test_a_route_is_the_same_when_taken_again(kind):
    assert route(EXAMPLES[kind]) == route(EXAMPLES[kind])


# --- interpolation ------------------------------------------------------------------------------


def test_an_interpolation_goes_from_prompt_to_prompt_in_even_steps():
    contexts = [point.context for point in route(interpolation("a", "b"))]
    assert contexts == [
        Blend.of([1 - t, t], ["a", "b"]) for t in (Fraction(i, 4) for i in range(5))
    ]


def test_every_prompt_is_shown_once_and_the_joins_are_not_doubled():
    walked = interpolation("a", "b", "c", "d", frames=13)
    assert prompt_frames(walked) == [("a", 0), ("b", 4), ("c", 8), ("d", 12)]
    assert alone(walked) == {0: "a", 4: "b", 8: "c", 12: "d"}
    contexts = [point.context for point in route(walked)]
    assert len(set(contexts)) == 13


def test_a_closed_interpolation_walks_back_to_the_first_prompt_and_stops_short_of_it():
    walked = interpolation("a", "b", "c", frames=6, closed=True)
    assert prompt_frames(walked) == [("a", 0), ("b", 2), ("c", 4)]
    assert alone(walked) == {0: "a", 2: "b", 4: "c"}
    assert route(walked)[5].context == Blend.of([HALF, HALF], ["c", "a"])
    assert is_closed(walked)


def test_slerp_turns_on_arcs():
    points = route(interpolation("a", "b", method="slerp"))
    assert points[2].context == Arc("a", "b", HALF)
    assert points[0].context == Blend.at("a")


def test_easing_moves_the_frames_but_not_the_keyframes():
    keyframes = [{"prompt": "a", "ease": "ease-in"}, {"prompt": "b"}]
    points = route(walk("interpolation", keyframes=keyframes, frames=5))
    assert points[2].context == Blend.of([1 - QUARTER, QUARTER], ["a", "b"])
    assert points[4].context == Blend.at("b")


def test_seeds_of_keyframes_are_reached_and_interpolated_between():
    keyframes = [{"prompt": "a"}, {"prompt": "b", "seed": 9}, {"prompt": "c", "seed": 2}]
    points = route(walk("interpolation", keyframes=keyframes, frames=5, seed=4))
    noises = [point.noise for point in points]
    assert noises == [Gaussian(4), NoiseArc(4, 9, HALF), Gaussian(9), NoiseArc(2, 9, HALF),
                      Gaussian(2)]  # fmt: skip


def test_keyframes_all_of_one_seed_have_one_noise():
    keyframes = [{"prompt": "a", "seed": 9}, {"prompt": "b", "seed": 9}]
    points = route(walk("interpolation", keyframes=keyframes, frames=3, seed=4))
    assert {point.noise for point in points} == {Gaussian(9)}


# --- noise --------------------------------------------------------------------------------------


def test_fixed_noise_is_one_varying_noise_is_another_in_each_frame():
    fixed = {point.noise for point in route(interpolation("a", "b", seed=3))}
    assert fixed == {Gaussian(3)}
    varying = [point.noise for point in route(interpolation("a", "b", seed=3, noise="varying"))]
    assert len(set(varying)) == 5
    assert {noise.seed for noise in varying} == {3}


def test_varying_noise_belongs_to_the_place_so_that_a_longer_walk_keeps_its_frames():
    five = route(interpolation("a", "b", noise="varying"))
    nine = route(interpolation("a", "b", frames=9, noise="varying"))
    assert [point.noise for point in nine[::2]] == [point.noise for point in five]


def test_loop_noise_goes_round_while_the_prompts_change():
    points = route(interpolation("a", "b", frames=4, closed=True, seed=3, noise="loop"))
    assert [point.noise for point in points] == [
        Gaussian(3), Loop(3, QUARTER), Loop(3, HALF), Loop(3, 3 * QUARTER),
    ]  # fmt: skip


def test_a_noise_loop_holds_its_prompt_and_goes_round_once():
    points = route(walk("noise_loop", prompt="a", frames=150, seed=2))
    assert {point.context for point in points} == {Blend.at("a")}
    assert [point.noise for point in points] == [Loop.of(2, Fraction(i, 150)) for i in range(150)]
    assert is_closed(walk("noise_loop", prompt="a", frames=2))


@pytest.mark.parametrize(
    ("frames", "closed", "lengths"),
    [(24, False, [22, 25]), (3, False, [4]), (23, True, [20, 24]), (9_999, False, [9_997, 10_000])],
)
def test_lengths_that_meet_every_prompt_are_known(frames, closed, lengths):
    walked = interpolation("a", "b", "c", "d", frames=frames, closed=closed)
    assert lengths_on_every_prompt(walked) == lengths
    for length in lengths:
        better = interpolation("a", "b", "c", "d", frames=length, closed=closed)
        assert None not in dict(prompt_frames(better)).values()
        assert set(alone(better).values()) == set("abcd")


def test_of_prompts_between_two_frames_no_frame_is_named():
    walked = interpolation("a", "b", "c", "d", frames=24)
    assert prompt_frames(walked) == [("a", 0), ("b", None), ("c", None), ("d", 23)]
    odd = [{"prompt": "a"}, {"prompt": "b", "at": "1/10007"}, {"prompt": "c"}]
    assert lengths_on_every_prompt(walk("interpolation", keyframes=odd, frames=9)) == []


# --- grid ---------------------------------------------------------------------------------------


def test_a_grid_has_its_prompts_at_the_corners_in_reading_order():
    grid = walk("grid", prompts=["a", "b", "c", "d"], grid_size=6)
    assert prompt_frames(grid) == [("a", 0), ("b", 5), ("c", 30), ("d", 35)]
    assert alone(grid) == {0: "a", 5: "b", 30: "c", 35: "d"}
    assert {point.noise for point in route(grid)} == {Gaussian(0)}


def test_the_middle_of_a_grid_is_a_quarter_of_each():
    middle = route(EXAMPLES["grid"])[4].context
    assert middle == Blend.of([QUARTER] * 4, ["a", "b", "c", "d"])


def test_a_grid_with_varying_noise_has_one_for_each_picture():
    grid = walk("grid", prompts=["a", "b", "c", "d"], grid_size=6, noise="varying")
    assert len({point.noise for point in route(grid)}) == 36


# --- around a prompt ----------------------------------------------------------------------------


def test_a_walk_around_a_prompt_starts_at_it_and_takes_exact_steps():
    points = route(EXAMPLES["prompt_walk"])
    assert points[0].context == Blend.at("a")
    distances = [point.context.distance for point in points[1:]]
    assert distances == [Fraction(i, 200) for i in range(1, 6)]
    assert all(isinstance(point.context, Offset) for point in points[1:])


def test_an_orbit_is_closed_and_as_long_as_its_steps_together():
    orbit = walk("prompt_walk", prompt="a", frames=8, step_size=0.05, direction="orbit", seed=6)
    contexts = [point.context for point in route(orbit)]
    assert contexts == [Orbit("a", 6, Fraction(2, 5), Fraction(i, 8)) for i in range(8)]
    assert is_closed(orbit)
    assert not is_closed(EXAMPLES["prompt_walk"])


# --- guidance -----------------------------------------------------------------------------------


def test_a_guidance_sweep_changes_the_guidance_and_nothing_else():
    points = route(EXAMPLES["guidance_sweep"])
    assert [point.guidance_scale for point in points] == [1, Fraction(15, 2), 3]
    assert len({(point.context, point.noise) for point in points}) == 1


@pytest.mark.parametrize(
    ("written", "meant"), [(7.5, "15/2"), (0.1, "1/10"), (0.005, "1/200"), (1e-7, "1/10000000")]
)
def test_numbers_are_taken_as_they_are_written(written, meant):
    assert exact(written) == Fraction(meant)


# --- prompts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_prompts_of_a_walk_are_those_that_its_frames_need(kind):
    needed = set()
    for point in route(EXAMPLES[kind]):
        context = point.context
        needed |= {p for _, p in context.terms} if isinstance(context, Blend) else {context.prompt}
    assert set(walk_prompts(EXAMPLES[kind])) == needed


def test_a_prompt_named_twice_is_encoded_once():
    assert walk_prompts(interpolation("a", "b", "a")) == ["a", "b"]


def test_a_walk_there_and_back_renders_its_frames_once():
    points = route(interpolation("a", "b", "a", frames=9))
    assert [p.context for p in points] == [p.context for p in reversed(points)]
    assert len({p.context for p in points}) == 5
    assert all(one.context != two.context for one, two in pairwise(points))
