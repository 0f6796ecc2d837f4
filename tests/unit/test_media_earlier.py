import errno
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


def test_a_clock_that_was_set_back_loses_no_version(tmp_path):
    path = tmp_path / "walk.gif"
    for made, when in enumerate([2_000_000, 1_000_000, 1_000_001, 1_000_001, 3_000_000]):
        make(path, f"version {made}", when)
        keep_earlier(path, 2)
        newest = [p.read_text() for p in earlier_versions(path)]
        assert newest == [f"version {each}" for each in (made, made - 1) if each >= 0]


def test_a_file_that_is_kept_already_is_not_kept_twice(tmp_path):
    """A render that is killed between copy and film comes here again with the same file."""
    path = tmp_path / "walk.gif"
    make(path, "first", 1.0)
    keep_earlier(path, 2)
    make(path, "second", 2.0)
    for _ in range(3):
        keep_earlier(path, 2)
    assert [p.read_text() for p in earlier_versions(path)] == ["second", "first"]


def test_half_a_copy_never_stands_among_the_versions(tmp_path, monkeypatch):
    path = tmp_path / "walk.gif"
    make(path, "a whole film", 1.0)

    def full(_source, target):
        Path(target).write_text("a wh")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copy2", full)
    with pytest.raises(MediaError, match="No space left"):
        keep_earlier(path, 1)
    assert list((tmp_path / "earlier").iterdir()) == []
    assert path.read_text() == "a whole film"


def test_files_that_others_put_there_are_no_versions(tmp_path):
    path = tmp_path / "walk.gif"
    make(path, "film", 1.0)
    (tmp_path / "earlier").mkdir()
    mine = tmp_path / "earlier" / "walk.my-favourite.gif"
    mine.write_text("mine")
    keep_earlier(path, 1)
    assert mine.exists()
    assert [p.read_text() for p in earlier_versions(path)] == ["film"]
