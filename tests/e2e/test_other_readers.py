"""Finished files, read by others: FFmpeg, ExifTool, gifsicle, webpinfo, Chromium.

Each must find all the frames, their time, the loop, the record and the colours.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import browser
import numpy as np
import pytest

from latent_assets.media import FORMATS, Provenance, write_animation, write_jpeg, write_png
from latent_assets.media.figures import write_smoothness
from latent_assets.media.xmp import DRAWN_FROM_DATA, MADE_BY_A_MODEL

FPS = 12
FILMS = ("gif", "webp", "mp4", "apng", "avif")
LENGTHS = (2, 13, 60)
"""FFmpeg takes an APNG for a still picture if too much stands in front of its first one."""
COLOURS = np.uint8(
    [
        [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)],
        [(200, 30, 120), (128, 128, 128), (255, 255, 255), (0, 0, 0)],
        [(100, 150, 230), (255, 200, 120), (10, 60, 20), (90, 10, 160)],
    ]
)


def patches(size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3): 3 by 4 even patches, of strong and of quiet colours."""
    rows, columns = (
        np.arange(side) * parts // side for side, parts in zip(size, (3, 4), strict=True)
    )
    return COLOURS[rows][:, columns]


def patch_colours(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(3, 4, 3): the mean of each patch, without its borders, where colours are shared."""
    height, width = (side // parts for side, parts in zip(size, (3, 4), strict=True))
    return np.array(
        [
            [
                picture[row * height + 6 : (row + 1) * height - 5][
                    :, column * width + 6 : (column + 1) * width - 5
                ].mean((0, 1))
                for column in range(4)
            ]
            for row in range(3)
        ]
    )


def film(path: Path, name: str, count: int, size=(96, 128)) -> Path:
    """A film with a record of origin, each frame another."""
    digests = tuple(f"{number:064x}" for number in range(count))
    record = Provenance(
        walk={"name": "w", "prompts": ["a"]},
        model={"name": "embedded", "weights_digest": "0" * 64},
        frame_keys=digests,
        frame_digests=digests,
    ).as_dict()
    still = patches(size)
    frames = [np.roll(still, 3 * number, axis=1) for number in range(count)]
    file = path / f"w{FORMATS[name].suffix}"
    write_animation(lambda: frames, file, format=name, fps=FPS, provenance=record)
    return file


def told(program: str, *arguments: object) -> str:
    """What the program prints; skips where it is not installed."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    run = subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("count", LENGTHS)
@pytest.mark.parametrize("name", ["gif", "mp4", "apng", "avif"])  # FFmpeg 5 reads no moving WebP
def test_ffmpeg_finds_every_frame_and_the_rate(tmp_path, name, count):
    file = film(tmp_path, name, count)
    asked = ("-v", "warning", "-count_frames", "-show_streams", "-of", "json")
    (stream,) = json.loads(told("ffprobe", *asked, file))["streams"]
    assert int(stream["nb_read_frames"]) == count
    assert stream["codec_name"] == {"mp4": "h264", "avif": "av1"}.get(name, name)
    if count > 2:
        top, bottom = map(int, stream["avg_frame_rate"].split("/"))
        assert top / bottom == pytest.approx(FPS, rel=0.03)
    assert told("ffmpeg", "-v", "warning", "-i", file, "-f", "null", "-") == ""


@pytest.mark.parametrize("name", FILMS)
def test_exiftool_finds_the_record_the_frames_and_the_loop(tmp_path, name):
    count = 13
    (tags,) = json.loads(told("exiftool", "-json", film(tmp_path, name, count)))
    where = {"gif": "Comment", "mp4": "Comment", "apng": "Latent-assetsprovenance"}
    record = json.loads(tags[where.get(name, "Provenance")])
    assert len(record["frame_keys"]) == count
    frames = {"gif": "FrameCount", "apng": "AnimationFrames"}
    if name in frames:
        assert tags[frames[name]] == count
    loops = {
        "gif": ("AnimationIterations", "Infinite"),
        "webp": ("AnimationLoopCount", "inf"),
        "apng": ("AnimationPlays", "inf"),
    }
    if name in loops:
        tag, forever = loops[name]
        assert tags[tag] == forever
    lasts = {"avif": "MediaDuration", "apng": None}.get(name, "Duration")
    if lasts:
        seconds = float(re.sub(r"[^0-9.].*", "", tags[lasts]))
        assert seconds == pytest.approx(count / FPS, abs=0.01)


def test_exiftool_finds_the_record_in_stills_and_figures(tmp_path):
    record = Provenance(walk={}, model={}).as_dict()
    write_png(patches((48, 64)), tmp_path / "a.png", provenance=record)
    write_smoothness([1.0, 2.0], tmp_path / "a.svg", title="w", provenance=record)
    (png,) = json.loads(told("exiftool", "-json", tmp_path / "a.png"))
    (svg,) = json.loads(told("exiftool", "-json", tmp_path / "a.svg"))
    assert json.loads(png["Latent-assetsprovenance"]) == record
    assert json.loads(svg["WorkDescription"]) == record


@pytest.mark.parametrize("name", FILMS)
def test_exiftool_finds_the_mark_that_a_model_made_it(tmp_path, name):
    (tags,) = json.loads(told("exiftool", "-json", "-G1", film(tmp_path, name, 13)))
    assert tags["XMP-iptcExt:DigitalSourceType"] == MADE_BY_A_MODEL


def test_exiftool_finds_the_mark_in_stills_and_that_figures_are_drawn_from_data(tmp_path):
    record = Provenance(walk={}, model={}).as_dict()
    write_png(patches((48, 64)), tmp_path / "a.png", provenance=record)
    write_jpeg(patches((48, 64)), tmp_path / "a.jpg", provenance=record)
    write_smoothness([1.0, 2.0], tmp_path / "a.svg", title="w", provenance=record)
    (jpg,) = json.loads(told("exiftool", "-json", "-G1", tmp_path / "a.jpg"))
    assert jpg["XMP-iptcExt:DigitalSourceType"] == MADE_BY_A_MODEL
    assert json.loads(jpg["File:Comment"]) == record
    (png,) = json.loads(told("exiftool", "-json", "-G1", tmp_path / "a.png"))
    (svg,) = json.loads(told("exiftool", "-json", "-G1", tmp_path / "a.svg"))
    assert png["XMP-iptcExt:DigitalSourceType"] == MADE_BY_A_MODEL
    assert svg["XMP-iptcExt:DigitalSourceType"] == DRAWN_FROM_DATA


@pytest.mark.parametrize("name", FILMS)
def test_without_a_record_there_is_no_mark_either(tmp_path, name):
    file = tmp_path / f"w{FORMATS[name].suffix}"
    write_animation(lambda: [patches((48, 64))] * 3, file, format=name, fps=FPS)
    (tags,) = json.loads(told("exiftool", "-json", "-G1", file))
    assert not [tag for tag in tags if tag.startswith("XMP") or "omment" in tag]


def test_gifsicle_and_webpinfo_find_no_fault(tmp_path):
    count = 13
    gif = told("gifsicle", "--info", film(tmp_path, "gif", count))
    assert f"{count} images" in gif
    assert "loop forever" in gif
    webp = told("webpinfo", film(tmp_path, "webp", count))
    assert webp.count("Chunk ANMF") == count
    assert "No error detected" in webp


# --- a browser ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page():
    with browser.page() as opened:
        yield opened


@pytest.mark.parametrize("name", ["gif", "webp", "apng", "avif"])
@pytest.mark.parametrize("size", [(128, 256), (127, 257), (720, 720)])
def test_a_browser_shows_every_picture_in_its_colours(tmp_path, page, name, size):
    file = film(tmp_path, name, 3, size)
    seen = browser.pictures(page, file, FORMATS[name].mime)
    assert len(seen.pictures) == 3
    assert seen.seconds == pytest.approx(3 / FPS, abs=0.002)
    assert seen.repetitions == -1
    assert seen.pictures[0].shape == (*size, 3)
    off = np.abs(patch_colours(seen.pictures[0], size) - COLOURS)
    # AVIF's encoder rounds the blue of strong colours down before it compresses them.
    assert off.max() <= (5 if name == "avif" else 2), off


@pytest.mark.parametrize(
    "size", [(128, 128), (127, 257), (512, 512), (718, 718), (720, 720), (721, 1023), (1024, 1024)]
)
def test_a_browser_shows_a_video_in_its_colours_whatever_its_size(tmp_path, page, size):
    """Without tags, readers guess BT.601 below 720 lines and BT.709 from there on."""
    file = film(tmp_path, "mp4", 3, size)
    seen = browser.video(page, file, [0.5 / FPS])
    assert seen.seconds == pytest.approx(3 / FPS, abs=0.002)
    assert seen.pictures[0].shape == (size[0] + size[0] % 2, size[1] + size[1] % 2, 3)
    off = np.abs(patch_colours(seen.pictures[0], size) - COLOURS)
    assert off.max() <= 2, off


def test_a_video_says_how_its_colours_are_meant(tmp_path):
    file = film(tmp_path, "mp4", 2)
    (stream,) = json.loads(told("ffprobe", "-v", "error", "-show_streams", "-of", "json", file))[
        "streams"
    ]
    assert stream["color_space"] == stream["color_primaries"] == "bt709"
    assert stream["color_transfer"] == "iec61966-2-1"
    assert stream["color_range"] == "pc"
