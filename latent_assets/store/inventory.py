"""Which frames of very many are stored, looked up again only where something has changed."""

from __future__ import annotations

import os
import time
from collections.abc import Collection

from latent_assets.store.failures import explain
from latent_assets.store.frames import FOLDER, FrameStore
from latent_assets.store.objects import LocalObjects

_SETTLED_S = 2.0
"""A folder that changed more recently than this may change again under the same date."""
_REMOTE_S = 10.0
"""An object store is asked no more often: each look is a request that is paid for."""
_KEY_LENGTH = 64
_NEVER: tuple[int, frozenset[str]] = -2, frozenset()


class Inventory:
    """The stored ones among many frames: for lists of all walks, and for who watches a render.

    In a folder it reads names alone, and those only of sub-folders whose date is another than at
    the last look: 256 looks at dates, however many frames there are. A file that a power cut left
    empty counts, as it does not for `FrameStore.contains`; whoever reads it finds out.
    """

    def __init__(self, store: FrameStore) -> None:
        self._store = store
        self._folders: dict[str, tuple[int, frozenset[str]]] = {}
        self._all: set[str] = set()
        self._remote: tuple[float, frozenset[str], set[str]] = 0.0, frozenset(), set()

    def among(self, keys: Collection[str]) -> set[str]:
        """Those of the keys whose frames are stored. Raises StoreError."""
        if isinstance(self._store.objects, LocalObjects):
            self._look(f"{self._store.objects.root}/{FOLDER}")
            return self._all.intersection(keys)
        return self._ask(frozenset(keys))

    def _look(self, root: str) -> None:
        try:
            found = {entry.name: entry for entry in os.scandir(root) if entry.is_dir()}
        except FileNotFoundError:
            found = {}
        except OSError as error:
            raise explain("list", root, error) from error
        for name in self._folders.keys() - found.keys():
            self._all -= self._folders.pop(name)[1]
        limit = time.time_ns() - int(_SETTLED_S * 1e9)
        for name in found:
            try:
                date = os.stat(f"{root}/{name}").st_mtime_ns  # noqa: PTH116 - twice as fast as Path
                if self._folders.get(name, _NEVER)[0] == date:
                    continue
                keys = frozenset(
                    file[:_KEY_LENGTH]
                    for file in os.listdir(f"{root}/{name}")  # noqa: PTH208 - no objects are needed
                    if len(file) == _KEY_LENGTH + 4 and file.endswith(".png")
                )
            except FileNotFoundError:
                continue
            except OSError as error:
                raise explain("list", f"{root}/{name}", error) from error
            self._all -= self._folders.get(name, _NEVER)[1]
            self._all |= keys
            self._folders[name] = (date if date < limit else -1), keys

    def _ask(self, keys: frozenset[str]) -> set[str]:
        asked_at, asked, found = self._remote
        if keys != asked or time.monotonic() - asked_at > _REMOTE_S:
            found = self._store.contains(keys)
            self._remote = time.monotonic(), keys, found
        return found
