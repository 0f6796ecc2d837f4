"""Every format, read back: frames, delays, loop flag, pixels, record; and no partial file, ever."""

import errno
import os
import subprocess
import sys
from fractions import Fraction
from itertools import islice, pairwise

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from latent_assets.errors import MediaError
from latent_assets.media import (
    FORMATS,
    Provenance,
    inspect_file,
    ping_pong_order,
    play_order,
    write_animation,
)
from latent_assets.media.encoders import encoder_of
from latent_assets.media.frames import delays
from latent_assets.media.quantize import quantize

ANIMATED = [name for name, each in FORMATS.items() if each.animated]
PICTURES = [name for name in ANIMATED if name not in ("mp4", "html")]
RECORD = Provenance(
    walk={"name": "caf\u00e9", "prompts": ["</script><b>&amp; \u65e5\u672c", "]]> -- \\"]},
    model={"name": "embedded", "weights_digest": "w" * 64},
    frame_keys=("a" * 64, "b" * 64),
    frame_digests=("d" * 64, "e" * 64),
).as_dict()


def smooth(number, size=(48, 64)):
    """A soft picture, as a diffusion model renders: every codec should come close to it."""
    y, x = np.mgrid[: size[0], : size[1]] / 16
    waves = np.sin(x[..., None] + number / 3 + [0, 2, 4]) + np.cos(y[..., None] + number / 5)
    return np.uint8(127 + 60 * waves)


def walk(count, size=(48, 64)):
    frames = [smooth(number, size) for number in range(count)]
    return lambda: iter(frames)


def read_picture_frames(path):
    """(pixels, milliseconds) of each frame, and the loop flag."""
    with Image.open(path) as image:
        frames = []
        for number in range(image.n_frames):
            image.seek(number)
            image.load()
            frames.append((np.asarray(image.convert("RGB")), image.info["duration"]))
        return frames, image.info.get("loop")


def psnr(a, b):
    return 10 * np.log10(255**2 / max(np.mean((a.astype(float) - b) ** 2), 1e-9))


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("count", [1, 2, 9])
def test_frames_delays_and_pixels_come_back(tmp_path, name, count):
    path = tmp_path / "walk"
    assert write_animation(walk(count), path, format=name, fps=12) == count
    with Image.open(path) as image:
        assert getattr(image, "n_frames", 1) == count
    if count == 1 and name in ("avif", "apng"):  # Pillow tells no delay of a single frame there
        return
    frames, loop = read_picture_frames(path)
    assert sum(ms for _, ms in frames) == pytest.approx(1000 * count / 12, abs=6)
    assert loop in ((None,) if name == "avif" else (0,))
    for number, (pixels, _) in enumerate(frames):
        # 256 colours a frame are the coarsest of what is promised.
        assert psnr(pixels, smooth(number)) > (100 if FORMATS[name].lossless else 33)


@pytest.mark.parametrize("name", PICTURES)
def test_equal_neighbours_stay_frames_of_their_own(tmp_path, name):
    """Pillow's writers merge them: a walk of 6 would be shown as one of 3."""
    numbers = [0, 0, 1, 1, 1, 2]
    frames = [smooth(number) for number in numbers]
    path = tmp_path / "still"
    assert write_animation(lambda: frames, path, format=name, fps=10) == 6
    read, _ = read_picture_frames(path)
    assert [ms for _, ms in read] == [100] * 6
    for (pixels, _), number in zip(read, numbers, strict=True):
        assert psnr(pixels, smooth(number)) > 33


@pytest.mark.parametrize(("name", "flag"), [("gif", None), ("webp", 1), ("apng", 1)])
def test_a_walk_that_is_played_once_says_so(tmp_path, name, flag):
    write_animation(walk(3), tmp_path / "once", format=name, fps=10, loop=False)
    assert read_picture_frames(tmp_path / "once")[1] == flag


def test_a_gif_has_its_loop_flag(tmp_path):
    write_animation(walk(3), tmp_path / "a.gif", format="gif", fps=10)
    assert b"NETSCAPE2.0\x03\x01\0\0\0" in (tmp_path / "a.gif").read_bytes()
    write_animation(walk(3), tmp_path / "b.gif", format="gif", fps=10, loop=False)
    assert b"NETSCAPE" not in (tmp_path / "b.gif").read_bytes()


def test_thirty_fps_in_hundredths(tmp_path):
    write_animation(walk(30), tmp_path / "a.gif", format="gif", fps=30)
    frames, _ = read_picture_frames(tmp_path / "a.gif")
    assert [ms for _, ms in frames[:6]] == [30, 40, 30, 30, 40, 30]
    assert sum(ms for _, ms in frames) == 1000


@given(
    fps=st.fractions(Fraction(1, 10), 50, max_denominator=1000),
    count=st.integers(1, 400),
    ticks=st.sampled_from([100, 1000]),
)
def test_delays_are_whole_and_their_mean_is_right(fps, count, ticks):
    found = list(islice(delays(fps, ticks), count))
    exact = ticks / fps
    assert all(isinstance(each, int) and abs(each - exact) < 1 for each in found)
    assert abs(sum(found) - count * exact) <= Fraction(1, 2)


@pytest.mark.parametrize("size", [(48, 64), (47, 63), (1, 1), (16, 2)])
def test_a_video_has_every_frame_at_its_time(tmp_path, size):
    path = tmp_path / "walk.mp4"
    assert write_animation(walk(7, size), path, format="mp4", fps=29.97) == 7
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == Fraction(2997, 100)
        assert stream.codec_context.pix_fmt == "yuvj420p"  # 4:2:0, full range
        frames = list(container.decode(stream))
        assert [float(f.pts * f.time_base) for f in frames] == pytest.approx(
            [n / 29.97 for n in range(7)], abs=1e-4
        )
    height, width = size
    assert (frames[0].height, frames[0].width) == (height + height % 2, width + width % 2)
    if size == (48, 64):
        for number, frame in enumerate(frames):
            assert psnr(frame.to_ndarray(format="rgb24"), smooth(number, size)) > 33


def test_a_video_plays_while_it_loads(tmp_path):
    write_animation(walk(3), tmp_path / "a.mp4", format="mp4", fps=10)
    data = (tmp_path / "a.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_two_equal_frames_are_two_in_a_video(tmp_path):
    write_animation(lambda: [smooth(0)] * 5, tmp_path / "a.mp4", format="mp4", fps=10)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert len(list(container.decode(video=0))) == 5


@pytest.mark.parametrize("name", ANIMATED)
def test_the_record_comes_back(tmp_path, name):
    path = tmp_path / f"walk{FORMATS[name].suffix}"
    write_animation(walk(3), path, format=name, fps=10, provenance=RECORD)
    assert inspect_file(path).as_dict() == {**RECORD, "encoder": encoder_of(name)}


@pytest.mark.parametrize("name", ANIMATED)
def test_without_a_record_there_is_none(tmp_path, name):
    path = tmp_path / f"walk{FORMATS[name].suffix}"
    write_animation(walk(3), path, format=name, fps=10, provenance=None)
    assert b"latent-assets" not in path.read_bytes()
    with pytest.raises(MediaError, match="carries no record"):
        inspect_file(path)


@pytest.mark.parametrize("name", ANIMATED)
def test_a_record_of_a_thousand_frames(tmp_path, name):
    digests = tuple(f"{n:064x}" for n in range(1000))
    record = Provenance(walk={}, model={}, frame_keys=digests, frame_digests=digests).as_dict()
    path = tmp_path / "walk"
    write_animation(walk(2), path, format=name, fps=10, provenance=record)
    assert inspect_file(path).frame_digests == digests


def test_an_altered_record_is_refused(tmp_path):
    path = tmp_path / "walk.gif"
    write_animation(walk(2), path, format="gif", fps=10, provenance=RECORD)
    path.write_bytes(path.read_bytes().replace(b"e" * 20, b"f" * 20))
    with pytest.raises(MediaError, match="altered"):
        inspect_file(path)


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\0\0\0 ftypisom", b"<!doctype html>", b"x"]
)
def test_inspecting_what_is_no_output_is_told(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(MediaError, match="file"):
        inspect_file(tmp_path / "file")


@settings(max_examples=120, deadline=None)
@given(name=st.sampled_from(ANIMATED), data=st.data())
def test_inspecting_damaged_files_gives_the_record_or_an_error(tmp_path_factory, name, data):
    folder = tmp_path_factory.mktemp("damaged")
    path = folder / "walk"
    write_animation(walk(2, (16, 16)), path, format=name, fps=10, provenance=RECORD)
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        found = inspect_file(path)
    except MediaError:
        return
    assert found.frame_digests == tuple(RECORD["frame_digests"])


def test_inspecting_nothing_is_told(tmp_path):
    with pytest.raises(MediaError, match="does not exist"):
        inspect_file(tmp_path / "nothing.gif")


# The page


def test_the_page_holds_every_frame_and_asks_for_nothing_else(tmp_path):
    path = tmp_path / "walk.html"
    write_animation(walk(4), path, format="html", fps=7.5, loop=False, provenance=RECORD)
    page = path.read_text(encoding="utf-8")
    assert page.count('class="frame"') == 4
    assert "http:" not in page
    assert "https:" not in page
    assert '{"fps": 7.5, "loop": false, "there_and_back": false}' in page
    assert "<title>caf\u00e9</title>" in page
    assert "</script><b>" not in page  # a prompt must not end the script that carries it
    assert "default-src 'none'" in page


# Order of play


@given(st.integers(0, 200))
def test_ping_pong_shows_every_frame_and_none_twice_in_a_row(count):
    order = ping_pong_order(count)
    assert order[:count] == list(range(count))
    looped = order + order
    assert all(abs(a - b) == 1 for a, b in pairwise(looped)) or count < 2
    assert len(order) == (count if count < 3 else 2 * count - 2)


def test_the_way_back_includes_frame_one():
    assert ping_pong_order(6) == [0, 1, 2, 3, 4, 5, 4, 3, 2, 1]


def test_a_closed_walk_needs_no_way_back():
    assert play_order(4, ping_pong=True, closed=True) == [0, 1, 2, 3]
    assert play_order(3, ping_pong=True) == [0, 1, 2, 1]
    assert play_order(3, ping_pong=False) == [0, 1, 2]


# Faults


@pytest.mark.parametrize(
    ("name", "fps", "words"),
    [
        ("gif", 51, "too fast for gif: browsers"),
        ("mp4", 121, "too fast"),
        ("webp", 0.05, "too slow"),
        ("gif", 0, "positive"),
        ("gif", -1, "positive"),
        ("gif", float("nan"), "positive"),
        ("gif", float("inf"), "positive"),
        ("gif", 1e-9, "too slow"),
        ("png", 10, "no animation format 'png'"),
        ("bmp", 10, "Choose one of gif"),
    ],
)
def test_bounds_are_told(tmp_path, name, fps, words):
    with pytest.raises(MediaError, match=words):
        write_animation(walk(2), tmp_path / "a", format=name, fps=fps)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ANIMATED)
@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (list, "no frames"),
        (lambda: [smooth(0), smooth(1, (8, 8))], "frame 1 is 8x8 px"),
        (lambda: [smooth(0).astype(float)], "float64"),
    ],
)
def test_what_cannot_be_written_is_told_and_leaves_nothing(tmp_path, name, frames, words):
    (tmp_path / "old").write_text("the finished film of yesterday")
    with pytest.raises(MediaError, match=words):
        write_animation(frames, tmp_path / "old", format=name, fps=10)
    assert [each.name for each in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "the finished film of yesterday"


@pytest.mark.parametrize("name", ANIMATED)
def test_a_failure_in_the_middle_leaves_the_old_file(tmp_path, name):
    class BrokenError(Exception):
        pass

    def frames():
        yield from islice(walk(30)(), 20)
        raise BrokenError

    (tmp_path / "old").write_text("old")
    with pytest.raises(BrokenError):
        write_animation(frames, tmp_path / "old", format=name, fps=10)
    assert [each.name for each in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "old"


def test_a_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MediaError, match="A file stands where a folder is needed"):
        write_animation(walk(2), tmp_path / "file" / "a.gif", format="gif", fps=10)


def test_a_disk_that_fails_to_sync_leaves_the_old_file(tmp_path, monkeypatch):
    def fail(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "a.gif").write_text("old")
    monkeypatch.setattr("latent_assets.store.atomic.os.fsync", fail)
    with pytest.raises(MediaError, match="No space left") as caught:
        write_animation(walk(2), tmp_path / "a.gif", format="gif", fps=10)
    assert "latent-assets gc" in caught.value.cure
    assert [each.name for each in tmp_path.iterdir()] == ["a.gif"]
    assert (tmp_path / "a.gif").read_text() == "old"


LIMITED = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from latent_assets.errors import MediaError
from latent_assets.media import write_animation
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
frames = [np.random.default_rng(n).integers(0, 256, (64, 64, 3), np.uint8) for n in range(20)]
try:
    write_animation(lambda: frames, Path(sys.argv[1]), format=sys.argv[2], fps=10)
except MediaError as error:
    print(error)
"""


@pytest.mark.parametrize("name", ANIMATED)
def test_a_file_that_may_grow_no_further_is_told(tmp_path, name):
    """The kernel refuses the write in mid-file, to C libraries too."""
    path = tmp_path / "walk"
    told = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path), name], capture_output=True, text=True, check=True
    ).stdout
    assert str(path) in told
    assert "File too large" in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [each for each in ANIMATED if each != "avif"])
def test_a_thousand_frames_are_not_held_in_memory(tmp_path, name):
    alive, most = 0, 0

    class Counted(np.ndarray):
        def __del__(self):
            nonlocal alive
            if self.base is None:
                alive -= 1

    def frames():
        nonlocal alive, most
        for number in range(120):
            frame = np.ndarray.__new__(Counted, (16, 16, 3), np.uint8)
            frame[:] = number
            alive += 1
            most = max(most, alive)
            yield frame

    assert write_animation(frames, tmp_path / "walk", format=name, fps=10) == 120
    assert most < 40


# Colours


@pytest.mark.parametrize("size", [(64, 64), (256, 256)])
def test_256_colours_are_nearer_than_pillows_own(size):
    picture = smooth(3, size)
    own = Image.fromarray(picture).convert("P", palette=Image.Palette.ADAPTIVE).convert("RGB")
    found = psnr(np.asarray(quantize(picture).convert("RGB")), picture)
    assert found > psnr(np.asarray(own), picture) + 0.5


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 256))
def test_few_colours_are_kept_exactly(height, width, colours):
    rng = np.random.default_rng(colours)
    picture = rng.integers(0, 256, (colours, 3), np.uint8)[
        rng.integers(0, colours, (height, width))
    ]
    np.testing.assert_array_equal(np.asarray(quantize(picture).convert("RGB")), picture)


def test_dither_is_there_for_those_who_want_it():
    ramp = np.linspace(0, 255, 256).astype(np.uint8)
    picture = np.stack(
        [np.tile(ramp, (256, 1)), np.tile(ramp[:, None], (1, 256)), np.tile(ramp, (256, 1))], -1
    )
    plain, dithered = (
        np.asarray(quantize(picture, dither=d).convert("RGB")) for d in (False, True)
    )
    block = lambda p: p.reshape(16, 16, 16, 16, 3).mean((1, 3))  # noqa: E731
    assert (
        np.abs(block(dithered) - block(picture)).mean()
        < np.abs(block(plain) - block(picture)).mean()
    )


def test_the_table_of_formats_is_whole():
    for name, each in FORMATS.items():
        assert each.name == name
        assert each.suffix == ("-poster.jpg" if name == "poster" else f".{name}")
        assert each.title
        assert each.min_fps < each.max_fps
