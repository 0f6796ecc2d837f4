"""What comes from outside is data: read within bounds, shown without effect.

Files, their names, the records in them and the values in those may be anybody's. A name must not
move the cursor of a terminal, a pipe must not stop a command, a number must not be none.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import unicodedata
from pathlib import Path
from typing import Any, BinaryIO

MAX_DEPTH = 32
"""Of JSON from outside: three times what our own records have."""
MAX_DIGITS = 4000
"""Of a whole number in it. Python itself refuses a few more, in words for programmers."""
_TOO_LARGE = "it has a number that is too large"


class NotRegularError(OSError):
    """A pipe, a device or a folder where a file is needed: reading it might never end."""


def printable(text: str) -> str:
    r"""The text on one line, without effect: what cannot be seen is written as \n, \x1b, \u202e."""
    if text.isprintable():
        return text
    return "".join(map(_seen, text))


def harmless(text: str) -> str:
    """As `printable`, but lines stay lines: for what has been put together from printable texts."""
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))


def _seen(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode("ascii")


def is_there(path: Path | str) -> bool:
    """Whether a path leads to anything but a folder; no name is too long or too odd to ask."""
    try:
        return not stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116 - of a text, as it is
    except (OSError, ValueError):
        return False


def open_regular(path: Path) -> BinaryIO:
    """The file, open for reading. Raises OSError; NotRegularError for what is no file, at once."""
    # Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise NotRegularError("it is a link to itself, or a socket") from error
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise NotRegularError("it is no regular file")


def read_json(text: str | bytes) -> Any:
    """The document. Raises ValueError for what strict JSON has no word for, and for deep nesting.

    No NaN, no number too large for a float, no half of a surrogate pair: what is read here can be
    written again.
    """
    try:
        document = json.loads(text, parse_constant=_refuse, parse_float=_finite, parse_int=_short)
    except RecursionError:
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep") from None
    _check(document, MAX_DEPTH)
    return document


def to_json(document: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """Strict JSON that a terminal shows without effect. Raises ValueError for NaN."""
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only, allow_nan=False)
    if text.isprintable():
        return text
    return "".join(c if c == "\n" or _seen(c) == c else json.dumps(c)[1:-1] for c in text)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError(_TOO_LARGE)
    return number


def _short(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(_TOO_LARGE)
    return int(text)


def _check(document: Any, depth: int) -> None:
    if depth < 0:
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
    if isinstance(document, str):
        document.encode()  # a UnicodeEncodeError is a ValueError
    elif isinstance(document, list):
        for each in document:
            _check(each, depth - 1)
    elif isinstance(document, dict):
        for name, each in document.items():
            name.encode()
            _check(each, depth - 1)
