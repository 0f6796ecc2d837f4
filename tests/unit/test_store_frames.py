"""The frame store keeps what it was given, or says what is wrong: never a wrong picture."""

import errno
import hashlib
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from latent_assets.errors import StoreError
from latent_assets.store import (
    FrameDamagedError,
    FrameMissingError,
    FrameStore,
    Receipt,
    atomic,
    environment,
    pixel_digest,
)
from latent_assets.store.png import RECEIPT_KEYWORD


def key_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def frame_of(number: int, size=(16, 24)):
    pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), np.uint8)
    key = key_of(number)
    receipt = Receipt(
        key=key,
        recipe={"seed": number, "prompt": "a caf\u00e9 \U0001f408"},
        pixel_digest=pixel_digest(pixels),
        environment=environment(threads=2),
        batch=(key_of(-1), key),
        position=1,
        seconds=0.25,
        created="2026-01-02T03:04:05Z",
    )
    return key, pixels, receipt


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    if request.param == "local":
        return FrameStore(tmp_path)
    return FrameStore(f"memory://{tmp_path.name}")


@pytest.fixture
def local(tmp_path):
    return FrameStore(tmp_path)


def path_of(store: FrameStore, key: str) -> Path:
    return Path(store.objects.root, store.name(key))


def test_reads_back_pixels_and_receipt(store):
    key, pixels, receipt = frame_of(1)
    assert store.write(key, pixels, receipt) == receipt.pixel_digest
    read = store.read(key)
    np.testing.assert_array_equal(read.pixels, pixels)
    assert read.receipt == receipt
    assert store.read_receipt(key) == receipt


def test_contains_keys_and_delete(store):
    for number in range(3):
        store.write(*frame_of(number))
    assert store.contains([key_of(n) for n in range(5)]) == {key_of(n) for n in range(3)}
    assert set(store.keys()) == {key_of(n) for n in range(3)}
    store.delete(key_of(1))
    store.delete(key_of(1))
    assert store.contains([key_of(1)]) == set()
    with pytest.raises(FrameMissingError, match=key_of(1)):
        store.read(key_of(1))
    with pytest.raises(FrameMissingError):
        store.read_receipt(key_of(1))


def test_an_empty_store_has_no_frames_and_no_folder(tmp_path):
    store = FrameStore(tmp_path / "nothing")
    assert store.contains([key_of(0)]) == set()
    assert list(store.keys()) == []
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("key", ["", "../" * 10, "A" * 64, "0" * 63, "0" * 62 + "/0"])
def test_a_key_cannot_be_a_path(local, key):
    with pytest.raises(ValueError, match="not a frame key"):
        local.read(key)


def test_many_frames_come_in_order(store):
    frames = [frame_of(n) for n in range(40)]
    assert store.write_many(frames) == [receipt.pixel_digest for _, _, receipt in frames]
    keys = [key for key, _, _ in frames][::-1]
    for read, (_, pixels, _) in zip(store.read_many(keys), frames[::-1], strict=True):
        np.testing.assert_array_equal(read.pixels, pixels)


def test_reading_many_stops_at_the_missing_frame(local):
    local.write(*frame_of(0))
    reading = local.read_many([key_of(0), key_of(1)])
    next(reading)
    with pytest.raises(FrameMissingError, match=key_of(1)):
        next(reading)


def test_the_first_of_two_frames_with_one_key_stays(store):
    key, pixels, receipt = frame_of(1)
    store.write(key, pixels, receipt)
    other = pixels ^ 1
    later = Receipt(**{**receipt.__dict__, "pixel_digest": pixel_digest(other), "seconds": 9.0})
    assert store.write(key, other, later) == receipt.pixel_digest
    assert store.read(key).receipt == receipt


def test_a_damaged_frame_is_replaced_by_writing_it_again(local):
    key, pixels, receipt = frame_of(1)
    local.write(key, pixels, receipt)
    path_of(local, key).write_bytes(b"")
    assert local.contains([key]) == set()
    assert local.write(key, pixels, receipt) == receipt.pixel_digest
    assert local.read(key).receipt == receipt


def in_its_place(path: Path, what: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if what == "folder":
        path.mkdir()
        (path / "file").write_bytes(b"x")
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path if what == "link to itself" else path.parent / "nowhere")


@pytest.mark.parametrize("what", ["link to nothing", "link to itself", "folder", "pipe"])
def test_what_is_no_frame_is_set_aside_for_one(local, what):
    key, pixels, receipt = frame_of(1)
    in_its_place(path_of(local, key), what)
    assert local.contains([key]) == set()
    assert local.write(key, pixels, receipt) == receipt.pixel_digest
    np.testing.assert_array_equal(local.read(key).pixels, pixels)
    (aside,) = Path(local.objects.root, "quarantine").iterdir()
    assert aside.name.startswith(key)


@pytest.mark.parametrize("what", ["link to itself", "folder", "pipe"])
def test_who_reads_what_is_no_frame_is_told(local, what):
    key = key_of(1)
    in_its_place(path_of(local, key), what)
    assert {k: type(error) for k, error in local.check([key]).items()} == {key: FrameDamagedError}
    assert list(local.objects.entries("quarantine")) or what != "link to itself"


def test_a_place_that_stays_taken_is_told_and_not_waited_for(local, monkeypatch):
    key, pixels, receipt = frame_of(1)
    in_its_place(path_of(local, key), "link to nothing")
    monkeypatch.setattr(local.objects, "move", lambda _name, _to: None)
    with pytest.raises(StoreError, match="neither be read nor set aside") as caught:
        local.write(key, pixels, receipt)
    assert "Move it away" in caught.value.cure


def test_a_receipt_of_another_frame_is_refused(local):
    key, pixels, receipt = frame_of(1)
    with pytest.raises(ValueError, match="does not belong"):
        local.write(key_of(2), pixels, receipt)
    with pytest.raises(ValueError, match="does not belong"):
        local.write(key, pixels ^ 1, receipt)
    assert list(local.keys()) == []


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)],
)
def test_what_is_no_picture_is_refused(local, pixels):
    key, _, receipt = frame_of(1)
    with pytest.raises(ValueError, match="uint8"):
        local.write(key, pixels, receipt)


def test_any_image_viewer_opens_a_frame(local):
    key, pixels, receipt = frame_of(1)
    local.write(key, pixels, receipt)
    with Image.open(path_of(local, key)) as image:
        assert image.format == "PNG"
        assert Receipt.from_json(image.info[RECEIPT_KEYWORD]) == receipt
        np.testing.assert_array_equal(np.asarray(image), pixels)


def test_a_long_receipt_is_read_too(local):
    key, pixels, receipt = frame_of(1)
    long = Receipt(**{**receipt.__dict__, "recipe": {"prompt": "x" * 100_000}})
    local.write(key, pixels, long)
    assert local.read_receipt(key) == long


def test_files_follow_the_umask(local):
    before = os.umask(0o027)
    try:
        local.write(*frame_of(1))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path_of(local, key_of(1)).stat().st_mode) == 0o640


# Faults


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_flipped_bit_gives_a_wrong_frame(tmp_path_factory, data):
    key, pixels, receipt = frame_of(1, size=(6, 5))
    store = FrameStore(tmp_path_factory.mktemp("flip"))
    store.write(key, pixels, receipt)
    path = path_of(store, key)
    whole = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(whole)
    try:
        read = store.read(key)
    except FrameDamagedError:
        assert store.contains([key]) == set()
    else:
        np.testing.assert_array_equal(read.pixels, pixels)
        assert read.receipt == receipt


@settings(max_examples=60, deadline=None)
@given(kept=st.floats(0, 1, exclude_max=True))
def test_no_truncated_file_gives_a_frame(tmp_path_factory, kept):
    key, pixels, receipt = frame_of(1)
    store = FrameStore(tmp_path_factory.mktemp("cut"))
    store.write(key, pixels, receipt)
    path = path_of(store, key)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(FrameDamagedError):
        store.read(key)


@settings(max_examples=60, deadline=None)
@given(garbage=st.binary(max_size=300))
def test_garbage_is_set_aside(tmp_path_factory, garbage):
    store = FrameStore(tmp_path_factory.mktemp("garbage"))
    path = path_of(store, key_of(1))
    path.parent.mkdir(parents=True)
    path.write_bytes(garbage)
    with pytest.raises(FrameDamagedError):
        store.read_receipt(key_of(1))
    assert [p.read_bytes() for p in Path(store.objects.root, "quarantine").iterdir()] == [garbage]


def test_damage_is_set_aside_once_and_named(store):
    key, pixels, receipt = frame_of(1)
    other, other_pixels, other_receipt = frame_of(2)
    store.write(key, pixels, receipt)
    store.write(other, other_pixels, other_receipt)
    whole = store.objects.read(store.name(key))
    store.objects.write(store.name(other), whole)  # a whole frame under another's name
    wrong = store.check([key, other, key_of(3)])
    assert wrong.keys() == {other, key_of(3)}
    assert isinstance(wrong[other], FrameDamagedError)
    assert "another frame's" in wrong[other].problem
    assert isinstance(wrong[key_of(3)], FrameMissingError)
    assert store.contains([key, other]) == {key}
    assert len(list(store.objects.entries("quarantine"))) == 1


class FullDisk:
    """`os.write` of a disk that takes so many bytes and no more."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._write = os.write

    def __call__(self, descriptor, data):
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = self._write(descriptor, bytes(data)[: self.room])
        self.room -= taken
        return taken


@pytest.mark.parametrize("room", [0, 1, 500])
def test_a_full_disk_is_told_and_leaves_nothing_half_written(local, monkeypatch, room):
    local.write(*frame_of(1))
    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "write", FullDisk(room))
        with pytest.raises(StoreError, match="No space left") as caught:
            local.write(*frame_of(2))
    assert "latent-assets gc" in caught.value.cure
    assert str(path_of(local, key_of(2))) in caught.value.problem
    files = [path.name for path in Path(local.objects.root).rglob("*") if path.is_file()]
    assert files == [f"{key_of(1)}.png"]
    local.write(*frame_of(2))


def test_a_disk_that_fails_to_sync_leaves_no_frame(local, monkeypatch):
    def fail(_descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(atomic.os, "fsync", fail)
    with pytest.raises(StoreError, match="cannot write"):
        local.write(*frame_of(1))
    assert list(local.keys()) == []
    assert local.objects.leftovers(0) == []


@pytest.mark.parametrize("call", ["open", "stat"])
def test_forbidden_reads_name_the_cure(local, monkeypatch, call):
    """Root may read everything, so the refusal is injected."""
    local.write(*frame_of(1))

    def refuse(*_args, **_kwargs):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    if call == "open":
        monkeypatch.setattr("latent_assets.foreign.os.open", refuse)
        with pytest.raises(StoreError, match="Permission denied") as caught:
            local.read(key_of(1))
    else:
        monkeypatch.setattr("latent_assets.store.objects.os.stat", refuse)
        with pytest.raises(StoreError, match="Permission denied") as caught:
            local.contains([key_of(1)])
    assert "right to read and write" in caught.value.cure
    monkeypatch.undo()
    assert local.contains([key_of(1)])


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_without_write_permission_is_told(local, tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="Permission denied"):
            local.write(*frame_of(1))
    finally:
        tmp_path.chmod(0o700)


def test_a_file_in_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "store").write_text("not a folder")
    store = FrameStore(tmp_path / "store")
    assert store.contains([key_of(1)]) == set()
    with pytest.raises(StoreError, match="A file stands where a folder is needed"):
        store.write(*frame_of(1))


def test_without_hard_links_a_frame_is_renamed(local, monkeypatch):
    def refuse(*_args):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(atomic.os, "link", refuse)
    key, pixels, receipt = frame_of(1)
    assert local.write(key, pixels, receipt) == receipt.pixel_digest
    assert local.write(key, pixels, receipt) == receipt.pixel_digest
    assert len([p for p in Path(local.objects.root).rglob("*") if p.is_file()]) == 1


def test_many_writers_of_one_key_leave_one_whole_frame(local):
    key, pixels, receipt = frame_of(1, size=(64, 64))
    barrier = threading.Barrier(8)

    def write(number):
        mine = pixels ^ number
        barrier.wait()
        mine_receipt = Receipt(**{**receipt.__dict__, "pixel_digest": pixel_digest(mine)})
        return local.write(key, mine, mine_receipt)

    with ThreadPoolExecutor(8) as pool:
        digests = set(pool.map(write, range(8)))
    assert digests == {local.read(key).receipt.pixel_digest}
    assert len([p for p in Path(local.objects.root).rglob("*") if p.is_file()]) == 1
