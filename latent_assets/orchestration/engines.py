"""Dagster's way into its event database, made once instead of for each event.

Dagster makes an engine for whatever it reads or writes there. Each compiles its statements anew:
a quarter of what a run of twenty steps costs. Connections are not kept: each is opened for its use.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from dagster._core.storage.event_log.sqlite import sqlite_event_log

_MOST = 32
"""Engines: one for each run's database that was used last."""


def keep_engines() -> None:
    """From now on, in this process. Twice is as good as once.

    A Dagster that makes its engines otherwise goes on doing so
    (docs/decisions/0064-dagsters-engines-are-kept.md).
    """
    storage: Any = sqlite_event_log  # what it makes engines with is a name in this module
    make = getattr(storage, "create_engine", None)
    if make is not None and not hasattr(make, "engines"):
        storage.create_engine = _keeping(make)


def _keeping(make: Callable[..., Any]) -> Callable[..., Any]:
    @lru_cache(maxsize=_MOST)
    def made(address: str, arguments: tuple, options: tuple) -> Any:
        return make(address, connect_args=dict(arguments), **dict(options))

    def create(address: str, *, connect_args: dict | None = None, **options: Any) -> Any:
        return made(address, _items(connect_args or {}), _items(options))

    create.engines = made  # type: ignore[attr-defined]
    return create


def _items(options: dict) -> tuple:
    return tuple(sorted(options.items(), key=lambda item: item[0]))
