"""What `plan`, `validate` and `render` warn of, though it is rendered as it is written."""

import pytest

from latent_assets.walks.advice import advice
from latent_assets.walks.loading import parse_walk

WALK = "kind: interpolation\nframes: {}\n{}\n"


def told(frames: int, more: str) -> tuple[str, ...]:
    return advice(parse_walk(WALK.format(frames, more), "w.yaml"))


KEYFRAMES = "keyframes: [{prompt: a}, {prompt: b, at: 10/24}, {prompt: c}]"


def test_a_keyframe_that_no_frame_stands_on_is_told_with_the_numbers_that_reach_it():
    assert told(24, KEYFRAMES) == (
        "no frame stands on the keyframe b (between frames 9 and 10): 13 or 25 frames meet all",
    )
    assert told(13, KEYFRAMES) == told(25, KEYFRAMES) == ()


def test_many_are_counted():
    prompts = ", ".join("abcdefgh")
    (sentence,) = told(20, f"prompts: [{prompts}]")
    assert "b (between frames 2 and 3)" in sentence
    assert "and 3 more: 15 or 22 frames meet all" in sentence


def test_a_place_that_no_length_reaches_is_to_be_changed():
    (sentence,) = told(24, "keyframes: [{prompt: a}, {prompt: b, at: 1/9973}, {prompt: c}]")
    assert "9974 frames meet all" in sentence
    (sentence,) = told(24, "keyframes: [{prompt: a}, {prompt: b, at: 1/99991}, {prompt: c}]")
    assert "other places (`at`)" in sentence


@pytest.mark.parametrize(
    "more", ["prompts: [a, a, b]", "prompts: [a, b, b]", "prompts: [a, a]\nclosed: true"]
)
def test_between_two_keyframes_of_one_prompt_every_frame_shows_it(more):
    assert told(4, more) == ()


def test_a_loop_is_told_of_too():
    (sentence,) = told(7, "prompts: [a, b]\nclosed: true")
    assert "b (between frames 3 and 4): 6 or 8 frames meet all" in sentence


def test_prompts_written_for_another_program_are_told_also_of_a_paced_walk():
    prompts = 'prompts: ["a (cat:1.3)", a dog]\nnegative_prompt: a BREAK b\npace: perceptual'
    assert [sentence.split(" is read")[0] for sentence in told(2, prompts)] == [
        "'(cat:1.3)'",
        "'a BREAK b'",
    ]
    assert told(2, 'prompt_syntax: weighted\nprompts: ["a (cat:1.3)", a dog]') == ()


def test_guidance_0_is_told_which_other_programs_write_for_1():
    prompts = "prompts: [a, b]\nguidance_scale: {}"
    (sentence,) = told(2, prompts.format(0))
    assert "other programs write 0 where 1 is meant" in sentence
    assert told(2, prompts.format(1)) == ()
