"""A walk is seen while it is rendered: soon, whole, and for a small share of the time."""

import io

import numpy as np
import pytest
from fakes import fake_studio
from PIL import Image

from latent_assets.early_look import (
    HEAD_START_S,
    PERIOD_S,
    SHARE,
    EarlyLook,
    early_look_path,
    remove_early_look,
    will_have_early_look,
)
from latent_assets.media.webp import still, write_stills
from latent_assets.pacing import make_timeline
from latent_assets.rendering import render_frames
from latent_assets.walks.order import rendering_order
from latent_assets.walks.schema import WALK_ADAPTER

FPS = 10


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def studio(tmp_path):
    return fake_studio(tmp_path)


def specified(studio, **fields):
    walk = {"kind": "interpolation", "prompts": ["a", "b"], "num_steps": 2, **fields}
    if walk["kind"] == "grid":
        walk["prompts"] = list("abcd")
    elif walk["kind"] != "interpolation":
        walk = {**walk, "prompt": "a"}
        del walk["prompts"]
    output = {"fps": FPS, **walk.pop("output", {})}
    return studio.specify("w", WALK_ADAPTER.validate_python({**walk, "output": output}))


def render(studio, spec, places, **more):
    recipes = spec.recipes()
    render_frames(studio, [recipes[place] for place in places], batch_size=3, **more)


def film(path):
    """The frames of a film: (their pictures, their milliseconds)."""
    with Image.open(path) as image:
        pictures, times = [], []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            pictures.append(np.asarray(image.convert("RGB")))
            times.append(image.info.get("duration"))
    return pictures, times


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"frames": 21}, 21),
        ({"frames": 21, "output": {"ping_pong": True}}, 40),
        ({"frames": 20, "closed": True, "output": {"ping_pong": True}}, 20),
        ({"kind": "noise_loop", "frames": 15}, 15),
        ({"kind": "prompt_walk", "frames": 15}, 15),
        ({"kind": "guidance_sweep", "guidance_scales": [1, 2, 4, 8, 16]}, 5),
    ],
)
def test_the_film_is_as_long_as_the_finished_one_from_the_first_frames_on(studio, fields, shown):
    spec, clock = specified(studio, **fields), Clock()
    look = EarlyLook(studio, spec, clock=clock)
    order = rendering_order(spec.walk)
    for some in (2, 4, len(order)):
        render(studio, spec, order[:some])
        clock.now += 1000
        assert look.update()
        pictures, times = film(look.path)
        assert sum(times) == pytest.approx(1000 * shown / FPS, abs=1)
        assert look.known == sorted(order[:some])
    assert len(pictures) == shown


def test_each_frame_stands_at_its_time(studio):
    spec = specified(studio, frames=9)
    look = EarlyLook(studio, spec)
    render(studio, spec, [0, 8, 4])
    assert look.update()
    pictures, times = film(look.path)
    assert times == [300, 400, 200], "0-2 near 0, 3-6 near 4, 7-8 near 8"
    frames = [studio.frames.read(spec.recipes()[place].key).pixels for place in (0, 4, 8)]
    apart = [[np.abs(shown.astype(float) - frame).mean() for frame in frames] for shown in pictures]
    assert [int(np.argmin(row)) for row in apart] == [0, 1, 2]


def test_a_grid_fills_cell_by_cell(studio):
    spec, clock = specified(studio, kind="grid", grid_size=4), Clock()
    look = EarlyLook(studio, spec, clock=clock)
    render(studio, spec, rendering_order(spec.walk)[:4])
    assert look.update()
    (picture,), _ = film(look.path)
    side = picture.shape[0] // 4
    filled = {
        (row, column)
        for row in range(4)
        for column in range(4)
        if picture[row * side : (row + 1) * side, column * side : (column + 1) * side].std() > 5
    }
    assert filled == {(0, 0), (0, 3), (3, 0), (3, 3)}
    assert look.note().startswith("data:image/webp;base64,")


def test_frames_of_other_walks_and_of_other_processes_are_seen_too(studio):
    render(studio, specified(studio, frames=5), range(5))
    spec = specified(studio, frames=9)
    look = EarlyLook(studio, spec)
    assert look.update()
    assert look.known == [0, 2, 4, 6, 8]


def test_it_is_written_no_more_often_than_once_a_second_and_not_without_news(studio):
    spec, clock = specified(studio, frames=9), Clock()
    look = EarlyLook(studio, spec, clock=clock)
    assert not look.update(), "nothing is there"
    assert not look.path.exists()
    render(studio, spec, [0])
    assert look.update()
    render(studio, spec, [8])
    clock.now += 0.9 * PERIOD_S
    assert not look.update()
    clock.now += 0.2 * PERIOD_S
    assert look.update()
    clock.now += 2 * PERIOD_S
    assert not look.update(), "no frame has come"


def test_it_takes_no_more_than_its_share_of_the_time(studio, monkeypatch):
    spec, clock, worked = specified(studio, frames=120), Clock(), Clock()
    look = EarlyLook(studio, spec, clock=clock, worked=worked)
    render(studio, spec, range(120))
    read = studio.frames.read

    def slowly(key):
        worked.now += 0.05
        return read(key)

    monkeypatch.setattr(studio.frames, "read", slowly)
    for _ in range(200):
        clock.now += 1
        look.update()
        assert worked.now <= HEAD_START_S + SHARE * clock.now + 0.05
    assert worked.now >= SHARE * clock.now, "and it takes that share"
    assert len(look.known) == round(worked.now / 0.05) < 120


def test_a_long_walk_shows_some_frames_from_all_over_it(studio):
    spec, clock = specified(studio, frames=700), Clock()
    look = EarlyLook(studio, spec, clock=clock)
    render(studio, spec, rendering_order(spec.walk)[:200])
    for _ in range(30):
        clock.now += 1000
        look.update()
    assert len(look.known) == 129
    assert (look.known[0], look.known[-1]) == (0, 699)
    assert sum(film(look.path)[1]) == 70_000


@pytest.mark.parametrize("kind", ["interpolation", "noise_loop", "grid"])
def test_of_a_paced_walk_its_pilots_are_seen_and_then_its_frames(studio, kind):
    length = {"grid_size": 5, "batch_size": 4} if kind == "grid" else {"frames": 12}
    spec, clock = specified(studio, kind=kind, pace="perceptual", **length), Clock()
    look = EarlyLook(studio, spec, clock=clock)
    known = []

    def on_frames(_keys, _rendered):
        clock.now += 1000
        look.update()
        known.append(len(look.known))

    timeline = make_timeline(studio, spec, on_frames=on_frames, on_asked=look.expect)
    assert known[0] >= 2
    assert known[-1] > known[0]
    there = spec.at(timeline.places(loop=kind == "noise_loop"))
    look.settle([recipe.key for recipe in there.recipes()])
    render(studio, there, range(there.walk.frames))
    clock.now += 1000
    look.update()
    assert look.known == list(range(there.walk.frames))


def test_a_damaged_frame_is_left_out(studio):
    spec = specified(studio, frames=5)
    render(studio, spec, range(5))
    key = spec.recipes()[2].key
    path = studio.settings.data / "store" / studio.frames.name(key)
    path.write_bytes(path.read_bytes()[:-40])
    look = EarlyLook(studio, spec)
    assert look.update()
    assert look.known == [0, 1, 3, 4]


def test_what_cannot_be_written_is_told_once_and_fails_nothing(studio, caplog):
    spec, clock = specified(studio, frames=5), Clock()
    path = early_look_path(studio, spec)
    path.parent.parent.mkdir(parents=True)
    path.parent.write_text("a file in the folder's place")
    look = EarlyLook(studio, spec, clock=clock)
    for place in range(3):
        render(studio, spec, [place])
        clock.now += 10
        assert not look.update()
    told = [each.getMessage() for each in caplog.records]
    assert len(told) == 1
    assert told[0].startswith("there is no early look at the walk: ")


def test_it_is_removed_with_nothing_said_if_it_is_gone(studio):
    spec = specified(studio, frames=3)
    render(studio, spec, range(3))
    assert EarlyLook(studio, spec).update()
    remove_early_look(studio, spec)
    remove_early_look(studio, spec)
    assert not early_look_path(studio, spec).exists()
    assert list(early_look_path(studio, spec).parent.iterdir()) == []


def test_a_note_is_small_and_there_from_the_first_frame_on(studio):
    spec, clock = specified(studio, frames=60), Clock()
    look = EarlyLook(studio, spec, clock=clock)
    assert look.note() is None
    for some in (1, 6, 60):
        render(studio, spec, rendering_order(spec.walk)[:some])
        clock.now += 100_000
        look.update()
        note = look.note()
        assert note.startswith("data:image/")
        assert len(note) <= 6_000


def test_stills_of_any_duration_make_a_film_that_others_read():
    colours = [(250, 10, 10), (10, 250, 10), (10, 10, 250)]
    stills = [still(np.full((24, 40, 3), each, np.uint8), quality=90) for each in colours]
    buffer = io.BytesIO()
    times = [40, 70_000, 1]
    assert write_stills(buffer, zip(stills, times, strict=True)) == 3
    pictures, shown = film(io.BytesIO(buffer.getvalue()))
    assert shown == times
    for picture, colour in zip(pictures, colours, strict=True):
        assert np.abs(picture.astype(int) - colour).max() < 24


def test_only_what_takes_a_while_is_announced():
    assert will_have_early_look(None)
    assert will_have_early_look(3)
    assert not will_have_early_look(0.5)
