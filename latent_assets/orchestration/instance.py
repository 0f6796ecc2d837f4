"""The Dagster instance of a data folder: its runs, events and schedules."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from latent_assets.errors import UsageError
from latent_assets.settings import PROJECT_ROOT, Settings

TEMPLATE = PROJECT_ROOT / "data" / "dagster" / "dagster.yaml"
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
    prepare_home(settings)
    with _open() as instance:
        yield instance


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
