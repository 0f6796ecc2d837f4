"""The Dagster instance of a data folder: its runs, events and schedules.

A run that is killed cannot say so, and its place in the pool `gpu` would be held for ever. So
each run holds a lock on a file while its process lives; the next one finds the locks that nobody
holds, ends those runs and frees their places.
"""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from latent_assets.errors import UsageError
from latent_assets.settings import PROJECT_ROOT, Settings

TEMPLATE = PROJECT_ROOT / "data" / "dagster" / "dagster.yaml"
ALIVE = "alive"
"""Folder of the locks, in DAGSTER_HOME."""
_ATTEMPTS = 5


def prepare_home(settings: Settings) -> Path:
    """The data folder's DAGSTER_HOME, with the project's dagster.yaml, set for this process."""
    home = settings.dagster_home
    config = home / "dagster.yaml"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not config.exists():
            shutil.copyfile(TEMPLATE, config)
    except OSError as error:
        raise UsageError(
            f"cannot write {home}: {error.strerror}",
            "Set LATENT_ASSETS_DATA to a folder that this user may write.",
        ) from None
    os.environ["DAGSTER_HOME"] = str(home)
    return home


@contextlib.contextmanager
def open_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The instance; its runs are seen in the web UI as well."""
    home = prepare_home(settings)
    with _open() as instance:
        bury_dead_runs(instance, home)
        yield instance


@contextlib.contextmanager
def sign_of_life(home: Path, run_id: str) -> Iterator[None]:
    """A lock that is held for as long as the process of a run lives."""
    folder = home / ALIVE
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / run_id
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def bury_dead_runs(instance: dg.DagsterInstance, home: Path) -> list[str]:
    """End the runs whose process was killed, and free their places in the pools."""
    buried = []
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        if not _is_abandoned(home / ALIVE / run.run_id):
            continue
        instance.report_run_failed(
            run, "The process of this run was killed. The frames that it finished are kept."
        )
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        buried.append(run.run_id)
    return buried


def _is_abandoned(path: Path) -> bool:
    """Whether there is such a lock and nobody holds it. Without a lock, nothing is known."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):
        return False
    path.unlink(missing_ok=True)
    return True


def _open() -> dg.DagsterInstance:
    """Two processes that open a fresh SQLite home at once collide once; then the tables exist."""
    for attempt in range(_ATTEMPTS):
        try:
            return dg.DagsterInstance.get()
        except Exception as error:
            if "already exists" not in str(error) or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(0.5 * (attempt + 1))
    raise AssertionError
