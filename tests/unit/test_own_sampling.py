"""Walks for a model that samples in one way only: `embedded-fast`, in four steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from latent_assets.diffusion.registry import WeightsSource, describe_model
from latent_assets.errors import InvalidWalkError
from latent_assets.own_sampling import fitted
from latent_assets.settings import Settings
from latent_assets.studio import Studio
from latent_assets.walks.schema import WALK_ADAPTER

SOURCE = WeightsSource(Path(__file__).parents[2] / "data" / "models")
FAST = describe_model("embedded-fast", SOURCE)


def walk(**more):
    return WALK_ADAPTER.validate_python(
        {"kind": "noise_loop", "prompt": "a cat", "frames": 3, "seed": 1, **more}
    )


def test_both_ways_are_of_the_same_weights():
    plain = describe_model("embedded", SOURCE)
    assert plain.own_sampling is None
    assert plain.weights_digest == FAST.weights_digest
    assert plain.name != FAST.name


def test_a_walk_is_sampled_in_the_only_way_there_is():
    meant = fitted("w", walk(num_steps=25, guidance_scale=7.5), FAST, named=False)
    assert (meant.num_steps, meant.spacing, meant.guidance_scale) == (4, "trailing", 1.0)
    assert meant.prompt == "a cat"


def test_a_walk_for_another_model_is_left_as_it_is():
    asked = walk(num_steps=25)
    assert fitted("w", asked, describe_model("embedded", SOURCE), named=True) is asked


@pytest.mark.parametrize(
    ("field", "value"),
    [("num_steps", 25), ("guidance_scale", 3), ("sampler", "euler"), ("negative_prompt", "red")],
)
def test_a_walk_that_names_the_model_is_told_what_it_cannot_heed(field, value):
    with pytest.raises(InvalidWalkError, match="embedded-fast") as caught:
        fitted("w", walk(**{field: value}), FAST, named=True)
    assert field in str(caught.value)


def test_guidance_cannot_be_swept():
    sweep = WALK_ADAPTER.validate_python(
        {"kind": "guidance_sweep", "prompt": "a cat", "seed": 1, "guidance_scales": [1, 2]}
    )
    with pytest.raises(InvalidWalkError, match="nothing to sweep"):
        fitted("w", sweep, FAST, named=False)


def test_a_walk_that_names_the_model_may_have_another_length(tmp_path):
    """What its file leaves open is not taken for something that it says."""
    studio = Studio.open(Settings(data=tmp_path))
    spec = studio.specify("w", walk(model="embedded-fast"), frames=5)
    assert (spec.walk.frames, spec.walk.num_steps, spec.published) == (5, 4, "w@5")
    with pytest.raises(InvalidWalkError, match="num_steps"):
        studio.specify("w", walk(model="embedded-fast", num_steps=25), frames=5)
