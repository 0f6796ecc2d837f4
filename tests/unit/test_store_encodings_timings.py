"""Encodings come back to the bit; timings estimate, and shrug off damage."""

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_assets.digests import digest_of
from latent_assets.store import (
    EncodingDamagedError,
    EncodingMissingError,
    EncodingStore,
    Timings,
)

KEY = hashlib.sha256(b"x").hexdigest()


@pytest.fixture(params=["local", "memory"])
def root(request, tmp_path):
    return tmp_path if request.param == "local" else f"memory://{tmp_path.name}"


@pytest.mark.parametrize("shape", [(77, 768), (3,), (0, 4), ()])
def test_encoding_round_trip(root, shape):
    array = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    store = EncodingStore(root)
    assert store.contains([KEY]) == set()
    store.write(KEY, array)
    read = store.read(KEY)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, array)
    assert store.contains([KEY]) == {KEY}


def test_nan_and_negative_zero_survive(root):
    array = np.array([np.nan, -0.0, np.inf], np.float32)
    store = EncodingStore(root)
    store.write(KEY, array)
    assert store.read(KEY).tobytes() == array.tobytes()


def test_a_missing_encoding_is_told(root):
    with pytest.raises(EncodingMissingError, match=KEY):
        EncodingStore(root).read(KEY)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_flipped_bit_gives_a_wrong_encoding(tmp_path_factory, data):
    store = EncodingStore(tmp_path_factory.mktemp("flip"))
    array = np.arange(6, dtype=np.float32)
    store.write(KEY, array)
    (path,) = Path(store.objects.root).rglob("*.safetensors")
    whole = bytearray(path.read_bytes())
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        read = store.read(KEY)
    except EncodingDamagedError:
        assert store.contains([KEY]) == set()
        assert len(list(Path(store.objects.root, "quarantine").iterdir())) == 1
    else:
        assert read.tobytes() == array.tobytes()
        assert read.shape == array.shape


def test_a_digest_ignores_order_and_refuses_nan():
    assert digest_of({"a": 1, "b": [1.5]}) == digest_of({"b": [1.5], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})
    with pytest.raises(ValueError, match="JSON"):
        digest_of({"a": math.nan})


PROFILE = {"model": "m", "size": [128, 128], "num_steps": 25, "sampler": "ddim"}


def test_the_estimate_is_the_median_of_the_last_measurements(root):
    timings = Timings(root)
    assert timings.estimate(PROFILE) is None
    for seconds in (100.0, 1.0, 3.0, 2.0):
        timings.record(PROFILE, seconds)
    assert timings.estimate(PROFILE) == 2.5
    for _ in range(20):
        timings.record(PROFILE, 7.0)
    assert timings.estimate(PROFILE) == 7.0
    assert Timings(root).estimate({**PROFILE, "size": (128, 128)}) == 7.0


def test_other_numbers_of_steps_are_scaled_from_the_nearest(root):
    timings = Timings(root)
    timings.record(PROFILE, 5.0)
    timings.record({**PROFILE, "num_steps": 100}, 60.0)
    assert timings.estimate({**PROFILE, "num_steps": 50}) in (10.0, 30.0)
    assert timings.estimate({**PROFILE, "num_steps": 5}) == pytest.approx(1.0)
    assert timings.estimate({**PROFILE, "num_steps": 90}) == pytest.approx(54.0)
    assert timings.estimate({**PROFILE, "num_steps": 5, "model": "other"}) is None
    assert timings.estimate({"model": "m", "start_up": True}) is None


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -1.0, 0.0])
def test_nonsense_is_not_recorded(root, seconds):
    timings = Timings(root)
    timings.record(PROFILE, seconds)
    assert timings.estimate(PROFILE) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"profile": 3, "seconds_per_frame": [1]}',
        b'{"profile": {}, "seconds_per_frame": ["x", NaN]}',
        b'{"profile": {}, "seconds_per_frame": [NaN, -3]}',
    ],
)
def test_a_damaged_timing_counts_as_absent_and_is_written_over(tmp_path, content):
    timings = Timings(tmp_path)
    timings.record(PROFILE, 2.0)
    (path,) = tmp_path.rglob("*.json")
    path.write_bytes(content)
    assert timings.estimate(PROFILE) is None
    assert timings.estimate({**PROFILE, "num_steps": 3}) is None
    timings.record(PROFILE, 4.0)
    assert timings.estimate(PROFILE) == 4.0


def test_a_folder_in_a_timing_s_place_stops_nothing(tmp_path, caplog):
    timings = Timings(tmp_path)
    timings.record({"model": "m"}, 2.0)
    (file,) = (tmp_path / "timings").iterdir()
    file.unlink()
    file.mkdir()
    assert timings.estimate({"model": "m"}) is None
    timings.record({"model": "m"}, 2.0)
    assert "are not remembered" in caplog.text
