import os
from pathlib import Path

import pytest

from latent_assets.errors import MediaError
from latent_assets.media.earlier import earlier_versions, keep_earlier


def make(path: Path, text: str, when: float) -> None:
    path.write_text(text)
    os.utime(path, (when, when))


def test_the_newest_versions_are_kept_in_order(tmp_path):
    path = tmp_path / "walk.gif"
    for age in range(5):
        keep_earlier(path, 2)
        make(path, f"version {age}", 1_000_000 + age)
    assert path.read_text() == "version 4"
    assert [p.read_text() for p in earlier_versions(path)] == ["version 3", "version 2"]


def test_keeping_none_touches_nothing(tmp_path):
    path = tmp_path / "walk.gif"
    make(path, "only", 1.0)
    keep_earlier(path, 0)
    assert path.read_text() == "only"
    assert not (tmp_path / "earlier").exists()


def test_other_files_of_the_walk_are_left_alone(tmp_path):
    gif, sheet = tmp_path / "walk.gif", tmp_path / "walk-sheet.gif"
    make(gif, "g", 1.0)
    make(sheet, "s", 2.0)
    keep_earlier(gif, 1)
    keep_earlier(sheet, 1)
    assert len(earlier_versions(gif)) == len(earlier_versions(sheet)) == 1


def test_a_folder_that_cannot_be_made_is_told_in_words(tmp_path):
    path = tmp_path / "walk.gif"
    make(path, "only", 1.0)
    (tmp_path / "earlier").write_text("in the way")
    with pytest.raises(MediaError, match="earlier"):
        keep_earlier(path, 1)
    assert path.read_text() == "only"
