"""A render that is asked to stop stops, in whatever stage it is, and nothing is lost."""

import random
import shutil
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


def until(what, within_s: float = 240) -> None:
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
    command = Command(data, "render", "w", hold_at=2)
    until(lambda: command.held)
    command.signal(number)
    until(lambda: "Stopping when" in command.said())
    command.let_go()
    answer = command.answer()
    assert answer.code == 128 + number
    after = stored(data)
    assert after == 4  # the batch that was held, and none more
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
    answer = command.answer(within_s=90)
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
    answer = second.answer(within_s=90)
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


def test_a_command_that_hangs_says_where_and_is_killed(data):
    command = Command(data, "render", "w", hold_at=2)
    until(lambda: command.held)
    with pytest.raises(AssertionError, match=r"it hangs(.|\n)*before_batch"):
        command.answer(within_s=0.1)
    assert command.over_within(0)


MOMENTS = 20
OVER_S = 2.0
"""Of processor time, from the signal to the end: the machine may have other things to do."""
STOPPED_WITHIN_S = 120
"""What takes longer hangs."""
PAUSE_S = 0.05
"""Before each batch."""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_interrupts_at_random_moments_lose_nothing(tmp_path):
    """From the start to the last word; each time the next render makes the rest.

    Half of them by processor time, one in each tenth of it. The frames take little of that, and
    on a machine with other things to do none may fall there: so the other half does.
    """
    chance = random.Random(10)

    def fresh(name: str) -> Path:
        (tmp_path / name / "walks").mkdir(parents=True)
        (tmp_path / name / "walks" / "w.yaml").write_text(
            WALK + "output: {formats: [gif, mp4], ping_pong: true}\n"
        )
        return tmp_path / name

    expected = fresh("expected")
    assert Command(expected, "render", "w").answer().code == 0  # the first start is a slow one
    (expected / "dagster").rename(tmp_path / "before")
    shutil.rmtree(expected / "store")
    whole = Command(expected, "render", "w")
    usual_s = used_by(whole)
    assert whole.answer().code == 0
    tenths = iter(range(MOMENTS // 2))
    done: list[int] = []
    for moment in range(MOMENTS):
        data = fresh(f"data-{moment}")
        number = (signal.SIGINT, signal.SIGTERM)[moment % 2]
        name = f"moment {moment}: {number.name}"
        if moment % 4 < 2:
            after_s = usual_s * (next(tenths) + chance.random()) / (MOMENTS // 2)
            story = f"{name} after {after_s:.2f} of {usual_s:.2f} s"
            command = Command(data, "render", "w", pause_s=PAUSE_S)
            at = next((used for used in command.living() if used >= after_s), None)
        else:
            frames = chance.randrange(0, FRAMES - 4, 2)
            story = f"{name} when {frames} frames were stored"
            command = Command(data, "render", "w", pause_s=PAUSE_S, hold_at=frames)
            at = let_go_and_wait(command, chance.uniform(0, 2 * PAUSE_S))
        if at is None:  # it was over before
            continue
        command.signal(number)
        used_s = used_by(command, STOPPED_WITHIN_S) - at
        answer = command.answer()
        story += f": {used_s:.2f} s, exit {answer.code}\n{answer.err}"
        # A signal may come before Python listens, or when all is done.
        assert answer.code in {128 + number, -number, 0}, story
        assert used_s < OVER_S, story
        assert "Traceback" not in answer.err, story
        assert not list(data.rglob(".tmp-*")), story
        count = stored(data)
        done.append(count)
        if answer.code == 128 + number and (data / "dagster" / "history").exists():
            ended = {dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.SUCCESS}
            assert set(statuses(data)) <= ended, story
        again = Command(data, "render", "w", "--json").answer()
        assert again.code == 0, f"{story}\nthen {again.err}"
        assert again.json["rendered"] == FRAMES - count, story
        assert files(data) == files(expected), story
    # The moments fell into all parts of the render.
    assert min(done) == 0
    assert max(done) == FRAMES
    assert any(0 < count < FRAMES for count in done)


def let_go_and_wait(command: Command, seconds: float) -> float:
    """From where it is held; the processor time that it has used then."""
    until(lambda: command.held)
    command.let_go()
    time.sleep(seconds)
    return command.cpu_s


def used_by(command: Command, within_s: float = 300) -> float:
    """Let it end; the processor time that it had used when it was last seen."""
    return max(command.living(within_s=within_s), default=0.0)


def files(data: Path) -> dict[str, bytes]:
    """All but what a page tells of each frame's seconds, and the digests of that."""
    return {
        path.name: path.read_bytes()
        for path in (data / "outputs").rglob("*")
        if path.is_file() and path.name not in {"details.js", "page.json"}
    }
