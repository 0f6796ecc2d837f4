"""The order of rendering: every frame once, and the whole walk soon."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent_assets.walks.order import (
    cells_coarse_to_fine,
    coarse_to_fine,
    rendering_order,
    stand_ins,
)
from latent_assets.walks.schema import WALK_ADAPTER

COUNTS = st.integers(1, 400)


def gaps(known, count, *, loop):
    there = sorted(known)
    ends = [*there, there[0] + count] if loop else there
    return [b - a for a, b in pairwise(ends)]


def test_ends_then_the_middle_then_quarters():
    assert coarse_to_fine(9) == [0, 8, 4, 2, 6, 1, 3, 5, 7]
    assert coarse_to_fine(8, loop=True) == [0, 4, 2, 6, 1, 3, 5, 7]
    assert cells_coarse_to_fine(3)[:4] == [0, 2, 6, 8]


@given(COUNTS, st.booleans())
def test_every_frame_comes_once(count, loop):
    assert sorted(coarse_to_fine(count, loop=loop)) == list(range(count))


@given(COUNTS, st.booleans(), st.data())
def test_however_many_are_there_they_are_spread_over_the_walk(count, loop, data):
    least = 1 if loop else min(2, count)
    some = data.draw(st.integers(least, count))
    known = coarse_to_fine(count, loop=loop)[:some]
    parts, whole = (some, count) if loop else (some - 1, count - 1)
    assert all(gap <= 2 * whole / max(parts, 1) + 1 for gap in gaps(known, count, loop=loop))


@given(st.integers(20, 400), st.booleans())
def test_after_a_tenth_the_whole_walk_is_seen(count, loop):
    known = coarse_to_fine(count, loop=loop)[: count // 10 + 1]
    assert max(gaps(known, count, loop=loop)) <= max(count / 2, 2)
    assert len(known) < 20 or max(gaps(known, count, loop=loop)) <= 24


@given(st.integers(1, 24), st.data())
def test_a_grid_is_seen_as_a_coarser_grid_first(side, data):
    order = cells_coarse_to_fine(side)
    assert sorted(order) == list(range(side * side))
    some = data.draw(st.integers(1, side))
    rows = {cell // side for cell in order[: some * some]}
    columns = {cell % side for cell in order[: some * some]}
    assert rows == columns == set(coarse_to_fine(side)[:some])


@pytest.mark.parametrize(
    "walk",
    [
        {"kind": "interpolation", "prompts": ["a", "b"], "frames": 7},
        {"kind": "interpolation", "prompts": ["a", "b", "c"], "closed": True, "frames": 7},
        {"kind": "interpolation", "prompts": ["a", "b"], "frames": 7, "pace": "perceptual"},
        {"kind": "noise_loop", "prompt": "a", "frames": 2},
        {"kind": "prompt_walk", "prompt": "a", "frames": 6},
        {"kind": "grid", "prompts": ["a", "b", "c", "d"], "grid_size": 4},
        {"kind": "guidance_sweep", "prompt": "a", "guidance_scales": [3]},
        {"kind": "guidance_sweep", "prompt": "a", "guidance_scales": [3, 5, 7]},
    ],
)
def test_every_kind_of_walk_has_an_order(walk):
    read = WALK_ADAPTER.validate_python(walk)
    assert sorted(rendering_order(read)) == list(range(read.frames))


@given(st.integers(1, 60), st.booleans(), st.data())
def test_until_a_frame_is_there_the_nearest_one_stands_in_for_it(count, loop, data):
    known = data.draw(st.sets(st.integers(0, count - 1), min_size=1))

    def apart(a, b):
        way = abs(a - b)
        return min(way, count - way) if loop else way

    found = stand_ins(known, count, loop=loop)
    for frame, stand_in in enumerate(found):
        assert stand_in in known
        assert apart(frame, stand_in) == min(apart(frame, each) for each in known)
