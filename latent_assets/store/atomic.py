"""Files that stand under their final name whole, or not at all.

A file is written under a temporary name in the same folder, synced to the disk, and renamed. The
folder itself is not synced: after a power cut a file may be missing, never half there, and what
is missing is made again.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_MARK = ".tmp-"
_TEMPORARY = re.compile(r"\.tmp-[0-9]+-[0-9a-f]+-")


def temporary_name(path: Path) -> Path:
    """A new hidden name beside `path`, with its extension kept so that encoders know the format."""
    return path.with_name(f"{_MARK}{os.getpid()}-{secrets.token_hex(6)}-{path.name[-40:]}")


def is_temporary(name: str) -> bool:
    """Whether a file of this name was left behind by a writer that was killed."""
    return _TEMPORARY.match(name) is not None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary path to write to; renames it to `path` if the block ends well.

    If the block raises, the temporary file is removed and `path` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def write_bytes(path: Path, data: bytes, *, replace: bool = True) -> bool:
    """Writes `data` under the name `path`.

    replace: if False, a file that stands there already is left alone. Returns whether `data`
    now stands there. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        _write_all(temporary, data)
        return _publish(temporary, path, replace=replace)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _publish(temporary: Path, path: Path, *, replace: bool) -> bool:
    """Gives the file its final name. A hard link fails if the name is taken; a rename does not."""
    if not replace:
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError:  # no hard links on this file system: a race is won by the last writer
            if path.exists():
                return False
        else:
            return True
    temporary.replace(path)
    return True


def _write_all(path: Path, data: bytes) -> None:
    """Plain open(2): the file's mode follows the umask, unlike that of `tempfile`."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def clear_leftovers(path: Path, *, older_than_s: float) -> None:
    """Removes what killed writers of `path` left beside it; looks into no other folder."""
    ending = f"-{path.name[-40:]}"
    names = (each.name for each in path.parent.iterdir() if each.name.endswith(ending))
    for left, _size in _abandoned(path.parent, names, older_than_s):
        with suppress(OSError):
            left.unlink()


def leftovers(folder: Path, *, older_than_s: float) -> list[tuple[Path, int]]:
    """Temporary files under `folder` that no living writer can still be writing, with their sizes.

    A file that is gone while it is looked at is none.
    """
    return [
        found
        for parent, _, names in os.walk(folder)
        for found in _abandoned(Path(parent), names, older_than_s)
    ]


def _abandoned(
    folder: Path, names: Iterable[str], older_than_s: float
) -> Iterator[tuple[Path, int]]:
    limit = time.time() - older_than_s
    for name in filter(is_temporary, names):
        path = folder / name
        with suppress(FileNotFoundError):
            status = path.stat()
            if status.st_mtime <= limit:
                yield path, status.st_size
