"""What comes from outside is data: it is read within bounds, and shown without effect."""

import io
import json
import math
import os
import time
from pathlib import Path

import pytest
from floods import FLOODS, RECORD, SCRIPT, flood
from hypothesis import given
from hypothesis import strategies as st

from latent_assets.errors import FinishedFileError, InvalidWalkError, LatentAssetsError, UsageError
from latent_assets.foreign import (
    MAX_DEPTH,
    NotRegularError,
    harmless,
    open_regular,
    printable,
    read_json,
    to_json,
)
from latent_assets.media import containers, inspect_file
from latent_assets.walks.loading import load_walk
from latent_assets.walks.yaml_text import WalkLoader, dump

ANY_TEXT = st.text(st.characters())  # lone surrogates too


@given(ANY_TEXT)
def test_nothing_printable_moves_the_cursor_or_turns_the_line(text):
    shown = printable(text)
    shown.encode()
    assert all(each.isprintable() or each.isspace() for each in shown)
    assert not set("\n\r\t\x1b\x7f\x9b\u202e\u2028") & set(shown)
    assert harmless(text).count("\n") == text.count("\n")


def test_what_can_be_read_stays_as_it_is():
    for text in ("a cat", "日本語\u3000の猫", "smørrebrød", "\N{DOG FACE}"):
        assert printable(text) == text
    assert printable("a\x1b[31mb\nc") == r"a\x1b[31mb\nc"


def test_an_error_has_the_lines_that_it_was_given_and_no_more():
    error = LatentAssetsError("there is no walk a\nlatent-assets: done", "Look\x1b.")
    assert str(error) == "there is no walk a\\nlatent-assets: done\n  Look\\x1b."


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@given(json_values)
def test_json_comes_back_from_what_a_terminal_can_show(document):
    text = to_json(document, indent=2)
    assert harmless(text) == text
    assert json.loads(text) == document
    assert read_json(text) == document


@pytest.mark.parametrize(
    "text",
    ["NaN", "[Infinity]", "-Infinity", "1e999", '"\\ud800"', '{"\\udfff": 1}', "", "{",
     "[" * 100_000, "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), "9" * 5000, '{"a":' * 330],
)  # fmt: skip
def test_what_is_no_strict_json_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        read_json(text)


def test_no_number_that_is_none_is_written():
    with pytest.raises(ValueError, match="JSON"):
        to_json({"cv": math.nan})


@pytest.fixture(params=["pipe", "device", "folder", "link to a device"])
def no_file(request, tmp_path):
    path = tmp_path / "w.yaml"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "folder":
        path.mkdir()
    elif request.param == "link to a device":
        path.symlink_to("/dev/zero")
    else:
        return Path("/dev/zero")
    return path


def test_a_pipe_or_a_device_is_no_file(no_file):
    """Opening a pipe waits for a writer, /dev/zero never ends."""
    with pytest.raises(NotRegularError):
        open_regular(no_file)
    with pytest.raises(UsageError, match="no regular file"):
        load_walk(no_file)
    with pytest.raises(FinishedFileError, match="no regular file"):
        inspect_file(no_file)


def test_no_more_of_a_walk_file_is_read_than_it_may_have(tmp_path):
    path = tmp_path / "w.yaml"
    with path.open("wb") as file:
        file.truncate(2**40)  # takes no room
    with pytest.raises(InvalidWalkError, match="256 KiB"):
        load_walk(path)


@given(st.dictionaries(st.sampled_from(["prompt", "description"]), st.text()))
def test_a_walk_file_from_a_record_shows_what_it_holds(walk):
    text = dump(walk)
    assert harmless(text) == text
    import yaml  # noqa: PLC0415

    assert (yaml.load(text, WalkLoader) or {}) == walk


# --- records --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_beginnings_is_read_once(tmp_path, name):
    """Each beginning looked for its end: 200 kB took 15 s, 5 MB never ended."""
    path = tmp_path / "flood"
    path.write_bytes(flood(FLOODS[name], 1_000_000))
    started = time.process_time()
    with pytest.raises(FinishedFileError):
        inspect_file(path)
    assert time.process_time() - started < 20


def test_what_stands_between_is_read_once_however_small_the_pieces(monkeypatch):
    """Each piece was put behind a copy of all before it: 4 MB took more than 10 s in 64 bytes."""
    monkeypatch.setattr(containers, "_CHUNK", 64)
    content = b"x" * 100 + b"<a>" + b"y<" * 2_000_000
    started = time.process_time()
    assert containers.between(io.BytesIO(content), b"<a>", b"</a>", 8 * 2**20) is None
    found = containers.between(io.BytesIO(content + b"</a><a>"), b"<a>", b"</a>", 8 * 2**20)
    assert found == content[103:]
    assert time.process_time() - started < 8


@given(st.binary(max_size=40), st.binary(max_size=40), st.integers(1, 30))
def test_what_stands_between_is_found_wherever_the_pieces_end(before, inside, piece):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(containers, "_CHUNK", piece)
        file = io.BytesIO(before + b"<ab>" + inside + b"</ab>" + before)
        assert (
            containers.between(file, b"<ab>", b"</ab>", 99)
            == (file.getvalue().split(b"<ab>", 1)[1].split(b"</ab>", 1)[0])
        )


def test_a_record_has_a_longest_length(tmp_path):
    path = tmp_path / "long.html"
    path.write_bytes(b"<!doctype html>" + SCRIPT + b" " * 9_000_000 + RECORD + b"</script>")
    with pytest.raises(FinishedFileError, match="more than"):
        inspect_file(path)


@pytest.mark.parametrize("pad", [0, 2**20 - 60, 2**20 - 30, 2**20, 3 * 2**20 - len(RECORD)])
def test_a_record_is_found_wherever_the_pieces_of_the_file_end(tmp_path, pad):
    path = tmp_path / "page.html"
    head = b"<!doctype html>" + b"x" * pad
    path.write_bytes(head + SCRIPT + RECORD + b"</script>" + SCRIPT + b"another")
    assert inspect_file(path).walk == {"name": "w"}
