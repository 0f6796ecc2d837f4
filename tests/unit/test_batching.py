"""Batches whose size a walk leaves open: what is tried, what is taken, what is remembered."""

import numpy as np
import pytest
from fakes import fake_studio

from latent_assets import batching
from latent_assets.batching import SIZES, MeasuredBatches
from latent_assets.rendering import render_frames
from latent_assets.walks.schema import WALK_ADAPTER

WALK = {"kind": "interpolation", "prompts": ["a", "b"], "frames": 37, "num_steps": 2}
PROFILE = {"model": "embedded", "device": "fake"}
# Seconds of a frame, by the size of its batch: as the embedded model's on a CPU; as one's that
# gains nothing; as one's that is always faster with more.
LEVEL = {1: 1.6, 2: 1.3, 3: 1.2, 5: 1.1, 10: 1.03, 15: 1.0, 30: 1.01}
FLAT = dict.fromkeys(SIZES, 1.0)
RISING = {size: 1 / size for size in SIZES}


def spec_of(studio, **fields):
    return studio.specify("w", WALK_ADAPTER.validate_python({**WALK, **fields}))


@pytest.fixture
def studio(tmp_path):
    return fake_studio(tmp_path)


@pytest.fixture(autouse=True)
def plenty(monkeypatch):
    monkeypatch.setattr(batching, "_free_memory", lambda: 10**15)


def measured(studio, pixels=256):
    engine = studio.load_engine("embedded")
    return MeasuredBatches(studio.timings, engine, PROFILE, (pixels, pixels), 4)


def rendered(batches, costs, frames=1000):
    """The sizes of the batches of so many frames, at such costs."""
    sizes, left = [], frames
    while left:
        size = batches.next(left)
        batches.note(size, size * costs.get(size, 9.0))
        sizes.append(size)
        left -= size
    batches.remember()
    return sizes


@pytest.mark.parametrize(
    ("costs", "taken"), [(LEVEL, 10), (FLAT, 1), (RISING, 30)], ids=["level", "flat", "rising"]
)
def test_the_smallest_size_that_is_about_as_fast_as_any_is_taken(studio, costs, taken):
    sizes = rendered(measured(studio), costs)
    assert sizes[0] == 10
    assert sizes[-12:-2] == [taken] * 10
    # Another render, and another process, know it from the first batch on.
    assert set(rendered(measured(studio), costs, 30 * taken)) == {taken}


def test_no_size_is_tried_for_long(studio):
    """First the one to compile, then two of each; the others are of the size that was taken."""
    sizes = rendered(measured(studio), LEVEL)
    assert sizes[:9] == [10, 10, 10, 15, 15, 5, 5, 10, 10]


def test_a_disturbed_measurement_does_not_count(studio):
    batches = measured(studio)
    for seconds in (90.0, 10.3, 80.0):  # the first compiles, the third was held up
        batches.note(10, seconds)
    assert rendered(batches, LEVEL)[20:25] == [10] * 5


def test_large_pictures_begin_with_small_batches(studio):
    assert [measured(studio, pixels).next(99) for pixels in (256, 512, 768, 2048)] == [10, 3, 1, 1]


def test_a_walk_too_short_for_a_trial_is_rendered_with_what_is_known(studio):
    assert rendered(measured(studio), LEVEL, frames=4) == [4]
    rendered(measured(studio), LEVEL)
    assert rendered(measured(studio), LEVEL, frames=14) == [10, 4]


def test_no_larger_batch_is_tried_than_there_is_memory_for(studio, monkeypatch):
    monkeypatch.setattr(batching, "_free_memory", lambda: 0)
    assert max(rendered(measured(studio), RISING)) == 10


def test_no_larger_batch_is_tried_than_the_device_had_memory_for(studio):
    studio.load_engine("embedded").batch_limit = 10
    assert max(rendered(measured(studio), RISING)) == 10


def test_with_xla_the_first_batch_of_each_size_compiles(studio):
    studio.load_engine("embedded").jit_compile = True
    sizes = rendered(measured(studio), LEVEL)
    assert sizes[:9] == [10, 10, 10, 15, 15, 15, 5, 5, 5]


def test_another_device_is_measured_anew(studio):
    rendered(measured(studio), RISING)
    engine = studio.load_engine("embedded")
    other = MeasuredBatches(studio.timings, engine, {**PROFILE, "device": "x"}, (256, 256), 4)
    assert other.next(99) == 10


def test_a_walk_that_leaves_it_open_has_the_keys_and_pictures_of_one_that_does_not(
    studio, tmp_path
):
    open_, fixed = spec_of(studio), spec_of(studio, batch_size=4)
    assert open_.walk.batch_size == "auto"
    keys = [recipe.key for recipe in open_.recipes()]
    assert keys == [recipe.key for recipe in fixed.recipes()]
    render_frames(studio, open_.recipes(), batch_size=open_.walk.batch_size)
    other = fake_studio(tmp_path / "other")
    render_frames(other, fixed.recipes(), batch_size=4)
    for one, two in zip(studio.frames.read_many(keys), other.frames.read_many(keys), strict=True):
        assert np.array_equal(one.pixels, two.pixels)
        assert len(two.receipt.batch) == 4 or len(set(keys)) % 4
        assert len(one.receipt.batch) in {*SIZES, len(set(keys)) % 10}
