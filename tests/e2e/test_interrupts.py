"""A render that is asked to stop stops, in whatever stage it is, and nothing is lost."""

import signal
import time
from pathlib import Path

import dagster as dg
import pytest
from commands import Command
from fakes import fake_studio

from latent_assets.orchestration.instance import open_instance
from latent_assets.settings import Settings

FRAMES = 12
WALK = f"""\
kind: interpolation
prompts: [a, b]
frames: {FRAMES}
chunk_size: 4
batch_size: 2
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "walks").mkdir(parents=True)
    (folder / "walks" / "w.yaml").write_text(WALK)
    return folder


def stored(data: Path) -> int:
    return len(list(fake_studio(data).frames.keys()))


def until(what, within_s: float = 90) -> None:
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def statuses(data: Path) -> list[dg.DagsterRunStatus]:
    with open_instance(Settings(data=data)) as instance:
        return [run.status for run in instance.get_runs()]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_render_stops_when_its_batch_is_stored(data, name):
    number = signal.Signals[name]
    command = Command(data, "render", "w", pause_s=2)
    until(lambda: stored(data) >= 2)
    before = stored(data)
    command.signal(number)
    answer = command.answer()
    assert answer.code == 128 + number
    # One batch more, if it was not stored already, as the machine is busy, when the signal came.
    after = stored(data)
    assert before <= after <= before + 2 < FRAMES
    assert "Stopping when this batch is stored." in answer.err
    assert f"interrupted: {after} of 12 frames of w are stored" in answer.err
    assert "Traceback" not in answer.out + answer.err
    assert "Dagster" not in answer.out + answer.err
    assert statuses(data) == [dg.DagsterRunStatus.CANCELED]

    again = Command(data, "render", "w", "--json").answer()
    assert (again.json["rendered"], again.json["reused"]) == (FRAMES - after, after)


def test_a_second_one_stops_in_the_middle_of_a_batch(data):
    command = Command(data, "render", "w", pause_s=600)
    until(lambda: command.computes)
    command.signal(signal.SIGINT)
    until(lambda: "Stopping when" in command.said())
    assert not command.over_within(1)
    command.signal(signal.SIGINT)
    answer = command.answer(within_s=30)
    assert answer.code == 130
    assert "stopped at once" in answer.err
    assert "Traceback" not in answer.err
    assert statuses(data) == [dg.DagsterRunStatus.CANCELED]


def test_whoever_waits_says_for_whom_and_can_be_stopped(data):
    first = Command(data, "render", "w", pause_s=600)
    until(lambda: first.computes)
    (data / "walks" / "other.yaml").write_text(WALK.replace("a, b", "a, c"))
    second = Command(data, "render", "other")
    until(lambda: "waiting for the GPU, which renders w (run " in second.said())
    second.signal(signal.SIGINT)
    answer = second.answer(within_s=15)
    assert answer.code == 130
    assert "0 of 12 frames of other are stored" in answer.err
    assert first.kill()


def test_a_walk_that_is_whole_waits_for_nobody(data):
    (data / "walks" / "whole.yaml").write_text(WALK.replace("a, b", "a, c"))
    assert Command(data, "render", "whole").answer().code == 0
    first = Command(data, "render", "w", pause_s=600)
    until(lambda: first.computes)
    answer = Command(data, "render", "whole", "--json").answer()
    assert answer.code == 0
    assert answer.json["reused"] == FRAMES
    assert "waiting" not in answer.err
    assert first.kill()
