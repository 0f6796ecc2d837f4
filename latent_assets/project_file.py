"""Which data folder is meant where no variable says so: a project's, a checkout's, or a new one.

A project is a folder with a file `latent-assets.toml`, found from the current folder upwards, as
Git finds its own. The file may hold any setting, by the name of its variable in small letters.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from latent_assets.errors import UsageError
from latent_assets.shipped import CHECKOUT, PROJECT_ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAME = "latent-assets.toml"
_MOST_BYTES = 64 * 1024
_FOLDERS = ("data", "store", "outputs", "weights_dir", "c2pa_certificate", "c2pa_key")
"""Settings that are places; in the file they are relative to it."""


@dataclass(frozen=True)
class Project:
    """A project file and what it says; `path` is None where there is none."""

    path: Path | None = None
    settings: dict[str, str] = field(default_factory=dict)
    """By the names of `Settings`, as the text of an environment variable."""

    @property
    def data(self) -> Path:
        """The data folder if no setting names one."""
        if self.path is not None:
            return self.path.parent
        return PROJECT_ROOT / "data" if CHECKOUT else Path.cwd() / "latent-assets"


def find_project(start: Path | None = None) -> Project:
    """The project of a folder, by default the current one. Raises UsageError for a wrong file."""
    try:
        here = Path.cwd() if start is None else start.absolute()
    except FileNotFoundError:
        return Project()  # the current folder was removed
    for folder in (here, *here.parents):
        path = folder / NAME
        if path.is_file():
            return Project(path, _read(path))
    return Project()


def _read(path: Path) -> dict[str, str]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(f"{path} is larger than 64 KiB", "It holds a few settings at most.")
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{path} cannot be read: {why}", "Mend it, or move it away.") from None
    return {name: _text(path, name, value) for name, value in document.items()}


def _text(path: Path, name: str, value: object) -> str:
    """A value as the variable of the same name would hold it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if not isinstance(value, str | int):
        raise UsageError(
            f"{path}: {name} is no text, number, true or false",
            f"Write it as LATENT_ASSETS_{name.upper()} would be.",
        )
    text = str(value)
    if name in _FOLDERS and text and "://" not in text and not text.startswith("~"):
        return str(path.parent / text)
    return text
