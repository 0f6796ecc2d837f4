"""Folders and addresses as people write them: ~, file URLs, and what was meant as one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from latent_assets.errors import UsageError

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):(/*)", re.IGNORECASE)
LOCAL_HOSTS = ("", "localhost")


def folder(text: str, what: str) -> Path:
    """An absolute path from what somebody wrote; what: how errors call it.

    Raises UsageError for an address that is no folder here, and for a ~ that nobody has.
    """
    if is_address(text):
        if scheme(text) != "file":
            raise UsageError(f"{what} is {text!r}", "It must be a folder on this machine.")
        return local_path(text, what)
    try:
        return Path(text).expanduser().absolute()
    except (RuntimeError, KeyError):
        home = text.split("/", maxsplit=1)[0]
        raise UsageError(
            f"{what} is {text!r}, and nobody knows the home folder {home}",
            "Write the path out, from / on; or set HOME.",
        ) from None


def storage(text: str, what: str) -> str:
    """An address as it is, a folder made absolute: it must not depend on where one starts.

    Raises UsageError.
    """
    if "::" in text and not text.startswith("/"):
        return text
    if is_address(text) and scheme(text) != "file":
        match = _SCHEME.match(text)
        nowhere = match is not None and not text[match.end() :] and match[1] != "memory"
        if match is not None and (match[2] != "//" or nowhere):
            raise UsageError(
                f"{what} is {text!r}",
                f"An address has two slashes, and a place: {match[1]}://bucket/folder.",
            )
        return text
    return str(folder(text, what))


def is_address(text: str) -> bool:
    """Whether this is meant as an address, and not as a path."""
    return ":/" in text and _SCHEME.match(text) is not None


def scheme(text: str) -> str:
    """The s3 of s3://bucket/frames."""
    return text.partition(":")[0].lower()


def local_path(url: str, what: str) -> Path:
    """The path that a file URL names, %20 and all. Raises UsageError for another machine's."""
    parts = urlsplit(url)
    if parts.netloc.lower() not in LOCAL_HOSTS or not parts.path.startswith("/"):
        raise UsageError(
            f"{what} is {url!r}", "A file URL of this machine has three slashes: file:///folder."
        )
    if parts.query or parts.fragment:
        raise UsageError(
            f"{what} is {url!r}", "In a file URL, write ? as %3F and # as %23; or write the path."
        )
    return Path(os.path.normpath(unquote(parts.path)))


def without_password(url: str) -> str:
    """An address for people, without driver, user and password: redis://host:6379/0."""
    scheme, _, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}://{rest.rpartition('@')[2]}"
