"""Collecting garbage removes what may go, says why, and touches nothing else."""

import hashlib
import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_assets.errors import UsageError
from latent_assets.store import (
    EncodingStore,
    FrameStore,
    Receipt,
    atomic,
    environment,
    pixel_digest,
)
from latent_assets.store.objects import Entry
from latent_assets.store.retention import DAY_S, HOUR_S, Policy, plan_removal, remove, stats

NOW = time.time()


def key_of(number):
    return hashlib.sha256(str(number).encode()).hexdigest()


def add_frame(store, number, age_s):
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
    key = key_of(number)
    surroundings = environment()
    receipt = Receipt(key, {}, pixel_digest(pixels), surroundings, (key,), 0, 1.0, "2026-01-01")
    store.write(key, pixels, receipt)
    path = Path(store.objects.root, store.name(key))
    os.utime(path, (NOW - age_s, NOW - age_s))
    return path


@pytest.fixture
def store(tmp_path):
    """Frames 0..9, stored 0..9 days ago."""
    store = FrameStore(tmp_path)
    for number in range(10):
        add_frame(store, number, number * DAY_S)
    return store


def left(store):
    return {number for number in range(10) if store.contains([key_of(number)])}


def test_the_plan_is_a_dry_run_and_removal_follows_it(store):
    plan = plan_removal(store.objects, Policy(older_than_s=5 * DAY_S), now=NOW)
    assert left(store) == set(range(10))
    assert len(plan.removals) == 5
    assert {each.why for each in plan.removals} == {"old"}
    before = stats(store.objects).frames.bytes
    freed = remove(store.objects, plan)
    assert left(store) == {0, 1, 2, 3, 4}
    assert stats(store.objects).frames.bytes == before - freed == plan.kept.bytes
    assert remove(store.objects, plan) == freed  # what is gone already is no error


def test_frames_in_use_stay_however_old(store):
    used = {key_of(9), key_of(3)}
    remove(
        store.objects,
        plan_removal(store.objects, Policy(older_than_s=0, referenced=used), now=NOW),
    )
    assert left(store) == {0, 3, 9}  # 0 is younger than the grace of an hour


def test_what_no_walk_uses_goes(store):
    policy = Policy(unreferenced=True, referenced={key_of(1), key_of(2)})
    plan = plan_removal(store.objects, policy, now=NOW)
    assert {each.why for each in plan.removals} == {"unreferenced"}
    remove(store.objects, plan)
    assert left(store) == {0, 1, 2}


def test_unreferenced_and_old_must_both_hold(store):
    policy = Policy(unreferenced=True, referenced={key_of(9)}, older_than_s=5 * DAY_S)
    remove(store.objects, plan_removal(store.objects, policy, now=NOW))
    assert left(store) == {0, 1, 2, 3, 4, 9}


def test_unreferenced_without_the_references_would_remove_all(store):
    with pytest.raises(UsageError, match="not known"):
        plan_removal(store.objects, Policy(unreferenced=True))


@pytest.mark.parametrize("name", ["older_than_s", "max_bytes", "grace_s"])
def test_negative_bounds_are_refused(store, name):
    with pytest.raises(UsageError, match=name):
        plan_removal(store.objects, Policy(**{name: -1}))


def test_by_size_the_oldest_go_first(store):
    size = stats(store.objects).frames.bytes
    plan = plan_removal(store.objects, Policy(max_bytes=size // 2), now=NOW)
    remove(store.objects, plan)
    assert left(store) == set(range(max(left(store)) + 1))
    assert stats(store.objects).frames.bytes <= size // 2
    assert len(left(store)) in (4, 5)


def test_clocks_that_jumped_keep_frames(store):
    add_frame(store, 77, -400 * DAY_S)
    remove(store.objects, plan_removal(store.objects, Policy(older_than_s=0, grace_s=0), now=NOW))
    assert store.contains([key_of(77)])


def test_a_damaged_frame_is_kept_from_when_it_was_found(store):
    Path(store.objects.root, store.name(key_of(9))).write_bytes(b"damaged")
    path = Path(store.objects.root, store.name(key_of(9)))
    os.utime(path, (NOW - 400 * DAY_S,) * 2)
    assert set(store.check([key_of(9)])) == {key_of(9)}
    assert plan_removal(store.objects, Policy()).removals == ()


def test_a_clock_far_ahead_keeps_what_walks_use(store):
    used = {key_of(number) for number in range(10)}
    later = NOW + 20_000 * DAY_S
    policy = Policy(older_than_s=DAY_S, max_bytes=0, referenced=used)
    remove(store.objects, plan_removal(store.objects, policy, now=later))
    assert left(store) == set(range(10))


def test_encodings_leftovers_and_quarantine(store, tmp_path):
    EncodingStore(tmp_path).write(key_of(50), np.zeros(4, np.float32))
    leftover = tmp_path / "frames" / "ab" / ".tmp-123-abc-x.png"
    leftover.parent.mkdir(exist_ok=True)
    leftover.write_bytes(b"half")
    Path(store.objects.root, store.name(key_of(2))).write_bytes(b"damaged")
    assert set(store.check([key_of(2)])) == {key_of(2)}
    found = stats(store.objects).as_dict()
    assert found["frames"] == 9
    assert found["encodings"] == found["quarantine"] == found["leftovers"] == 1
    assert found["leftovers_bytes"] == 4
    assert found["oldest"] == pytest.approx(NOW - 9 * DAY_S, abs=1)
    assert plan_removal(store.objects, Policy()).removals == ()
    later = time.time() + 40 * DAY_S
    os.utime(leftover, (NOW - 2 * HOUR_S,) * 2)
    plan = plan_removal(store.objects, Policy(), now=later)
    assert {each.why: each.bytes for each in plan.removals} == {"damaged": 7, "left behind": 4}
    remove(store.objects, plan)
    found = stats(store.objects).as_dict()
    assert (found["frames"], found["quarantine"], found["leftovers"]) == (9, 0, 0)


def test_an_empty_store_has_empty_stats(tmp_path):
    found = stats(FrameStore(tmp_path / "none").objects)
    assert found.as_dict()["frames"] == 0
    assert found.oldest is None


class Listed:
    """Objects that are a list only."""

    root, parallel = "", 1

    def __init__(self, entries):
        self.all = entries

    def entries(self, folder):
        return iter([entry for entry in self.all if entry.name.startswith(folder)])

    def leftovers(self, _older):
        return []


@settings(max_examples=200)
@given(
    ages=st.lists(st.integers(-5, 50), max_size=12),
    used=st.sets(st.integers(0, 11)),
    older=st.none() | st.integers(0, 50),
    most=st.none() | st.integers(0, 120),
    unreferenced=st.booleans(),
    grace=st.integers(0, 10),
)
def test_the_rules_of_removal(ages, used, older, most, unreferenced, grace):
    entries = [Entry(f"frames/x/{n}.png", 10, 1000 - age) for n, age in enumerate(ages)]
    policy = Policy(
        older_than_s=older,
        max_bytes=most,
        unreferenced=unreferenced,
        referenced={str(n) for n in used},
        grace_s=grace,
    )
    plan = plan_removal(Listed(entries), policy, now=1000)
    gone = {int(Path(each.name).stem) for each in plan.removals}
    assert not gone & used
    assert all(ages[n] >= grace for n in gone)
    assert plan.kept.count == len(ages) - len(gone)
    free = {n for n in range(len(ages)) if n not in used and ages[n] >= grace}
    if most is not None and plan.kept.bytes > most:
        assert gone == free
    if most is None and not unreferenced:
        assert gone == {n for n in free if older is not None and ages[n] >= older}
    if most is None and unreferenced:
        assert gone == {n for n in free if older is None or ages[n] >= older}


def test_a_half_written_file_that_is_finished_while_it_is_looked_at_is_no_leftover(
    store, tmp_path, monkeypatch
):
    for name in (".tmp-1-a-x.png", ".tmp-2-b-x.png"):
        (tmp_path / "frames" / name).write_bytes(b"half")
    looked, right = [], Path.stat

    def renamed_by_its_writer(path, **options):
        """One of them is gone at the first look, the other just after it."""
        if path.name == ".tmp-1-a-x.png":
            path.unlink(missing_ok=True)
        status = right(path, **options)
        if path.name == ".tmp-2-b-x.png":
            looked.append(path)
            path.unlink()
        return status

    monkeypatch.setattr(Path, "stat", renamed_by_its_writer)
    (left,) = store.objects.leftovers(0)
    assert (left.name, left.size) == ("frames/.tmp-2-b-x.png", 4)
    assert len(looked) == 1


def test_a_writer_clears_beside_its_file_and_nowhere_else(tmp_path, monkeypatch):
    """Whoever writes into a home folder does not wait for a look through all of it."""
    left = [tmp_path / each for each in (".tmp-1-a-x.gif", ".tmp-1-b-y.gif", "in/.tmp-1-c-x.gif")]
    (tmp_path / "in").mkdir()
    for each in left:
        each.write_bytes(b"half")
    monkeypatch.setattr(os, "walk", lambda _folder: pytest.fail("it looked below"))
    atomic.clear_leftovers(tmp_path / "x.gif", older_than_s=-1)
    assert [each.exists() for each in left] == [False, True, True]
