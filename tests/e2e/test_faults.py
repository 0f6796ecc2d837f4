"""Full disks, wrong permissions, damaged frames, renders at once, clocks that jump.

Whatever happens: nothing stored is lost or wrong, the message says what happened, no half film
stands under its name, and the next render does only what is missing.
"""

import os
import shutil
import struct
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import Answer, Command
from fakes import fake_studio
from PIL import Image

from latent_assets.store import FrameStore

pytestmark = pytest.mark.slow

FRAMES = 9
WALK = f"""\
kind: interpolation
prompts: [a, b]
frames: {FRAMES}
chunk_size: 4
batch_size: 2
output: {{formats: [gif, webp], keep_earlier: 1}}
"""


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    (folder / "walks").mkdir(parents=True)
    (folder / "walks" / "w.yaml").write_text(WALK)
    yield folder
    for path in folder.rglob("*"):  # so that pytest can clear it away
        path.chmod(0o700)


def render(data: Path, **how) -> Answer:
    """A render that is let finish: it must never hang, nor end in a trace."""
    answer = Command(data, "render", "w", "--json", **how).answer()
    assert "Traceback" not in answer.err
    return answer


def assert_whole(data: Path, frames: int = FRAMES) -> None:
    """All frames are stored and good, and the films show them all."""
    store = fake_studio(data).frames
    assert len(list(store.keys())) == frames
    assert store.check(store.keys()) == {}
    assert_no_partial_film(data / "outputs")
    assert len(films(data / "outputs")) == 2


def assert_no_partial_film(outputs: Path) -> None:
    for path in films(outputs):
        with Image.open(path) as film:
            assert film.n_frames == FRAMES
            film.seek(FRAMES - 1)
            film.load()


def films(outputs: Path) -> list[Path]:
    return [p for p in outputs.rglob("w.*") if p.suffix in {".gif", ".webp"}]


# --- a full disk --------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of 40 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=40k", "none", str(folder)],
            check=True, capture_output=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def enlarge(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def assert_fails(answer: Answer, code: int) -> None:
    """The exit code, and one JSON object that says the same as the words on stderr."""
    assert answer.code == answer.json["exit_code"] == code, answer.err
    assert answer.json["error"] in answer.err


def assert_says_full(answer: Answer, place: Path) -> None:
    assert_fails(answer, 1)
    assert f"{place}" in answer.err
    assert "No space left on device" in answer.err
    assert "Free some space" in answer.err


def test_a_full_disk_under_the_store(data, small_disk):
    store = {"STORE": str(small_disk / "store")}
    (small_disk / "ballast").write_bytes(bytes(24 * 1024))  # leaves room for 4 files
    assert_says_full(render(data, settings=store), small_disk / "store")
    assert_no_partial_film(data / "outputs")
    kept = FrameStore(small_disk / "store")
    there = set(kept.keys())
    assert 0 < len(there) < FRAMES
    assert kept.check(there) == {}
    (small_disk / "ballast").unlink()
    enlarge(small_disk, "1m")
    again = render(data, settings=store)
    assert (again.code, again.json["rendered"]) == (0, FRAMES - len(there)), again.err


def test_a_full_disk_under_the_outputs(data, small_disk):
    outputs = {"OUTPUTS": str(small_disk)}
    (small_disk / "ballast").write_bytes(bytes(28 * 1024))  # leaves room for one of the two films
    assert_says_full(render(data, settings=outputs), small_disk / "w")
    assert_no_partial_film(small_disk)
    assert not list(small_disk.rglob(".tmp-*"))
    enlarge(small_disk, "1m")
    again = render(data, settings=outputs)
    assert (again.code, again.json["rendered"]) == (0, 0), again.err
    assert len(films(small_disk)) == 2
    assert_no_partial_film(small_disk)


@pytest.mark.parametrize("size", ["200k", "700k", "850k"])
def test_a_full_disk_under_everything_dagsters_records_too(data, small_disk, size):
    """Full when the records are created, when the run begins, and in the middle of it."""
    enlarge(small_disk, size)
    shutil.copytree(data / "walks", small_disk / "walks")
    assert_says_full(render(small_disk), small_disk)
    assert_no_partial_film(small_disk / "outputs")
    studio = fake_studio(small_disk)
    there = set(studio.frames.keys())
    assert studio.frames.check(there) == {}
    enlarge(small_disk, "20m")
    again = render(small_disk)
    assert (again.code, again.json["rendered"]) == (0, FRAMES - len(there)), again.err
    assert_whole(small_disk)


# --- wrong permissions --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "mode", "code"),
    [
        (".", 0o500, 1),
        ("store", 0o500, 1),
        ("outputs/w", 0o500, 1),
        ("dagster", 0o500, 1),
        ("dagster/storage", 0o500, 1),
        ("walks", 0o000, 2),
        ("walks/w.yaml", 0o000, 2),
    ],
)
def test_a_place_that_must_not_be_used(data, place, mode, code):
    path = data / place
    if not path.exists():
        path.mkdir(parents=True)
    path.chmod(mode)
    answer = render(data, powerless=True)
    path.chmod(0o700)
    assert_fails(answer, code)
    assert "Permission denied" in answer.err
    assert str(path if place != "." else data) in answer.err
    assert code == 2 or "Give this user the right" in answer.err
    assert_no_partial_film(data / "outputs")
    assert render(data, powerless=True).code == 0
    assert_whole(data)


@pytest.mark.parametrize("place", ["dagster/history/runs.db", "dagster/alive"])
def test_records_of_dagster_that_must_not_be_written(data, place):
    render(data)
    path = data / place
    if path.is_dir():  # what a render left there would be found first
        for each in path.iterdir():
            each.unlink()
    mode = path.stat().st_mode
    path.chmod(0o400 if path.is_file() else 0o500)
    answer = render(data, powerless=True)
    path.chmod(mode)
    assert_fails(answer, 1)
    assert "Permission denied" in answer.err
    assert str(data / "dagster") in answer.err


def test_a_frame_that_must_not_be_read_is_not_rendered_over(data):
    render(data)
    frame = a_frame(data)
    before = frame.read_bytes()
    frame.chmod(0o000)
    answer = render(data, powerless=True)
    frame.chmod(0o600)
    assert answer.code == 1
    assert f"cannot read {frame}: Permission denied" in answer.err
    assert frame.read_bytes() == before
    assert render(data, powerless=True).json["rendered"] == 0


# --- damaged frames -----------------------------------------------------------------------------


def a_frame(data: Path) -> Path:
    return sorted((data / "store" / "frames").rglob("*.png"))[3]


def truncate(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flip_bit(data: bytes) -> bytes:
    """In the compressed pixels."""
    at = data.index(b"IDAT") + 20
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


def flip_pixel(data: bytes) -> bytes:
    """One level of one pixel, in a PNG that is sound in itself: the receipt alone can tell."""
    at = data.index(b"IDAT")
    (length,) = struct.unpack(">I", data[at - 4 : at])
    rows = bytearray(zlib.decompress(data[at + 4 : at + 4 + length]))
    rows[-1] ^= 1
    body = b"IDAT" + zlib.compress(bytes(rows))
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[: at - 4] + chunk + data[at + 8 + length :]


def empty(_data: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("damage", [truncate, flip_bit, flip_pixel, empty])
def test_a_damaged_frame_is_named_and_it_alone_rendered_again(data, damage):
    render(data)
    frame = a_frame(data)
    whole = frame.read_bytes()
    frame.write_bytes(damage(whole))
    answer = render(data)
    assert (answer.code, answer.json["rendered"]) == (0, 1), answer.err
    assert f"frame {frame.stem}" in answer.err
    assert "damaged" in answer.err
    assert "rendered again" in answer.err
    store = fake_studio(data).frames
    assert store.check(store.keys()) == {}
    (aside,) = (data / "store" / "quarantine").iterdir()
    assert aside.read_bytes() == damage(whole)
    assert_whole(data)


# --- several at once ----------------------------------------------------------------------------


@pytest.mark.parametrize("fresh", [True, False], ids=["fresh", "once-rendered"])
def test_renders_of_one_walk_at_the_same_time(data, fresh):
    """fresh: they also create Dagster's records."""
    if not fresh:
        render(data)
        shutil.rmtree(data / "store")
    renders = [Command(data, "render", "w", "--json", pause_s=0.1) for _ in range(3)]
    answers = [each.answer() for each in renders]
    assert [answer.code for answer in answers] == [0, 0, 0], [answer.err for answer in answers]
    assert sum(answer.json["rendered"] for answer in answers) >= FRAMES
    assert_whole(data)
    assert render(data).json["rendered"] == 0


def test_a_render_that_waits_for_one_that_is_killed_goes_on(data):
    """The place in the pool was the dead one's: nobody else would free it."""
    killed = Command(data, "render", "w", "--json", hold_at=2)
    runs = data / "dagster" / "alive"
    wait_for(lambda: killed.held)
    waiting = Command(data, "render", "w", "--json")
    wait_for(lambda: len(list(runs.glob("*"))) == 2)
    assert not waiting.over_within(1)
    assert killed.kill()
    answer = waiting.answer()
    assert answer.code == 0, answer.err
    assert answer.json["rendered"] == FRAMES - 2
    assert_whole(data)


def wait_for(look: Callable[[], object], within_s: float = 240) -> None:
    end = time.monotonic() + within_s
    while not look():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


# --- clocks that jump ---------------------------------------------------------------------------


@pytest.mark.parametrize("years", [-40, 40])
def test_files_of_another_time_are_files_nonetheless(data, years):
    """As after a clock was set: nothing is rendered again, nothing is kept from ending."""
    render(data)
    when = time.time() + years * 365 * 86400
    for path in data.rglob("*"):
        os.utime(path, (when, when))
    again = render(data)
    assert (again.code, again.json["rendered"]) == (0, 0), again.err
    (data / "walks" / "w.yaml").write_text(WALK.replace("[a, b]", "[a, c]"))
    changed = render(data)
    assert changed.code == 0, changed.err
    assert changed.json["rendered"] == FRAMES - 1
    earlier = sorted(path.suffix for path in (data / "outputs" / "w" / "earlier").iterdir())
    assert earlier == [".gif", ".png", ".svg", ".webp"]
