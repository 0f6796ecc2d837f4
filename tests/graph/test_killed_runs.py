"""Runs whose process is gone are ended, once; runs that live are left alone."""

import os
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from latent_assets.orchestration.instance import ALIVE, bury_dead_runs, show_life

STARTED, FAILURE = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE
LIVE = """
import sys, time
from pathlib import Path
from latent_assets.orchestration.instance import show_life
show_life(Path(sys.argv[1]), sys.argv[2])
print("alive", flush=True)
time.sleep(600)
"""


def start(instance: dg.DagsterInstance) -> str:
    return create_run_for_test(instance, status=STARTED).run_id


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def leave_lock(home: Path, run_id: str) -> Path:
    """As a process that was killed leaves it."""
    path = home / ALIVE / run_id
    path.parent.mkdir(exist_ok=True)
    path.touch()
    return path


def test_a_run_is_over_when_its_process_is_killed_and_not_before(instance, tmp_path):
    run_id = start(instance)
    with subprocess.Popen(
        [sys.executable, "-c", LIVE, str(tmp_path), run_id], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "alive\n"
        assert bury_dead_runs(instance, tmp_path) == []
        process.kill()
    assert bury_dead_runs(instance, tmp_path) == [run_id]
    assert status(instance, run_id) is FAILURE
    assert bury_dead_runs(instance, tmp_path) == []
    assert list((tmp_path / ALIVE).iterdir()) == []


def test_a_burial_that_was_interrupted_is_begun_again(instance, tmp_path, monkeypatch):
    """Else the run would keep its place in the pool, and the next render would wait for ever."""
    run_id = start(instance)
    leave_lock(tmp_path, run_id)

    def killed(*_):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(instance, "report_run_failed", killed)
        with pytest.raises(SystemExit):
            bury_dead_runs(instance, tmp_path)
    assert bury_dead_runs(instance, tmp_path) == [run_id]


def test_a_run_that_could_not_tell_its_end_is_buried_when_its_process_ends(instance, tmp_path):
    """A full disk takes neither the word that a run failed; the lock outlives the run's resources.

    In the process itself the lock is held on, and the run counts as alive.
    """
    run_id = start(instance)
    show_life(tmp_path, run_id)
    assert bury_dead_runs(instance, tmp_path) == []
    assert (tmp_path / ALIVE / run_id).exists()


def test_the_locks_of_finished_runs_are_cleared_away(instance, tmp_path):
    finished = create_run_for_test(instance, status=dg.DagsterRunStatus.SUCCESS).run_id
    show_life(tmp_path, finished)  # by this process
    leave_lock(tmp_path, create_run_for_test(instance, status=FAILURE).run_id)  # by another
    leave_lock(tmp_path, "a-run-that-was-deleted")
    assert bury_dead_runs(instance, tmp_path) == []
    assert list((tmp_path / ALIVE).iterdir()) == []
    assert status(instance, finished) is dg.DagsterRunStatus.SUCCESS


@pytest.mark.parametrize("years", [-50, 50])
def test_no_clock_decides_who_lives(instance, tmp_path, years):
    when = time.time() + years * 365 * 86400
    dead, alive = start(instance), start(instance)
    os.utime(leave_lock(tmp_path, dead), (when, when))
    show_life(tmp_path, alive)
    os.utime(tmp_path / ALIVE / alive, (when, when))
    assert bury_dead_runs(instance, tmp_path) == [dead]
