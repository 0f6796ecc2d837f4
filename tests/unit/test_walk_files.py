"""Whatever a walk file holds: a walk, or words about what is wrong with it, and soon."""

import json
import random
import time
import tracemalloc
from pathlib import Path

import jsonschema
import pytest
import yaml
from fakes import fake_studio

from latent_assets.errors import InvalidWalkError, UsageError
from latent_assets.shipped import PROJECT_ROOT
from latent_assets.walks.library import WalkLibrary
from latent_assets.walks.loading import check_name, load_walk, parse_walk, walk_files
from latent_assets.walks.problems import MAX_PROBLEMS
from latent_assets.walks.recipes import recipes_of
from latent_assets.walks.schema import KINDS, WALK_ADAPTER, json_schema
from latent_assets.walks.templates import TEMPLATES, walk_template
from latent_assets.walks.yaml_text import WalkLoader, dump

WALKS = PROJECT_ROOT / "data" / "walks"
SHIPPED = walk_files(WALKS)
BASE = "kind: interpolation\nprompts: [a dog, a cat]\nframes: 5\n"

# --- the corpus ---------------------------------------------------------------------------------

VALUES = {
    "null": "~",
    "true": "true",
    "word": "word",
    "empty": "''",
    "minus": "-1",
    "zero": "0",
    "huge": "9" * 30,
    "digits": "9" * 100_000,
    "hex": "0x" + "f" * 100_000,
    "binary number": "0b" + "1" * 100_000,
    "octal": "0" + "7" * 100_000,
    "sexagesimal": "1" + ":59" * 60_000,
    "nan": ".nan",
    "infinity": "-.inf",
    "exponent": "1e999",
    "tiny": "1e-99999999999",
    "tiny text": "'1e-99999999999'",
    "ratio": "1/0",
    "date": "2020-13-45",
    "list": "[1, [2, [3]]]",
    "map": "{a: {b: c}}",
    "long text": "'" + "x " * 50_000 + "'",
    "controls": '"\\e[31m\\0\\x07\\u202e\\u2028"',
}
FIELDS = (
    "kind",
    "prompts",
    "frames",
    "seed",
    "size",
    "guidance_scale",
    "num_steps",
    "model",
    "noise",
    "output",
    "schedule",
    "keyframes",
    "description",
    "closed",
    "unheard_of",
)
PLACES = {
    "at": "kind: interpolation\nframes: 5\n"
    "keyframes: [{prompt: a}, {prompt: b, at: %s}, {prompt: c}]",
    "keyframe": "kind: interpolation\nframes: 5\nkeyframes: [{prompt: a}, %s]",
    "prompt": "kind: noise_loop\nframes: 5\nprompt: %s",
    "scale": "kind: guidance_sweep\nprompt: a\nguidance_scales: [1, %s]",
    "grid_size": "kind: grid\nprompts: [a, b, c, d]\ngrid_size: %s",
    "step_size": "kind: prompt_walk\nprompt: a\nframes: 3\nstep_size: %s",
    "formats": BASE + "output: {formats: [%s]}",
    "fps": BASE + "output: {fps: %s}",
    "cron": BASE + "schedule: {cron: %s}",
    "timezone": BASE + "schedule: {cron: 0 2 * * *, timezone: %s}",
}
LONG_NAME = "n" * 5000
TRAPS = {
    "empty": "",
    "spaces": " \n\n  \n",
    "comment": "# nothing\n" + "#" * 200_000,
    "lines": BASE + "\n" * 200_000,
    "scalar": "a walk",
    "list": "- kind: grid",
    "null": "null",
    "two documents": BASE + "---\n" + BASE,
    "no kind": "frames: 5",
    "tabs": "kind:\tgrid\n\tframes: 5",
    "unclosed": BASE + "seed: [1, 2",
    "unclosed quote": BASE + 'seed: "1',
    "colons": "a: b: c: d",
    "duplicate": BASE + "frames: 6",
    "merge key": BASE + "<<: {seed: 1}",
    "merge list": BASE + "<<: [{seed: 1}, {seed: 2}]",
    "equals key": BASE + "=: 1",
    "number key": BASE + "1: 2",
    "null key": BASE + "~: 2",
    "list key": BASE + "[a, b]: 2",
    "map key": BASE + "{a: b}: 2",
    "nested number key": BASE + "output: {1: 2}",
    "long key": BASE + "? " + "k" * 100_000 + "\n: 1",
    "control key": BASE + '"\\e[2J": 1',
    "surrogate key": BASE + '"\\ud800": 1',
    "surrogate": BASE + 'description: "\\ud800"',
    "no character": BASE + 'description: "\\U00110000"',
    "escapes": 'kind: noise_loop\nframes: 5\nprompt: "' + "\\x07" * 40_000 + '"',
    "path key": BASE + "../../etc/passwd: 1",
    "alias": BASE + "seed: &a 1\nnum_steps: *a",
    "alias to nothing": BASE + "seed: *a",
    "recursive": "&a {kind: *a}",
    "anchors": BASE + "".join(f"k{i}: &a{i} 1\n" for i in range(9000)),
    "laughs": "a0: &a0 [x, x]\n"
    + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40)),
    "merge bomb": "a0: &a0 {x: 1}\n"
    + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}]}}\n" for i in range(1, 40)),
    "deep lists": BASE + "seed: " + "[" * 50_000,
    "deep lists closed": BASE + "seed: " + "[" * 5_000 + "]" * 5_000,
    "deep maps": BASE + "seed: " + "{a: " * 50_000,
    "deep blocks": "".join(" " * i + "a:\n" for i in range(500)),
    "dashes": "- " * 100_000,
    "questions": "? " * 50_000,
    "many numbers": "kind: guidance_sweep\nprompt: a\nguidance_scales: [" + "1," * 100_000 + "]",
    "many prompts": "kind: interpolation\nframes: 5\nprompts: [" + "a," * 100_000 + "]",
    "many keys": BASE + "".join(f"k{i}: 1\n" for i in range(20_000)),
    "many wrong": "kind: guidance_sweep\nprompt: a\nguidance_scales: [" + "a," * 900 + "]",
    "python object": "!!python/object/apply:os.system ['true']",
    "python name": BASE + "seed: !!python/name:os.system",
    "python tuple": BASE + "size: !!python/tuple [64, 64]",
    "own tag": BASE + "seed: !walk 3",
    "long tag": BASE + "seed: !" + "x" * 100_000 + " 3",
    "tag handle": "%TAG ! tag:x,2000:\n---\n" + BASE,
    "yaml version": "%YAML 9.9\n---\n" + BASE,
    "set": BASE + "prompts: !!set {a, b}",
    "set document": "!!set {kind, frames}",
    "omap": BASE + "output: !!omap [fps: 1]",
    "wrong bool": BASE + "closed: !!bool perhaps",
    "wrong timestamp": BASE + "seed: !!timestamp never",
    "empty int": BASE + "seed: !!int ''",
    "empty float": BASE + "guidance_scale: !!float ''",
    "base64": BASE + "seed: !!binary \u00e9\u00e9",
    "text of a map": "!!str {kind: grid}",
    "timestamp": BASE + "seed: 2020-01-01T25:61:61+99:99",
    "null byte": BASE + "\0",
    "escape": BASE + "\x1b[31m",
    "bell": BASE + "description: \x07",
    "next line": BASE + "description: a\u0085b\u2028c",
    "bom inside": BASE + "\ufeffseed: 1",
    "not a character": BASE + "description: \ufffe\uffff",
    "timezone path": BASE + "schedule: {cron: 0 2 * * *, timezone: ../../../etc/passwd}",
    "timezone absolute": BASE + "schedule: {cron: 0 2 * * *, timezone: /etc/passwd}",
    "timezone null": BASE + 'schedule: {cron: 0 2 * * *, timezone: "a\\0b"}',
    "timezone folder": BASE + "schedule: {cron: 0 2 * * *, timezone: Europe}",
    "cron of nonsense": BASE + "schedule: {cron: 99 99 99 99 99}",
    "cron in Arabic": BASE + "schedule: {cron: \u0663 2 * * *}",
    "model path": BASE + "model: ../../../etc/passwd",
    "format path": BASE + "output: {formats: [../gif]}",
    "no files": BASE + "output: {formats: []}",
    "same file twice": BASE + "output: {formats: [gif, gif]}",
    "true side": BASE + "size: [true, 64]",
    "three sides": BASE + "size: [64, 64, 64]",
    "fraction over nothing": PLACES["at"] % "1/0",
    "backwards": PLACES["at"] % "1",
    "emoji": "kind: noise_loop\nframes: 5\nprompt: \U0001f468\u200d\U0001f469\u200d\U0001f467 " * 3,
    "zalgo": "kind: noise_loop\nframes: 5\nprompt: a" + "\u0301" * 1500,
    "expanding": "kind: noise_loop\nframes: 5\nprompt: " + "\ufdfa" * 2000,
}  # fmt: skip
BYTES = {
    "latin-1": BASE.encode() + b"description: caf\xe9",
    "utf-16": BASE.encode("utf-16"),
    "utf-32": BASE.encode("utf-32"),
    "bom": b"\xef\xbb\xbf" + BASE.encode(),
    "windows lines": BASE.replace("\n", "\r\n").encode(),
    "old mac lines": BASE.replace("\n", "\r").encode(),
    "gzip": b"\x1f\x8b\x08\x00" + bytes(range(256)) * 20,
    "zeros": bytes(10_000),
    "overlong": b"kind: \xc0\xaf",
    "surrogates": BASE.encode() + b"description: \xed\xa0\x80",
    "too large": BASE.encode() + b"#" * 300_000,
}


def corpus():
    """(name, bytes): every value in every place, every trap, and random damage to real files."""
    for field in FIELDS:
        for name, value in VALUES.items():
            yield f"{field} is {name}", f"{BASE}{field}: {value}\n".encode()
    for place, text in PLACES.items():
        for name, value in VALUES.items():
            yield f"{place} is {name}", (text % value).encode()
    for name, text in TRAPS.items():
        yield name, text.encode()
    yield from BYTES.items()
    chance = random.Random(20)
    pieces = ["&a ", "*a", "!", ": ", "- ", "\t", "\n", "{", "]", "'", '"', "|", "%", "\x00", "é"]
    texts = [path.read_text() for path in SHIPPED]
    for number in range(150):
        text = chance.choice(texts)
        for _ in range(chance.randint(1, 6)):
            start = chance.randrange(len(text))
            end = start + chance.choice([0, 0, 1, 5, 40])
            text = text[:start] + chance.choice(["", *pieces]) + text[end:]
        yield f"damaged {number}", text.encode()


CORPUS = list(corpus())


def complaint(error):
    """The lines that a person would see, whichever of the two errors it is."""
    if isinstance(error, InvalidWalkError):
        assert error.problems
        for problem in error.problems:
            assert problem.file
            assert problem.field
            assert problem.message
            assert len(str(problem)) < 600
            json.dumps(problem.as_dict()).encode()
        return [str(problem) for problem in error.problems]
    return str(error).splitlines()


def test_the_corpus_is_as_large_as_promised():
    assert len(CORPUS) >= 200
    assert len({content for _, content in CORPUS}) > 600


def test_every_file_of_the_corpus_gives_a_walk_or_clear_words_in_no_time(tmp_path):
    """In one test: a case for each would take longer to report than to run."""
    path = tmp_path / "walk.yaml"
    walks = 0
    for name, content in CORPUS:
        path.write_bytes(content)
        started = time.process_time()
        try:
            walk = load_walk(path)
        except (InvalidWalkError, UsageError) as error:
            lines = complaint(error)
            assert lines, name
            for line in lines:
                assert line.isprintable(), (name, line)
                line.encode()
        except Exception as error:  # noqa: BLE001 - the finding is which file did it
            pytest.fail(f"{name}: {error!r}")
        else:
            walks += 1
            assert walk.kind in KINDS, name
        assert time.process_time() - started < 1, f"{name} takes too long"
    assert walks > 30  # the corpus does not only test that everything is refused


@pytest.mark.parametrize("name", ["laughs", "many numbers", "deep maps", "many keys"])
def test_no_file_fills_the_memory(name, tmp_path):
    path = tmp_path / "walk.yaml"
    path.write_text(TRAPS[name])
    tracemalloc.start()
    try:
        with pytest.raises(InvalidWalkError):
            load_walk(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 * 2**20


def test_a_tag_runs_no_code(tmp_path):
    mark = tmp_path / "ran"
    with pytest.raises(InvalidWalkError, match="tags"):
        parse_walk(f"!!python/object/apply:pathlib.Path.touch [{mark}]", "f.yaml")
    assert not mark.exists()


# --- the words ----------------------------------------------------------------------------------


def problems_of(text):
    with pytest.raises(InvalidWalkError) as told:
        parse_walk(text, "f.yaml")
    return told.value.problems


def test_everything_that_is_wrong_comes_at_once_each_with_its_line():
    text = """\
kind: interpolation
prompts:
  - a dog
  - ''
  - 5
frames: 1
seed: -3
framse: 9
output:
  fps: 0
  fps: 1
  formats: [gif, jpeg]
1: 2
size: 32
guidance_scale: .nan
"""
    found = [(p.line, p.field) for p in problems_of(text)]
    assert found == [
        (4, "prompts[1]"),
        (5, "prompts[2]"),
        (6, "frames"),
        (7, "seed"),
        (8, "framse"),
        (10, "output.fps"),
        (11, "output.fps"),
        (12, "output.formats[1]"),
        (13, "file"),
        (14, "size"),
        (15, "guidance_scale"),
    ]
    messages = {p.field: p.message for p in problems_of(text)}
    assert "did you mean `frames`?" in messages["framse"]
    assert "at least 2" in messages["frames"]


@pytest.mark.parametrize(
    ("text", "field", "line", "message"),
    [
        ("kind: spiral\n", "kind", 1, "must be one of: interpolation, grid"),
        ("frames: 5\n", "kind", None, "must be one of"),
        (BASE + "seed: 1.5\n", "seed", 4, "whole number"),
        (BASE + "seed: '1'\n", "seed", 4, "whole number"),
        (BASE + "seed: 010\n", "seed", 4, "whole number"),
        (BASE + "closed: 1\n", "closed", 4, "true or false"),
        (BASE + "grid_size: 3\n", "grid_size", 4, "not a field of the kind interpolation"),
        (BASE + "keyframes: [{prompt: a}, {prompt: b}]\n", "walk", None, "one of the two"),
        (BASE + "seed: *a\n", "file", 4, "aliases"),
        (BASE + "seed: 1\nseed: 2\n", "seed", 5, "written twice"),
        ("kind: grid\nprompts: [a, b, c]\ngrid_size: 3\n", "prompts", 2, "at least 4 items"),
        ("kind: noise_loop\nframes: 5\n", "prompt", None, "required for the kind noise_loop"),
        (PLACES["at"] % "1/0", "keyframes[1].at", 3, "fraction such as 1/3"),
        (PLACES["at"] % "0", "keyframes[1].at", 3, "no other can have `at` 0"),
        (BASE + "schedule: {cron: 61 2 * * *}\n", "schedule.cron", 4, "'61' for the minute"),
        (BASE + "schedule: {cron: 0 25 * * *}\n", "schedule.cron", 4, "hour: write a number"),
        (BASE + "schedule: {cron: 0 2 * * MOM}\n", "schedule.cron", 4, "day of the week"),
        (BASE + "schedule: {cron: '@often'}\n", "schedule.cron", 4, "@daily"),
        (BASE + "schedule: {cron: 0 2 *}\n", "schedule.cron", 4, '"0 2 * * *" for every night'),
        (BASE + "schedule: {cron: 0 2 * * *, timezone: Mars}\n", "schedule.timezone", 4, "zone"),
        (BASE + 'description: "\\e"\nsize: 65.5\n', "size", 5, "whole number of pixels"),
        (BASE + "schedule: '@daily'\n", "schedule", 4, ', as {cron: "@daily"}'),
        (BASE + "schedule: 0 3 * * MON\n", "schedule", 4, ', as {cron: "0 3 * * MON"}'),
        (BASE + "schedule: often\n", "schedule", 4, ', as {cron: "@daily"}'),
        (BASE + "output: gif\n", "output", 4, ", as {formats: [gif, mp4], fps: 12}"),
        (BASE + "output: {format: gif}\n", "output.format", 4, "did you mean `formats`?"),
        (BASE + "output: {x: 1}\n", "output.x", 4, "known are: captions, formats"),
        (BASE + "checks: block\n", "checks", 4, ", as {on_failure: block}"),
        (BASE + "output: {upscale: {}}\n", "output.upscale.factor", 4, "is required"),
        (
            "kind: interpolation\nprompts: [{text: a dog}, a cat]\nframes: 5\n",
            "prompts[0]", 2, "under `keyframes` in place of `prompts`: - {prompt: a cat, at: 30}",
        ),
        ("kind: noise_loop\nframes: 5\nprompt: {text: a}\n", "prompt", 3, "the text alone"),
        (
            "kind: interpolation\nkeyframes: [a dog, {prompt: a cat}]\nframes: 5\n",
            "keyframes[0]", 2, "a list of texts alone is called `prompts`",
        ),
        (
            PLACES["at"] % "0.5, frame: 30", "keyframes[1].frame", 3, "did you mean `at`?",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_its_field_and_line_with_its_cure(text, field, line, message):
    problems = problems_of(text)
    assert [(p.field, p.line) for p in problems] == [(field, line)]
    assert message in problems[0].message
    assert problems[0].file == "f.yaml"


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("a comic panel #3 of a cat", "is cut off: ` #` begins a comment; put the prompt in"),
        ("[masterpiece] a cat", "[ begins a list"),
        ("[masterpiece]", "must be text; put it in quotes"),
        ("{red} cat", "{ begins a group"),
        ("*star* a cat", "* begins an alias"),
        ("*star", "begins with * in quotes"),
        ("@artist, a cat", "YAML keeps @"),
        ("`cat`", "YAML keeps `"),
        ("& a cat", "& begins an anchor"),
        ("&cat and dog", "begins with & in quotes"),
        ("!wow a cat", "begins with ! in quotes"),
        ("%cat", "% begins a directive"),
        ("> a cat", "> begins a block"),
        ("| a cat", "| begins a block"),
        (", a cat", "a comma parts"),
        ("] a cat", "] ends a list"),
        ('"a cat" in a hat', "so it has to end at the next one"),
        ("'tis a cat", "so it has to end at the next one"),
        ("a cat: in a hat", "must be text; put it in quotes"),
        ("a cat: 3", "a colon and a blank make a group of fields of it"),
        ("1984", "must be text; put it in quotes"),
        ("", "is empty; write the text behind it, in quotes"),
        ("null", "is empty; write the text behind it, in quotes"),
    ],
)
def test_a_prompt_that_yaml_reads_otherwise_is_told_with_its_line_and_the_quotes(prompt, message):
    (problem,) = problems_of(f"kind: interpolation\nframes: 5\nprompts:\n- {prompt}\n- a dog\n")
    assert problem.line == 4
    assert message in problem.message
    assert "in quotes" in problem.message


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("prompts: [a cat #3, a dog]\n", 3, "` #` begins a comment, and hides the rest"),
        ("prompts: [a cat, #3 dog]\n", 3, "` #` begins a comment, and hides the rest"),
        ("prompts: [a cat, @dog]\n", 3, "YAML keeps @ for itself"),
        ("prompts:\n\t- a cat\n\t- a dog\n", 4, "indent with spaces"),
        ("prompts:\n", 3, "is empty; write a list"),
        ("prompts: [a", 3, "is not YAML"),
        ("prompts: [a, b]\n---\nkind: grid\n", 4, "a file of its own"),
        ("prompts: [a, b]\nnegative_prompt: @x\n", 4, "put the prompt in quotes: YAML keeps @"),
        ("prompts: [a, b]\nnegative_prompt: ugly #2\n", 4, "is cut off"),
        ("prompts: [a, b]\nseed: @x\n", 4, "in quotes: YAML keeps @"),
        ("prompts: [a, b]\r\rdescription: \u00e4\u65e5 #2\n", 5, "is cut off"),
        ("keyframes:\n- prompt: a #cat\n- prompt: b\n", 4, "is cut off"),
    ],
)
def test_a_slip_of_yaml_is_told_in_words_with_its_line(text, line, message):
    (problem,) = problems_of("kind: interpolation\nframes: 5\n" + text)
    assert problem.line == line
    assert message in problem.message


def test_a_comment_behind_a_prompt_is_none_of_it():
    walk = parse_walk(
        "kind: interpolation # a walk\nframes: 5 #5\nprompts:\n- a cat # the first\n- 'a #dog'\n",
        "f",
    )
    assert walk.prompts == ["a cat", "a #dog"]


@pytest.mark.parametrize(
    ("trap", "message"),
    [("many keys", "too many values"), ("control key", "plain words"), ("own tag", "tags")],
)
def test_a_trap_is_called_by_its_name(trap, message):
    assert message in problems_of(TRAPS[trap])[0].message


@pytest.mark.parametrize("name", ["bom", "windows lines", "old mac lines"])
def test_files_of_other_systems_are_walks_too(tmp_path, name):
    path = tmp_path / "walk.yaml"
    path.write_bytes(BYTES[name])
    assert load_walk(path).frames == 5


def test_a_flood_of_mistakes_is_cut_and_the_rest_counted():
    problems = problems_of(TRAPS["many wrong"])
    assert len(problems) == MAX_PROBLEMS + 1
    assert sum("and 700 problems more" in problem.message for problem in problems) == 1
    assert len(problems_of(BASE + "1: 2\n" * 5000)) == MAX_PROBLEMS


def test_values_are_shown_without_control_characters_and_short():
    (problem,) = problems_of(BASE + 'model: "\\e[31m' + "x" * 300 + '"')
    assert problem.value.isprintable()
    assert len(problem.value) <= 60


@pytest.mark.parametrize(
    "cron",
    ["0 2 * * *", "*/5 0-6 1,15 * 1-5", "59 23 31 12 7", "0 */2 * * 0", "0 2 * * MON-FRI",
     "0 2 * JAN,jul sun", "@daily", "@weekly", "0 2 L * *", "0 2 * * FRI-MON", "0 0 29 2 *"],
)  # fmt: skip
def test_sensible_crons_are_taken(cron):
    assert parse_walk(f"{BASE}schedule: {{cron: '{cron}'}}", "f").schedule.cron == cron


@pytest.mark.parametrize(
    "cron",
    ["60 2 * * *", "0 24 * * *", "0 2 0 * *", "0 2 * 13 *", "0 2 * * 8", "0 2 1W * *",
     "0 2 * * * *", "0/0 2 * * *", "a 2 * * *", "1, 2 * * *", "0 2 * * 1-", "R 2 * * *",
     "0 2 31 2 *", "0 2 30 2 *", "0 2 31 4,6 *", "@reboot", "@daily 2", "@every 5m", "? 2 * * *"],
)  # fmt: skip
def test_a_cron_that_dagster_would_refuse_is_refused_in_its_own_file(cron):
    """Found only by Dagster it would keep the definitions, and so every walk, from loading."""
    with pytest.raises(InvalidWalkError, match=r"schedule\.cron"):
        parse_walk(f"{BASE}schedule: {{cron: '{cron}'}}", "f")


# --- numbers and text as written ----------------------------------------------------------------


def test_a_seed_of_64_bits_is_taken_to_the_last_one(tmp_path):
    """Other programs write such; as a float the last ten bits would be lost."""
    largest = 2**64 - 1
    walk = parse_walk(f"{BASE}seed: {largest}", "f")
    assert walk.seed == largest
    assert parse_walk(dump(walk.model_dump(mode="json", exclude={"name"})), "f").seed == largest
    studio = fake_studio(tmp_path)
    keys = {
        studio.specify("w", parse_walk(f"{BASE}seed: {seed}", "f")).recipes()[0].key
        for seed in (largest, largest - 1)
    }
    assert len(keys) == 2
    with pytest.raises(InvalidWalkError, match="seed"):
        parse_walk(f"{BASE}seed: {largest + 1}", "f")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("5", 5), ("-3", -3), ("0", 0), ("1.5", 1.5), ("1e-3", 0.001), ("5.", 5.0), (".5", 0.5),
     ("1e3", 1000.0), ("010", "010"), ("0x10", "0x10"), ("1:30", "1:30"), ("1_000", "1_000"),
     ("2020-01-01", "2020-01-01"), ("true", True), ("~", None), ("1/3", "1/3")],
)  # fmt: skip
def test_numbers_are_those_of_json_and_all_else_is_text(written, meant):
    """YAML 1.1 reads 010 as eight, 1:30 as ninety, and 1e-3 as a text."""
    value = yaml.load(written, Loader=WalkLoader)
    assert (value, type(value)) == (meant, type(meant))


@pytest.mark.parametrize(
    "prompt", ["1e5", "010", "yes", "null", "0x10", "1:30", "2020-01-01", "# a", "- b", "a: b",
               " é", "=", "<<", "12", ".5", "*a", "!b", "a\nb", "'", '"']
)  # fmt: skip
def test_a_walk_that_is_written_out_reads_back_as_itself(prompt):
    document = {"kind": "noise_loop", "prompt": prompt, "frames": 5, "guidance_scale": 1e-5}
    assert yaml.load(dump(document), Loader=WalkLoader) == document
    assert yaml.safe_load(dump(document)) == document


# --- names and folders --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["..", ".", "", "a/b", "../a", "a b", "A", "-a", "a-", "a--b", ".a", "a.b", "é", "a\n", "a\0b",
     "\x1b[31m", "a" * 101, "con:", "~", "a\u202eb", "a\\b", LONG_NAME],
)  # fmt: skip
def test_a_name_that_could_be_a_path_is_refused(name):
    with pytest.raises(UsageError, match="cannot be the name of a walk") as told:
        check_name(name)
    assert all(line.isprintable() for line in str(told.value).splitlines())


@pytest.mark.parametrize("name", ["a", "0", "castle-at-night", "a_b-c1", "a" * 100])
def test_plain_names_are_taken(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "path", ["none.yaml", ".", "a\0b.yaml", "x" * 300 + ".yaml", "\x1b[31m.yaml", "none/none.yaml"]
)
def test_a_file_that_cannot_be_read_is_told_without_a_trace(tmp_path, path):
    with pytest.raises(UsageError) as told:
        load_walk(tmp_path / path)
    assert all(line.isprintable() for line in str(told.value).splitlines())


def test_a_wrong_file_keeps_no_good_one_from_loading(tmp_path):
    (tmp_path / "good.yaml").write_text(BASE)
    (tmp_path / "bad.yaml").write_text("kind: [")
    (tmp_path / "binary.yml").write_bytes(bytes(range(256)))
    (tmp_path / "Bad Name.yaml").write_text(BASE)
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "note.txt").write_text("no walk")
    library = WalkLibrary(tmp_path)
    assert library.names() == ["bad", "binary", "good"]
    assert list(library.valid()) == ["good"]
    assert {Path(p.file).name for p in library.problems()} == {
        "bad.yaml", "binary.yml", "Bad Name.yaml",
    }  # fmt: skip
    with pytest.raises(UsageError, match="there is no walk nowhere"):
        library.load("nowhere")


def test_a_folder_that_is_not_there_holds_no_walks(tmp_path):
    assert WalkLibrary(tmp_path / "none").names() == []


# --- what is shipped ----------------------------------------------------------------------------


def test_the_schema_that_editors_use_is_up_to_date():
    """Mend it with: latent-assets schema --write."""
    assert json.loads((WALKS / "schema.json").read_text()) == json_schema()


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_walk_is_valid_by_the_schema_and_by_ours(path, tmp_path):
    jsonschema.validate(yaml.load(path.read_text(), Loader=WalkLoader), json_schema())
    walk = load_walk(path)
    assert len(fake_studio(tmp_path).specify(path.stem, walk).recipes()) == walk.frames
    assert walk.description


def test_the_experiments_of_the_guide_are_shipped():
    names = {path.stem for path in SHIPPED}
    assert names >= {
        "doggo-and-fruit-5", "doggo-and-fruit-150", "four-way-interpolation",
        "four-way-interpolation-varying-noise", "eiffel-tower-starry-night", "cows",
        "guidance-sweep",
    }  # fmt: skip
    five = load_walk(WALKS / "doggo-and-fruit-5.yaml")
    assert (five.frames, five.output.fps, five.output.ping_pong) == (5, 2, True)
    grid = load_walk(WALKS / "four-way-interpolation.yaml")
    varying = load_walk(WALKS / "four-way-interpolation-varying-noise.yaml")
    assert (grid.grid_size, grid.noise, varying.noise) == (6, "fixed", "varying")
    assert grid.prompts == varying.prompts
    eiffel = load_walk(WALKS / "eiffel-tower-starry-night.yaml")
    assert (eiffel.frames, eiffel.step_size) == (150, 0.005)
    assert load_walk(WALKS / "cows.yaml").frames == 150


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_new_walk_is_valid_as_it_is_written(kind, tmp_path):
    text = walk_template(kind)
    walk = parse_walk(text, "new.yaml")
    assert walk.kind == kind
    jsonschema.validate(yaml.load(text, Loader=WalkLoader), json_schema())
    assert fake_studio(tmp_path).plan(fake_studio(tmp_path).specify("new", walk)).to_render > 0


@pytest.mark.parametrize("kind", TEMPLATES)
def test_what_a_template_has_in_comments_is_valid_too(kind):
    """Whoever takes the `#` away must not be told that the project's own words are wrong."""
    lines = walk_template(kind).splitlines()
    opened = [line[2:] for line in lines if line.startswith("# ") and ": " in line[2:]
              and not line.startswith("# yaml-language-server")]  # fmt: skip
    assert len(opened) >= 4
    parse_walk("\n".join([*lines, *opened]), "new.yaml")


def test_there_is_a_template_for_every_kind():
    assert set(TEMPLATES) == set(KINDS)


def test_a_walk_file_says_the_same_in_json(tmp_path):
    rendering = fake_studio(tmp_path).specify("w", parse_walk(BASE, "f")).rendering
    walk = parse_walk(BASE, "f")
    again = WALK_ADAPTER.validate_python(
        json.loads(json.dumps(WALK_ADAPTER.dump_python(walk, mode="json")))
    )
    assert again == walk
    assert recipes_of(again, rendering) == recipes_of(walk, rendering)


def test_a_weighted_prompt_that_is_not_well_written_is_told_with_its_line():
    text = (
        "kind: interpolation\nframes: 3\nprompt_syntax: weighted\nprompts:\n  - a cat\n"
        "  - a (dog:1,3)\n"
    )
    with pytest.raises(InvalidWalkError) as told:
        parse_walk(text, "w.yaml")
    (problem,) = told.value.problems
    assert (problem.field, problem.line) == ("prompts[1]", 6)
    assert "':1,3)' is no weight" in problem.message
    parse_walk(text.replace("weighted", "text"), "w.yaml")
