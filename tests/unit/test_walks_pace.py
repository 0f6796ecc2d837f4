"""Even places on paths whose pictures are known: what `pace` promises, whatever the path."""

from fractions import Fraction as F  # noqa: N817
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_assets.walks.even_steps import Choice, walk
from latent_assets.walks.pace import (
    DEPTH,
    Course,
    Paced,
    Survey,
    lattice,
    pace,
    pace_at_once,
    pilots_beside,
)
from latent_assets.walks.polyline import BAND, Line, Points, roughness_of, squares_of


def curve(seed, *, steepness=6.0, ways=6):
    """place -> a picture of 12 numbers, on a smooth path whose speed varies much."""
    rng = np.random.default_rng(seed)
    centres, widths = rng.uniform(0, 1, ways), rng.uniform(0.3, 1, ways) / steepness / 4
    directions = rng.normal(size=(ways, 12))

    def picture(place):
        passed = 1 / (1 + np.exp(-(float(place) - centres) / widths))
        return np.float32(passed @ directions + 0.05 * float(place))

    return picture


def run(course, picture, beside=None):
    """The pace, and all places that were asked for, turn by turn."""
    frames = course.steps + 1
    search = pace(course, frames + (pilots_beside(frames) if beside is None else beside))
    known, turns = {}, []
    wanted = next(search)
    while True:
        turns.append(wanted)
        known |= {place: picture(place) for place in wanted}
        places = sorted(known)
        pictures = np.stack([known[place] for place in places])
        try:
            wanted = search.send(Survey(tuple(places), squares_of(pictures)))
        except StopIteration as found:
            return found.value, turns


def straight(steps):
    return Course((F(0), F(1)), (F(0), F(steps)), ("linear",))


def spread(distances):
    return np.std(distances) / np.mean(distances)


def uniform_spread(picture, steps):
    pictures = [picture(F(i, steps)) for i in range(steps + 1)]
    return spread([np.linalg.norm(b - a) for a, b in pairwise(pictures)])


@st.composite
def any_courses(draw):
    """Keyframes free or with times of their own, eased or not, with few frames or many."""
    segments = draw(st.integers(1, 5))
    steps = draw(st.integers(1, 40))
    places = [F(k, segments) for k in range(segments + 1)]
    given_times = draw(st.lists(st.booleans(), min_size=segments - 1, max_size=segments - 1))
    times = [F(0)]
    times += [p * steps if g else None for p, g in zip(places[1:-1], given_times, strict=True)]
    eases = draw(
        st.lists(
            st.sampled_from(["linear", "ease-in", "ease-out", "ease-in-out"]),
            min_size=segments,
            max_size=segments,
        )
    )
    return Course(tuple(places), (*times, F(steps)), tuple(eases))


@settings(max_examples=60, deadline=None)
@given(any_courses(), st.integers(0, 10_000), st.booleans())
def test_whatever_the_path_places_rise_ends_are_kept_and_nothing_is_asked_twice(course, seed, flat):
    picture = (lambda _place: np.zeros(12, np.float32)) if flat else curve(seed)
    found, turns = run(course, picture)
    assert len(found.places) == course.steps + 1
    assert found.places[0] == 0
    assert found.places[-1] == 1
    assert all(a < b for a, b in pairwise(found.places))
    asked = [place for turn in turns for place in turn]
    assert len(asked) == len(set(asked))
    assert set(found.places) <= set(asked)
    frames = course.steps + 1
    assert len(asked) <= max(frames + pilots_beside(frames), len(course.places))
    for place in asked:
        _, local = course.locate(place)
        assert (2**DEPTH) % local.denominator == 0
    again, _ = run(course, picture)
    assert again == found
    assert Paced.from_dict(found.as_dict()) == found


@settings(max_examples=40, deadline=None)
@given(any_courses(), st.integers(0, 10_000))
def test_a_frame_stands_on_every_keyframe_on_which_one_stood_before(course, seed):
    found, _ = run(course, curve(seed))
    for place, time in zip(course.places, course.times, strict=True):
        at_uniform_pace = place * course.steps
        if time is None and course.steps < len(course.places) - 1:
            continue  # fewer steps than segments: see the test below
        if at_uniform_pace.denominator == 1:
            assert place in found.places
            if time is not None:
                assert found.places[int(time)] == place


def test_with_fewer_frames_than_keyframes_those_with_a_frame_keep_it():
    course = Course(
        tuple(F(k, 4) for k in range(5)), (F(0), None, None, None, F(2)), ("linear",) * 4
    )
    found, _ = run(course, curve(1))
    assert found.places == (0, F(1, 2), 1)


@pytest.mark.parametrize("seed", range(8))
def test_steps_come_out_even(seed):
    picture = curve(seed)
    found, turns = run(straight(59), picture)
    before = uniform_spread(picture, 59)
    assert before > 0.5
    assert spread(found.distances) < 0.15
    assert max(found.distances) < 1.6 * np.median(found.distances)
    assert sum(map(len, turns)) <= 1.4 * 60
    assert found.jumps == ()
    # The distances are those of the pictures at the places.
    pictures = [picture(place) for place in found.places]
    assert found.distances == pytest.approx(
        [np.linalg.norm(b - a) for a, b in pairwise(pictures)], rel=1e-3
    )


def test_no_step_cuts_a_bend_short_so_that_others_need_not_be_long():
    """A bend of seven gaps whose ends are three steps apart, in a way with six pilots to spare."""
    turns = np.cumsum([0.0] * 40 + [0.65] * 7 + [0.0] * 40)
    gaps = np.array([0.85] * 40 + [1.2] * 7 + [0.85] * 40)
    ends = np.cumsum(gaps[:, None] * np.stack([np.cos(turns), np.sin(turns)], axis=1), axis=0)
    pilots = np.float32([[0, 0], *ends])
    line, last, steps = Line(squares_of(pilots)), len(gaps), len(gaps) - 6
    assert 2.5 < np.linalg.norm(pilots[47] - pilots[40]) < 3.5
    _, expected = walk(line, 0, last, [1.0] * steps)
    candidates = Points(np.arange(last + 1), np.zeros(last + 1))
    chosen = Choice(line, candidates, expected, np.ones(steps)).cheapest(np.zeros(last + 1))
    assert max(np.linalg.norm(np.diff(pilots[chosen], axis=0), axis=1)) < 2


def test_an_even_path_is_left_nearly_alone():
    picture = lambda place: np.float32([float(place), 0, 0])  # noqa: E731
    found, _ = run(straight(16), picture)
    assert spread(found.distances) < 0.06
    assert [float(place) for place in found.places] == pytest.approx(
        [i / 16 for i in range(17)], abs=0.02
    )


def test_free_keyframes_share_the_time_by_their_lengths_and_given_ones_keep_it():
    def picture(place):  # the second segment is three times as long as the first
        x = float(place)
        return np.float32([min(x, 0.5) + 3 * max(x - 0.5, 0), 0])

    places = (F(0), F(1, 2), F(1))
    free, _ = run(Course(places, (F(0), None, F(40)), ("linear", "linear")), picture)
    fixed, _ = run(Course(places, (F(0), F(20), F(40)), ("linear", "linear")), picture)
    assert free.places.index(F(1, 2)) == 10
    assert fixed.places.index(F(1, 2)) == 20
    assert spread(free.distances) < 0.1


def test_easing_is_to_the_eye():
    picture = lambda place: np.float32([float(place) ** 3, 0])  # noqa: E731
    course = Course((F(0), F(1)), (F(0), F(20)), ("ease-in",))
    found, _ = run(course, picture)
    seen = np.cumsum(found.distances) / sum(found.distances)
    assert seen == pytest.approx([(i / 20) ** 2 for i in range(1, 21)], abs=0.03)


def test_a_jump_is_found_and_not_refined_for_ever():
    def picture(place):
        return np.float32([float(place), 0.5 * (place > F(4312, 10_000))])

    found, turns = run(straight(59), picture)
    (jump,) = found.jumps
    assert jump.start <= F(4312, 10_000) < jump.end
    assert jump.end - jump.start < F(1, 2000)
    assert jump.steps > 20
    assert sum(map(len, turns)) <= 84
    others = sorted(found.distances)[:-1]
    assert max(others) < 2 * np.median(others)


def test_between_points_the_distance_is_that_of_sums_of_pictures():
    rng = np.random.default_rng(3)
    pictures = rng.normal(size=(30, 7)).astype(np.float32)
    line = Line(squares_of(pictures))
    a = Points(np.array([0, 1, 2]), np.array([0.0, 0.25, 0.9]))
    b = Points(np.array([2, 3, 20]), np.array([0.95, 0.0, 0.5]))
    at = lambda points: np.stack(  # noqa: E731
        [
            (1 - s) * pictures[i] + s * pictures[i + 1]
            for i, s in zip(points.pilots, points.shares, strict=True)
        ]
    )
    expected = np.linalg.norm(at(a)[:, None] - at(b)[None], axis=-1)
    assert line.between(a, b) == pytest.approx(expected, rel=1e-3)
    far = Points(np.array([29]), np.array([0.0]))
    assert np.isinf(line.between(Points(np.array([0]), np.array([0.0])), far)).all()
    assert BAND < 29


def brownian(parts, seed, ways=4000):
    """(parts + 1, ways): so many random walks at once that what is found is what is expected."""
    steps = np.random.default_rng(seed).normal(size=(parts, ways)) / np.sqrt(parts * ways)
    return np.float32(np.concatenate([np.zeros((1, ways)), np.cumsum(steps, axis=0)]))


def straight_way(parts):
    return np.float32(np.linspace(0, 1, parts + 1)[:, None] * np.ones((1, 3)))


def test_a_straight_way_has_no_roughness_and_a_brownian_one_all_of_it():
    assert roughness_of(squares_of(straight_way(40))) == pytest.approx(0, abs=1e-3)
    assert roughness_of(squares_of(brownian(40, seed=1))) == pytest.approx(1, abs=0.05)
    rough = [straight_way(40)[:, :1], 0.5 * brownian(40, seed=1)]
    between = roughness_of(squares_of(np.concatenate(rough, axis=1)))
    assert 0.5 < between < 1  # of a step's square 1/1600 is straight, 1/160 is not
    assert roughness_of(squares_of(np.zeros((9, 3), np.float32))) == 0
    assert roughness_of(squares_of(np.eye(2, dtype=np.float32))) == 0


@pytest.mark.parametrize("seed", range(3))
def test_between_pilots_of_a_brownian_way_distances_are_foretold(seed):
    """Every eighth place is a pilot; the others are known to the test alone."""
    way = brownian(64, seed)
    pilots = squares_of(way[::8])
    line = Line(pilots, roughness=roughness_of(pilots))
    places = np.arange(0, 64, 3)
    stand = Points(places // 8, places % 8 / 8)
    foretold = [line.between(stand[n : n + 1], stand[n + 1 : n + 2])[0, 0] for n in range(21)]
    real = np.linalg.norm(np.diff(way[places], axis=0), axis=1)
    assert foretold == pytest.approx(real, rel=0.06)
    # And steps of one length lead to the places that stand equally far apart.
    _, steps = walk(line, 0, 8, [1.0] * 16)
    assert [i + share for i, share in steps] == pytest.approx(np.arange(17) / 2, abs=0.1)


def test_steps_on_a_rough_way_are_even_where_pilots_lie_close_and_where_they_do_not():
    """Chords say that a way is longer where more of it is known: frames would crowd there."""
    way = brownian(960, seed=5)
    found, turns = run(straight(30), lambda place: way[round(float(place) * 960)])
    assert spread(found.distances) < 0.06
    assert max(found.distances) < 1.2 * np.median(found.distances)
    assert sum(map(len, turns)) <= 31 + pilots_beside(31)


@pytest.mark.parametrize("side", range(2, 33))
def test_a_grids_pilots_are_few_and_hold_its_edges(side):
    lines = lattice(side)
    assert (lines[0], lines[-1]) == (0, 1)
    assert lines == sorted(set(lines))
    assert all((2**DEPTH) % line.denominator == 0 for line in lines)
    if side > 3:
        assert side**2 + len(lines) ** 2 - 4 <= 1.4 * side**2
    assert len(lines) >= min(side, 3)


def test_one_look_suffices_for_places_between_pilots():
    picture = curve(2, steepness=1.0)
    course, first = straight(15), [F(k, 8) for k in range(9)]
    search = pace_at_once(course, first)
    assert next(search) == first
    with pytest.raises(StopIteration) as ended:
        search.send(Survey(tuple(first), squares_of(np.stack([picture(p) for p in first]))))
    places = ended.value.value.places
    assert len(places) == 16
    assert (places[0], places[-1]) == (0, 1)
    assert all(a < b for a, b in pairwise(places))
    steps = [np.linalg.norm(picture(b) - picture(a)) for a, b in pairwise(places)]
    assert spread(steps) < 0.6 * uniform_spread(picture, 15)


def test_squares_are_the_same_whatever_the_number_of_points():
    pictures = np.random.default_rng(1).normal(size=(150, 5)).astype(np.float32)
    squares = squares_of(pictures)
    for i, j in ((0, 1), (0, 24), (63, 64), (60, 84), (125, 149), (148, 149)):
        expected = np.sum((pictures[i] - pictures[j]) ** 2)
        assert squares[i, j - i - 1] == pytest.approx(expected, rel=1e-4)
    assert np.isinf(squares[149]).all()
    assert np.isinf(squares[140, 9])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.lists(st.floats(0.2, 3), min_size=2, max_size=20))
def test_steps_along_the_line_have_the_lengths_that_were_asked_for(seed, weights):
    picture = curve(seed)
    pictures = np.stack([picture(F(i, 64)) for i in range(65)])
    line = Line(squares_of(pictures))
    radius, points = walk(line, 0, 64, weights)
    assert len(points) == len(weights) + 1
    stand = Points(np.array([i for i, _ in points]), np.array([share for _, share in points]))
    lengths = [
        line.between(stand[n : n + 1], stand[n + 1 : n + 2])[0, 0] for n in range(len(weights))
    ]
    # Steps longer than the band is wide are cut, the last takes what is left.
    exact = [n for n in range(len(weights) - 1) if points[n + 1][0] - points[n][0] < BAND - 1]
    assert [lengths[n] for n in exact] == pytest.approx(
        [radius * weights[n] for n in exact], rel=1e-3, abs=1e-6
    )


def test_choosing_needs_enough_to_choose_from():
    line = Line(squares_of(np.eye(3, dtype=np.float32)))
    three = Points(np.arange(3), np.zeros(3))
    with pytest.raises(ValueError, match="3 candidates for 4 places"):
        Choice(line, three, [(0, 0.0)] * 4, np.ones(3))
