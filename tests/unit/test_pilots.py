"""The timeline of a walk on a model of numpy alone: its key, its places, its plan, its cost."""

import json
from fractions import Fraction

import numpy as np
import pytest
from fakes import fake_studio
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_assets.errors import InvalidWalkError, UnpacedError
from latent_assets.pacing import make_timeline
from latent_assets.rendering import RenderResult, render_frames
from latent_assets.studio import WalkSpec, key_of_timeline
from latent_assets.walks.loading import parse_walk
from latent_assets.walks.pilots import Timeline, find_timeline
from latent_assets.walks.route import is_closed, prompt_frames
from latent_assets.walks.schema import WALK_ADAPTER

PATH = {"kind": "interpolation", "prompts": ["a", "b", "c"], "frames": 9}
KINDS = [
    PATH,
    {**PATH, "closed": True, "noise": "loop"},
    {**PATH, "method": "slerp"},
    {
        "kind": "interpolation",
        "frames": 7,
        "keyframes": [
            {"prompt": "a", "seed": 3, "ease": "ease-in"},
            {"prompt": "b", "at": "1/3", "ease": "ease-in-out"},
            {"prompt": "c"},
            {"prompt": "a", "seed": 4},
        ],
    },
    {"kind": "grid", "prompts": ["a", "b", "c", "d"], "grid_size": 4},
    {"kind": "prompt_walk", "prompt": "a", "frames": 6, "step_size": 0.5},
    {"kind": "prompt_walk", "prompt": "a", "frames": 6, "direction": "orbit", "step_size": 0.5},
    {"kind": "noise_loop", "prompt": "a", "frames": 8},
]
NAMES = [str(number) for number in range(len(KINDS))]


def specify(studio, document, pace="perceptual", **more):
    walk = WALK_ADAPTER.validate_python({**document, "num_steps": 2, "pace": pace, **more})
    return studio.specify("w", walk)


def found(studio, spec):
    """The spec with its places, and how many pilots were rendered."""
    result = RenderResult()
    timeline = make_timeline(studio, spec, result=result)
    return spec.at(timeline.places(loop=is_closed(spec.walk))), result.rendered


@pytest.mark.parametrize("document", KINDS, ids=NAMES)
def test_every_kind_is_paced_and_keeps_the_frames_of_its_prompts(tmp_path, document):
    studio = fake_studio(tmp_path)
    spec, _ = found(studio, specify(studio, document))
    uniform = specify(studio, document, "uniform")
    assert len(spec.recipes()) == spec.walk.frames
    assert len({recipe.key for recipe in spec.recipes()}) == len(
        {recipe.key for recipe in uniform.recipes()}
    )
    keys = {recipe.key for recipe in spec.recipes()}
    for _, frame in prompt_frames(uniform.walk):
        if frame is not None:
            assert uniform.recipes()[frame].key in keys
    assert spec.recipes()[0].key == uniform.recipes()[0].key
    if not is_closed(spec.walk):
        assert spec.recipes()[-1].key == uniform.recipes()[-1].key
    # A walk with its places written down is one that can be written to a file and read back.
    text = WALK_ADAPTER.dump_python(spec.walk, mode="json")
    assert WALK_ADAPTER.validate_python(json.loads(json.dumps(text))) == spec.walk
    assert not spec.has_timeline


def test_a_grid_is_paced_by_what_lies_within_it_not_by_its_edges_alone(tmp_path):
    """Most happens halfway between the upper and the lower edge, which move evenly themselves."""
    studio = fake_studio(tmp_path)
    document = {"kind": "grid", "prompts": ["a", "b", "c", "d"], "grid_size": 8}
    spec = specify(studio, document)

    def features(recipe):
        share = {prompt: float(weight) for weight, prompt in recipe.context.terms}
        u = share.get("b", 0) + share.get("d", 0)
        v = share.get("c", 0) + share.get("d", 0)
        return np.float32([0.2 * u, 0.2 * v, 4 * v * (1 - v) / (1 + np.exp(6 - 12 * u))])

    def across(spec):
        """The mean steps from column to column."""
        seen = np.stack([features(recipe) for recipe in spec.recipes()]).reshape(8, 8, -1)
        return np.linalg.norm(np.diff(seen, axis=1), axis=-1).mean(axis=0)

    timeline = find_timeline(spec.walk, spec.rendering, lambda some: list(map(features, some)))
    steps = across(spec.at(timeline.places(loop=False)))
    before = across(specify(studio, document, "uniform"))
    assert steps.std() / steps.mean() < 0.6 * before.std() / before.mean()
    assert timeline.pilots == 25


@settings(max_examples=12, deadline=None)
@given(document=st.sampled_from(KINDS), batch_size=st.integers(1, 5), seed=st.integers(0, 3))
def test_the_plan_is_what_is_rendered_before_and_after(
    tmp_path_factory, document, batch_size, seed
):
    studio = fake_studio(tmp_path_factory.mktemp("plan"))
    spec = specify(studio, document, batch_size=batch_size, seed=seed)
    before = studio.plan(spec)
    assert not before.exact
    assert before.pilots == len(before.missing) > 0
    assert studio.counts.engines == 0
    _, pilots = found(studio, spec)
    assert before.pilots <= pilots <= before.to_render
    assert set(before.missing) <= set(studio.frames.keys())
    after = studio.plan(spec)
    assert after.exact
    studio.counts.reset()
    recipes = studio.paced(spec).recipes()
    render_frames(studio, recipes, batch_size=batch_size)
    assert studio.counts.frames == after.to_render
    assert pilots + after.to_render <= before.to_render
    assert studio.plan(spec).to_render == 0


def test_a_second_search_renders_nothing_looks_at_nothing_and_loads_nothing(tmp_path):
    studio = fake_studio(tmp_path)
    first, _ = found(studio, specify(studio, PATH))
    other = fake_studio(tmp_path)
    assert found(other, specify(other, PATH)) == (first, 0)
    assert (other.counts.engines, other.counts.frames) == (0, 0)
    # The same without the timeline itself: what the pilots' pictures showed is kept too.
    for file in tmp_path.glob("store/timelines/*/*.json"):
        file.unlink()
    for file in tmp_path.glob("store/frames/*/*.png"):
        file.unlink()
    assert other.plan(specify(other, PATH)).exact
    assert found(other, specify(other, PATH)) == (first, 0)


def test_two_runs_from_nothing_give_one_timeline(tmp_path):
    specs = []
    for name in ("one", "two"):
        studio = fake_studio(tmp_path / name)
        specs.append(found(studio, specify(studio, PATH))[0])
    assert specs[0] == specs[1]


@pytest.mark.parametrize(
    "more",
    [
        {"output": {"fps": 30}},
        {"output": {"formats": ["webp"], "ping_pong": True}},
        {"batch_size": 7},
        {"chunk_size": 2},
        {"description": "other"},
        {"schedule": {"cron": "0 2 * * *"}},
    ],
)
def test_what_is_no_matter_of_pictures_leaves_the_timeline_alone(tmp_path, more):
    studio = fake_studio(tmp_path)
    assert key_of_timeline(specify(studio, PATH)) == key_of_timeline(specify(studio, PATH, **more))


@pytest.mark.parametrize(
    "more",
    [
        {"frames": 10},
        {"seed": 1},
        {"prompts": ["a", "b", "d"]},
        {"closed": True},
        {"guidance_scale": 3},
        {"num_steps": 3},
        {"sampler": "euler"},
        {"negative_prompt": "rain"},
        {"method": "slerp"},
        {"noise": "loop"},
    ],
)
def test_what_changes_the_pictures_changes_the_timeline(tmp_path, more):
    studio = fake_studio(tmp_path)
    changed = specify(studio, {**PATH, **{k: v for k, v in more.items() if k == "prompts"}})
    if "prompts" not in more:
        document = {**PATH, "num_steps": 2, "pace": "perceptual", **more}
        changed = studio.specify("w", WALK_ADAPTER.validate_python(document))
    assert key_of_timeline(specify(studio, PATH)) != key_of_timeline(changed)


def test_a_changed_prompt_costs_its_two_segments_only(tmp_path):
    """The keyframes have places of their own, so the other segments keep their frames too."""
    studio = fake_studio(tmp_path)
    prompts = ["a", "b", "c", "d", "e"]

    def walk(prompts):
        keyframes = [{"prompt": p, "at": f"{k}/4"} for k, p in enumerate(prompts)]
        return {"kind": "interpolation", "keyframes": keyframes, "frames": 33}

    first, _ = found(studio, specify(studio, walk(prompts)))
    second, _ = found(studio, specify(studio, walk([*prompts[:3], "x", "e"])))
    keys = [[recipe.key for recipe in each.recipes()] for each in (first, second)]
    assert keys[0][:17] == keys[1][:17]
    assert not set(keys[0][17:32]) & set(keys[1])


def test_a_damaged_timeline_is_found_anew(tmp_path, caplog):
    studio = fake_studio(tmp_path)
    first, _ = found(studio, specify(studio, PATH))
    (file,) = tmp_path.glob("store/timelines/*/*.json")
    document = json.loads(file.read_text())
    document["timeline"]["axes"][0]["places"][3] = "1/7"
    file.write_text(json.dumps(document))
    assert found(studio, specify(studio, PATH)) == (first, 0)
    assert "is damaged; it is found anew" in caplog.text
    assert studio.timeline(specify(studio, PATH)) is not None


def test_who_comes_second_takes_the_timeline_that_is_there(tmp_path):
    studio = fake_studio(tmp_path)
    spec = specify(studio, PATH)
    timeline = make_timeline(studio, spec)
    other = {**timeline.as_dict(), "pilots": 99}
    assert studio.timelines.write(key_of_timeline(spec), other) == timeline.as_dict()
    assert Timeline.from_dict(timeline.as_dict()) == timeline


def test_frames_whose_places_are_not_known_are_refused_in_words(tmp_path):
    studio = fake_studio(tmp_path)
    with pytest.raises(UnpacedError, match="places are not known yet"):
        specify(studio, PATH).recipes()


def test_another_number_of_frames_than_the_file_says_needs_other_places(tmp_path):
    studio = fake_studio(tmp_path)
    spec, _ = found(studio, specify(studio, PATH))
    assert not studio.specify("w", spec.walk, frames=9).has_timeline
    assert studio.specify("w", spec.walk, frames=5).has_timeline


BASE = "kind: interpolation\nprompts: [a, b]\nframes: 3\n"


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        (
            "kind: guidance_sweep\nprompt: a\nguidance_scales: [1, 2]\npace: perceptual\n",
            "pace",
            "is not for a guidance sweep",
        ),
        (BASE + "pace: perceptual\nnoise: varying\n", "pace", "near each other"),
        (BASE + "pace: fast\n", "pace", "must be one of"),
        (BASE + "places: [[0, 1/3, 1]]\n", "places", "belongs to `pace: perceptual`"),
        (
            BASE + "pace: perceptual\nplaces: [[0, 1]]\n",
            "places",
            "has 2 places, the walk asks for 3",
        ),
        (BASE + "pace: perceptual\nplaces: [[0, 1/3, 1/3]]\n", "places[0]", "rises from place"),
        (BASE + "pace: perceptual\nplaces: [[0, 1/3, 1/2]]\n", "places[0]", "ends at 1"),
        (BASE + "closed: true\npace: perceptual\nplaces: [[0, 1/3, 1]]\n", "places[0]", "below 1"),
        (BASE + "pace: perceptual\nplaces: [[0, 1/3, 1], [0, 1/3, 1]]\n", "places", "3 and 3"),
        (BASE + "pace: perceptual\nplaces: [[0, 3, 1]]\n", "places[0][1]", "from 0 to 1"),
    ],
)
def test_a_pace_that_cannot_be_is_refused_by_field(text, field, words):
    with pytest.raises(InvalidWalkError) as error:
        parse_walk(text, "w.yaml")
    (problem,) = error.value.problems
    assert problem.field == field
    assert words in problem.message


def test_places_may_be_written_by_hand(tmp_path):
    studio = fake_studio(tmp_path)
    walk = parse_walk(BASE + "pace: perceptual\nplaces: [[0, 1/3, 1]]\n", "w.yaml")
    spec = studio.specify("w", walk)
    weights = [{p: w for w, p in recipe.context.terms} for recipe in spec.recipes()]
    assert weights == [{"a": 1}, {"a": Fraction(2, 3), "b": Fraction(1, 3)}, {"b": 1}]
    assert isinstance(spec, WalkSpec)
    assert studio.plan(spec).exact
