"""The Dagster instance of a data folder: its runs, events and schedules.

A run that is killed cannot say so, and its place in the pool `gpu` would be held for ever. So
each run holds a lock on a file while its process lives; the next one finds the locks that nobody
holds, ends those runs and frees their places.
"""

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import dagster as dg
import yaml

from latent_assets.errors import UsageError
from latent_assets.orchestration.engines import engines_kept
from latent_assets.orchestration.tables import have_two_versions, leave_one_version
from latent_assets.orchestration.trouble import MEND_CONFIG, in_words
from latent_assets.orchestration.unevaluated import close_checks
from latent_assets.settings import PREFIX, Settings
from latent_assets.shipped import SHIPPED
from latent_assets.store.atomic import is_temporary, replacing, temporary_name
from latent_assets.store.failures import explaining
from latent_assets.store.locks import NoLocksError, lock
from latent_assets.store.plain import plain_name
from latent_assets.walks.problems import printable

TEMPLATE = SHIPPED / "dagster" / "dagster.yaml"
CLUSTER = SHIPPED / "dagster" / "cluster.yaml"
ALIVE = "alive"
"""Folder of the locks, in DAGSTER_HOME."""
DOOR = ".opening"
"""A file whose lock is held while the databases are opened."""
WATCH_S = 5.0
_ATTEMPTS = 5
_MOST_CONFIG_BYTES = 2**20
_held: dict[Path, IO[str]] = {}
"""The locks of this process."""


def prepare_home(settings: Settings) -> Path:
    """The data folder's DAGSTER_HOME, with the project's dagster.yaml, set for this process."""
    home = settings.dagster_home
    config = home / "dagster.yaml"
    with explaining("write", home):
        home.mkdir(parents=True, exist_ok=True)
        if not config.exists():
            with replacing(config) as temporary:
                shutil.copyfile(CLUSTER if settings.database else TEMPLATE, temporary)
    _check_config(config)
    os.environ["DAGSTER_HOME"] = plain_name(home)
    if settings.database:  # cluster.yaml names the variable, so that no file holds the password
        os.environ[f"{PREFIX}DATABASE"] = settings.database
    return home


def _check_config(config: Path) -> None:
    """Dagster would answer a file that is no settings with its own stack trace."""
    try:
        if config.stat().st_size > _MOST_CONFIG_BYTES:
            raise UsageError(f"{config} is larger than 1 MiB", MEND_CONFIG)
        document = yaml.safe_load(config.read_bytes())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        first = str(error).splitlines()[0]
        raise UsageError(f"{config} is no YAML: {printable(first)}", MEND_CONFIG) from None
    if document is not None and not isinstance(document, dict):
        raise UsageError(f"{config} holds no settings of Dagster", MEND_CONFIG)


@contextlib.contextmanager
def open_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The instance; its runs are seen in the web UI as well."""
    home = prepare_home(settings)
    with in_words(home, settings.database), engines_kept(), _open(home) as instance:
        if not settings.dagster_opened.exists():
            settings.dagster_opened.touch()
        bury_dead_runs(instance, home)
        yield instance


def show_life(home: Path, run_id: str) -> None:
    """Hold a lock for the run until this process ends, however it ends.

    Not until the run ends: its last word is written after that, and a disk that is full may keep
    it from being written. Where there are no locks, there is no such sign. Raises StoreError.
    """
    path = home / ALIVE / run_id
    if path in _held:
        return
    with explaining("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Under another name until it is locked: nobody ever sees the lock of a living run open.
        temporary = temporary_name(path)
        file = temporary.open("w")
        try:
            lock(file)
        except NoLocksError:
            file.close()
            temporary.unlink()
            return
        temporary.replace(path)
    _held[path] = file


@contextlib.contextmanager
def watch(instance: dg.DagsterInstance, home: Path) -> Iterator[None]:
    """In the block, bury whoever dies meanwhile: this run may wait for the place that it held."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(WATCH_S):
            # A watchman's trouble (a database that is locked) must not become the run's.
            with contextlib.suppress(Exception):
                if any(path not in _held for path in _locks(home)):
                    bury_dead_runs(instance, home)

    thread = threading.Thread(target=look, name="watch over dead runs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def bury_dead_runs(instance: dg.DagsterInstance, home: Path) -> list[str]:
    """End the runs whose process was killed, and free their places in the pools."""
    buried = []
    for path in _locks(home):
        run = instance.get_run_by_id(path.name)
        if path in _held and (run is None or run.is_finished):
            _held.pop(path).close()
        with _if_nobody_holds(path) as dead:
            if dead:
                if _bury(instance, path.name):
                    buried.append(path.name)
                # Last: whoever is killed in the middle of a burial leaves it to the next.
                path.unlink(missing_ok=True)
    return buried


def _locks(home: Path) -> list[Path]:
    return [path for path in sorted((home / ALIVE).glob("*")) if not is_temporary(path.name)]


def _bury(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Returns whether the run was not over for Dagster."""
    instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return False
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, "This run was stopped at once.")
    else:
        why = "The process of this run was killed. The frames that it finished are kept."
        close_checks(instance, run, why)
        instance.report_run_failed(run, why)
    return True


@contextlib.contextmanager
def _if_nobody_holds(path: Path) -> Iterator[bool]:
    """Whether there is such a lock that nobody holds; if so, it is held in the block."""
    with contextlib.ExitStack() as stack:
        try:
            lock(stack.enter_context(path.open("r+")), wait=False)
        except (FileNotFoundError, BlockingIOError, NoLocksError):
            yield False
        else:
            yield True


def _open(home: Path) -> dg.DagsterInstance:
    """One process at a time: two that create the tables of a fresh home at once break them.

    Dagster's own processes do not know our lock: whoever starts them opens a fresh home first.
    """
    with _alone(home):
        for attempt in range(_ATTEMPTS):
            try:
                return dg.DagsterInstance.get()
            except Exception as error:
                if attempt == _ATTEMPTS - 1:
                    raise
                if have_two_versions(error):
                    leave_one_version(home)
                elif "already exists" in str(error):
                    time.sleep(0.5 * (attempt + 1))
                else:
                    raise
    raise AssertionError


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits until no other process is in such a block with this folder."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(NoLocksError):
            lock(stack.enter_context((folder / DOOR).open("a")))
        yield
