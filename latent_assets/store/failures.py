"""What can go wrong in a store, and the words for it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latent_assets.errors import StoreError


class MissingError(StoreError):
    """What was asked for is not in the store."""


class DamagedError(StoreError):
    """What was asked for is in the store, but is not what was written; it was set aside."""


class FrameMissingError(MissingError):
    """The frame has not been rendered yet, or was collected."""


class FrameDamagedError(DamagedError):
    """The frame's file is truncated or altered; it now lies in `quarantine/`."""


class EncodingMissingError(MissingError):
    """The text encoding has not been computed yet, or was collected."""


class EncodingDamagedError(DamagedError):
    """The text encoding's file is truncated or altered; it now lies in `quarantine/`."""


_FULL = (
    "The disk or the quota is full. Free some space (`latent-assets gc` shows what can go), or "
    "let LATENT_ASSETS_DATA name a folder on another disk. What was stored before is intact."
)
_FORBIDDEN = (
    "Give this user the right to read and write there, or let LATENT_ASSETS_DATA name a folder "
    "where it has that right."
)
_CURES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _FORBIDDEN,
    errno.EMFILE: "Too many files are open: raise the limit (`ulimit -n`).",
    errno.EEXIST: "A file stands where a folder is needed: move it away.",
    errno.ENOTDIR: "A file stands where a folder is needed: move it away.",
    errno.EISDIR: "A folder stands where a file is needed: move it away.",
    errno.EIO: "The disk reports an error: check it before rendering further.",
}


def explain(action: str, place: str, error: Exception) -> StoreError:
    """The error of the operating system or the object store, with its place and its cure.

    action: what was attempted, as in "write"; place: the path or URL.
    """
    number = error.errno if isinstance(error, OSError) else None
    if number is None and isinstance(error, PermissionError):
        number = errno.EACCES  # object stores raise PermissionError without a number
    what = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    cure = _CURES.get(number or 0, "Check that the place exists, is reachable and is writable.")
    return StoreError(f"cannot {action} {place}: {what}", cure)


@contextmanager
def explaining(action: str, place: Path) -> Iterator[None]:
    """Turns what the operating system says into StoreError; see `explain`."""
    try:
        yield
    except OSError as error:
        raise explain(action, str(place), error) from error
