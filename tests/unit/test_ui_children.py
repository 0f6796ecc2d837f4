"""No process of ours outlives the command that started it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from latent_assets.ui.children import Family

PARENT = """
import os, sys, time
from latent_assets.ui.children import Child
child = Child(["/bin/sh", "-c", sys.argv[1]], environment=dict(os.environ),
              folder={folder!r}, log=open(os.devnull, "wb"))
{then}
"""
OBEYS = "sleep 60 & echo $! > grandchild; echo $$ > child; wait"
IGNORES = """trap '' TERM
sh -c "trap '' TERM; echo \\$\\$ > grandchild; sleep 60" &
echo $$ > child
wait
"""


def start(folder: Path, script: str, then: str = "time.sleep(60)") -> subprocess.Popen:
    code = PARENT.format(folder=str(folder), then=then)
    return subprocess.Popen([sys.executable, "-c", code, script], start_new_session=True)


def pids(folder: Path) -> list[int]:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        texts = [(folder / name) for name in ("child", "grandchild")]
        if all(path.exists() and path.read_text().strip() for path in texts):
            return [int(path.read_text()) for path in texts]
        time.sleep(0.05)
    raise AssertionError("it does not start")


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


def assert_gone(processes: list[int], within_s: float) -> None:
    until = time.monotonic() + within_s
    while any(map(alive, processes)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(alive, processes))


@pytest.mark.parametrize("script", [OBEYS, IGNORES], ids=["obeys", "ignores"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_children_and_what_they_started_end_with_their_parent(tmp_path, script, how):
    parent = start(tmp_path, script)
    processes = pids(tmp_path)
    os.kill(parent.pid, how)
    parent.wait()
    assert_gone(processes, 5)


def test_children_end_with_their_parent_if_its_whole_group_is_killed(tmp_path):
    parent = start(tmp_path, OBEYS)
    processes = pids(tmp_path)
    os.killpg(parent.pid, signal.SIGKILL)
    parent.wait()
    assert_gone(processes, 5)


def test_ctrl_c_reaches_the_parent_alone_which_decides(tmp_path):
    parent = start(tmp_path, OBEYS, "import signal; signal.pause()")
    processes = pids(tmp_path)
    os.killpg(parent.pid, signal.SIGINT)
    parent.wait()
    assert_gone(processes, 5)


def test_a_child_that_ends_by_itself_is_started_again_and_a_hopeless_one_is_given_up(tmp_path):
    said: list[str] = []
    with (tmp_path / "log").open("wb") as log:
        family = Family(dict(os.environ), tmp_path, log, said.append, pause_s=0.01)
        family.start("The child", ["/bin/sh", "-c", "echo x >> starts; exit 3"])
        family.watch()
    assert (tmp_path / "starts").read_text() == "x\n" * 4
    assert family.broken.is_set()
    assert len(said) == 4
    assert all("The child ended by itself (exit code 3)" in line for line in said)
    assert "is started again" in said[0]
    assert "started again" not in said[-1]


def test_a_command_that_is_not_there_ends_at_once(tmp_path):
    with (tmp_path / "log").open("wb") as log:
        family = Family(dict(os.environ), tmp_path, log, print)
        child = family.start("It", [str(tmp_path / "nothing")])
        until = time.monotonic() + 30
        while child.exit_code is None and time.monotonic() < until:
            time.sleep(0.05)
    assert child.exit_code == 127


class Interrupted(threading.Event):
    """Its lock is held when a second signal comes, whose handler does what the first one's does."""

    def set(self) -> None:
        with self._cond:
            self.family.end()
        super().set()


def test_a_second_signal_in_the_handler_of_the_first_ends_it_too(tmp_path):
    family = Family(dict(os.environ), tmp_path, (tmp_path / "log").open("wb"), print)
    family.over = Interrupted()
    family.over.family = family
    ending = threading.Thread(target=family.end, daemon=True)
    ending.start()
    ending.join(20)
    assert not ending.is_alive()
    assert family.over.is_set()
