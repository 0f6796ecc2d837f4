"""What was derived from frames once need not be derived again: previews, figures, files.

A second run of an unchanged walk must cost next to nothing, and frames that have the same
digests have the same previews.
"""

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from latent_assets.digests import digest_of
from latent_assets.store.atomic import replacing
from latent_assets.store.failures import explaining


class Memory:
    """A folder of small JSON documents, each under the digest of what it was made from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def recall(self, what: str, source: object, make: Callable[[], Any]) -> Any:
        """What `make` gave for this source before, or gives now.

        `source` is plain JSON and determines the result; a damaged document is made again.
        """
        path = self.folder / what / f"{digest_of(source)}.json"
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            made = make()
        else:
            _note_use(path)
            return known
        _write(path, made)
        return made

    def write_once(self, path: Path, source: object, write: Callable[[], Any]) -> None:
        """Write a finished file, unless it stands there whole, as it was made from this source.

        `source` is plain JSON and determines the file; a file that was altered is made again.
        """
        note = self.folder / "files" / f"{digest_of([str(path), source])}.json"
        try:
            if json.loads(note.read_text(encoding="utf-8")) == _sha256(path):
                _note_use(note)
                return
        except (OSError, ValueError):
            pass
        write()
        _write(note, _sha256(path))


def _note_use(path: Path) -> None:
    """A document's date is that of its last use: what nobody asks for can be collected by it."""
    with suppress(OSError):
        os.utime(path)


def _write(path: Path, document: object) -> None:
    """Raises StoreError."""
    with explaining("write", path), replacing(path) as temporary:
        temporary.write_text(json.dumps(document), encoding="utf-8")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
