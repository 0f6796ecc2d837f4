"""Names for folders whose own name a library would take for a pattern or an address.

Dagster finds its settings by a glob and its databases by a URL: `[`, `*`, `?`, `%` and `#` in the
path of its folder lead it elsewhere, without a word.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from latent_assets.errors import UsageError

_PLAIN = re.compile(r"[\w./ @+,=~:-]+")
_open: dict[Path, int] = {}
"""Folders that this process holds open, and by which descriptor."""


def plain_name(folder: Path) -> str:
    """A path to a folder that is there, without such characters: its own, if it has none.

    Else that of a descriptor that this process holds open: it is good for this process and those
    that it starts, as long as this one lives. Raises UsageError where there is no such thing.
    """
    if _PLAIN.fullmatch(str(folder)):
        return str(folder)
    if folder not in _open:
        _open[folder] = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    name = f"/proc/{os.getpid()}/fd/{_open[folder]}"
    if not os.path.isdir(name):  # noqa: PTH112 - a link that pathlib would resolve
        odd = "".join(sorted(set(_PLAIN.sub("", str(folder)))))
        raise UsageError(
            f"Dagster cannot keep its records in {folder}, because of {odd}",
            "Let LATENT_ASSETS_DATA name a folder without these characters in its path.",
        )
    return name
