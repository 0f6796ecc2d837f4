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
from latent_assets.foreign import open_regular, read_json
from latent_assets.store.atomic import replacing
from latent_assets.store.failures import explaining


class Memory:
    """A folder of small JSON documents, each under the digest of what it was made from.

    Beside each stands the digest of source and document: what was altered is made again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def recall(self, what: str, source: object, make: Callable[[], Any]) -> Any:
        """What `make` gave for this source before, or gives now.

        `source` is plain JSON and determines the result; a damaged document is made again.
        Raises StoreError.
        """
        path = self.folder / what / f"{digest_of(source)}.json"
        try:
            known = _read(path, source)
        except (OSError, ValueError):
            made = make()
        else:
            _note_use(path)
            return known
        _write(path, source, made)
        return made

    def write_once(self, path: Path, source: object, write: Callable[[], Any]) -> None:
        """Write a finished file, unless it stands there whole, as it was made from this source.

        `source` is plain JSON and determines the file; a file that was altered is made again.
        """
        note = self.folder / "files" / f"{digest_of([str(path), source])}.json"
        try:
            if _read(note, [str(path), source]) == _sha256(path):
                _note_use(note)
                return
        except (OSError, ValueError):
            pass
        write()
        _write(note, [str(path), source], _sha256(path))


def _note_use(path: Path) -> None:
    """A document's date is that of its last use: what nobody asks for can be collected by it."""
    with suppress(OSError):
        os.utime(path)


def _read(path: Path, source: object) -> Any:
    """The document. Raises OSError, and ValueError unless it was written for this source."""
    with open_regular(path) as file:
        found = read_json(file.read())
    if not isinstance(found, dict) or found.keys() != {"document", "digest"}:
        raise ValueError("it is no document with its digest")
    if found["digest"] != digest_of([source, found["document"]]):
        raise ValueError("it was altered")
    return found["document"]


def _write(path: Path, source: object, document: object) -> None:
    """Raises StoreError."""
    plain = json.loads(json.dumps(document, allow_nan=False))  # as it will be read
    text = json.dumps({"digest": digest_of([source, plain]), "document": plain})
    with explaining("write", path), replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _sha256(path: Path) -> str:
    with open_regular(path) as file:
        return hashlib.sha256(file.read()).hexdigest()
