"""What a run's page says while frames are rendered: enough, and not too much."""

import threading

from latent_assets.orchestration import pool
from latent_assets.orchestration.pool import loading
from latent_assets.orchestration.progress import Onlooker, Pace, RunPage


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def page(total, *, done=0, clock=None):
    clock = clock or Clock()
    lines, pace = [], Pace(clock)
    made = RunPage(total, tell=lines.append, pace=pace, done=done, clock=clock)
    return made, pace, clock, lines


def test_each_batch_is_a_line_with_what_is_done_how_fast_and_how_long():
    made, pace, clock, lines = page(60)
    pace.begin()
    for _ in range(3):
        clock.now += 4
        made.on_frames(["key"] * 2, True)
    assert lines == [
        "2 of 60 frames, 2.0 s a frame, 2 min left",
        "4 of 60 frames, 2.0 s a frame, 2 min left",
        "6 of 60 frames, 2.0 s a frame, 2 min left",
    ]


def test_there_is_at_most_a_line_a_second_and_always_the_last():
    made, pace, clock, lines = page(100)
    pace.begin()
    for _ in range(100):
        clock.now += 0.1
        made.on_frames(["key"], True)
    assert len(lines) == 11
    assert lines[0] == "1 of 100 frames, 10.0 frames a second, 10 s left"
    assert lines[-1] == "100 of 100 frames, 10.0 frames a second"


def test_frames_that_were_stored_before_count_but_are_no_news():
    made, pace, clock, lines = page(10, done=4)
    made.on_frames(["a", "b"], False)
    assert lines == []
    pace.begin()
    clock.now += 1
    made.on_frames(["c"], True)
    assert lines == ["7 of 10 frames, 1.0 frames a second, 3 s left"]
    made.on_frames([], True)
    assert len(lines) == 1, "a batch that came out as no pictures"


def test_time_between_two_chunks_does_not_slow_the_pace():
    clock = Clock()
    pace = Pace(clock)
    assert pace.seconds_per_frame is None
    for _ in range(2):
        pace.begin()
        clock.now += 2
        pace.add(2)
        clock.now += 60
    assert pace.seconds_per_frame == 1


def test_hours_are_told_as_hours():
    made, pace, clock, lines = page(1000)
    pace.begin()
    clock.now += 60
    made.on_frames(["key"], True)
    assert lines == ["1 of 1000 frames, 60.0 s a frame, 16.6 h left"]


def test_loading_is_said_before_it_begins_and_once_a_process():
    lines, waiting = [], []
    onlooker = Onlooker(on_waiting=waiting.append)
    for _ in range(2):
        with loading("a model of this test", lines.append, onlooker.on_waiting):
            assert lines[0] == "loading the model a model of this test"
    assert len(lines) == 2
    assert "loaded the model a model of this test in 0.0 s" in lines
    assert waiting == ["loading the model a model of this test", ""]


def test_while_it_loads_there_is_a_word_from_time_to_time(monkeypatch):
    monkeypatch.setattr(pool, "LOADING_TOLD_EVERY_S", 0.01)
    spoken, lines = threading.Event(), []

    def log(line):
        lines.append(line)
        if line.startswith("still loading"):
            spoken.set()
            raise OSError("the database is locked")

    with loading("a slow model of this test", log, lambda _why: None):
        assert spoken.wait(60)
    assert lines[1] == "still loading the model a slow model of this test, 0 s"
    assert lines[-1].startswith("loaded the model")
