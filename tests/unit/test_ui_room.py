"""The web UI says in the terminal what its pages cannot: that the disk is full."""

import shutil
import threading
from types import SimpleNamespace

from latent_assets.ui import room


def test_a_disk_that_fills_and_empties_is_told_once_each(tmp_path, monkeypatch):
    over, said = threading.Event(), []
    free = iter([2**30, 2**30, 0, 0, OSError(), 0, 2**30, 2**30, 0])

    def disk_usage(folder):
        assert folder == tmp_path
        found = next(free, None)
        if found is None:
            over.set()
        if not isinstance(found, int):
            raise OSError
        return SimpleNamespace(free=found)

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    monkeypatch.setattr(room, "LOOK_S", 0)
    room.watch_room(tmp_path, said.append, over)
    full, again, full_again = said
    assert full == full_again
    assert f"The disk of {tmp_path} is full" in full
    assert "latent-assets gc" in full
    assert "room" in again
