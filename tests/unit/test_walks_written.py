"""Keyframes as other programs write them stand exactly where those would put them."""

import json
from fractions import Fraction

import jsonschema
import pytest
import yaml

from latent_assets.errors import InvalidWalkError
from latent_assets.walks.loading import parse_walk
from latent_assets.walks.route import prompt_frames, route
from latent_assets.walks.schema import WALK_ADAPTER, json_schema

HEAD = "kind: interpolation\nframes: 60\n"


def places(text: str) -> list[tuple[str, Fraction | None]]:
    walk = parse_walk(HEAD + text, "w.yaml")
    assert walk.prompts is None
    return [(each.prompt, each.at) for each in walk.keyframes]


def wrong(text: str) -> list[tuple[str, int | None, str]]:
    with pytest.raises(InvalidWalkError) as error:
        parse_walk(HEAD + text, "w.yaml")
    return [(problem.field, problem.line, problem.message) for problem in error.value.problems]


BY_FRAME = "keyframes:\n- {prompt: a, at: 0}\n- {prompt: b, at: 30}\n- {prompt: c, at: 59}\n"
SAME = [
    BY_FRAME,
    "keyframes:\n- {prompt: a}\n- {prompt: b, at: 30}\n- {prompt: c}\n",
    "keyframes: {0: a, 30: b, 59: c}\n",
    "keyframes: {0: {prompt: a}, 30: b, 59: {prompt: c}}\n",
    'prompts: {"0": a, "30": b, "59": c}\n',
    "prompts:\n  0: a\n  30: b\n  59: c\n",
    "keyframes: {0s: a, 3s: b, 5.9s: c}\n",
    "keyframes: {0: a, 3 s: b, 59: c}\n",
    "keyframes: {0: a, 1.5s: b, 59: c}\noutput: {fps: 20}\n",
    "keyframes: {0: a, 1.25s: b, 59: c}\noutput: {fps: 24}\n",
    "keyframes:\n- {prompt: a}\n- {prompt: b, at: 30/59}\n- {prompt: c}\n",
]


@pytest.mark.parametrize("text", SAME)
def test_a_keyframe_by_frame_by_time_or_in_a_map_stands_on_that_frame(text):
    walk = parse_walk(HEAD + text, "w.yaml")
    assert prompt_frames(walk) == [("a", 0), ("b", 30), ("c", 59)]
    one = parse_walk(HEAD + BY_FRAME, "w.yaml")
    assert [point.context for point in route(walk)] == [point.context for point in route(one)]


@pytest.mark.parametrize("text", SAME)
def test_editors_take_them_too(text):
    document = yaml.safe_load(HEAD + text)
    as_json = json.loads(json.dumps(document))  # its names are texts
    jsonschema.validate(as_json, json_schema())


def test_a_map_of_places_is_one_too():
    for text in ("prompts: {0: a, 0.25: b, 1: c}\n", "keyframes: {0: a, 1/4: b, 1: c}\n"):
        assert places(text) == [("a", 0), ("b", Fraction(1, 4)), ("c", 1)]


def test_one_is_the_second_frame_where_others_are_counted_and_the_end_where_none_is():
    assert places("keyframes: {0: a, 1: b, 30: c, 59: d}\n")[1] == ("b", Fraction(1, 59))
    assert places("keyframes: {0: a, 1: b}\n") == [("a", 0), ("b", 1)]


def test_the_first_and_the_last_picture_stand_as_in_other_programs():
    """Deforum's {0: a, 30: b} of 60 frames shows b from frame 30 on."""
    assert places("prompts: {0: a, 30: b}\n") == [("a", 0), ("b", Fraction(30, 59)), ("b", 1)]
    held = places("keyframes: [{prompt: a, at: 10, seed: 4}, {prompt: b, at: 59, seed: 5}]\n")
    assert held == [("a", 0), ("a", Fraction(10, 59)), ("b", 1)]
    points = route(parse_walk(HEAD + "prompts: {0: a, 30: b}\n", "w.yaml"))
    assert len({(point.context, point.noise) for point in points[30:]}) == 1
    assert len({(point.context, point.noise) for point in points[:31]}) == 31


def test_in_a_loop_frames_count_on_to_the_first():
    text = "closed: true\nprompts: {0: a, 30: b, 45: c}\n"
    assert places(text) == [("a", 0), ("b", Fraction(1, 2)), ("c", Fraction(3, 4))]


def test_a_time_between_two_frames_stays_exact():
    text = "prompts: {0: a, 1s: b, 2s: c}\noutput: {fps: 23.976}\n"
    assert places(text)[1] == ("b", Fraction(23976, 1000) / 59)


def test_what_was_read_is_written_as_places_and_read_again():
    walk = parse_walk(HEAD + "prompts: {0: a, 30: b}\n", "w.yaml")
    document = WALK_ADAPTER.dump_python(walk, mode="json")
    assert document["keyframes"][1]["at"] == "30/59"
    assert WALK_ADAPTER.validate_python(document) == walk
    longer = WALK_ADAPTER.validate_python({**document, "frames": 119})
    assert prompt_frames(longer)[1] == ("b", 60)


@pytest.mark.parametrize(
    ("text", "field", "line", "message"),
    [
        ("keyframes:\n- {prompt: a}\n- {prompt: b, at: 60}\n", "keyframes[1].at", 5, "0 to 59"),
        ("keyframes:\n- {prompt: a}\n- {prompt: b, at: 6s}\n", "keyframes[1].at", 5, "5.9 s"),
        ("prompts:\n  0: a\n  60: b\n", "prompts.60", 5, "is behind the end"),
        ("prompts:\n  0: a\n  30: b\n  20: c\n", "prompts.20", 6, "must grow"),
        ("prompts:\n  10: a\n  30: b\n  20: c\n", "prompts.20", 6, "must grow"),
        ("prompts:\n  0: a\n  30:\n", "prompts.30", 5, "text"),
        ("prompts:\n  10: a\n  30: ''\n", "prompts.30", 5, "is empty"),
        ("keyframes:\n  0: a\n  30: {prompt: b, sed: 5}\n", "keyframes.30.sed", 5, "not a field"),
        ("keyframes:\n  0: a\n  2.5: b\n", "keyframes.2.5", 5, "a frame such as 30"),
        ("keyframes:\n  0: a\n  first: b\n", "keyframes.first", 5, "a time such as 2s"),
        ("prompts:\n  0: a\n  30: b\n  30: c\n", "prompts.30", 6, "is written twice"),
        ("prompts: {0: a}\n", "prompts", 3, "at least 2"),
        ("keyframes:\n  0: a\n  30: {prompt: b, at: 9}\n", "keyframes.30", 5, "two places"),
        ("keyframes:\n  0: a\n  30: a comic #3 of a dog\n", "keyframes.30", 5, "is cut off"),
        ("keyframes:\n- {prompt: a}\n- {prompt: b, at: 0.5}\n- {prompt: c, at: 30}\n",
         "keyframes[1].at", 5, "as a fraction"),
        ("keyframes:\n- {prompt: a, at: 5}\n- {prompt: b, at: 30, ease: slow}\n",
         "keyframes[1].ease", 5, "must be one of"),
        ("keyframes:\n- {prompt: a}\n- {prompt: b, at: 2s}\n- {prompt: c, at: 1}\n",
         "keyframes[2].at", 6, "is the second frame"),
        ("prompts:\n  10: a\n  1: b\n", "prompts.1", 5, "the last frame is 59"),
        ("closed: true\nprompts: {5: a, 30: b}\n", "prompts.5", 4, "stands at the start"),
        ("closed: true\nprompts: {0: a, 60: b}\n", "prompts.60", 4, "ends at its first"),
        ("keyframes:\n- {prompt: a}\n- {prompt: b, at: '30'}\n", "keyframes[1].at", 5, "2s"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_where_it_was_written(text, field, line, message):
    (problem,) = wrong(text)
    assert problem[:2] == (field, line)
    assert message in problem[2]


@pytest.mark.parametrize("frames", ["1", "many", "60.5", "null"])
def test_without_a_number_of_frames_that_alone_is_wrong(frames):
    with pytest.raises(InvalidWalkError) as error:
        parse_walk(f"kind: interpolation\nframes: {frames}\nprompts: {{0: a, 30: b}}\n", "w")
    assert [problem.field for problem in error.value.problems] == ["frames"]
