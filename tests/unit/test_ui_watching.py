"""While the pages are open, a changed walk file is noticed by itself, and once."""

import threading

import pytest

from latent_assets.ui.watching import Watch
from latent_assets.walks.library import WalkLibrary

WALK = "kind: interpolation\nprompts: [a, b]\nframes: 3\n"


class Watched:
    def __init__(self, folder):
        self.folder = folder
        (folder / "one.yaml").write_text(WALK)
        self.done: list = []
        library = WalkLibrary(folder)
        self.watch = Watch(
            library,
            lambda: self.done.append("reload"),
            lambda walks: self.done.append(sorted(walks)),
            threading.Event(),
            library.names(),
        )

    def look(self, times=2):
        self.done.clear()
        for _ in range(times):
            self.watch.look()
        return self.done

    def write(self, name, more=""):
        (self.folder / f"{name}.yaml").write_text(WALK + more)


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path)


def test_at_first_the_files_are_noted_and_nothing_is_reloaded(watched):
    assert watched.look() == [["one"]]
    assert watched.look(5) == []


def test_a_changed_file_is_noted_once_and_needs_no_reload(watched):
    watched.look()
    watched.write("one", "seed: 5\n")
    assert watched.look(4) == [["one"]]


def test_a_new_file_is_reloaded_and_then_noted(watched):
    watched.look()
    watched.write("two")
    assert watched.look(4) == ["reload", ["one", "two"]]


def test_a_file_that_came_while_the_definitions_were_loading_is_new(watched):
    watched.write("two")
    assert watched.look() == ["reload", ["one", "two"]]


def test_a_file_that_is_being_written_is_left_alone(watched):
    watched.look()
    for length in range(1, 4):
        watched.write("two", "#" * length)
        assert watched.look(1) == []
    assert watched.look(1) == ["reload", ["one", "two"]]


def test_a_file_that_went_and_one_that_broke(watched):
    watched.write("two")
    watched.look()
    (watched.folder / "one.yaml").unlink()
    assert watched.look() == ["reload", ["two"]]
    (watched.folder / "two.yaml").write_text("kind: nonsense")
    assert watched.look() == [[]]


def test_a_schedule_that_changed_is_reloaded(watched):
    watched.look()
    watched.write("one", 'schedule: {cron: "0 2 * * *"}\n')
    assert watched.look() == ["reload", ["one"]]
    watched.write("one", 'schedule: {cron: "0 3 * * *"}\n')
    assert watched.look() == ["reload", ["one"]]
    watched.write("one", 'schedule: {cron: "0 3 * * *"}\nseed: 4\n')
    assert watched.look() == [["one"]]


def test_what_goes_wrong_is_tried_again(watched):
    watched.look()
    failing = [OSError("database is locked")]

    def note(walks):
        if failing:
            raise failing.pop()
        watched.done.append(sorted(walks))

    watched.watch.note = note
    watched.write("one", "seed: 5\n")
    watched.watch.look()
    with pytest.raises(OSError, match="locked"):
        watched.watch.look()
    assert watched.look(1) == [["one"]]


def test_a_folder_that_is_not_there_has_no_walks(tmp_path):
    watched = Watched(tmp_path)
    watched.look()
    (tmp_path / "one.yaml").unlink()
    tmp_path.rmdir()
    assert watched.look() == ["reload", []]
    tmp_path.mkdir()
