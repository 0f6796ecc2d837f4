"""Where the bytes are: named objects in a local folder, or under any fsspec URL.

Names are relative, with `/` between their parts. A write is atomic in both: a rename in a folder,
one put in an object store.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from latent_assets.foreign import NotRegularError, open_regular
from latent_assets.places import local_path
from latent_assets.store import atomic
from latent_assets.store.failures import explain

logger = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")
_FOLDERS = 256
"""Objects lie in folders named after the first two hex digits of their key."""
_LONGEST_PAUSE_S = 10.0
_ANSWERS = (PermissionError, ImportError, ValueError, NotImplementedError)
"""Errors that asking again does not change."""
_AT_ONCE = 64
"""So many requests are under way at once."""
_ENTRIES_PER_LOOK = 16
"""So many entries of a listing take as long as looking for one object (docs/store.md)."""


@dataclass(frozen=True)
class Entry:
    """One stored object: its name, its size in bytes, when it was written (epoch seconds)."""

    name: str
    size: int
    modified: float


class Objects(Protocol):
    """Named blobs. Errors are `StoreError`; a missing object is FileNotFoundError.

    What is read and is no file, as a folder or a pipe, is NotRegularError.
    """

    root: str
    parallel: int
    """How many threads make reading and writing many objects fastest."""

    def read(self, name: str, limit: int | None = None) -> bytes:
        """The object's bytes, or its first `limit` ones."""
        ...

    def write(self, name: str, data: bytes, *, replace: bool = True) -> bool:
        """Stores `data`; if not `replace`, an existing object stays. Whether `data` was stored."""
        ...

    def existing(self, names: Iterable[str]) -> set[str]:
        """Those of the names that exist and are not empty."""
        ...

    def entries(self, folder: str) -> Iterator[Entry]:
        """Every object under `folder`, in no particular order."""
        ...

    def delete(self, name: str) -> None:
        """Removes the object; it may be gone already."""
        ...

    def move(self, name: str, to: str) -> None:
        """Renames the object; it may be gone already."""
        ...

    def leftovers(self, older_than_s: float) -> list[Entry]:
        """What writers that were killed left behind."""
        ...


def open_objects(
    root: str | os.PathLike[str], *, patience_s: float = 0.0, **options: Any
) -> Objects:
    """root: a path, a `file://` URL, or any fsspec URL; options go to the fsspec file system.

    patience_s: for how long an object store that gives no answer is asked again.
    """
    text = str(root)
    if text.lower().startswith("file:/"):
        return LocalObjects(local_path(text, "the store"))
    if not text.startswith("/") and ("://" in text or "::" in text):
        return RemoteObjects(text, patience_s=patience_s, **options)
    return LocalObjects(Path(text).expanduser())


class LocalObjects:
    """Objects as files in a folder."""

    parallel = min(8, (os.cpu_count() or 1) + 2)

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.root = str(folder)

    def _path(self, name: str) -> Path:
        return self._folder / name

    def read(self, name: str, limit: int | None = None) -> bytes:
        """See `Objects.read`."""
        path = self._path(name)
        try:
            with open_regular(path) as file:
                return file.read() if limit is None else file.read(limit)
        except (FileNotFoundError, NotRegularError):
            raise
        except OSError as error:
            raise explain("read", str(path), error) from error

    def write(self, name: str, data: bytes, *, replace: bool = True) -> bool:
        """See `Objects.write`."""
        path = self._path(name)
        try:
            return atomic.write_bytes(path, data, replace=replace)
        except OSError as error:
            raise explain("write", str(path), error) from error

    def existing(self, names: Iterable[str]) -> set[str]:
        """See `Objects.existing`."""
        found = set()
        for name in names:
            try:
                status = os.stat(f"{self.root}/{name}")  # noqa: PTH116 - twice as fast as Path
                if status.st_size and stat.S_ISREG(status.st_mode):
                    found.add(name)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                if error.errno == errno.ELOOP:
                    continue
                raise explain("look for", f"{self.root}/{name}", error) from error
        return found

    def entries(self, folder: str) -> Iterator[Entry]:
        """See `Objects.entries`."""
        try:
            yield from self._walk(self._folder / folder, folder)
        except OSError as error:
            raise explain("list", str(self._folder / folder), error) from error

    def _walk(self, path: Path, prefix: str) -> Iterator[Entry]:
        try:
            found = list(os.scandir(path))
        except FileNotFoundError:
            return
        for entry in found:
            name = f"{prefix}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(Path(entry.path), name)
            elif not atomic.is_temporary(entry.name):
                with suppress(FileNotFoundError):  # another process collected it just now
                    status = _status(entry)
                    yield Entry(name, status.st_size, status.st_mtime)

    def delete(self, name: str) -> None:
        """See `Objects.delete`."""
        try:
            self._path(name).unlink(missing_ok=True)
        except OSError as error:
            raise explain("delete", str(self._path(name)), error) from error

    def move(self, name: str, to: str) -> None:
        """See `Objects.move`."""
        target = self._path(to)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                self._path(name).replace(target)
                os.utime(
                    target, follow_symlinks=False
                )  # its age is counted from now: see retention of the quarantine
        except OSError as error:
            raise explain("move", str(self._path(name)), error) from error

    def leftovers(self, older_than_s: float) -> list[Entry]:
        """See `Objects.leftovers`."""
        now = time.time()
        try:
            found = atomic.leftovers(self._folder, older_than_s=older_than_s)
        except OSError as error:
            raise explain("list", self.root, error) from error
        return [Entry(path.relative_to(self._folder).as_posix(), size, now) for path, size in found]


def _status(entry: os.DirEntry[str]) -> os.stat_result:
    """Of what a link leads to, or of the link if that is nothing."""
    try:
        return entry.stat()
    except OSError:
        return entry.stat(follow_symlinks=False)


class RemoteObjects:
    """Objects under an fsspec URL, as `s3://bucket/folder`. Puts are atomic by themselves."""

    parallel = 16

    def __init__(self, url: str, *, patience_s: float = 0.0, **options: Any) -> None:
        """patience_s: for how long a store that gives no answer is asked again."""
        self.root = url
        self.patience_s = patience_s
        self._options = options
        self._lock = threading.Lock()
        self._opened: tuple[Any, str] | None = None

    def _open(self) -> tuple[Any, str]:
        """The file system and the root within it; fsspec is imported when it is needed."""
        with self._lock:
            if self._opened is None:
                from fsspec.core import url_to_fs  # noqa: PLC0415 - 0.1 s, not on the local path

                try:
                    # Cached listings would hide what other processes have written meanwhile.
                    options = {"use_listings_cache": False, **self._options}
                    if self.root.startswith("s3"):
                        # Of itself it opens ten, and a thousand questions wait for each other.
                        more = {"max_pool_connections": _AT_ONCE}
                        options["config_kwargs"] = {**more, **options.get("config_kwargs", {})}
                    file_system, path = url_to_fs(self.root, **options)
                except Exception as error:
                    raise explain("open", self.root, error) from error
                self._opened = file_system, path.rstrip("/")
            return self._opened

    def read(self, name: str, limit: int | None = None) -> bytes:
        """See `Objects.read`."""
        system, root = self._open()
        start = None if limit is None else 0
        path = f"{root}/{name}"
        return bytes(self._ask("read", name, lambda: system.cat_file(path, start=start, end=limit)))

    def write(self, name: str, data: bytes, *, replace: bool = True) -> bool:
        """See `Objects.write`."""
        system, root = self._open()
        mode = "overwrite" if replace else "create"
        try:
            self._ask("write", name, lambda: system.pipe_file(f"{root}/{name}", data, mode=mode))
        except FileExistsError:
            return False
        except FileNotFoundError as error:  # the bucket
            raise explain("write", f"{self.root}/{name}", error) from error
        return True

    def existing(self, names: Iterable[str]) -> set[str]:
        """See `Objects.existing`. By listing or by looking for each, whichever costs less."""
        asked = set(names)
        if self._listing_pays(asked):
            folders = {name.partition("/")[0] for name in asked}
            listed = (entry for folder in folders for entry in self.entries(folder))
            return asked & {entry.name for entry in listed if entry.size}
        system, root = self._open()
        return self._ask("look into", "", lambda: set(_there(system, root, list(asked))))

    def _listing_pays(self, asked: set[str]) -> bool:
        """One folder tells how many objects there are: the names are hashes, evenly spread."""
        if len(asked) <= 2 * self.parallel:
            return False
        folder = next(iter(asked)).rpartition("/")[0]
        count = sum(1 for _ in self.entries(folder))
        return count * _FOLDERS <= len(asked) * _ENTRIES_PER_LOOK

    def entries(self, folder: str) -> Iterator[Entry]:
        """See `Objects.entries`."""
        system, root = self._open()
        try:
            found = self._ask("list", folder, lambda: system.find(f"{root}/{folder}", detail=True))
        except FileNotFoundError:
            return
        for path, info in found.items():
            yield Entry(path[len(root) + 1 :], int(info.get("size") or 0), _modified(info))

    def delete(self, name: str) -> None:
        """See `Objects.delete`."""
        system, root = self._open()
        with suppress(FileNotFoundError):
            self._ask("delete", name, lambda: system.rm_file(f"{root}/{name}"))

    def _ask(self, action: str, name: str, work: Callable[[], _Answer]) -> _Answer:
        """What the store answers; asked again for a while if it gives no answer.

        Raises FileNotFoundError and FileExistsError, which are answers; else StoreError.
        """
        until, pause_s = time.monotonic() + self.patience_s, 1.0
        while True:
            try:
                return work()
            except (FileNotFoundError, FileExistsError):
                raise
            except Exception as error:
                place = f"{self.root}/{name}" if name else self.root
                if isinstance(error, _ANSWERS) or time.monotonic() + pause_s > until:
                    raise explain(action, place, error) from error
                logger.warning("cannot %s %s (%s); asking again", action, place, error)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def move(self, name: str, to: str) -> None:
        """See `Objects.move`. A copy and a deletion: object stores know no rename."""
        with suppress(FileNotFoundError):
            self.write(to, self.read(name))
            self.delete(name)

    def leftovers(self, older_than_s: float) -> list[Entry]:  # noqa: ARG002 - the protocol's
        """See `Objects.leftovers`. A put that was cut short leaves nothing."""
        return []


def _there(system: Any, root: str, names: list[str]) -> Iterator[str]:
    """Those that exist and are not empty: one request each, where `info` takes two to say no."""
    paths = [f"{root}/{name}" for name in names]
    first, last = [0] * len(paths), [1] * len(paths)
    many = {"batch_size": _AT_ONCE} if system.async_impl else {}
    answers = system.cat_ranges(paths, first, last, on_error="return", **many)
    for name, path, answer in zip(names, paths, answers, strict=True):
        if isinstance(answer, FileNotFoundError):
            continue
        # An empty object has no first byte: stores name that as they like.
        if system.info(path)["size"] if isinstance(answer, Exception) else answer:
            yield name


def _modified(info: dict[str, Any]) -> float:
    """When an object was written, in epoch seconds; file systems name it differently."""
    for name in ("LastModified", "last_modified", "mtime", "modified", "created"):
        value = info.get(name)
        if isinstance(value, (int, float)):
            return float(value)
        if value is not None and hasattr(value, "timestamp"):
            return float(value.timestamp())
    return time.time()
