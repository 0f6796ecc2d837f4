"""Locks on files, as far as the file system has them.

On NFS, `flock` is emulated: an exclusive lock wants a file that is open for writing. Some network
drives have no locks at all.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from pathlib import Path
from typing import IO

logger = logging.getLogger(__name__)

_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_told: set[int] = set()
"""The devices whose lack of locks was told."""


class NoLocksError(OSError):
    """The file system has no locks."""


def lock(file: IO[str], *, wait: bool = True) -> None:
    """An exclusive lock on a file that is open for writing, until it is closed.

    Raises NoLocksError, after a warning; BlockingIOError if it is not to wait, and others hold it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        _tell(os.fstat(file.fileno()).st_dev, Path(file.name).parent)
        raise NoLocksError(error.errno, error.strerror) from None


def _tell(device: int, folder: Path) -> None:
    if device not in _told:
        _told.add(device)
        logger.warning(
            "The file system of %s has no locks: of a run that is killed, nobody will know that it"
            " is over (end it in the web UI), and two renders at once may disturb each other.",
            folder,
        )
