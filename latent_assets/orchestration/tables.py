"""Dagster's tables of versions, where two processes made them at once.

One notes the version of the tables that it makes; the other sees tables without a version, takes
them for ones of an early Dagster and notes that version too. Dagster opens no tables with two.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from dagster._core.storage.sqlite import LAST_KNOWN_STAMPED_SQLITE_ALEMBIC_REVISION

DATABASES = ("schedules/schedules.db", "history/runs.db", "history/runs/index.db")
"""Below DAGSTER_HOME."""
_WAIT_S = 30.0


def have_two_versions(error: BaseException) -> bool:
    """Whether Dagster did not open its tables for this reason."""
    return "more than one head" in str(error)


def leave_one_version(home: Path) -> None:
    """Take out the early version, where it is noted beside another: the tables are not of it.

    Raises sqlite3.DatabaseError.
    """
    for path in [home / name for name in DATABASES if (home / name).exists()]:
        with closing(sqlite3.connect(path, timeout=_WAIT_S)) as database, database:
            database.execute(
                "DELETE FROM alembic_version WHERE version_num = ?"
                " AND (SELECT count(*) FROM alembic_version) > 1",
                [LAST_KNOWN_STAMPED_SQLITE_ALEMBIC_REVISION],
            )
