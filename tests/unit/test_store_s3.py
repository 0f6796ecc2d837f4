"""The same store in an object store, against a server that speaks S3 on loopback."""

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from s3_server import s3_server

from latent_assets.errors import StoreError
from latent_assets.store import (
    EncodingStore,
    FrameDamagedError,
    FrameMissingError,
    FrameStore,
    Receipt,
    Timings,
    environment,
    pixel_digest,
)
from latent_assets.store.retention import Policy, plan_removal, remove, stats

pytestmark = pytest.mark.slow


def key_of(number):
    return hashlib.sha256(str(number).encode()).hexdigest()


def frame_of(number):
    pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), np.uint8)
    key = key_of(number)
    digest = pixel_digest(pixels)
    receipt = Receipt(key, {"n": number}, digest, environment(), (key,), 0, 1.0, "2026-01-01")
    return key, pixels, receipt


@pytest.fixture(scope="module")
def server():
    with s3_server() as running:
        yield running


@pytest.fixture
def options(server):
    return server.options


@pytest.fixture
def url(server, request):
    bucket = hashlib.sha256(request.node.name.encode()).hexdigest()[:20]
    server.make_bucket(bucket)
    return f"s3://{bucket}/walks/store"


def test_frames_come_back(url, options):
    store = FrameStore(url, **options)
    frames = [frame_of(n) for n in range(50)]
    store.write_many(frames)
    assert store.contains([key_of(n) for n in range(60)]) == {key_of(n) for n in range(50)}
    assert set(FrameStore(url, **options).keys()) == {key_of(n) for n in range(50)}
    read = store.read_many([key for key, _, _ in frames])
    for each, (_, pixels, receipt) in zip(read, frames, strict=True):
        np.testing.assert_array_equal(each.pixels, pixels)
        assert each.receipt == receipt
    assert store.read_receipt(key_of(3)) == frames[3][2]
    with pytest.raises(FrameMissingError):
        store.read(key_of(99))


def test_the_first_of_many_writers_wins(url, options):
    key, pixels, receipt = frame_of(1)

    def write(number):
        mine = pixels ^ number
        changed = Receipt(**{**receipt.__dict__, "pixel_digest": pixel_digest(mine)})
        return FrameStore(url, **options).write(key, mine, changed)

    with ThreadPoolExecutor(8) as pool:
        digests = set(pool.map(write, range(8)))
    assert digests == {FrameStore(url, **options).read(key).receipt.pixel_digest}


def test_damage_is_set_aside(url, options):
    store = FrameStore(url, **options)
    key, pixels, receipt = frame_of(1)
    store.write(key, pixels, receipt)
    whole = store.objects.read(store.name(key))
    store.objects.write(store.name(key), whole[:-40])
    with pytest.raises(FrameDamagedError):
        store.read(key)
    assert store.contains([key]) == set()
    assert stats(store.objects).quarantine.bytes == len(whole) - 40
    store.write(key, pixels, receipt)
    np.testing.assert_array_equal(store.read(key).pixels, pixels)


def test_what_another_process_wrote_is_seen(url, options):
    mine, theirs = FrameStore(url, **options), FrameStore(url, **options)
    assert mine.contains([key_of(1)]) == set()
    assert list(mine.keys()) == []
    theirs.write(*frame_of(1))
    assert mine.contains([key_of(1)]) == {key_of(1)}
    assert list(mine.keys()) == [key_of(1)]


@pytest.fixture
def fill(url):
    """Puts objects of a few bytes under the names of many frames, past the network."""
    backends = pytest.importorskip("moto.s3.models").s3_backends

    def put(numbers, data=b"x"):
        bucket, _, folder = url.removeprefix("s3://").partition("/")
        for key in map(key_of, numbers):
            name = f"{folder}/{FrameStore('memory://').name(key)}"
            backends["123456789012"]["aws"].put_object(bucket, name, data)

    return put


@pytest.fixture
def requests(url, options):
    """The operations that were asked of the server so far."""
    store = FrameStore(url, **options)
    store.contains([key_of(-1)])  # opens the connection
    system, _ = store.objects._open()
    asked = []

    def note(model, **_more):
        asked.append(model.name)

    system.s3.meta.events.register("before-call.s3", note)
    yield asked
    system.s3.meta.events.unregister("before-call.s3", note)


@pytest.mark.parametrize(
    ("stored", "walk", "most"),
    [
        (0, 1000, 6),
        (3000, 1000, 5),  # one folder to know the size, then pages of 1,000
        (3000, 20, 20),  # no listing for a few
        (3000, 100, 101),  # listing all would take longer than to look for 100
    ],
)
def test_a_plan_takes_few_requests(url, options, fill, requests, stored, walk, most):
    fill(range(stored))
    asked = [key_of(n) for n in range(stored - walk // 2, stored + walk // 2)]
    there = {key_of(n) for n in range(stored - walk // 2, stored)} if stored else set()
    assert FrameStore(url, **options).contains(asked) == there
    assert len(requests) <= most


@pytest.mark.parametrize("walk", [5, 500], ids=["looked for", "listed"])
def test_an_empty_object_is_no_frame(url, options, fill, walk):
    fill(range(walk))
    fill([0, 1], b"")
    found = FrameStore(url, **options).contains([key_of(n) for n in range(walk)])
    assert found == {key_of(n) for n in range(2, walk)}


def test_encodings_timings_and_collection(url, options):
    store = FrameStore(url, **options)
    store.write_many([frame_of(n) for n in range(5)])
    encodings = EncodingStore(url, **options)
    encodings.write(key_of(9), np.arange(4, dtype=np.float32))
    assert encodings.read(key_of(9)).tolist() == [0, 1, 2, 3]
    timings = Timings(url, **options)
    timings.record({"num_steps": 4}, 2.0)
    assert timings.estimate({"num_steps": 8}) == 4.0
    found = stats(store.objects)
    assert (found.frames.count, found.encodings.count) == (5, 1)
    policy = Policy(unreferenced=True, referenced={key_of(0), key_of(9)}, grace_s=0)
    plan = plan_removal(store.objects, policy, now=found.newest + 10)
    assert len(plan.removals) == 4
    remove(store.objects, plan)
    assert list(store.keys()) == [key_of(0)]
    assert encodings.contains([key_of(9)])


def test_a_missing_bucket_and_a_wrong_server_are_told(options):
    with pytest.raises(StoreError, match="cannot write s3://no-such-bucket"):
        FrameStore("s3://no-such-bucket/x", **options).write(*frame_of(1))
    nowhere = {**options, "client_kwargs": {"endpoint_url": "http://127.0.0.1:9"}}
    nowhere["config_kwargs"] = {"retries": {"max_attempts": 0}, "connect_timeout": 2}
    with pytest.raises(StoreError, match="cannot look into s3://bucket"):
        FrameStore("s3://bucket/x", **nowhere).contains([key_of(1)])


def test_a_store_that_is_cut_off_is_asked_again(server, url):
    impatient = {"config_kwargs": {"retries": {"max_attempts": 0}}}
    store = FrameStore(url, patience_s=60, **server.options, **impatient)
    store.write(*frame_of(1))
    server.troubles.is_cut, refused = True, server.troubles.refused

    def mend():
        while server.troubles.is_cut and server.troubles.refused < refused + 8:
            time.sleep(0.05)
        server.troubles.is_cut = False

    with ThreadPoolExecutor(1) as pool:
        pool.submit(mend)
        try:
            store.write(*frame_of(2))
        finally:
            server.troubles.is_cut = False
    assert store.contains([key_of(1), key_of(2)]) == {key_of(1), key_of(2)}
    assert server.troubles.refused >= refused + 8
