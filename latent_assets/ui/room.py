"""Says when the disk under Dagster's records is full.

Its pages then answer with errors of the database, without the reason, and no run can start; both
work again as soon as there is room.
"""

from __future__ import annotations

import shutil
import threading
from contextlib import suppress
from pathlib import Path

from latent_assets.ui.children import Say

LOOK_S = 5.0
LEAST_BYTES = 2**22
"""With less no run gets far: its records alone take some hundred kilobytes."""


def watch_room(folder: Path, say: Say, over: threading.Event) -> None:
    """Until `over`: a line when the disk of the folder is full, and one when it has room again."""
    was_full = False
    while True:
        with suppress(OSError):  # a disk that is away for a moment
            is_full = shutil.disk_usage(folder).free < LEAST_BYTES
            if is_full and not was_full:
                say(
                    f"The disk of {folder} is full: no run can start, and Dagster's pages show"
                    " errors. Free some space, they go on by themselves; `latent-assets gc` says"
                    " what can go."
                )
            if was_full and not is_full:
                say("There is room on the disk again.")
            was_full = is_full
        if over.wait(LOOK_S):
            return
