"""What became of the last run of each walk: one small file for a walk, for whoever shows it.

Whatever renders a walk writes it, in whichever process; whoever shows walks need not know what
that was. A run holds a lock as long as its process lives: one that was killed says nothing more.
"""

from __future__ import annotations

import fcntl
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from latent_assets.store.atomic import replacing
from latent_assets.store.failures import explaining

FOLDER = "last-runs"
STATES = ("running", "done", "failed", "stopped")
KILLED = "The process of the last run was killed. What it rendered is kept: render again to go on."


@dataclass(frozen=True)
class Check:
    """A check of a finished walk."""

    name: str
    passed: bool
    about: str = ""
    """What it checks, in a sentence."""


@dataclass(frozen=True)
class LastRun:
    """What is known of a walk's last run."""

    run: str
    state: Literal["running", "done", "failed", "stopped"]
    began: float
    """Epoch seconds, as is `ended`."""
    ended: float | None = None
    problem: str = ""
    """Why it failed, in the words of the error; empty if it did not."""
    spec: str = ""
    """`WalkSpec.version` of what was rendered; empty if it is not known."""
    checks: tuple[Check, ...] = ()
    lock: str = ""
    """A file that is locked as long as the run's process lives."""


def write_last_run(data: Path, walk: str, last: LastRun) -> None:
    """data: the data folder; walk: a walk's name. Raises StoreError."""
    path = _path(data, walk)
    with explaining("write", path), replacing(path) as temporary:
        temporary.write_text(json.dumps(asdict(last)), encoding="utf-8")


def read_last_run(data: Path, walk: str) -> LastRun | None:
    """None if there was none, or if the file is damaged. One that was killed has failed."""
    try:
        document = json.loads(_path(data, walk).read_text(encoding="utf-8"))
        last = _of(document)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if last.state == "running" and not _is_locked(last.lock):
        return LastRun(**{**_fields(last), "state": "failed", "problem": KILLED})
    return last


def _path(data: Path, walk: str) -> Path:
    return data / FOLDER / f"{walk}.json"


def _of(document: dict[str, Any]) -> LastRun:
    known = {field.name for field in fields(LastRun)}
    given = {name: value for name, value in document.items() if name in known}
    given["checks"] = tuple(Check(**each) for each in given.get("checks", ()))
    if given["state"] not in STATES:
        raise ValueError(given["state"])
    return LastRun(**given)


def _fields(last: LastRun) -> dict[str, Any]:
    return {field.name: getattr(last, field.name) for field in fields(LastRun)}


def _is_locked(path: str) -> bool:
    try:
        with open(path) as file:  # noqa: PTH123 - an empty path is no file, `Path("")` a folder
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
