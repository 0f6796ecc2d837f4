"""The servers of a data folder that live now, for other processes of the same user.

A server writes a file `PORT.json` and holds a lock on it as long as its process lives; where nobody
holds the lock, the server is gone, however it ended. Only the user may read the files: they hold
the token.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from latent_assets.store.atomic import is_temporary, temporary_name
from latent_assets.store.failures import explaining


@dataclass(frozen=True)
class Server:
    """A server that lives."""

    url: str
    """Its address for programs on this machine, without a slash at the end."""
    pages: tuple[str, ...] = ()
    """What it serves: "dagster", "gallery"."""
    token: str = ""


@contextlib.contextmanager
def announced(folder: Path, port: int, server: Server) -> Iterator[None]:
    """In the block, and while this process lives, `servers(folder)` finds the server.

    Raises StoreError.
    """
    path = folder / f"{port}.json"
    with explaining("write", path):
        folder.mkdir(parents=True, exist_ok=True)
        # Under another name until it is locked: nobody takes a server that begins for a dead one.
        temporary = temporary_name(path)
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        file = os.fdopen(descriptor, "w")
        with contextlib.suppress(OSError):  # a file system without locks: believed as it is
            fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(asdict(server)))
        file.flush()
        temporary.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


def servers(folder: Path) -> list[Server]:
    """Those that live now; what dead ones left is removed."""
    found = []
    for path in sorted(folder.glob("*.json")):
        if is_temporary(path.name):
            continue
        with contextlib.suppress(OSError, ValueError, TypeError), path.open("r+") as file:
            if _is_dead(file.fileno()):
                path.unlink()
                continue
            document = json.load(file)
            found.append(Server(document["url"], tuple(document["pages"]), document["token"]))
    return found


def _is_dead(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
