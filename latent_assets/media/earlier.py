"""Earlier versions of a finished file, kept beside it when it is made anew."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path

from latent_assets.errors import MediaError
from latent_assets.store import atomic
from latent_assets.store.failures import explain

FOLDER = "earlier"
_STAMP = "%Y%m%dT%H%M%S.%f"


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
            _copy(path, folder)
        for old in earlier_versions(path)[keep:]:
            old.unlink(missing_ok=True)
    except OSError as error:
        told = explain("write", str(folder), error)
        raise MediaError(told.problem, told.cure) from error


def earlier_versions(path: Path) -> list[Path]:
    """The kept versions of a file, newest first."""
    stamped = f"{path.stem}.[0-9]*T[0-9]*.[0-9]*{path.suffix}"
    return sorted((path.parent / FOLDER).glob(stamped), reverse=True)


def _copy(path: Path, folder: Path) -> None:
    versions = earlier_versions(path)
    if versions and path.read_bytes() == versions[0].read_bytes():
        return  # a render that was killed had copied it already
    written = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
    copy = _version(path, folder, written)
    if versions and copy.name <= versions[0].name:
        # The clock was set back. In order of their names they must be in order of their making.
        copy = _version(path, folder, _written(versions[0]) + timedelta(microseconds=1))
    with atomic.replacing(copy) as temporary:
        shutil.copy2(path, temporary)


def _version(path: Path, folder: Path, written: datetime) -> Path:
    return folder / f"{path.stem}.{written.strftime(_STAMP)}{path.suffix}"


def _written(version: Path) -> datetime:
    stamp = ".".join(version.stem.split(".")[-2:])
    return datetime.strptime(stamp, _STAMP).replace(tzinfo=timezone.utc)
