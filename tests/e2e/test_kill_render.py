"""A whole render that is killed at any moment: nothing is lost, nothing is done twice.

`tests/unit/test_store_kill.py` kills single writers; here it is the command, with all of Dagster.
"""

import json
import logging
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from commands import Command
from fakes import fake_studio
from PIL import Image

logger = logging.getLogger(__name__)

KILLS = 30
KILLS_A_FOLDER = 3
FRAMES = 12
SHOWN = 2 * FRAMES - 2  # there and back
WALK = f"""\
kind: interpolation
prompts: [a, b]
frames: {FRAMES}
chunk_size: 2
batch_size: 1
output: {{formats: [gif, webp, apng, html], ping_pong: true}}
"""
SAYS_WHEN = {"details.js", "page.json"}
"""Of a walk's page: they tell when its frames were rendered, in another render another time."""
POLL_S = 0.002
SEED = 20


@dataclass
class Kill:
    """What a render that was killed left behind."""

    after_s: float
    """Of processor time."""
    frames: int
    films: int


def start(data: Path) -> Command:
    return Command(data, "render", "w", "--json")


def fresh(folder: Path) -> Path:
    (folder / "walks").mkdir(parents=True)
    (folder / "walks" / "w.yaml").write_text(WALK)
    return folder


def outputs(data: Path) -> dict[str, bytes]:
    """The finished files, by path; those without a final name are no business of anybody."""
    folder = data / "outputs"
    files = (path for path in folder.rglob("*") if path.is_file())
    kept = (path for path in files if not path.name.startswith(".tmp-"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


def same_again(made: dict[str, bytes]) -> dict[str, bytes]:
    return {path: data for path, data in made.items() if Path(path).name not in SAYS_WHEN}


def assert_page_whole(made: dict[str, bytes], right: dict[str, bytes]) -> None:
    """The page's manifest is written last: where it is, all that it lists is, and is as it says."""
    page = {path for path in right if path.startswith("w/page/")}
    manifest = "w/page/page.json"
    if manifest in made:
        assert page <= made.keys()
        shown = json.loads(made[manifest])["frames"]
        assert shown == json.loads(right[manifest])["frames"]
        assert 'gallery.take("details","w",{' in made["w/page/details.js"].decode()


def frames_shown(data: Path) -> Iterator[int]:
    for path in (data / "outputs").rglob("w.*"):
        if path.name.startswith(".tmp-"):
            continue
        if path.suffix == ".html":
            yield path.read_text().count('class="frame"') * SHOWN // FRAMES
            continue
        with Image.open(path) as film:
            film.seek(film.n_frames - 1)
            film.load()
            yield film.n_frames


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_render_killed_at_thirty_moments_loses_nothing_and_repeats_nothing(tmp_path):
    chance = random.Random(SEED)
    undisturbed = fresh(tmp_path / "undisturbed")
    assert start(undisturbed).answer().code == 0  # the first start of all is a slow one
    expected = fresh(tmp_path / "expected")
    command = start(expected)
    usual_s = run_until(command, math.inf)
    assert command.answer().code == 0
    kills: list[Kill] = []
    number = 0
    while len(kills) < KILLS:
        data = fresh(tmp_path / f"data-{number}")
        story = f"seed {SEED}, folder {number}"
        number += 1
        for _ in range(KILLS_A_FOLDER):
            after_s = chance.uniform(0, usual_s)
            story += f", killed after {after_s:.3f} s"
            command = start(data)
            run_until(command, after_s)
            if not command.kill():
                story += " (it was over)"
                break
            kills.append(look(data, after_s, expected, story))
        finish(data, expected, story)
    logger.info("\n".join(map(str, kills)))
    # The test shows something only if the kills fell into all parts of the render.
    assert any(kill.frames == 0 for kill in kills)
    assert any(0 < kill.frames < FRAMES for kill in kills)
    assert any(kill.frames == FRAMES and kill.films < len(outputs(expected)) for kill in kills)


def run_until(command: Command, after_s: float) -> float:
    """Let it run until it has used so much processor time, or is over. Returns the time used."""
    used = 0.0
    for used in command.living(POLL_S):
        if used >= after_s:
            break
    return used


def look(data: Path, after_s: float, expected: Path, story: str) -> Kill:
    """Raises AssertionError unless all that stands there is whole."""
    store = fake_studio(data).frames
    keys = set(store.keys())
    assert store.check(keys) == {}, story
    assert set(frames_shown(data)) <= {SHOWN}, story
    made, right = outputs(data), outputs(expected)
    assert same_again(made).items() <= right.items(), story
    assert_page_whole(made, right)
    return Kill(round(after_s, 3), len(keys), len(made))


def finish(data: Path, expected: Path, story: str) -> None:
    """Let a render end: it renders what is missing, no less and no more."""
    store = fake_studio(data).frames
    missing = FRAMES - len(list(store.keys()))
    answer = start(data).answer()  # it does not wait for the places of those who are dead
    assert answer.code == 0, f"{story}\n{answer.err}"
    assert answer.json["rendered"] == missing, story
    assert set(store.keys()) == set(fake_studio(expected).frames.keys()), story
    assert store.check(store.keys()) == {}, story
    made, right = outputs(data), outputs(expected)
    assert made.keys() == right.keys(), story
    assert same_again(made) == same_again(right), story
    assert_page_whole(made, right)
