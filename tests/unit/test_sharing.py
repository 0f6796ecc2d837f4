"""Parts of a walk, rendered by processes that know nothing of each other."""

import pytest
from fakes import fake_studio
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_assets.errors import UsageError
from latent_assets.rendering import Manners, render_frames
from latent_assets.sharing import Part, render_part
from latent_assets.walks.schema import WALK_ADAPTER

WALK = {"kind": "interpolation", "prompts": ["a", "b", "c"], "frames": 40, "num_steps": 2}


def spec_of(studio, **fields):
    return studio.specify("w", WALK_ADAPTER.validate_python({**WALK, **fields}))


@pytest.mark.parametrize(
    "text", ["", "1", "0/4", "5/4", "-1/4", "1/0", "1.5/4", "a/b", "1/4/2", "1/99999"]
)
def test_a_part_that_cannot_be_is_refused(text):
    with pytest.raises(UsageError, match="--shard"):
        Part.read(text)


def test_a_part_is_read():
    assert Part.read(" 3/8 ") == Part(3, 8)
    assert str(Part.read("03/8")) == "3/8"


@settings(max_examples=30)
@given(of=st.integers(1, 9), data=st.data())
def test_parts_in_any_order_twice_or_again_give_the_walk(tmp_path_factory, of, data):
    studio = fake_studio(tmp_path_factory.mktemp("farm"))
    spec = spec_of(studio)
    orders = st.lists(st.integers(1, of), min_size=of, max_size=of + 3)
    for number in data.draw(orders) + list(range(1, of + 1)):
        part = render_part(studio, spec, Part(number, of))
        assert part.frames == part.done.rendered + part.done.reused
    keys = [recipe.key for recipe in spec.recipes()]
    assert studio.frames.contains(keys) == set(keys)
    assert studio.counts.frames == len(set(keys))


def test_who_assembles_renders_what_a_dead_part_left(tmp_path):
    studio = fake_studio(tmp_path)
    spec = spec_of(studio)
    made = render_part(studio, spec, Part(2, 3)).done.rendered
    assert 0 < made < 40
    result = render_frames(studio, spec.recipes(), batch_size=3)
    assert (result.rendered, result.reused) == (40 - made, made)


def test_parts_are_about_equal_also_of_what_is_missing(tmp_path):
    """From 200 frames to 399, every second one is missing: none of the parts has them all."""
    studio = fake_studio(tmp_path)
    few = spec_of(studio, frames=200)
    many = spec_of(studio, frames=399)
    there = {recipe.key for recipe in few.recipes()}
    missing = [recipe.key for recipe in many.recipes() if recipe.key not in there]
    assert len(missing) == 199
    for number in range(1, 5):
        assert 30 <= sum(Part(number, 4).has(key) for key in missing) <= 70


def test_a_part_without_frames_is_done(tmp_path):
    studio = fake_studio(tmp_path)
    spec = spec_of(studio, frames=2)
    assert sum(render_part(studio, spec, Part(n, 50)).frames for n in range(1, 51)) == 2


def test_pilots_are_shared_by_parts(tmp_path):
    """Each looks before each batch what the other has rendered meanwhile, and begins elsewhere."""
    other, busy = fake_studio(tmp_path), []

    def meanwhile(_done):
        if not busy:
            busy.append(True)
            render_part(other, spec, Part(2, 2))

    studio = fake_studio(tmp_path, before_batch=meanwhile)
    spec = spec_of(studio, pace="perceptual", frames=12)
    first = render_part(studio, spec, Part(1, 2))
    assert other.counts.frames > first.pilots.rendered
    again = render_part(studio, spec, Part(1, 2))
    assert again.pilots.rendered == again.done.rendered == 0


def test_frames_that_others_render_meanwhile_are_left_to_them(tmp_path):
    other = fake_studio(tmp_path)

    def meanwhile(done):
        if done == 3:
            render_frames(other, spec.recipes(range(3, 37)), batch_size=4)

    studio = fake_studio(tmp_path, before_batch=meanwhile)
    spec = spec_of(studio)
    result = render_frames(studio, spec.recipes(), batch_size=3, manners=Manners(shared=True))
    # The batch that was under way when the others came is finished.
    assert (result.rendered, result.reused) == (9, 31)


@pytest.mark.parametrize(
    "walk",
    [
        WALK,
        {**WALK, "closed": True},
        {"kind": "grid", "prompts": ["a", "b", "c", "d"], "grid_size": 5},
        {"kind": "prompt_walk", "prompt": "a", "step_size": 0.1, "frames": 9},
        {"kind": "noise_loop", "prompt": "a", "frames": 9},
        {"kind": "guidance_sweep", "prompt": "a", "guidance_scales": [1, 2, 3.5]},
    ],
    ids=lambda walk: walk["kind"],
)
def test_single_recipes_are_those_of_the_whole_walk(tmp_path, walk):
    studio = fake_studio(tmp_path)
    spec = studio.specify("w", WALK_ADAPTER.validate_python(walk))
    whole = spec.recipes()
    places = [len(whole) - 1, 0, 2]
    assert spec.recipes(places) == [whole[place] for place in places]


def test_a_chunk_left_open_takes_about_a_minute(tmp_path):
    studio = fake_studio(tmp_path)
    spec = spec_of(studio, chunk_size="auto", batch_size=4)
    assert studio.chunk_size(spec) == 30  # nothing is measured yet
    profile = {
        "model": "embedded",
        "size": [32, 32],
        "num_steps": 2,
        "sampler": "ddim",
        "precision": "float32",
        "guided": True,
    }
    studio.timings.record(profile, 0.7)
    assert studio.chunk_size(spec) == 84
    studio.timings.record(profile, 0.0001)
    studio.timings.record(profile, 0.0001)
    assert studio.chunk_size(spec) == 1000
    assert studio.chunk_size(spec_of(studio, chunk_size=7)) == 7
