"""A draft: the same walk in a fraction of its steps, beside it and never in its place."""

from pathlib import Path

import pytest
from fakes import fake_studio
from hypothesis import given
from hypothesis import strategies as st

from latent_assets.diffusion.registry import WeightsSource, describe_model
from latent_assets.drafts import LEAST_STEPS, drafted
from latent_assets.errors import UsageError
from latent_assets.rendering import render_frames
from latent_assets.studio import key_of_timeline, timing_profile
from latent_assets.walks.schema import WALK_ADAPTER

SOURCE = WeightsSource(Path(__file__).parents[2] / "data" / "models")
PLAIN = describe_model("embedded", SOURCE)


def walk(**more):
    return WALK_ADAPTER.validate_python(
        {"kind": "interpolation", "prompts": ["a", "b"], "frames": 5, **more}
    )


@given(st.integers(LEAST_STEPS + 1, 500))
def test_a_draft_is_cheaper_and_says_where_the_walk_goes(steps):
    asked = walk(num_steps=steps, seed=3)
    draft = drafted("w", asked, PLAIN)
    assert LEAST_STEPS <= draft.num_steps < steps
    assert draft.num_steps <= max(steps / 4 + 1, LEAST_STEPS)
    assert draft.model_copy(update={"num_steps": steps}) == asked


@pytest.mark.parametrize("steps", [2, LEAST_STEPS])
def test_a_walk_of_few_steps_has_none(steps):
    with pytest.raises(UsageError, match=f"takes {LEAST_STEPS} steps, and the walk has {steps}"):
        drafted("w", walk(num_steps=steps), PLAIN)


def test_nor_has_a_model_that_samples_in_one_way_only():
    with pytest.raises(UsageError, match="embedded-fast samples in 4 steps"):
        drafted("w", walk(), describe_model("embedded-fast", SOURCE))


def test_it_shares_no_frame_with_the_walk_and_no_file(tmp_path):
    studio = fake_studio(tmp_path)
    own, draft = (studio.specify("w", walk(), draft=each) for each in (False, True))
    assert not {r.key for r in own.recipes()} & {r.key for r in draft.recipes()}
    assert [(r.context, r.noise) for r in own.recipes()] == [
        (r.context, r.noise) for r in draft.recipes()
    ]
    assert (own.published, draft.published) == ("w", "w@draft")
    assert studio.specify("w", walk(), frames=9, draft=True).published == "w@9-draft"
    paced = [studio.specify("w", walk(pace="perceptual"), draft=each) for each in (False, True)]
    assert key_of_timeline(paced[0]) != key_of_timeline(paced[1])


def test_its_cost_is_known_from_the_walks_own_frames(tmp_path):
    studio = fake_studio(tmp_path)
    own, draft = (studio.specify("w", walk(frames=9), draft=each) for each in (False, True))
    assert studio.plan(draft).estimate_s is None
    studio.timings.record(timing_profile(own.recipes()), 10.0)
    assert studio.plan(own).estimate_s == 90
    assert studio.plan(draft).estimate_s == pytest.approx(90 * draft.walk.num_steps / 25, rel=0.01)
    render_frames(studio, draft.recipes(), batch_size=3)
    assert (studio.plan(draft).to_render, studio.plan(own).to_render) == (0, 9)
