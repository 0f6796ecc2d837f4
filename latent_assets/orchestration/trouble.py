"""What the disk, SQLite or a database server does to Dagster's records, in words."""

import contextlib
import errno
import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from latent_assets.errors import LatentAssetsError, UsageError
from latent_assets.places import without_password
from latent_assets.settings import PREFIX
from latent_assets.store.failures import explain
from latent_assets.walks.problems import printable

MEND_CONFIG = "Mend it, or move it away: the project's own then takes its place."
_MOST_REASONS = 300
_DAMAGED = ("not a database", "malformed", "corrupt")
_NO_ROOM_BYTES = 2**20
_OF_A_TRY = "Retrying failed database connection"
"""So Dagster's line of each vain try to connect begins; what follows is SQLAlchemy's, and long."""
_SILENCE_S = 30.0


@contextlib.contextmanager
def in_words(home: Path, database: str) -> Iterator[None]:
    """What the disk does to Dagster's database is told as what it does to our files is."""
    try:
        with _tries_in_words(database):
            yield
    except Exception as error:
        told = _told_of_server(database, error) or _told(home, error)
        if told is None:
            raise
        raise told from None


class _OwnWords(logging.Filter):
    """A line for a database that does not answer, and none for each try."""

    def __init__(self, database: str) -> None:
        super().__init__()
        self._where = without_password(database)
        self._told_at: float | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter`."""
        if not str(record.msg).startswith(_OF_A_TRY):
            return True
        record.msg, record.args = f"the database {self._where} does not answer; asking again", ()
        now, last = time.monotonic(), self._told_at
        if last is not None and now - last < _SILENCE_S:
            return False
        self._told_at = now
        return True


@contextlib.contextmanager
def _tries_in_words(database: str) -> Iterator[None]:
    if not database:
        yield
        return
    root, words = logging.getLogger(), _OwnWords(database)
    # Without any handler, the first line would bring one that names level and logger.
    plain = None if root.handlers else logging.StreamHandler()
    root.addFilter(words)
    if plain is not None:
        root.addHandler(plain)
    try:
        yield
    finally:
        root.removeFilter(words)
        if plain is not None:
            root.removeHandler(plain)


def _told_of_server(database: str, error: BaseException) -> LatentAssetsError | None:
    """In words, if a database server gave no answer, or its driver is not there."""
    while error.__cause__ is not None:
        error = error.__cause__
    if not database:
        return None
    if isinstance(error, ImportError) and "postgres" in str(error):
        cure = "Install the extra cluster: pip install 'latent-assets[cluster]'."
        return UsageError("dagster-postgres is not installed", cure)
    if not type(error).__module__.startswith("psycopg2"):
        return None
    first, where = printable(str(error).splitlines()[0]), without_password(database)
    if "password" in first or "authentication" in first:
        told = f"the database {where} does not let us in: {first}"
        cure = (
            f"Write user and password into {PREFIX}DATABASE: postgresql://USER:PASSWORD@HOST/NAME."
        )
    else:
        told = f"the database {where} does not answer: {first}"
        cure = f"Start PostgreSQL there, or let {PREFIX}DATABASE name another one."
    return LatentAssetsError(told, cure)


def _told(home: Path, error: BaseException) -> LatentAssetsError | None:
    """The error in words, by what it comes from; None if it is a defect of ours."""
    while error.__cause__ is not None and not isinstance(error, LatentAssetsError):
        error = error.__cause__
    if isinstance(error, LatentAssetsError):
        return error
    if isinstance(error, OSError):
        return explain("use", str(error.filename or home), error)
    if isinstance(error, dg.DagsterInvalidConfigError):
        reasons = printable("; ".join(each.message for each in error.errors))
        told = f"{home / 'dagster.yaml'} is refused by Dagster: {reasons[:_MOST_REASONS]}"
        return UsageError(told, MEND_CONFIG)
    return _told_by_sqlite(home, error) if isinstance(error, sqlite3.DatabaseError) else None


def _told_by_sqlite(home: Path, error: sqlite3.DatabaseError) -> LatentAssetsError | None:
    """SQLite has words alone, no numbers; a journal that does not fit is an I/O error to it."""
    words = str(error)
    if any(word in words for word in _DAMAGED):
        return LatentAssetsError(
            f"Dagster's records in {home} are damaged: {error}",
            f"Move {home / 'history'} and {home / 'schedules'} away: runs are then counted anew."
            " Frames, walks and finished files are not in them.",
        )
    if not isinstance(error, sqlite3.OperationalError):
        return None
    if "full" in words or shutil.disk_usage(home).free < _NO_ROOM_BYTES:
        number = errno.ENOSPC
    elif "readonly" in words or "unable to open" in words:
        number = errno.EACCES
    else:
        return None
    return explain("write Dagster's records in", str(home), OSError(number, os.strerror(number)))
