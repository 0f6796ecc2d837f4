"""Whether a file shows the frames that its record names, in every format."""

import numpy as np
import pytest

from latent_assets.errors import MediaError
from latent_assets.media.animation import FORMATS, write_animation
from latent_assets.media.shown import COMPARED, altered_frames, shown_frames

NAMES = [name for name, each in FORMATS.items() if each.suffix in COMPARED]


def drawing(number, side=63):
    """Coarse coloured cells and a little grain, as a model draws; odd sides."""
    rng = np.random.default_rng(number)
    cells = rng.integers(30, 226, (9, 9, 3)).astype(np.uint8)
    picture = cells.repeat(side // 9, 0).repeat(side // 9, 1)
    return picture + rng.integers(0, 8, picture.shape, dtype=np.uint8)


def noise(number):
    return np.random.default_rng(number).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def write(tmp_path, name, frames):
    path = tmp_path / f"film{FORMATS[name].suffix}"
    write_animation(lambda: frames, path, format=name, fps=8)
    return path


@pytest.mark.parametrize("make", [drawing, noise])
@pytest.mark.parametrize("name", NAMES)
def test_what_a_format_loses_is_no_alteration(tmp_path, name, make):
    frames = [make(number) for number in range(4)]
    path = write(tmp_path, name, frames)
    assert len(list(shown_frames(path))) == 4
    assert altered_frames(path, range(4), range(4), frames.__getitem__) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_frame_that_was_painted_over_and_one_cut_off_are_found(tmp_path, name):
    frames = [drawing(number) for number in range(4)]
    painted = [frame.copy() for frame in frames[:3]]
    painted[1][20:36, 20:36] = 255 - painted[1][20:36, 20:36] // 2
    path = write(tmp_path, name, painted)
    assert altered_frames(path, range(4), range(4), frames.__getitem__) == [1, 3]
    assert altered_frames(path, range(4), [0, 2], frames.__getitem__) == [3]


def test_in_a_lossless_file_a_single_level_is_an_alteration(tmp_path):
    frames = [drawing(number) for number in range(2)]
    path = write(tmp_path, "apng", frames)
    frames[1][0, 0, 0] ^= 1
    assert altered_frames(path, range(2), range(2), frames.__getitem__) == [1]


def test_other_frames_in_the_file_are_found(tmp_path):
    path = write(tmp_path, "gif", [drawing(number) for number in (0, 5)])
    assert altered_frames(path, range(2), range(2), drawing) == [1]


@pytest.mark.parametrize("name", NAMES)
def test_the_way_back_is_compared_too(tmp_path, name):
    frames, order = [drawing(number) for number in range(4)], [0, 1, 2, 3, 2, 1]
    path = write(tmp_path, name, [frames[place] for place in order])
    assert altered_frames(path, order, range(4), frames.__getitem__) == []
    white = np.full_like(frames[0], 255)
    path = write(tmp_path, name, [*frames, white, white])
    assert altered_frames(path, order, range(4), frames.__getitem__) == [4, 5]
    assert altered_frames(path, order, [0, 1], frames.__getitem__) == [5]


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_that_was_appended_is_found(tmp_path, name):
    path = write(tmp_path, name, [drawing(number) for number in (0, 1, 2, 2)])
    assert altered_frames(path, range(3), [0], drawing) == [3]


def test_a_file_that_is_cut_short_is_told(tmp_path):
    path = write(tmp_path, "mp4", [drawing(0)] * 3)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(MediaError, match="cannot read the pictures"):
        altered_frames(path, [0], [0], drawing)
