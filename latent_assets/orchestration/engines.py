"""Dagster's way into its databases, made once instead of for each event.

Dagster makes an engine for whatever it reads or writes there, and reads its migration scripts for
each database that it opens. Connections are not kept: each is opened for its use.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dagster._core.storage import sql
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from sqlalchemy.engine import make_url

_MOST = 32
"""Engines: one for each run's database that was used last."""
_open: dict[str, sqlite3.Connection] = {}
"""By address, what keeps SQLite from cleaning up after each event."""


@contextmanager
def engines_kept() -> Iterator[None]:
    """In the block Dagster's event databases stay ready; engines and scripts are kept for good.

    A Dagster that makes its engines otherwise goes on doing so
    (docs/decisions/0064-dagsters-engines-are-kept.md).
    """
    storage: Any = sqlite_event_log  # what it makes engines with is a name in this module
    make = getattr(storage, "create_engine", None)
    if make is not None and not hasattr(make, "engines"):
        storage.create_engine = _keeping(make)
    module: Any = sql
    scripts = getattr(module, "ScriptDirectory", None)
    if isinstance(scripts, type):
        module.ScriptDirectory = SimpleNamespace(from_config=lru_cache(_MOST)(scripts.from_config))
    try:
        yield
    finally:
        while _open:
            _open.popitem()[1].close()


def _keeping(make: Callable[..., Any]) -> Callable[..., Any]:
    @lru_cache(maxsize=_MOST)
    def made(address: str, arguments: tuple, options: tuple) -> Any:
        return make(address, connect_args=dict(arguments), **dict(options))

    def create(address: str, *, connect_args: dict | None = None, **options: Any) -> Any:
        _stay_ready(address)
        return made(address, _items(connect_args or {}), _items(options))

    create.engines = made  # type: ignore[attr-defined]
    return create


def _stay_ready(address: str) -> None:
    """Hold a connection that does nothing, if the database is there.

    Whoever closes the last one writes SQLite's log back into the file and deletes it. That would
    be after each event: two thirds of the time that an event takes.
    """
    path = Path(make_url(address).database or "")
    if address in _open or len(_open) >= _MOST or not path.is_file():
        return
    with suppress(sqlite3.Error):  # Dagster will see it, and say so
        held = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, check_same_thread=False)
        if held.execute("PRAGMA journal_mode").fetchall() == [("wal",)]:
            _open[address] = held
        else:  # it is just being made
            held.close()


def _items(options: dict) -> tuple:
    return tuple(sorted(options.items(), key=lambda item: item[0]))
