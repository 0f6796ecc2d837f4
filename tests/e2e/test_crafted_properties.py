"""Hypothesis in the place of whoever makes a file to do harm: one sentence, whatever it holds.

As test_crafted_files.py, in this process, so that each example takes milliseconds. Every run
tries the same examples.
"""

import contextlib
import copy
import io
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import fake_studio
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_assets.cli import main
from latent_assets.foreign import harmless
from latent_assets.media import inspect_file, root_digest, write_animation, write_jpeg
from latent_assets.media.animation import FORMATS
from latent_assets.studio import Studio

ANIMATED = ("gif", "webp", "mp4", "apng", "avif", "html")
WALK = f"""\
kind: interpolation
prompts: [a cat, a dog]
frames: 3
output: {{formats: [{", ".join(ANIMATED)}, poster], ping_pong: true}}
"""
MOST_S = 10.0
few = settings(max_examples=25, derandomize=True, database=None)
many = settings(max_examples=100, derandomize=True, database=None)


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Iterator[Path]:
    """A data folder with a rendered walk; every command finds models of numpy alone."""
    folder = tmp_path_factory.mktemp("properties") / "data"
    (folder / "walks").mkdir(parents=True)
    (folder / "walks" / "w.yaml").write_text(WALK)
    studio = fake_studio(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("LATENT_ASSETS_")]:
            patch.delenv(name)
        patch.setenv("LATENT_ASSETS_DATA", str(folder))
        patch.setattr(Studio, "open", lambda _settings: studio)
        assert say("render", "w").code == 0
        yield folder


def say(*arguments: str) -> Said:
    """A command's answer, in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    code: object = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["latent-assets", *arguments])
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as end:
                code = end.code or 0
    assert isinstance(code, int)
    said = []
    for stream in (out, err):
        stream.seek(0)
        said.append(stream.read())
    return Said(code, *said)


def refuse(name: str) -> None:
    raise ValueError(name)


def check(command: str, path: Path) -> None:
    for options in ((), ("--json",)):
        started = time.process_time()
        said = say(command, str(path), *options)
        assert time.process_time() - started < MOST_S
        assert said.code in ((0, 1, 2) if command == "verify" else (0, 2)), said
        assert "Traceback" not in said.out + said.err, said
        assert harmless(said.out) == said.out, said
        assert harmless(said.err) == said.err, said
        if options:
            assert isinstance(json.loads(said.out, parse_constant=refuse), dict), said
        elif said.code == 2:
            assert (said.err or said.out).strip(), said


# --- edits of a file's bytes ----------------------------------------------------------------------

places = st.floats(0, 1)
nasty = st.sampled_from(
    [b"\x1b[2J", b"\\u001b]0;x", b"\\ud800", b"NaN", b"[" * 400, b"[/bold]", b"\0", b"1e999",
     b"\xff" * 4, b"9" * 5000, b"\x7f\xff\xff\xff", "\u202e".encode(), b"&#x110000;", b"'\n---\n"]
)  # fmt: skip
edits = st.one_of(
    st.tuples(st.just("flip"), places, st.integers(0, 7)),
    st.tuples(st.just("put"), places, st.binary(max_size=40) | nasty),
    st.tuples(st.just("over"), places, st.binary(min_size=1, max_size=8) | nasty),
    st.tuples(st.just("drop"), places, st.integers(1, 400)),
    st.tuples(st.just("double"), places, st.integers(1, 400)),
    st.tuples(st.just("cut"), places, st.none()),
)


def edited(content: bytes, changes: list[tuple[str, float, Any]]) -> bytes:
    for kind, where, what in changes:
        at = int(where * len(content))
        head, rest = content[:at], content[at:]
        match kind:
            case "flip":
                content = head + bytes(b ^ 1 << what for b in rest[:1]) + rest[1:]
            case "put":
                content = head + what + rest
            case "over":
                content = head + what + rest[len(what) :]
            case "drop":
                content = head + rest[what:]
            case "double":
                content = head + rest[:what] * 2 + rest[what:]
            case _:
                content = head
    return content


def hold_for_bytes(data: Path, name: str, changes: list[tuple[str, float, Any]]) -> None:
    real = data / "outputs" / "w" / f"w{name}" if name != ".yaml" else data / "walks" / "w.yaml"
    path = data / f"crafted{real.suffix}"
    path.write_bytes(edited(real.read_bytes(), changes))
    for command in ("validate",) if name == ".yaml" else ("inspect", "verify"):
        check(command, path)


FILES = (*(FORMATS[name].suffix for name in ANIMATED), "-poster.jpg", "-smoothness.svg", ".yaml")
changes = st.lists(edits, min_size=1, max_size=6)


@few
@given(name=st.sampled_from(FILES), changes=changes)
def test_whatever_bytes_are_changed_it_is_told_in_words(data, name, changes):
    hold_for_bytes(data, name, changes)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_so_it_is_in_many_ways(data, name):
    many(given(changes=changes)(lambda changes: hold_for_bytes(data, name, changes)))()


# --- records that are whole, and hold anything ----------------------------------------------------

texts = st.text(st.characters(codec=None), max_size=30) | st.sampled_from(
    ["\x1b[31m", "[/bold]", "\ud800", "a\nlatent-assets: done", "\u202e", "x" * 400, "../../x", "~"]
)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.just(10**400)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
steps = st.lists(places, min_size=1, max_size=5)


def replaced(record: dict[str, Any], where: list[float], value: Any) -> dict[str, Any]:
    """The record with another value somewhere in it, its root as the digests say."""
    record = copy.deepcopy(record)
    here: Any = record
    for number, step in enumerate(where):
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        if not keys:
            break
        key = keys[int(step * (len(keys) - 1))]
        inner = here[key]
        if number == len(where) - 1 or not isinstance(inner, dict | list):
            here[key] = value
            break
        here = inner
    digests = record.get("frame_digests")
    if isinstance(digests, list) and all(isinstance(each, str) for each in digests):
        with contextlib.suppress(UnicodeEncodeError):
            record["root"] = root_digest(digests)
    return record


def hold_for_a_record(data: Path, kind: str, hostile: list[tuple[list[float], Any]]) -> None:
    record = inspect_file(data / "outputs" / "w" / "w.gif").as_dict()
    for where, value in hostile:
        record = replaced(record, where, value)
    pictures = np.random.default_rng(0).integers(0, 255, (3, 16, 16, 3), np.uint8)
    path = data / f"forged{FORMATS[kind].suffix}"
    if kind == "poster":
        write_jpeg(pictures[0], path, provenance=record)
    else:
        frames = [pictures[place] for place in (0, 1, 2, 1)]
        write_animation(lambda: frames, path, format=kind, fps=10, provenance=record)
    check("inspect", path)
    check("verify", path)


records = st.lists(st.tuples(steps, values), min_size=1, max_size=3)


@few
@given(kind=st.sampled_from((*ANIMATED, "poster")), hostile=records)
def test_whatever_a_record_holds_it_is_told_in_words(data, kind, hostile):
    hold_for_a_record(data, kind, hostile)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*ANIMATED, "poster"])
def test_so_it_is_of_many_records(data, kind):
    many(given(hostile=records)(lambda hostile: hold_for_a_record(data, kind, hostile)))()
