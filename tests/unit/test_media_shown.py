"""Whether a file shows the frames that its record names, in every format."""

import struct
import zlib
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from latent_assets.errors import FinishedFileError
from latent_assets.media import gif, shown
from latent_assets.media.animation import FORMATS, write_animation
from latent_assets.media.shown import COMPARED, Film, compared, shown_frames

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


def altered_frames(path, order, places, frame_at):
    """Numbers of the pictures that show something else."""
    film = Film(order=order, places=set(places), frame_at=frame_at, fps=Fraction(8))
    return compared(path, film).altered


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
    # What an encoder makes of a picture in AVIF depends on the one before.
    found = altered_frames(path, range(4), range(4), frames.__getitem__)
    assert found in ([1, 3], [1, 2, 3]) if name == "avif" else found == [1, 3]
    assert altered_frames(path, range(4), [0], frames.__getitem__) == [3]


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
    with pytest.raises(FinishedFileError, match="cannot read the pictures"):
        altered_frames(path, [0], [0], drawing)


# --- damage, and what a file claims ---------------------------------------------------------------


def film_of(frames, places=None, fps=8, encoder=""):
    count = len(frames)
    places = range(count) if places is None else places
    return Film(range(count), set(places), frames.__getitem__, Fraction(fps), encoder)


def decoded(path):
    """The pictures, or None for a file that no decoder reads."""
    try:
        return list(shown_frames(path))
    except FinishedFileError:
        return None


@pytest.mark.parametrize("name", NAMES)
def test_a_flipped_bit_that_can_be_seen_is_found(tmp_path, name):
    """Of 199 flips in a GIF that could be seen, 118 were missed."""
    frames = [drawing(number) for number in range(4)]
    path = write(tmp_path, name, frames)
    whole, before = path.read_bytes(), decoded(path)
    rng = np.random.default_rng(5)
    seen = 0
    for at in rng.choice(len(whole) * 8, 60, replace=False):
        damaged = bytearray(whole)
        damaged[at // 8] ^= 1 << at % 8
        path.write_bytes(damaged)
        after = decoded(path)
        if after is not None and len(after) == len(before):
            apart = [
                np.abs(a.astype(int) - b).max() if a.shape == b.shape else 255
                for a, b in zip(after, before, strict=True)
            ]
            if max(apart) <= 16:
                continue
        seen += 1
        try:
            assert not compared(path, film_of(frames)).good, at
        except FinishedFileError:
            continue
    assert seen > 3


@pytest.mark.parametrize("name", NAMES)
def test_pictures_at_other_times_are_found(tmp_path, name):
    frames = [drawing(number) for number in range(3)]
    path = write(tmp_path, name, frames)
    assert compared(path, film_of(frames)).good
    finding = compared(path, film_of(frames, fps=5))
    assert not finding.altered
    assert "at the times" in finding.why[0]


@pytest.mark.parametrize("name", NAMES)
def test_another_encoder_is_said_and_what_it_loses_is_no_alteration(tmp_path, name):
    frames = [drawing(number) for number in range(3)]
    path = tmp_path / f"film{FORMATS[name].suffix}"
    if name == "gif":  # an octree's palette, as another version might choose
        with path.open("wb") as file:
            gif.write_gif_to(file, lambda: frames, fps=Fraction(8), loop=True, fast=True)
    elif name == "apng":
        return  # it loses nothing
    else:
        kind = {"webp": {"quality": 70}, "avif": {"quality": 70}}.get(name)
        if kind is None:
            return
        first, *rest = map(Image.fromarray, frames)
        first.save(path, save_all=True, append_images=rest, duration=125, **kind)
    finding = compared(path, film_of(frames))
    assert not finding.altered
    assert not finding.by_encoding


BOMB_PX = 13_000


def gif_bomb(path, whole):
    """The canvas alone is changed: half a gigabyte, for a file of some kilobytes."""
    path.write_bytes(whole[:6] + struct.pack("<HH", BOMB_PX, BOMB_PX) + whole[10:])


def apng_bomb(path, whole):
    at = whole.index(b"IHDR") + 4
    body = b"IHDR" + struct.pack(">II", BOMB_PX, BOMB_PX) + whole[at + 8 : at + 13]
    path.write_bytes(
        whole[: at - 4] + body + struct.pack(">I", zlib.crc32(body)) + whole[at + 17 :]
    )


def webp_bomb(path, whole):
    at = whole.index(b"VP8X") + 12
    path.write_bytes(whole[:at] + 2 * (BOMB_PX - 1).to_bytes(3, "little") + whole[at + 6 :])


@pytest.mark.parametrize(
    ("name", "bomb"), [("gif", gif_bomb), ("apng", apng_bomb), ("webp", webp_bomb)]
)
def test_a_huge_canvas_is_not_decoded(tmp_path, monkeypatch, name, bomb):
    frames = [drawing(number) for number in range(2)]
    path = write(tmp_path, name, frames)
    bomb(path, path.read_bytes())
    monkeypatch.setattr(shown, "shown_frames", lambda *_: pytest.fail("it was decoded"))
    finding = compared(path, film_of(frames))
    assert finding.altered == [0, 1]
    assert f"its pictures are {BOMB_PX}x{BOMB_PX} px" in finding.why[0]


def test_a_picture_beyond_the_canvas_is_refused(tmp_path):
    frames = [drawing(0)]
    path = write(tmp_path, "gif", frames)
    whole = path.read_bytes()
    at = whole.index(b",\0\0\0\0") + 5
    path.write_bytes(whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :])
    with pytest.raises(FinishedFileError, match="beyond its"):
        compared(path, film_of(frames))


def test_a_million_pictures_are_counted_no_further_than_there_should_be(tmp_path):
    frames = [drawing(0), drawing(1)]
    path = write(tmp_path, "gif", frames)
    whole = path.read_bytes()
    part = whole[whole.rindex(b"!\xf9\x04") : -1]
    path.write_bytes(whole[:-1] + part * 500 + b";")
    finding = compared(path, film_of(frames))
    assert finding.altered == [2]
    assert finding.why == ["it holds more than 2 pictures, its record names 2"]
