"""`verify` tells a frame that comes out again from one that does not, and says why."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent_assets.store import FrameStore, Receipt, environment, pixel_digest
from latent_assets.verification import choose, verify

HERE = environment(device="cpu", threads=2)


def key_of(number):
    return hashlib.sha256(str(number).encode()).hexdigest()


KEYS = [key_of(n) for n in range(7)]


class FakeEngine:
    """Renders as a real one: rounding depends on the batch's size and on the place in it."""

    def __init__(self, wrong=(), noise=0):
        self.calls = []
        self.wrong = wrong
        self.noise = noise

    def render_batch(self, recipes):
        self.calls.append([recipe["n"] for recipe in recipes])
        pictures = []
        for position, recipe in enumerate(recipes):
            rng = np.random.default_rng(recipe["n"])
            picture = rng.integers(10, 240, (8, 6, 3)).astype(np.uint8)
            picture[0, 0, 0] += (position * len(recipes)) % 2
            picture[1, 0, 0] += len(recipes) % 2
            picture += np.uint8(self.noise)
            if recipe["n"] in self.wrong:
                picture[2:4] += np.uint8(5)
            pictures.append(picture)
        return np.stack(pictures)


@pytest.fixture
def store(tmp_path):
    """Seven frames, rendered three at a time."""
    store = FrameStore(tmp_path)
    engine = FakeEngine()
    for start in range(0, 7, 3):
        numbers = list(range(7))[start : start + 3]
        batch = tuple(key_of(n) for n in numbers)
        pictures = engine.render_batch([{"n": n} for n in numbers])
        for position, number in enumerate(numbers):
            pixels = pictures[position]
            receipt = Receipt(
                key=batch[position],
                recipe={"n": number},
                pixel_digest=pixel_digest(pixels),
                environment=HERE,
                batch=batch,
                position=position,
                seconds=1.0,
                created="2026-01-01T00:00:00Z",
            )
            store.write(batch[position], pixels, receipt)
    return store


def test_the_recorded_batches_give_the_same_bytes(store):
    engine = FakeEngine()
    told = []
    report = verify(store, KEYS, engine.render_batch, now=HERE, on_frame=told.append)
    assert report.ok
    assert report.counts() == {"identical": 7}
    assert all(verdict.why == () and verdict.max_difference == 0 for verdict in report.verdicts)
    assert engine.calls == [[0, 1, 2], [3, 4, 5], [6]]
    assert told == list(report.verdicts)


def test_a_sample_renders_its_own_batches_only(store):
    engine = FakeEngine()
    report = verify(store, [KEYS[4]], engine.render_batch, now=HERE)
    assert engine.calls == [[3, 4, 5]]
    assert [verdict.key for verdict in report.verdicts] == [KEYS[4]]
    assert report.counts() == {"identical": 1}


def test_another_environment_is_named(store):
    now = dataclasses.replace(HERE, threads=8, versions={**HERE.versions, "numpy": "1.0"})
    report = verify(store, KEYS[:3], FakeEngine(noise=1).render_batch, now=now)
    assert report.ok
    assert report.counts() == {"within 1 level": 3}
    for verdict in report.verdicts:
        assert "threads 2 then, 8 now" in verdict.why
        assert f"numpy {HERE.versions['numpy']} then, 1.0 now" in verdict.why
        assert verdict.max_difference == 1
        assert verdict.changed == 1


def test_a_frame_that_comes_out_otherwise_is_found(store):
    report = verify(store, KEYS, FakeEngine(wrong=[4]).render_batch, now=HERE)
    assert not report.ok
    assert report.counts() == {"identical": 6, "different": 1}
    (bad,) = [verdict for verdict in report.verdicts if not verdict.good]
    assert bad.key == KEYS[4]
    assert bad.max_difference == 5
    assert bad.changed == pytest.approx(2 * 6 / 48)
    assert len(bad.why) == 1
    assert "no entry of the environment differs" in bad.why[0]


def test_frames_can_be_rendered_alone_and_it_is_said(store):
    engine = FakeEngine()
    report = verify(store, [KEYS[0], KEYS[1], KEYS[6]], engine.render_batch, now=HERE, alone=True)
    assert engine.calls == [[0], [1], [6]]
    assert [verdict.outcome for verdict in report.verdicts] == [
        "identical", "within 1 level", "identical",
    ]  # fmt: skip
    assert report.verdicts[1].why == ("in a batch of 3 then, alone now",)
    assert report.verdicts[2].why == ()


def test_batch_mates_that_are_gone_are_stood_in_for_and_named(store):
    store.delete(KEYS[0])
    engine = FakeEngine()
    report = verify(store, [KEYS[1], KEYS[2]], engine.render_batch, now=HERE)
    assert engine.calls == [[1, 1, 2]]
    assert report.counts() == {"identical": 2}
    assert report.verdicts[0].why == ("1 of its 2 batch mates are gone from the store",)


def test_recipes_of_the_walk_bring_batch_mates_back(store):
    store.delete(KEYS[0])
    engine = FakeEngine()
    recipes = {key: {"n": number} for number, key in enumerate(KEYS)}
    report = verify(store, [KEYS[1]], engine.render_batch, now=HERE, recipes=recipes)
    assert engine.calls == [[0, 1, 2]]
    assert report.verdicts[0].why == ()


def test_missing_and_damaged_frames_are_verdicts(store, tmp_path):
    path = tmp_path / store.name(KEYS[4])
    path.write_bytes(path.read_bytes()[:-30])
    store.delete(KEYS[6])
    report = verify(store, KEYS, FakeEngine().render_batch, now=HERE)
    outcomes = [verdict.outcome for verdict in report.verdicts]
    assert outcomes == [*["identical"] * 4, "damaged", "identical", "missing"]
    assert not report.ok
    assert "cut short" in report.verdicts[4].why[0]
    json.dumps(report.as_dict(), allow_nan=False)


def test_a_picture_of_another_size_is_different(store):
    report = verify(
        store, KEYS[:1], lambda recipes: np.zeros((len(recipes), 4, 4, 3), np.uint8), now=HERE
    )
    assert report.verdicts[0].outcome == "different"
    assert report.verdicts[0].why == ("6x8 px then, 4x4 px now",)


def test_a_file_made_from_other_pixels_is_unconfirmed(store):
    digests = {KEYS[0]: "f" * 64, KEYS[1]: store.read(KEYS[1]).receipt.pixel_digest}
    report = verify(store, KEYS[:2], FakeEngine().render_batch, now=HERE, digests=digests)
    assert [verdict.outcome for verdict in report.verdicts] == ["unconfirmed", "identical"]
    assert not report.ok
    assert "other pixels than the store holds" in report.verdicts[0].why[0]


def test_a_file_whose_pixels_come_out_again_is_identical(store):
    engine = FakeEngine(noise=1)
    shown = pixel_digest(FakeEngine(noise=1).render_batch([{"n": n} for n in range(3)])[0])
    report = verify(store, KEYS[:1], engine.render_batch, now=HERE, digests={KEYS[0]: shown})
    assert report.verdicts[0].outcome == "identical"


def test_an_engine_that_fails_is_heard(store):
    def fail(_recipes):
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        verify(store, KEYS, fail, now=HERE)


@given(st.lists(st.integers(0, 30), max_size=40), st.none() | st.integers(0, 50))
def test_a_sample_is_of_that_size_and_has_both_ends(numbers, sample):
    keys = list(map(str, numbers))
    different = list(dict.fromkeys(keys))
    chosen = choose(keys, sample)
    assert len(chosen) == min(len(different), len(different) if sample is None else sample)
    assert chosen == [key for key in different if key in chosen]
    if len(chosen) > 1:
        assert (chosen[0], chosen[-1]) == (different[0], different[-1])
