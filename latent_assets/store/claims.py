"""Whose a walk's name is, where walk files come from other folders than the project's own.

Outputs, values between assets and the web UI's history are of a name: two files of one name would
take them from each other without a word.
"""

from __future__ import annotations

import os
from pathlib import Path

from latent_assets.errors import UsageError
from latent_assets.store.atomic import write_bytes
from latent_assets.store.failures import explaining


def check(folder: Path, name: str, file: Path) -> None:
    """Raises UsageError if the name is another file's, which still stands where it stood.

    folder: of the claims.
    """
    other = _owner(folder, name)
    if other is not None and other.exists() and not _same(other, file):
        raise UsageError(
            f"{file} would overwrite what {other} gave: both are the walk {name}",
            f"Give the file another name, {name}-2{file.suffix} for instance; or let"
            " LATENT_ASSETS_DATA name another folder.",
        )


def claim(folder: Path, name: str, file: Path) -> None:
    """The name is this file's from now on. Raises UsageError, see `check`, and StoreError."""
    check(folder, name, file)
    path = folder / name
    with explaining("write", path):
        write_bytes(path, os.fsencode(file))


def _owner(folder: Path, name: str) -> Path | None:
    path = folder / name
    with explaining("read", path):
        return Path(os.fsdecode(path.read_bytes())) if path.is_file() else None


def _same(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b)
    except OSError:
        return a == b
