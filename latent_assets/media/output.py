"""Files that appear under their final name whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latent_assets.errors import MediaError
from latent_assets.store import atomic
from latent_assets.store.failures import explain

_ABANDONED_S = 3600
"""A film is written to all the time; what was not for so long, nobody writes any more."""


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path`; renames it when the block has ended well.

    Raises MediaError for what the operating system says (disk full, no permission); the errors of
    the block pass through. In both cases an older file at `path` is as it was.
    """
    try:
        with atomic.replacing(path) as temporary:
            yield temporary
        atomic.clear_leftovers(path, older_than_s=_ABANDONED_S)
    except OSError as error:
        told = explain("write", str(path), error)
        raise MediaError(told.problem, told.cure) from error
