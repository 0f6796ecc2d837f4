"""Pages hear what happens, from one look a second, and the rate that they tell is true."""

import asyncio
import json

import pytest
from fakes import fake_studio
from gallery import render, write_walks

from latent_assets.gallery import cards as cards_module
from latent_assets.gallery import live as live_module
from latent_assets.gallery.app import _Server
from latent_assets.gallery.cards import Shelf
from latent_assets.gallery.live import Broadcast, Pace
from latent_assets.lastrun import KILLED, LastRun, read_last_run, write_last_run


@pytest.fixture
def studio(tmp_path):
    studio = fake_studio(tmp_path)
    write_walks(studio, "way", "loop")
    return studio


def test_frames_a_second_count_from_the_first_that_came():
    now = [0.0]
    pace = Pace(lambda: now[0])
    pace.note(0)
    assert (pace.arriving, pace.rate(), pace.left_s(20)) == (False, None, None)
    now[0] = 60  # the model is loaded
    pace.note(4)
    assert pace.arriving
    assert pace.rate() is None
    for _ in range(3):
        now[0] += 2
        pace.note(pace._stored + 4)
    assert pace.rate() == pytest.approx(2.0)
    assert pace.left_s(20) == pytest.approx(2.0)
    now[0] += 60
    assert not pace.arriving
    assert pace.rate() < 0.5


def test_a_walk_that_was_there_before_does_not_arrive():
    pace = Pace(lambda: 0.0)
    pace.note(24)
    pace.note(24)
    assert not pace.arriving


def test_frames_that_go_are_no_pace():
    pace = Pace(lambda: 0.0)
    for stored in (3, 6, 2):
        pace.note(stored)
    assert not pace.arriving
    assert pace.rate() is None


async def heard(chunks, count, within_s=20.0):
    """The next events of a stream, as (kind, document)."""
    found = []
    while len(found) < count:
        chunk = await asyncio.wait_for(anext(chunks), within_s)
        if chunk.startswith(b"event: "):
            head, _, rest = chunk.decode().partition("\n")
            found.append((head.removeprefix("event: "), json.loads(rest.removeprefix("data: "))))
    return found


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(cards_module, "LOOK_S", 0.05)
    monkeypatch.setattr(live_module, "LOOK_S", 0.05)


@pytest.mark.usefixtures("quick")
def test_a_page_hears_of_frames_as_they_are_stored(studio):
    async def follow():
        chunks = _Server(studio, None)._one(None, "way")
        (kind, before), *_ = await heard(chunks, 1)
        assert kind == "walk"
        assert before["missing"] == list(range(9))
        await asyncio.to_thread(render, studio, "way", 4)
        after = {"stored": 0}
        while after["stored"] < 4:  # it may hear of the first of them before
            ((_, after),) = await heard(chunks, 1)
        assert after["missing"] == [4, 5, 6, 7, 8]
        assert after["rendering"]
        await chunks.aclose()

    asyncio.run(follow())


@pytest.mark.usefixtures("quick")
def test_the_index_hears_of_what_has_changed_alone(studio):
    async def follow():
        chunks = _Server(studio, None)._all(None)
        ((_, first),) = await heard(chunks, 1)
        assert {state["name"] for state in first["walks"]} == {"way", "loop"}
        await asyncio.to_thread(render, studio, "loop", 4)
        stored = 0
        while stored < 4:
            ((_, second),) = await heard(chunks, 1)
            assert {state["name"] for state in second["walks"]} == {"loop"}
            stored = second["walks"][0]["stored"]
        assert second["newest"]["loop"] in set(studio.frames.keys())
        (studio.settings.walks_dir / "way.yaml").unlink()
        third = {}
        while not third.get("gone"):
            ((_, third),) = await heard(chunks, 1)
        assert third["gone"] == ["way"]
        await chunks.aclose()

    asyncio.run(follow())


@pytest.mark.usefixtures("quick")
def test_fifty_listeners_cost_one_look(studio, monkeypatch):
    shelf = Shelf(studio)
    looks = []
    look = shelf._look
    monkeypatch.setattr(shelf, "_look", lambda: (looks.append(1), look())[1])

    async def follow():
        broadcast = Broadcast(shelf)
        streams = [broadcast.looks() for _ in range(50)]
        began = asyncio.get_running_loop().time()
        for stream in streams:
            await anext(stream)
        for _ in range(3):
            for stream in streams:
                await asyncio.wait_for(anext(stream), 20)
        seconds = asyncio.get_running_loop().time() - began
        for stream in streams:
            await stream.aclose()
        assert broadcast._task is None
        return seconds

    seconds = asyncio.run(follow())
    assert 3 <= len(looks) <= seconds / 0.05 + 2


# --- the word that runs leave --------------------------------------------------------------------


def test_a_run_that_was_killed_has_failed(tmp_path):
    lock = tmp_path / "lock"
    lock.write_text("")
    last = LastRun("run", "running", 1.0, lock=str(lock))
    write_last_run(tmp_path, "way", last)
    found = read_last_run(tmp_path, "way")
    assert (found.state, found.problem) == ("failed", KILLED)


def test_a_run_whose_process_lives_is_running(tmp_path):
    import fcntl  # noqa: PLC0415

    lock = tmp_path / "lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        last = LastRun("run", "running", 1.0, lock=str(lock))
        write_last_run(tmp_path, "way", last)
        assert read_last_run(tmp_path, "way") == last


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"run": "r"}', '{"run":"r","state":"x","began":1}']
)
def test_a_damaged_word_is_none(tmp_path, text):
    (tmp_path / "last-runs").mkdir()
    (tmp_path / "last-runs" / "way.json").write_text(text)
    assert read_last_run(tmp_path, "way") is None
