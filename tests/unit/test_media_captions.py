"""Captions stand below pictures and around grids, and never over what was rendered."""

from fractions import Fraction

import numpy as np
import pytest

from latent_assets.media import Captions, labelled_grid

PICTURE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
LONG = "a strawberry on a pink background with a long shadow " * 9


def test_the_picture_is_untouched_and_every_band_is_equally_high():
    captions = Captions(["a cat", LONG, "кошка в лесу"], 120)
    pictures = [captions.below(PICTURE, place) for place in range(3)]
    assert len({picture.shape for picture in pictures}) == 1
    assert pictures[0].shape == (90 + captions.height, 120, 3)
    for picture in pictures:
        assert np.array_equal(picture[:90], PICTURE)
        assert picture[90:].std() > 5  # there are letters
    assert captions.height % 2 == 0


def test_an_empty_caption_leaves_its_band_empty():
    captions = Captions(["", "a"], 120)
    assert captions.below(PICTURE, 0)[90:].std(axis=(0, 1)).max() == 0


def test_captions_follow_their_places():
    captions = Captions(["one", "two"], 120)
    shown = list(captions.on(lambda: [PICTURE] * 3, [1, 0, 1])())
    assert np.array_equal(shown[0], shown[2])
    assert not np.array_equal(shown[0], shown[1])


def test_letters_stay_in_the_band_however_long_a_word_is():
    picture = Captions(["w" * 500], 120).below(PICTURE, 0)
    band = picture[90:].astype(int)
    assert np.array_equal(band[:, :2], np.broadcast_to(band[0, 0], band[:, :2].shape))


@pytest.mark.parametrize("columns", [2, 3, 30])
def test_a_grid_keeps_its_pixels_between_its_labels(columns):
    axis = [Fraction(k, columns - 1) for k in range(columns)]
    labelled = labelled_grid(PICTURE, ["a", LONG, "c", "d"], [axis, axis])
    height, width = PICTURE.shape[:2]
    rows = [
        (top, left)
        for top in range(labelled.shape[0] - height + 1)
        for left in range(labelled.shape[1] - width + 1)
        if np.array_equal(labelled[top, left : left + width], PICTURE[0])
    ]
    (top, left), *more = rows
    assert not more
    assert np.array_equal(labelled[top : top + height, left : left + width], PICTURE)


def test_a_grids_labels_tell_the_places_of_its_own_columns_and_rows():
    even, paced = (
        [Fraction(0), middle, Fraction(1)] for middle in (Fraction(1, 2), Fraction(1, 5))
    )
    picture = np.zeros((300, 300, 3), np.uint8)
    sheets = {
        (a, b): labelled_grid(
            picture, ["a"] * 4, [even if a == "even" else paced, even if b == "even" else paced]
        )
        for a in ("even", "paced")
        for b in ("even", "paced")
    }
    top, left = (
        int(np.flatnonzero((sheets["even", "even"] == 0).all(axis=2).any(axis=axis))[0])
        for axis in (1, 0)
    )
    columns = sheets["even", "even"] != sheets["paced", "even"]
    assert columns[:top].any()
    assert not columns[top:].any()  # only what stands above
    rows = sheets["even", "even"] != sheets["even", "paced"]
    assert rows[:, :left].any()
    assert not rows[:, left:].any()  # only what stands on the left
