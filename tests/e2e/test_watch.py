"""`latent-assets watch`: a person with an editor beside it."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import Command

BIRD = "kind: interpolation\nprompts: [a bird, a tree]\nframes: 3\nseed: {seed}\n"
WITHIN_S = 120


@pytest.fixture
def data(tmp_path) -> Path:
    (tmp_path / "data" / "walks").mkdir(parents=True)
    return tmp_path / "data"


@pytest.fixture
def started(data) -> Iterator[Callable[..., Command]]:
    """Ends what it starts, whatever becomes of the test."""
    commands: list[Command] = []

    def start(*arguments: str, **options) -> Command:
        commands.append(Command(data, "watch", *arguments, **options))
        return commands[-1]

    yield start
    for command in commands:
        if not command.over_within(0):
            command.kill()


def save(data: Path, seed: int, name: str = "bird") -> None:
    """As editors do: a new file, put in the place of the old one."""
    new = data / "walks" / f".{name}.new"
    new.write_text(BIRD.format(seed=seed), encoding="utf-8")
    new.replace(data / "walks" / f"{name}.yaml")


def wait(command: Command, told: Callable[[str], bool]) -> str:
    """Until what was told is enough. Returns it."""
    end = time.monotonic() + WITHIN_S
    while time.monotonic() < end:
        if told(said := command.said()):
            return said
        assert not command.over_within(0.02), command.said()
    raise AssertionError(command.said())


def waits_again(times: int) -> Callable[[str], bool]:
    return lambda said: said.count("Watching ") >= times


def test_a_saved_walk_is_rendered_again_and_ctrl_c_ends_it(data, started):
    save(data, 1)
    watching = started("bird", "--draft")
    wait(watching, waits_again(1))
    (data / "walks" / "other.yaml").write_text(BIRD.format(seed=5), encoding="utf-8")
    os.utime(data / "walks" / "bird.yaml")  # saved as it was
    save(data, 2)
    wait(watching, waits_again(2))
    watching.signal(signal.SIGINT)
    answer = watching.answer()
    assert answer.code == 0, answer.err
    assert [
        line for line in answer.out.splitlines() if "frames" in line and "rendered" in line
    ] == [line for line in answer.out.splitlines() if "3 frames, 3 rendered, 0 reused" in line]
    assert answer.out.count("3 frames, 3 rendered, 0 reused") == 2
    assert "other" not in answer.out
    assert "Traceback" not in answer.err


def test_a_wrong_file_is_told_and_waited_for_and_so_is_one_that_is_gone(data, started):
    path = data / "walks" / "bird.yaml"
    path.write_text("kind: interpolation\nframes: many\n", encoding="utf-8")
    watching = started("bird")
    assert "frames" in wait(watching, waits_again(1))
    path.unlink()
    assert "bird.yaml is gone" in wait(watching, waits_again(2))
    save(data, 1)
    wait(watching, waits_again(3))
    watching.signal(signal.SIGINT)
    answer = watching.answer()
    assert answer.code == 0
    assert "3 frames, 3 rendered" in answer.out


def test_what_is_saved_while_it_renders_is_rendered_afterwards(data, started):
    save(data, 1)
    watching = started("bird", hold_at=0)
    end = time.monotonic() + WITHIN_S
    while not watching.held:
        assert time.monotonic() < end
        assert not watching.over_within(0.02), watching.said()
    save(data, 2)
    watching.let_go()
    wait(watching, waits_again(2))
    watching.signal(signal.SIGINT)
    assert watching.answer().out.count("3 frames, 3 rendered") == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_while_it_renders_keeps_what_is_done(data, started, number, code):
    save(data, 1)
    watching = started("bird", hold_at=0)
    end = time.monotonic() + WITHIN_S
    while not watching.held:
        assert time.monotonic() < end
        assert not watching.over_within(0.02), watching.said()
    watching.signal(number)
    watching.let_go()
    answer = watching.answer()
    assert answer.code == code, answer.err
    assert "Traceback" not in answer.err


def test_standard_input_is_not_watched(started):
    answer = started("-").answer()
    assert answer.code == 2
    assert "standard input cannot be watched" in answer.err
