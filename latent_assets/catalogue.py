"""What is known of every walk of a project at a glance: a thousand walk files in a second.

A walk file is read, and its frames' keys are computed, once: both are remembered by the file's
size and date, in a small database that may be deleted at any time.
"""

from __future__ import annotations

import gc
import json
import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from latent_assets import __version__
from latent_assets.digests import digest_of
from latent_assets.errors import LatentAssetsError
from latent_assets.store.inventory import Inventory
from latent_assets.studio import Studio, WalkSpec
from latent_assets.walks.library import WalkLibrary
from latent_assets.walks.loading import load_walk
from latent_assets.walks.schema import GuidanceSweep
from latent_assets.walks.timeline import positions

logger = logging.getLogger(__name__)

_SETTLED_S = 2.0
"""A file that changed more recently than this may change again under the same date and size."""
_KEY_BYTES = 32
_ROOM = Path(__file__).parent
_CODE = ("walks/*.py", "studio.py", "digests.py", "catalogue.py")
"""What turns a file into keys: after a change of it, nothing that was remembered counts."""


@dataclass(frozen=True)
class Listed:
    """A walk of the project: what its file says, or what is wrong with it."""

    name: str
    path: Path
    modified: float
    """When the file was written, in epoch seconds."""
    problem: str
    """What is wrong with the file; empty if it can be rendered."""
    document: Mapping[str, Any]
    """`WalkSpec.to_json`; empty if something is wrong."""
    packed: bytes
    """The keys of its frames in order, 32 bytes each."""
    places: list[list[Fraction]] | None = None
    """Where its timeline has its frames; as long as pilots are to find these places, those of
    uniform pace. None if its file alone says where they stand."""

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The keys that are `packed`."""
        text = self.packed.hex()
        return tuple(text[at : at + 2 * _KEY_BYTES] for at in range(0, len(text), 2 * _KEY_BYTES))

    @cached_property
    def spec(self) -> WalkSpec:
        """The settled walk, its frames in their places. Only of one that nothing is wrong with."""
        return WalkSpec.from_json(dict(self.document)).at(self.places)

    @property
    def walk(self) -> Mapping[str, Any]:
        """The walk file's fields, as plain JSON."""
        return self.document["walk"]

    @property
    def model(self) -> str:
        """The model that renders it."""
        return self.document["rendering"]["model"]


@dataclass(frozen=True)
class _Row:
    """What is remembered of a file."""

    stamp: str
    document: str
    packed: bytes


class Catalogue:
    """The walks of a project. Not for several threads at once."""

    def __init__(self, studio: Studio, library: WalkLibrary | None = None) -> None:
        self.studio = studio
        self.library = library or WalkLibrary(studio.settings.walks_dir)
        self.inventory = Inventory(studio.frames)
        self._file = studio.settings.cache_dir / "walks.sqlite"
        self._rows: dict[str, _Row] | None = None
        self._listed: dict[str, tuple[str, Listed]] = {}

    def read(self) -> dict[str, Listed]:
        """Every walk by name; files that have not changed since the last call are not read."""
        code = _fingerprint(self.studio)
        if self._rows is None:
            self._rows = _load(self._file)
        listed: dict[str, tuple[str, Listed]] = {}
        fresh: dict[str, _Row] = {}
        with _no_collecting():
            for name, path in sorted(self.library.paths().items()):
                stamp, modified = _stamp(path, code)
                known = self._listed.get(name)
                if known is None or not stamp or known[0] != stamp or known[1].problem:
                    found = self._of(name, path, modified, stamp, fresh)
                    # A timeline that says where its frames stand may come, or go, any time.
                    known = (stamp if found.places is None else ""), found
                listed[name] = known
        gone = self._rows.keys() - {str(each.path) for _, each in listed.values()}
        if fresh or gone:
            self._remember(fresh, gone)
        self._listed = listed
        return {name: each for name, (_, each) in listed.items()}

    def found(self, walks: Iterable[Listed]) -> set[str]:
        """The keys of those of the walks' frames that are in the store. Raises StoreError."""
        return self.inventory.among({key for walk in walks for key in walk.keys})

    def stored(self, walks: Iterable[Listed]) -> dict[str, int]:
        """By name, how many of a walk's frames are in the store; a frame that repeats counts."""
        walks = list(walks)
        found = self.found(walks)
        return {walk.name: sum(map(found.__contains__, walk.keys)) for walk in walks}

    def _of(
        self, name: str, path: Path, modified: float, stamp: str, fresh: dict[str, _Row]
    ) -> Listed:
        row = (self._rows or {}).get(str(path))
        if row is not None and stamp and row.stamp == stamp:
            document = json.loads(row.document)
            if self._holds(document):
                return Listed(name, path, modified, "", document, row.packed)
        try:
            spec = self.studio.specify(name, load_walk(path))
            self.studio.read_prompts(spec)
        except LatentAssetsError as error:
            return Listed(name, path, modified, str(error), {}, b"")
        document = spec.to_json()
        places = self._places(spec)
        packed = bytes.fromhex("".join([each.hashed() for each in spec.at(places).recipes()]))
        if stamp and places is None:
            fresh[str(path)] = _Row(stamp, json.dumps(document), packed)
        return Listed(name, path, modified, "", document, packed, places)

    def _places(self, spec: WalkSpec) -> list[list[Fraction]] | None:
        """As `Listed.places` has them."""
        walk = spec.walk
        if isinstance(walk, GuidanceSweep) or not spec.has_timeline:
            return None
        timeline = self.studio.timeline(spec)
        if timeline is None:
            return [positions(length, closed=walk.is_loop) for length in walk.lengths]
        return timeline.places(loop=walk.is_loop)

    def _holds(self, document: Mapping[str, Any]) -> bool:
        """Whether the model still has the weights that the keys were computed for."""
        rendering = document["rendering"]
        try:
            info = self.studio.describe_model(rendering["model"])
        except LatentAssetsError:
            return False
        return info.weights_digest == rendering["weights"]

    def _remember(self, fresh: Mapping[str, _Row], gone: Iterable[str]) -> None:
        assert self._rows is not None
        for path in gone:
            self._rows.pop(path, None)
        self._rows.update(fresh)
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with closing(_open(self._file)) as database, database:
                database.executemany("DELETE FROM walks WHERE path = ?", [(p,) for p in gone])
                database.executemany(
                    "INSERT OR REPLACE INTO walks VALUES (?, ?, ?, ?)",
                    [(path, row.stamp, row.document, row.packed) for path, row in fresh.items()],
                )
        except sqlite3.DatabaseError as error:
            _forget(self._file, error)
        except OSError as error:
            logger.info("walks are not remembered: %s", error)


@contextmanager
def _no_collecting() -> Iterator[None]:
    """Recipes hold no cycles: to look for some among half a million takes a tenth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _stamp(path: Path, code: str) -> tuple[str, float]:
    """What a file's content is recognised by, empty if that would be too early; and its date."""
    try:
        status = path.stat()
    except OSError:
        return "", 0.0
    if time.time() - status.st_mtime < _SETTLED_S:
        return "", status.st_mtime
    return f"{code} {status.st_size} {status.st_mtime_ns}", status.st_mtime


def _fingerprint(studio: Studio) -> str:
    """Of all beside the file and the weights that its keys depend on."""
    settings = studio.settings
    sources = [
        [path.name, path.stat().st_size, path.stat().st_mtime_ns]
        for pattern in _CODE
        for path in sorted(_ROOM.glob(pattern))
    ]
    how = [settings.model, settings.precision, settings.truncate]
    return digest_of([__version__, sources, how])[:16]


def _open(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=5)
    database.execute(
        "CREATE TABLE IF NOT EXISTS walks"
        " (path TEXT PRIMARY KEY, stamp TEXT, document TEXT, packed BLOB) WITHOUT ROWID"
    )
    return database


def _load(file: Path) -> dict[str, _Row]:
    if not file.exists():
        return {}
    try:
        with closing(_open(file)) as database:
            rows = database.execute("SELECT path, stamp, document, packed FROM walks")
            return {path: _Row(*rest) for path, *rest in rows}
    except sqlite3.DatabaseError as error:
        _forget(file, error)
    return {}


def _forget(file: Path, error: sqlite3.DatabaseError) -> None:
    """What cannot be read is of no use: the next reading makes it anew."""
    logger.info("%s is made anew: %s", file, error)
    if not isinstance(error, sqlite3.OperationalError):  # busy, or no room: it may be whole
        file.unlink(missing_ok=True)
