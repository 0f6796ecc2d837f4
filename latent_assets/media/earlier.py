"""Earlier versions of a finished file, kept beside it when it is made anew."""

from __future__ import annotations

import shutil
from datetime import datetime, timezone
from pathlib import Path

from latent_assets.errors import MediaError
from latent_assets.store.failures import explain

FOLDER = "earlier"


def keep_earlier(path: Path, keep: int) -> None:
    """Copy the file at `path` to `earlier/`, and leave there no more than the `keep` newest.

    keep: how many earlier versions are kept; 0 keeps none, and touches nothing. Versions are
    named after the time (UTC) when they were written. Raises MediaError.
    """
    if not keep:
        return
    folder = path.parent / FOLDER
    try:
        if path.exists():
            folder.mkdir(exist_ok=True)
            written = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
            shutil.copy2(path, folder / f"{path.stem}.{written:%Y%m%dT%H%M%S.%f}{path.suffix}")
        for old in earlier_versions(path)[keep:]:
            old.unlink(missing_ok=True)
    except OSError as error:
        told = explain("write", str(folder), error)
        raise MediaError(told.problem, told.cure) from error


def earlier_versions(path: Path) -> list[Path]:
    """The kept versions of a file, newest first."""
    return sorted((path.parent / FOLDER).glob(f"{path.stem}.*{path.suffix}"), reverse=True)
