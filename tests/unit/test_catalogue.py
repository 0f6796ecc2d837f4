"""A list of a thousand walks reads what has changed, and no more, and is right all the same."""

import os
import time

import pytest
from fakes import fake_studio

import latent_assets.catalogue as catalogue_module
from latent_assets.catalogue import Catalogue
from latent_assets.rendering import render_frames
from latent_assets.walks import library as library_module
from latent_assets.walks.library import WalkLibrary

WALK = "kind: interpolation\nprompts: [{a}, a dog]\nframes: {frames}\nmodel: embedded\n"


@pytest.fixture
def studio(tmp_path):
    return fake_studio(tmp_path)


@pytest.fixture
def read(monkeypatch):
    """The walk files that were read, in order."""
    files = []
    load = catalogue_module.load_walk
    monkeypatch.setattr(
        catalogue_module, "load_walk", lambda path: (files.append(path.stem), load(path))[1]
    )
    return files


def write(studio, name, a="a cat", frames=5, age_s=60.0):
    path = studio.settings.walks_dir / f"{name}.yaml"
    path.write_text(WALK.format(a=a, frames=frames))
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def test_keys_are_those_that_the_walk_renders(studio):
    write(studio, "one", frames=7)
    for _ in range(2):  # computed, then remembered
        listed = Catalogue(studio).read()["one"]
        assert listed.keys == tuple(recipe.key for recipe in listed.spec.recipes())
        assert len(listed.keys) == 7


def test_what_has_not_changed_is_not_read_again_in_another_process(studio, read):
    write(studio, "one")
    write(studio, "two")
    first = Catalogue(studio).read()
    assert Catalogue(studio).read() == first
    assert read == ["one", "two"]


def test_a_changed_file_alone_is_read_again(studio, read):
    write(studio, "one")
    write(studio, "two")
    catalogue = Catalogue(studio)
    before = catalogue.read()
    write(studio, "two", a="an owl", age_s=50)
    for each in (catalogue, Catalogue(studio)):
        after = each.read()
        assert after["one"].keys == before["one"].keys
        assert after["two"].walk["prompts"] == ["an owl", "a dog"]
        assert after["two"].keys[0] != before["two"].keys[0]
    assert read == ["one", "two", "two"]


def test_a_file_written_a_moment_ago_is_not_trusted_to_its_date(studio, read):
    """Two writes within one tick of the clock leave one date and, here, one size."""
    path = write(studio, "one", a="a cat", age_s=0)
    catalogue = Catalogue(studio)
    catalogue.read()
    status = path.stat()
    write(studio, "one", a="a cow", age_s=0)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert catalogue.read()["one"].walk["prompts"][0] == "a cow"
    assert read == ["one", "one"]


def test_other_weights_give_other_keys(tmp_path, studio):
    write(studio, "one")
    before = Catalogue(studio).read()["one"].keys
    other = fake_studio(tmp_path, weights="other")
    after = Catalogue(other).read()["one"]
    assert set(after.keys).isdisjoint(before)
    assert after.keys == tuple(recipe.key for recipe in after.spec.recipes())


def test_a_wrong_file_is_named_and_stays_wrong_until_it_is_mended(studio):
    path = write(studio, "one", frames=1)
    for _ in range(2):
        listed = Catalogue(studio).read()["one"]
        assert "frames: must be at least 2" in listed.problem
        assert listed.keys == ()
    path.write_text(WALK.format(a="a cat", frames=2))
    assert len(Catalogue(studio).read()["one"].keys) == 2


@pytest.mark.parametrize("rest", [b"", b"no database", b"SQLite format 3\0 and then nothing"])
def test_a_damaged_memory_is_made_anew(studio, read, rest):
    write(studio, "one")
    expected = Catalogue(studio).read()
    memory = studio.settings.cache_dir / "walks.sqlite"
    memory.write_bytes(rest)
    assert Catalogue(studio).read() == expected
    assert Catalogue(studio).read() == expected
    assert len(read) <= 3


def test_without_a_place_to_remember_it_reads_every_time(studio, read):
    write(studio, "one")
    studio.settings.cache_dir.write_text("a file where the folder would be")
    assert len(Catalogue(studio).read()["one"].keys) == 5
    assert len(Catalogue(studio).read()["one"].keys) == 5
    assert read == ["one", "one"]


def test_walks_that_are_gone_are_forgotten(studio):
    path = write(studio, "one")
    write(studio, "two")
    catalogue = Catalogue(studio)
    assert set(catalogue.read()) == {"one", "two"}
    path.unlink()
    assert set(catalogue.read()) == {"two"}
    assert b"one.yaml" not in (studio.settings.cache_dir / "walks.sqlite").read_bytes()


def test_stored_frames_are_counted_as_they_come_and_go(studio):
    write(studio, "one")
    write(studio, "two", a="an owl")
    catalogue = Catalogue(studio)
    walks = catalogue.read()
    assert catalogue.stored(walks.values()) == {"one": 0, "two": 0}
    recipes = walks["one"].spec.recipes()
    render_frames(studio, recipes[:3], batch_size=2)
    assert catalogue.stored(walks.values()) == {"one": 3, "two": 0}
    render_frames(studio, recipes, batch_size=2)
    # The frame on their last prompt is the same in both.
    assert catalogue.stored(walks.values()) == {"one": 5, "two": 1}
    studio.frames.delete(recipes[0].key)
    assert catalogue.stored(walks.values()) == {"one": 4, "two": 1}


def test_a_folder_of_frames_that_is_gone_holds_none(studio):
    write(studio, "one")
    catalogue = Catalogue(studio)
    walks = catalogue.read()
    render_frames(studio, walks["one"].spec.recipes(), batch_size=5)
    assert catalogue.stored(walks.values()) == {"one": 5}
    for folder in (studio.settings.data / "store" / "frames").iterdir():
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    assert catalogue.stored(walks.values()) == {"one": 0}


def test_the_folder_of_walks_is_listed_once_however_many_there_are(studio, monkeypatch):
    """It was listed once for each walk: a thousand walks took a thousand times a thousand looks."""
    for index in range(30):
        write(studio, f"walk-{index}")
    listed = []
    files = library_module.walk_files
    monkeypatch.setattr(
        library_module, "walk_files", lambda folder: (listed.append(folder), files(folder))[1]
    )
    library = WalkLibrary(studio.settings.walks_dir)
    assert len(Catalogue(studio, library).read()) == 30
    assert library.unused() == []
    assert len(listed) <= 3
