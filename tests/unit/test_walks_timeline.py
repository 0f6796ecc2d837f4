"""Frames stand at exact places: else a longer walk would not find the frames of a shorter one."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent_assets.walks.schema import WALK_ADAPTER, Keyframe
from latent_assets.walks.timeline import Place, ease, keyframe_places, locate, positions

EASES = ("linear", "ease-in", "ease-out", "ease-in-out")
counts = st.integers(2, 400)
units = st.fractions(0, 1, max_denominator=1000)


def keyframes(*places, ease="linear"):
    return [Keyframe(prompt=f"p{i}", at=at, ease=ease) for i, at in enumerate(places)]


# --- positions ----------------------------------------------------------------------------------


def test_positions_are_exact_thirds_and_quarters_not_floats():
    assert positions(4, closed=False) == [0, Fraction(1, 3), Fraction(2, 3), 1]
    assert positions(4, closed=True) == [0, Fraction(1, 4), Fraction(1, 2), Fraction(3, 4)]
    assert all(isinstance(place, Fraction) for place in positions(4, closed=False))


@given(counts)
def test_an_open_walk_reaches_both_ends_in_even_steps(n):
    places = positions(n, closed=False)
    assert len(places) == n
    assert (places[0], places[-1]) == (0, 1)
    assert {b - a for a, b in pairwise(places)} == {Fraction(1, n - 1)}


@given(counts)
def test_a_closed_walk_does_not_repeat_its_first_frame_at_the_end(n):
    places = positions(n, closed=True)
    assert len(places) == n
    assert places[0] == 0
    assert 1 - places[-1] == Fraction(1, n)
    assert len(set(places)) == n


@given(counts)
def test_a_walk_of_2n_minus_1_frames_holds_every_frame_of_one_of_n(n):
    assert positions(2 * n - 1, closed=False)[::2] == positions(n, closed=False)


@given(counts)
def test_a_closed_walk_of_2n_frames_holds_every_frame_of_one_of_n(n):
    assert positions(2 * n, closed=True)[::2] == positions(n, closed=True)


def test_a_single_frame_divides_by_nothing():
    assert positions(1, closed=False) == [0]
    assert positions(1, closed=True) == [0]


# --- easing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EASES)
def test_easing_keeps_the_end_points_so_that_keyframes_are_reached(name):
    assert ease(name, Fraction(0)) == 0
    assert ease(name, Fraction(1)) == 1


@given(st.sampled_from(EASES), units, units)
def test_easing_never_walks_backwards_nor_leaves_the_segment(name, s, t):
    low, high = sorted((s, t))
    assert 0 <= ease(name, low) <= ease(name, high) <= 1
    assert low == high or ease(name, low) < ease(name, high)


@given(st.sampled_from(EASES), units)
def test_easing_stays_an_exact_fraction(name, t):
    assert isinstance(ease(name, t), Fraction)


@given(units)
def test_ease_out_is_ease_in_read_backwards(t):
    assert ease("ease-out", t) == 1 - ease("ease-in", 1 - t)
    assert ease("ease-in-out", t) == 1 - ease("ease-in-out", 1 - t)


def test_easing_eases_on_the_side_that_it_says():
    quarter = Fraction(1, 4)
    assert ease("ease-in", quarter) == Fraction(1, 16)
    assert ease("ease-out", quarter) == Fraction(7, 16)
    assert ease("ease-in-out", quarter) == Fraction(5, 32)
    assert ease("linear", quarter) == quarter


# --- keyframes ----------------------------------------------------------------------------------


def test_keyframes_without_a_place_are_spread_evenly():
    assert keyframe_places(keyframes(None, None, None), closed=False) == [0, Fraction(1, 2), 1]


def test_a_closed_walk_comes_back_to_its_first_keyframe():
    thirds = [0, Fraction(1, 3), Fraction(2, 3), 1]
    assert keyframe_places(keyframes(None, None, None), closed=True) == thirds


def test_keyframes_between_placed_ones_share_what_is_left():
    fifth = Fraction(1, 5)
    places = keyframe_places(keyframes(None, None, fifth, None, None), closed=False)
    assert places == [0, fifth / 2, fifth, fifth + Fraction(2, 5), 1]
    closed = keyframe_places(keyframes(0, fifth, None), closed=True)
    assert closed == [0, fifth, Fraction(3, 5), 1]


@st.composite
def placed(draw):
    """(keyframes, closed): places strictly growing, some left out."""
    closed = draw(st.booleans())
    inner = sorted(draw(st.sets(st.fractions(0, 1, max_denominator=50), max_size=6)) - {0, 1})
    ends = [0, *inner] if closed else [0, *inner, 1]
    if len(ends) == 1:
        ends.append(Fraction(1, 2))
    shown = [at if draw(st.booleans()) else None for at in ends]
    frames = [
        Keyframe(prompt=f"p{i}", at=at, ease=draw(st.sampled_from(EASES)))
        for i, at in enumerate(shown)
    ]
    return frames, closed


@given(placed())
def test_places_grow_and_those_that_were_written_are_kept(walk):
    anchors, closed = walk
    places = keyframe_places(anchors, closed=closed)
    assert len(places) == len(anchors) + closed
    assert (places[0], places[-1]) == (0, 1)
    assert all(a < b for a, b in pairwise(places))
    assert all(k.at in (None, place) for k, place in zip(anchors, places, strict=False))


@given(placed())
def test_every_keyframe_is_reached_and_belongs_to_one_segment_only(walk):
    """The guide joins segments with their common keyframe in both: it is then shown twice."""
    anchors, closed = walk
    places = keyframe_places(anchors, closed=closed)
    for index, place in enumerate(places):
        own = index % len(anchors)
        assert locate(place, places, anchors) == Place(own, own, Fraction(0))


@given(placed(), units)
def test_between_keyframes_a_frame_lies_between_its_two_neighbours(walk, position):
    anchors, closed = walk
    places = keyframe_places(anchors, closed=closed)
    a, b, local = locate(position, places, anchors)
    if a == b:
        assert local == 0
        assert position in places
        return
    assert b == (a + 1) % len(anchors)
    assert 0 < local < 1
    share = (position - places[a]) / (places[a + 1] - places[a])
    assert local == ease(anchors[a].ease, share)


def test_the_easing_is_that_of_the_keyframe_where_the_segment_begins():
    anchors = [Keyframe(prompt="a"), Keyframe(prompt="b", ease="ease-in"), Keyframe(prompt="c")]
    places = keyframe_places(anchors, closed=False)
    assert locate(Fraction(1, 4), places, anchors) == (0, 1, Fraction(1, 2))
    assert locate(Fraction(3, 4), places, anchors) == (1, 2, Fraction(1, 4))


def test_a_frame_is_found_fast_among_a_thousand_keyframes():
    """Looked for one by one, ten thousand frames among them took half a minute."""
    anchors = keyframes(*[None] * 1000)

    class Counted(Fraction):
        compared = 0

        def __lt__(self, other):
            Counted.compared += 1
            return Fraction.__lt__(self, other)

        def __ge__(self, other):
            Counted.compared += 1
            return Fraction.__ge__(self, other)

    places = keyframe_places(anchors, closed=False)
    assert locate(Counted(1, 3), places, anchors) == Place(333, 333, Fraction(0))
    assert 0 < Counted.compared < 20


@pytest.mark.parametrize(
    ("places", "closed", "told"),
    [
        ([None, "1/2", "1/3", None], False, "must grow"),
        ([None, "1/2", "1/2", None], False, "must grow"),
        (["1/4", None], False, "first keyframe"),
        ([None, "3/4"], False, "last keyframe"),
        ([None, 0, None], False, "no other can have `at` 0"),
        ([None, 0], True, "no other can have `at` 0"),
        ([None, 1, None], False, "no other can have `at` 1"),
        ([None, None, 1], True, "no other can have `at` 1"),
    ],
)
def test_keyframes_that_no_frame_could_reach_are_refused(places, closed, told):
    """Two keyframes at one place: the earlier one would silently be left out."""
    document = {
        "kind": "interpolation",
        "keyframes": [
            {"prompt": f"p{i}"} | ({} if at is None else {"at": at}) for i, at in enumerate(places)
        ],
        "closed": closed,
        "frames": 9,
    }
    with pytest.raises(ValueError, match=told):
        WALK_ADAPTER.validate_python(document)
