"""Grids put every picture in its place; thumbnails stay small."""

import base64
import io
import itertools
import os
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from latent_assets.errors import MediaError
from latent_assets.media import (
    SHEET_FRAMES,
    Provenance,
    contact_sheet,
    evenly,
    inspect_file,
    picture_grid,
    root_digest,
    thumbnail,
    thumbnail_film,
    write_png,
)


def noise(number, size=(16, 24)):
    return np.random.default_rng(number).integers(0, 256, (*size, 3), np.uint8)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 12), st.integers(1, 5), st.integers(0, 4))
def test_every_picture_is_at_its_place_in_the_grid(count, columns, gap):
    pictures = [noise(n, (6, 8)) for n in range(count)]
    grid = picture_grid(lambda: pictures, columns, gap_px=gap)
    rows = -(-count // columns)
    assert grid.shape == (rows * (6 + gap) - gap, columns * (8 + gap) - gap, 3)
    for number, picture in enumerate(pictures):
        top, left = number // columns * (6 + gap), number % columns * (8 + gap)
        np.testing.assert_array_equal(grid[top : top + 6, left : left + 8], picture)


def test_grids_that_cannot_be_are_told():
    with pytest.raises(MediaError, match="0 columns"):
        picture_grid(lambda: [noise(0)], 0)
    with pytest.raises(MediaError, match="no frames"):
        picture_grid(list, 3)
    with pytest.raises(MediaError, match="smaller grid"):
        picture_grid(lambda: [np.zeros((2, 20_000, 3), np.uint8)] * 2, 2)


def test_what_a_killed_writer_left_is_cleared_away_when_nobody_can_be_writing_it(tmp_path):
    now, path = time.time(), tmp_path / "grid.png"
    ages = {".tmp-1-aa-grid.png": 7200, ".tmp-2-bb-grid.png": 60, ".tmp-3-cc-film.gif": 7200}
    for name, age in {**ages, ".tmp-4-dd-grid.png": -7200}.items():
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (now - age, now - age))
    write_png(noise(1), path)
    left = {".tmp-2-bb-grid.png", ".tmp-3-cc-film.gif", ".tmp-4-dd-grid.png", "grid.png"}
    assert {each.name for each in tmp_path.iterdir()} == left


def test_a_grid_file_is_lossless_and_carries_its_record(tmp_path):
    record = Provenance(walk={"kind": "grid"}, model={}, frame_digests=("a" * 64,)).as_dict()
    grid = picture_grid(lambda: [noise(n) for n in range(4)], 2)
    path = write_png(grid, tmp_path / "new" / "grid.png", provenance=record)
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), grid)
    assert inspect_file(path).as_dict() == record
    write_png(grid, path)
    with pytest.raises(MediaError, match="no record"):
        inspect_file(path)
    assert [each.name for each in path.parent.iterdir()] == ["grid.png"]


def test_a_grid_larger_than_pillow_reads_can_be_inspected(tmp_path, monkeypatch):
    record = Provenance(walk={"kind": "grid"}, model={}).as_dict()
    write_png(noise(1, (64, 64)), tmp_path / "a.png", provenance=record)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert inspect_file(tmp_path / "a.png").as_dict() == record


def test_a_contact_sheet_has_a_title_that_fits():
    frames = [np.full((64, 64, 3), 200, np.uint8)] * 12
    plain = contact_sheet(lambda: frames)
    titled = contact_sheet(lambda: frames, title="a-walk: frames 0 to 11, embedded")
    assert titled.shape[1] == plain.shape[1]
    added = titled.shape[0] - plain.shape[0]
    assert 0 < added < 100
    np.testing.assert_array_equal(titled[added + 8 :], plain[8:])
    assert (titled[:added] > 150).any()
    narrow = contact_sheet(lambda: frames[:1], title="a-name-that-is-much-wider-than-one-frame")
    assert narrow.shape[1] == 64 + 16
    assert not (narrow[:20, -8:] > 150).any(), "the title ends before the edge"


def test_a_contact_sheet_shows_and_numbers_every_frame():
    colours = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (250, 250, 10), (250, 10, 250)]
    frames = [np.full((320, 320, 3), colour, np.uint8) for colour in colours]
    sheet = contact_sheet(lambda: frames, cell_px=160)
    for colour in colours:
        assert (sheet == colour).all(axis=2).sum() == 160 * 160
    plain = contact_sheet(lambda: frames, [""] * 5, cell_px=160)
    assert plain.shape == sheet.shape
    assert (plain != sheet).any()  # the numbers are there
    named = contact_sheet(lambda: frames, list("abcde"), columns=5, cell_px=40)
    assert named.shape[1] == 5 * 48 + 8


def test_the_sheet_of_a_short_walk_is_the_same_bytes_as_ever():
    frames = [np.full((128, 128, 3), (n, 2 * n, 255 - n), np.uint8) for n in range(60)]
    numbered = contact_sheet(lambda: frames, map(str, evenly(60, SHEET_FRAMES)))
    np.testing.assert_array_equal(numbered, contact_sheet(lambda: frames))


@given(st.integers(1, 12_000), st.integers(2, 500))
def test_frames_are_chosen_evenly_both_ends_among_them(count, most):
    chosen = evenly(count, most)
    assert len(chosen) == min(count, most)
    assert (chosen[0], chosen[-1]) == (0, count - 1)
    gaps = {b - a for a, b in itertools.pairwise(chosen)}
    assert not gaps or 1 <= min(gaps) <= max(gaps) <= min(gaps) + 1


def test_small_frames_are_not_blown_up():
    assert (contact_sheet(lambda: [np.full((8, 8, 3), 200, np.uint8)], [""]) == 200).sum() == 192


@pytest.mark.parametrize("most", [3_000, 20_000, 100_000])
def test_thumbnails_fit(most):
    url = thumbnail(noise(1, (512, 768)), longest_px=256, max_characters=most)
    assert len(url) <= most
    with _open(url, "image/webp") as image:
        assert image.width / image.height == pytest.approx(1.5, abs=0.06)
        assert image.width <= 256


def test_a_picture_that_does_not_fit_is_not_encoded_at_every_quality(monkeypatch):
    """The sheet of a long walk has millions of pixels: each try counts."""
    tried, save = [], Image.Image.save
    monkeypatch.setattr(
        Image.Image, "save", lambda *a, **how: (tried.append(how["quality"]), save(*a, **how))
    )
    thumbnail(noise(1, (512, 768)), longest_px=512, max_characters=3_000)
    rounds = tried.index(75)
    assert rounds > 1
    assert tried[:rounds] == [30] * rounds  # until the least good one fits
    assert tried[rounds:] in ([75], [75, 50])


def test_a_film_in_small_is_256_px_wide_and_lasts_as_long():
    frames = [np.full((64, 64, 3), 40 + 10 * n, np.uint8) for n in range(12)]
    url = thumbnail_film(lambda: frames, seconds=4.8)
    assert len(url) <= 10_000
    with _open(url, "image/avif") as image:
        assert image.size == (256, 256)
        assert image.n_frames == 12
        lasts = 0
        for number in range(12):
            image.seek(number)
            image.load()
            lasts += image.info["duration"]
        assert lasts == pytest.approx(4800, abs=20)


def test_a_film_that_does_not_fit_is_shorter_or_still():
    frames = [noise(n, (128, 128)) for n in range(12)]
    url = thumbnail_film(lambda: frames, seconds=2, max_characters=3_000)
    assert len(url) <= 3_000
    (one,) = frames[:1]
    assert thumbnail_film(lambda: [one], seconds=2).startswith("data:image/webp")


def test_a_film_that_does_not_fit_is_not_encoded_in_every_way(monkeypatch):
    tried, save = [], Image.Image.save
    monkeypatch.setattr(Image.Image, "save", lambda *a, **how: (tried.append(how), save(*a, **how)))
    frames = [noise(n, (64, 64)) for n in range(12)]
    url = thumbnail_film(lambda: frames, seconds=2, max_characters=55_000)
    assert len(tried) == 3
    with _open(url, "image/avif") as image:
        assert 1 < image.n_frames < 12


def _open(url, mime):
    head, _, data = url.partition(",")
    assert head == f"data:{mime};base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


@given(st.lists(st.text("0123456789abcdef", min_size=64, max_size=64), min_size=2, unique=True))
def test_the_root_depends_on_every_digest_and_their_order(digests):
    roots = {root_digest(digests), root_digest(digests[::-1]), root_digest(digests[:-1])}
    assert len(roots) == 3


def test_records_of_other_schemas_are_refused():
    data = Provenance(walk={}, model={}).as_dict()
    with pytest.raises(ValueError, match="schema"):
        Provenance.from_dict({**data, "schema": "other/2"})
    for change, words in [
        ({"walk": 3}, "no object"),
        ({"model": None}, "no object"),
        ({"frame_keys": ["../../etc/passwd"]}, "64 hex digits"),
        ({"frame_digests": [3]}, "64 hex digits"),
        ({"frame_keys": ["a" * 64]}, "as many"),
        ({"frame_digests": ["a" * 64]}, "altered"),
        ({"frame_keys": 7}, "64 hex digits"),
        ({"project_version": 1}, "no text"),
    ]:
        with pytest.raises(ValueError, match=words):
            Provenance.from_dict({**data, **change})
    with pytest.raises(ValueError, match="walk"):
        Provenance.from_dict({name: value for name, value in data.items() if name != "walk"})
