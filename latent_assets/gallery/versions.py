"""The finished files of a walk, and their earlier versions."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

from latent_assets.errors import LatentAssetsError
from latent_assets.media.earlier import FOLDER
from latent_assets.media.provenance import inspect_file
from latent_assets.store.atomic import is_temporary

_TYPES = {
    ".apng": "image/apng",
    ".avif": "image/avif",
    ".gif": "image/gif",
    ".html": "text/html",
    ".jpg": "image/jpeg",
    ".mp4": "video/mp4",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}


@dataclass(frozen=True)
class File:
    """A file to download."""

    path: Path
    size: int
    modified: float

    @property
    def name(self) -> str:
        """Without its folder."""
        return self.path.name

    @property
    def mime(self) -> str:
        """Of what the name ends in."""
        return _TYPES.get(self.path.suffix.lower(), "application/octet-stream")


@dataclass(frozen=True)
class Folder:
    """The numbered pictures of a walk, which are downloaded in one."""

    path: Path
    files: tuple[File, ...]

    @property
    def name(self) -> str:
        """Of the file that is downloaded."""
        return f"{self.path.name}.zip"

    @property
    def size(self) -> int:
        """Bytes of the pictures."""
        return sum(file.size for file in self.files)

    @property
    def modified(self) -> float:
        """When the last of them was made."""
        return max(file.modified for file in self.files)

    def packed(self) -> bytes:
        """A ZIP of the pictures, as they are: PNG does not become smaller."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for file in self.files:
                archive.write(file.path, f"{self.path.name}/{file.name}")
        return buffer.getvalue()


@dataclass(frozen=True)
class Version:
    """An earlier version of a walk's file."""

    file: File
    keys: tuple[str, ...]
    """Of its frames, if all are still in the store: it can then be played."""

    @property
    def when(self) -> str:
        """UTC, for people."""
        return datetime.fromtimestamp(self.file.modified, timezone.utc).strftime("%Y-%m-%d %H:%M")

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"name": self.file.name, "when": self.when, "keys": list(self.keys)}


@dataclass(frozen=True)
class Variant:
    """What a run with another model or other frames than the walk file's made."""

    name: str
    """As it is published: the walk's name, `@` and what differs."""
    files: tuple[File, ...]

    @property
    def made(self) -> float:
        """When the last of its files was made."""
        return max(file.modified for file in self.files)


def finished(folder: Path) -> list[File]:
    """The files of a walk's folder, by name; what is being written is left out."""
    return _files(folder)


def pictures(folder: Path) -> Folder | None:
    """The folder of a walk's numbered pictures, if it has one."""
    path = folder / f"{folder.name}-frames"
    files = () if path.is_symlink() else tuple(_files(path))
    return Folder(path, files) if files else None


def earlier(folder: Path, contains: Callable[[Iterable[str]], Collection[str]]) -> list[Version]:
    """The kept versions, newest first. contains: which of some frames' keys are stored."""
    files = sorted(_files(folder / FOLDER), key=lambda file: (file.modified, file.name))
    return [Version(file, _playable(file, contains)) for file in reversed(files)]


def played_last(
    folder: Path, contains: Callable[[Iterable[str]], Collection[str]]
) -> tuple[str, ...]:
    """The frames that the finished files were made from; none, if one is no longer stored."""
    found = (_playable(file, contains) for file in finished(folder))
    return max(found, key=len, default=())


def variants(folder: Path) -> list[Variant]:
    """The variants of a walk, newest first. folder: of the walk's own files."""
    try:  # `@` is in no walk's name
        beside = [
            each for each in folder.parent.iterdir() if each.name.startswith(f"{folder.name}@")
        ]
    except OSError:
        return []
    found = [Variant(each.name, tuple(_files(each))) for each in beside if not each.is_symlink()]
    return sorted((each for each in found if each.files), key=lambda each: (-each.made, each.name))


def _playable(file: File, contains: Callable[[Iterable[str]], Collection[str]]) -> tuple[str, ...]:
    keys = _recorded(file.path, file.size, file.modified)
    return keys if len(contains(keys)) == len(set(keys)) else ()


@lru_cache(maxsize=4096)
def _recorded(path: Path, _size: int, _modified: float) -> tuple[str, ...]:
    """The keys of the frames that a file was made from; none if it does not say."""
    try:
        return inspect_file(path).frame_keys
    except LatentAssetsError:
        return ()


def _files(folder: Path) -> list[File]:
    try:
        found = sorted(folder.iterdir())
        return [
            File(path, status.st_size, status.st_mtime)
            for path in found
            if not is_temporary(path.name)
            and not path.name.startswith(".")
            and not path.is_symlink()
            and path.is_file()
            and (status := path.stat())
        ]
    except OSError:
        return []
