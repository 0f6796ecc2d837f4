"""What every place that a store can lie in must do: one class of tests, one state machine.

A backend's tests are a subclass of `StoreConformance` with a fixture `place`: where an empty store
may lie, and the options to open it with. `machine_of` gives the state machine for such a place.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from latent_assets.store import (
    EncodingDamagedError,
    EncodingStore,
    FrameDamagedError,
    FrameMissingError,
    FrameStore,
    Receipt,
    TimelineStore,
    Timings,
    environment,
    pixel_digest,
)
from latent_assets.store.objects import Objects, open_objects
from latent_assets.store.retention import Policy, plan_removal, remove, stats

Place = tuple[str, dict[str, Any]]


def key_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def frame_of(number: int):
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
    key, digest = key_of(number), pixel_digest(pixels)
    receipt = Receipt(key, {"n": number}, digest, environment(), (key,), 0, 1.0, "2026-01-01")
    return key, pixels, receipt


class StoreConformance:
    """Tests for the subclass of a backend; `place` is its fixture."""

    answers_may_be_lost = False
    """Whether a write may be carried out, fail, and find its own object when it is tried again."""

    @pytest.fixture
    def objects(self, place: Place) -> Objects:
        return open_objects(place[0], **place[1])

    @pytest.fixture
    def frames(self, place: Place) -> FrameStore:
        return FrameStore(place[0], **place[1])

    # Objects

    def test_bytes_come_back_whole_and_in_part(self, objects):
        data = bytes(range(256)) * 5
        assert objects.write("things/ab/x", data)
        assert objects.read("things/ab/x") == data
        assert objects.read("things/ab/x", 10) == data[:10]
        assert objects.read("things/ab/x", 10_000) == data

    def test_six_million_bytes_come_back(self, objects):
        data = np.random.default_rng(0).bytes(6_000_000)
        objects.write("things/large", data)
        assert objects.read("things/large") == data
        assert [entry.size for entry in objects.entries("things")] == [len(data)]

    def test_what_is_not_there_is_said_so(self, objects):
        for name in ("things/ab/x", "nothing/x"):
            with pytest.raises(FileNotFoundError):
                objects.read(name)
        assert objects.existing(["things/ab/x"]) == set()
        assert list(objects.entries("things")) == []
        objects.delete("things/ab/x")
        objects.move("things/ab/x", "aside/x")
        assert list(objects.entries("aside")) == []

    def test_a_write_replaces_unless_it_may_not(self, objects):
        stored = objects.write("things/x", b"first", replace=False)
        assert stored or self.answers_may_be_lost
        assert not objects.write("things/x", b"second", replace=False)
        assert objects.read("things/x") == b"first"
        assert objects.write("things/x", b"third")
        assert objects.read("things/x") == b"third"

    def test_an_empty_object_is_none_that_exists(self, objects):
        objects.write("things/ab/empty", b"")
        objects.write("things/ab/full", b"x")
        assert objects.existing(["things/ab/empty", "things/ab/full"]) == {"things/ab/full"}

    @pytest.mark.parametrize("asked", [3, 100])
    def test_few_and_many_are_found(self, objects, asked):
        """They may be looked for one by one, or listed."""
        names = [f"things/{key_of(n)[:2]}/{key_of(n)}" for n in range(asked)]
        for name in names[::2]:
            objects.write(name, b"x")
        assert objects.existing(names) == set(names[::2])

    def test_entries_tell_name_size_and_time(self, objects):
        began = time.time()
        objects.write("things/ab/x", b"12345")
        objects.write("things/y", b"1")
        objects.write("others/z", b"1")
        found = {entry.name: entry for entry in objects.entries("things")}
        assert {name: entry.size for name, entry in found.items()} == {
            "things/ab/x": 5,
            "things/y": 1,
        }
        assert all(abs(entry.modified - began) < 600 for entry in found.values())

    def test_moved_and_deleted_objects_are_gone(self, objects):
        objects.write("things/ab/x", b"x")
        objects.move("things/ab/x", "aside/x")
        assert objects.read("aside/x") == b"x"
        assert objects.existing(["things/ab/x"]) == set()
        objects.delete("aside/x")
        objects.delete("aside/x")
        assert list(objects.entries("aside")) == []

    def test_another_process_sees_it_at_once(self, place, objects):
        other = open_objects(place[0], **place[1])
        assert other.existing(["things/ab/x"]) == set()
        assert list(other.entries("things")) == []
        objects.write("things/ab/x", b"x")
        assert other.existing(["things/ab/x"]) == {"things/ab/x"}
        assert [entry.name for entry in other.entries("things")] == ["things/ab/x"]

    def test_nobody_reads_half_an_object(self, objects):
        versions = [bytes([n]) * 200_000 for n in range(4)]
        objects.write("things/x", versions[0])

        def work(number: int) -> bytes:
            if number % 2:
                objects.write("things/x", versions[number % 4])
            return objects.read("things/x")

        with ThreadPoolExecutor(6) as pool:
            assert set(pool.map(work, range(24))) <= set(versions)

    def test_the_first_of_many_writers_wins(self, objects):
        with ThreadPoolExecutor(6) as pool:
            wrote = list(
                pool.map(
                    lambda n: objects.write("things/x", bytes([n]) * 1000, replace=False), range(6)
                )
            )
        kept = objects.read("things/x")
        assert kept == bytes([kept[0]]) * 1000
        # Whoever was answered by an error asks again, and may find its own.
        assert [n for n, stored in enumerate(wrote) if stored] in ([kept[0]], [])

    # What lies in a store

    def test_frames_come_back_in_order(self, frames):
        there = [frame_of(n) for n in range(20)]
        assert frames.write_many(there) == [receipt.pixel_digest for _, _, receipt in there]
        assert frames.contains(key_of(n) for n in range(25)) == {key for key, _, _ in there}
        assert set(frames.keys()) == {key for key, _, _ in there}
        read = frames.read_many(key for key, _, _ in there)
        for each, (_, pixels, receipt) in zip(read, there, strict=True):
            np.testing.assert_array_equal(each.pixels, pixels)
            assert each.receipt == receipt
        with pytest.raises(FrameMissingError):
            frames.read(key_of(99))

    @pytest.mark.parametrize("wrong", ["another's", "flipped", "cut", "garbage", "empty"])
    def test_a_wrong_frame_is_never_served(self, frames, wrong):
        key, pixels, receipt = frame_of(1)
        frames.write(key, pixels, receipt)
        frames.write(*frame_of(2))
        name = frames.name(key)
        data = frames.objects.read(name)
        at = len(data) - 60  # in the pixels
        frames.objects.write(
            name,
            {
                "another's": frames.objects.read(frames.name(key_of(2))),
                "flipped": data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :],
                "cut": data[:-40],
                "garbage": b"no picture at all",
                "empty": b"",
            }[wrong],
        )
        assert {k: type(e) for k, e in frames.check([key, key_of(2)]).items()} == {
            key: FrameDamagedError
        }
        assert frames.contains([key]) == set()
        assert stats(frames.objects).quarantine.count == 1
        assert frames.write(key, pixels, receipt) == receipt.pixel_digest
        np.testing.assert_array_equal(frames.read(key).pixels, pixels)

    def test_a_wrong_encoding_is_never_served(self, place):
        encodings = EncodingStore(place[0], **place[1])
        for number in (1, 2):
            encodings.write(key_of(number), np.full((3, 4), number, np.float32))
        objects = encodings.objects
        one, two = (f"encodings/{key_of(n)[:2]}/{key_of(n)}.safetensors" for n in (1, 2))
        objects.write(one, objects.read(two))
        with pytest.raises(EncodingDamagedError):
            encodings.read(key_of(1))
        assert encodings.contains([key_of(1), key_of(2)]) == {key_of(2)}
        assert encodings.read(key_of(2)).tolist() == np.full((3, 4), 2).tolist()

    def test_a_wrong_timeline_counts_as_none(self, place):
        timelines = TimelineStore(place[0], **place[1])
        assert timelines.write(key_of(1), {"places": [1]}) == {"places": [1]}
        assert timelines.write(key_of(1), {"places": [2]}) == {"places": [1]}
        name = f"timelines/{key_of(1)[:2]}/{key_of(1)}.json"
        document = json.loads(timelines.objects.read(name))
        document["timeline"]["places"] = [3]
        timelines.objects.write(name, json.dumps(document).encode())
        assert timelines.read(key_of(1)) is None
        assert timelines.write(key_of(1), {"places": [4]}) == {"places": [4]}
        assert timelines.read(key_of(1)) == {"places": [4]}

    def test_timings_are_remembered(self, place):
        timings = Timings(place[0], **place[1])
        timings.record({"num_steps": 4}, 2.0)
        assert Timings(place[0], **place[1]).estimate({"num_steps": 8}) == 4.0

    def test_what_is_not_in_use_is_collected(self, frames):
        frames.write_many(frame_of(n) for n in range(5))
        policy = Policy(unreferenced=True, referenced={key_of(0)}, grace_s=0)
        plan = plan_removal(frames.objects, policy, now=time.time() + 7200)
        assert len(plan.removals) == 4
        remove(frames.objects, plan)
        assert list(frames.keys()) == [key_of(0)]


NAMES = [f"things/{prefix}/{name}" for prefix in ("ab", "cd") for name in ("x", "y", "z.png")]
names = st.sampled_from(NAMES)
contents = st.binary(max_size=40)


class StoreAgainstDict(RuleBasedStateMachine):
    """Whatever is done to a store in any order, it holds what a dict would."""

    new_place: Callable[[], Place]

    @initialize()
    def begin(self) -> None:
        root, options = type(self).new_place()
        self.objects = open_objects(root, **options)
        self.other = open_objects(root, **options)
        self.expected: dict[str, bytes] = {}

    @rule(name=names, data=contents)
    def write(self, name: str, data: bytes) -> None:
        assert self.objects.write(name, data)
        self.expected[name] = data

    @rule(name=names, data=contents)
    def write_if_absent(self, name: str, data: bytes) -> None:
        stored = self.objects.write(name, data, replace=False)
        if name in self.expected:
            assert not stored
        elif not stored:  # answered by an error after it was done, and asked again
            assert self.objects.read(name) == data
        self.expected.setdefault(name, data)

    @rule(name=names, limit=st.none() | st.integers(1, 60))
    def read(self, name: str, limit: int | None) -> None:
        if name not in self.expected:
            with pytest.raises(FileNotFoundError):
                self.objects.read(name, limit)
        elif self.expected[name] or limit is None:  # of nothing there is no part
            assert self.objects.read(name, limit) == self.expected[name][:limit]

    @rule(name=names)
    def delete(self, name: str) -> None:
        self.objects.delete(name)
        self.expected.pop(name, None)

    @rule(name=names, to=names)
    def move(self, name: str, to: str) -> None:
        if name == to:
            return
        self.objects.move(name, to)
        if name in self.expected:
            self.expected[to] = self.expected.pop(name)

    @rule(asked=st.lists(names, unique=True))
    def existing(self, asked: list[str]) -> None:
        assert self.objects.existing(asked) == {n for n in asked if self.expected.get(n)}

    @invariant()
    def everybody_sees_the_same(self) -> None:
        found = {entry.name: entry.size for entry in self.other.entries("things")}
        assert found == {name: len(data) for name, data in self.expected.items()}


def machine_of(new_place: Callable[[], Place]) -> type[RuleBasedStateMachine]:
    """The state machine for a backend. new_place: gives an empty place for each example."""
    return type("Machine", (StoreAgainstDict,), {"new_place": staticmethod(new_place)})
