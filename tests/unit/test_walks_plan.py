"""`plan` and what is then rendered agree to the frame, whatever was rendered before."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import fake_studio
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_assets.errors import InvalidWalkError, UsageError
from latent_assets.rendering import render_frames
from latent_assets.studio import WalkSpec, timing_profile
from latent_assets.walks.schema import WALK_ADAPTER

PROMPTS = st.sampled_from(["a dog", "a cat", "an owl", "a boat"])
COMMON = {
    "seed": st.integers(0, 1),
    "num_steps": st.integers(2, 3),
    "guidance_scale": st.sampled_from([1, 3, 7.5]),
    "negative_prompt": st.sampled_from(["", "rain"]),
    "batch_size": st.integers(1, 5),
    "chunk_size": st.integers(1, 5),
    "output": st.sampled_from([{}, {"fps": 3}, {"ping_pong": True, "formats": ["webp"]}]),
}
KINDS = {
    "interpolation": {
        "prompts": st.lists(PROMPTS, min_size=2, max_size=4),
        "frames": st.integers(2, 9),
        "closed": st.booleans(),
        "method": st.sampled_from(["lerp", "slerp"]),
        "noise": st.sampled_from(["fixed", "varying", "loop"]),
    },
    "grid": {
        "prompts": st.lists(PROMPTS, min_size=4, max_size=4),
        "grid_size": st.integers(2, 3),
        "noise": st.sampled_from(["fixed", "varying"]),
    },
    "prompt_walk": {
        "prompt": PROMPTS,
        "frames": st.integers(2, 6),
        "step_size": st.sampled_from([0.5, 1]),
        "direction": st.sampled_from(["constant", "random", "orbit"]),
    },
    "noise_loop": {"prompt": PROMPTS, "frames": st.integers(2, 8)},
    "guidance_sweep": {
        "prompt": PROMPTS,
        "guidance_scales": st.lists(st.sampled_from([1, 2, 3, 7.5]), min_size=1, max_size=4),
    },
}


@st.composite
def edits(draw):
    """Two versions of a walk: some fields of the first are drawn anew, or it is another walk."""
    kind = draw(st.sampled_from(list(KINDS)))
    fields = {**COMMON, **KINDS[kind]}
    if kind == "guidance_sweep":
        del fields["guidance_scale"]
    before = {"kind": kind} | {name: draw(value) for name, value in fields.items()}
    touched = draw(st.sets(st.sampled_from(sorted(fields)), max_size=3))
    after = before | {name: draw(fields[name]) for name in touched}
    return before, after


def specify(studio, document, name="walk"):
    return studio.specify(name, WALK_ADAPTER.validate_python(document))


def render(studio, spec):
    return render_frames(studio, spec.recipes(), batch_size=spec.walk.batch_size)


@settings(max_examples=40)
@given(edits())
def test_rendered_are_the_new_keys_without_the_stored_ones_and_plan_says_so(versions):
    with tempfile.TemporaryDirectory() as folder:
        studio = fake_studio(Path(folder))
        stored = set()
        for document in versions:
            spec = specify(studio, document)
            keys = [recipe.key for recipe in spec.recipes()]
            planned = studio.plan(spec)
            assert set(planned.missing) == set(keys) - stored
            assert planned.to_render == len(planned.missing) == len(set(keys) - stored)
            assert planned.cached == sum(key in stored for key in keys)
            assert planned.frames == len(keys)
            studio.counts.reset()
            result = render(studio, spec)
            assert studio.counts.frames == result.rendered == planned.to_render
            assert result.reused == len(keys) - result.rendered
            stored |= set(keys)
            assert set(studio.frames.keys()) == stored
        again = studio.plan(spec)
        assert (again.cached, again.to_render, again.estimate_s) == (len(keys), 0, 0.0)


def test_planning_loads_no_model(tmp_path):
    studio = fake_studio(tmp_path)
    studio.plan(specify(studio, {"kind": "noise_loop", "prompt": "a dog", "frames": 4}))
    assert studio.counts.engines == 0
    assert studio.counts.encoded == []


def test_rendering_again_loads_no_model_and_encodes_nothing(tmp_path):
    document = {"kind": "interpolation", "prompts": ["a dog", "a cat"], "frames": 5}
    first = fake_studio(tmp_path)
    render(first, specify(first, document))
    assert sorted(first.counts.encoded) == ["", "a cat", "a dog"]
    second = fake_studio(tmp_path)
    assert render(second, specify(second, document)).rendered == 0
    assert second.counts.engines == 0


def test_of_three_prompts_one_changed_only_its_segment_is_rendered(tmp_path):
    studio = fake_studio(tmp_path)
    document = {"kind": "interpolation", "prompts": ["a", "b", "c"], "frames": 9}
    render(studio, specify(studio, document))
    changed = specify(studio, {**document, "prompts": ["a", "b", "d"]})
    assert studio.plan(changed).to_render == 4
    assert render(studio, changed).rendered == 4


def test_the_estimate_comes_from_what_was_measured(tmp_path, monkeypatch):
    """Loading takes 5 s, compiling 2 s, a batch of three frames 6 s."""
    clock = [0.0]
    monkeypatch.setattr("latent_assets.rendering.time.perf_counter", lambda: clock[0])

    def take(seconds):
        clock[0] += seconds

    studio = fake_studio(tmp_path, before_batch=lambda done: take(6 if done else 8))
    load = studio.load_engine
    studio = replace(studio, load_engine=lambda name: (take(5), load(name))[1])
    document = {"kind": "noise_loop", "prompt": "a dog", "frames": 6, "batch_size": 3}
    assert studio.plan(specify(studio, document)).estimate_s is None
    render(studio, specify(studio, document))
    more = studio.plan(specify(studio, {**document, "frames": 12}))
    assert more.to_render == 6
    assert more.estimate_s == 7 + 6 * 2
    twice = studio.plan(specify(studio, {**document, "num_steps": 50}))
    assert twice.estimate_s == 7 + 6 * 4


def test_frames_without_guidance_are_estimated_for_themselves(tmp_path):
    """They take about half the time: the denoiser is evaluated once a step, not twice."""
    studio = fake_studio(tmp_path)
    document = {"kind": "noise_loop", "prompt": "a dog", "frames": 6}
    plain = specify(studio, {**document, "guidance_scale": 1})
    guided = specify(studio, document)
    studio.timings.record(timing_profile(guided.recipes()), 3.0)
    assert studio.plan(plain).estimate_s is None
    studio.timings.record(timing_profile(plain.recipes()), 1.5)
    assert studio.plan(plain).estimate_s == 9
    assert studio.plan(guided).estimate_s == 18


# --- settling what the file leaves open ---------------------------------------------------------


@settings(max_examples=25)
@given(edits())
def test_a_spec_that_went_through_json_is_the_same_walk(versions):
    with tempfile.TemporaryDirectory() as folder:
        spec = specify(fake_studio(Path(folder)), versions[0])
    again = WalkSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert [r.key for r in again.recipes()] == [r.key for r in spec.recipes()]


def test_keyframes_go_through_json_with_their_exact_places(tmp_path):
    document = {
        "kind": "interpolation",
        "keyframes": [{"prompt": "a"}, {"prompt": "b", "at": "1/3", "seed": 4}, {"prompt": "c"}],
        "frames": 7,
    }
    spec = specify(fake_studio(tmp_path), document)
    assert WalkSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_the_number_of_frames_can_be_set_for_once(tmp_path):
    studio = fake_studio(tmp_path)
    walk = WALK_ADAPTER.validate_python({"kind": "noise_loop", "prompt": "a", "frames": 9})
    assert len(studio.specify("w", walk, frames=3).recipes()) == 3
    prompts = ["a", "b", "c", "d"]
    grid = WALK_ADAPTER.validate_python({"kind": "grid", "prompts": prompts, "grid_size": 2})
    assert len(studio.specify("w", grid, frames=25).recipes()) == 25
    for asked, cure in {2: "4", 7: "4 or 9", 8: "4 or 9", 10: "9 or 16", 5000: "4096"}.items():
        with pytest.raises(UsageError, match="no square") as told:
            studio.specify("w", grid, frames=asked)
        assert told.value.cure == f"Take {cure}."
    sweep = {"kind": "guidance_sweep", "prompt": "a", "guidance_scales": [1, 2]}
    with pytest.raises(UsageError, match="guidance_scales"):
        studio.specify("w", WALK_ADAPTER.validate_python(sweep), frames=3)
    with pytest.raises(UsageError, match="1 frames"):
        studio.specify("w", walk, frames=1)


def test_a_size_that_the_model_cannot_render_is_told_before_it_is_loaded(tmp_path):
    studio = fake_studio(tmp_path)
    document = {"kind": "noise_loop", "prompt": "a", "frames": 9, "size": [64, 68]}
    with pytest.raises(InvalidWalkError, match="multiple of 8 px"):
        specify(studio, document)
    assert studio.counts.engines == 0


@pytest.mark.parametrize(("size", "most"), [(1024, 31), ([512, 768], 41), ([768, 512], 41)])
def test_a_grid_too_large_for_one_picture_is_told_before_it_is_rendered(tmp_path, size, most):
    document = {"kind": "grid", "prompts": ["a", "b", "c", "d"], "size": size, "grid_size": most}
    assert specify(fake_studio(tmp_path), document).walk.frames == most**2
    with pytest.raises(InvalidWalkError) as told:
        specify(fake_studio(tmp_path), {**document, "grid_size": most + 1})
    (problem,) = told.value.problems
    assert (problem.field, problem.value) == ("grid_size", str(most + 1))
    assert f"at most {most} with frames of" in problem.message


def test_the_model_is_the_options_then_the_files_then_the_deployments(tmp_path):
    studio = fake_studio(tmp_path)
    document = {"kind": "noise_loop", "prompt": "a", "frames": 2, "size": 64}
    walk = WALK_ADAPTER.validate_python(document)
    own = WALK_ADAPTER.validate_python({**document, "model": "stable-diffusion-1"})
    assert studio.specify("w", walk).rendering.model == "embedded"
    assert studio.specify("w", own).rendering.model == "stable-diffusion-1"
    other = studio.specify("w", own, model="embedded").rendering
    assert (other.model, other.size) == ("embedded", (32, 32))
    same = studio.specify("w", own, model="stable-diffusion-1").rendering
    assert same.size == (64, 64)
