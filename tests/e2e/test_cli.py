"""The command line as a person, or a script, uses it: what it prints where, and how it ends."""

import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from commands import Answer
from fakes import SIZE, fake_studio
from PIL import Image

from latent_assets import progress
from latent_assets.cli import main
from latent_assets.rendering import render_frames
from latent_assets.settings import Settings
from latent_assets.store import Receipt, environment, pixel_digest
from latent_assets.studio import Studio
from latent_assets.walks.loading import load_walk
from latent_assets.walks.templates import TEMPLATES

BIRD = """\
kind: interpolation
prompts: [a butterfly in a meadow, a sunflower in a meadow]
frames: 3
num_steps: 2
"""


@pytest.fixture
def data(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    (folder / "walks").mkdir(parents=True)
    for name in [name for name in os.environ if name.startswith("LATENT_ASSETS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LATENT_ASSETS_DATA", str(folder))
    return folder


@pytest.fixture
def cli(data, capsys, monkeypatch):  # noqa: ARG001 - a data folder of its own, always
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["latent-assets", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return Answer(code, printed.out, printed.err)

    return run


@pytest.fixture
def fake(data, monkeypatch):
    """The commands' models replaced by numpy."""
    studio = fake_studio(data)

    def open_fake(settings):
        assert settings.data == data
        return studio

    monkeypatch.setattr(Studio, "open", open_fake)
    return studio


def write(data, name, text=BIRD):
    path = data / "walks" / f"{name}.yaml"
    path.write_text(text)
    return path


# --- validate -----------------------------------------------------------------------------------


def test_init_makes_a_project_that_is_found_from_below_and_renders(
    cli, data, tmp_path, monkeypatch
):
    folder = tmp_path / "my art"
    assert len(cli("init", folder, "--json").json["walks"]) > 5
    assert sorted(path.name for path in folder.iterdir()) == [
        ".gitignore", "latent-assets.toml", "walks",
    ]  # fmt: skip
    assert cli("init", folder).code == 2
    monkeypatch.delenv("LATENT_ASSETS_DATA")
    monkeypatch.chdir(folder / "walks")
    write(folder, "bird")
    assert cli("validate").code == 0
    assert cli("render", "bird").code == 0
    assert (folder / "outputs" / "bird" / "bird.gif").is_file()
    assert not (data / "store").exists()


def test_init_leaves_walks_alone_that_are_there(cli, data):
    write(data, "bird")
    before = (data / "walks" / "bird.yaml").read_bytes()
    assert cli("init", data, "--json").json["walks"] == []
    assert (data / "walks" / "bird.yaml").read_bytes() == before


def test_a_walk_that_comes_with_the_project_renders_by_name_in_any_folder(cli, data):
    shipped = "demo-guidance"
    assert not (data / "walks" / f"{shipped}.yaml").exists()
    assert cli("plan", shipped, "--json").json["frames"] > 0
    assert cli("list", "--json").json["walks"] == []


def test_validate_says_that_good_walks_are_good(cli, data):
    write(data, "bird")
    assert cli("validate").out == "1 walk file is in order\n"
    answer = cli("validate", "--json")
    assert (answer.code, answer.json) == (0, {"ok": True, "errors": [], "warnings": []})


def test_validate_reports_every_error_of_every_file_and_ends_with_2(cli, data):
    write(data, "bird")
    one = write(data, "one", BIRD + "seed: -1\nframse: 2\n")
    two = write(data, "two", "kind: [")
    answer = cli("validate", "--json")
    assert answer.code == 2
    errors = answer.json["errors"]
    assert not answer.json["ok"]
    assert [(e["file"], e["field"], e["line"]) for e in errors] == [
        (str(one), "seed", 5), (str(one), "framse", 6), (str(two), "file", 1),
    ]  # fmt: skip
    assert all(error["message"] for error in errors)
    plain = cli("validate")
    assert (plain.code, plain.out) == (2, "")
    assert f"{one}:5: seed: must be at least 0 (it is -1)" in plain.err


def test_validate_looks_at_the_files_that_it_is_given(cli, data, tmp_path):
    write(data, "wrong", "kind: [")
    good = tmp_path / "good.yaml"
    good.write_text(BIRD)
    assert cli("validate", good).code == 0
    bad_name = tmp_path / "Bad Name.yaml"
    bad_name.write_text(BIRD)
    assert "cannot be the name of a walk" in cli("validate", bad_name, "--json").out
    missing = cli("validate", tmp_path / "none.yaml", "--json")
    assert (missing.code, missing.json["ok"]) == (2, False)


def test_validate_takes_walks_by_name_too(cli, data):
    path = write(data, "bird", BIRD + "seed: -1\n")
    write(data, "wrong", "kind: [")
    errors = cli("validate", "bird", "--json").json["errors"]
    assert [(e["file"], e["field"]) for e in errors] == [(str(path), "seed")]


def test_validate_tells_of_two_files_of_one_name(cli, data):
    write(data, "bird")
    (data / "walks" / "bird.yml").write_text(BIRD)
    (error,) = cli("validate", "--json").json["errors"]
    assert "is the same walk as bird.y" in error["message"]


def test_files_that_another_program_hides_are_no_walks(cli, data):
    (data / "walks" / "good.yaml").write_text(BIRD)
    (data / "walks" / "._good.yaml").write_bytes(b"\x00\x05\x16\x07")  # macOS, on a USB stick
    assert cli("validate").out == "1 walk file is in order\n"
    assert [row["walk"] for row in cli("list", "--json").json["walks"]] == ["good"]


def test_a_foreign_file_of_the_name_of_a_walk_of_the_project_is_refused(cli, data, tmp_path):
    """Both would be written to outputs/w/."""
    foreign, own = tmp_path / "w.yaml", data / "walks" / "w.yaml"
    foreign.write_text(BIRD)
    own.write_text(BIRD)
    for command in ("plan", "render"):
        answer = cli(command, foreign)
        assert answer.code == 2
        assert f"{foreign} has the name of another walk, {own}" in answer.err
    assert cli("plan", own).code == 0


def test_two_foreign_files_of_one_name_are_refused(cli, fake, data, tmp_path):  # noqa: ARG001
    shots = [tmp_path / shot / "walk.yaml" for shot in ("001", "002")]
    for number, shot in enumerate(shots):
        shot.parent.mkdir()
        shot.write_text(BIRD + f"seed: {number}\n")
    assert cli("render", shots[0]).code == 0
    film = data / "outputs" / "walk" / "walk.gif"
    before = film.read_bytes()
    for command in ("plan", "render"):
        answer = cli(command, shots[1])
        assert answer.code == 2
        assert f"{shots[1]} would overwrite what {shots[0]} gave" in answer.err
        assert "walk-2.yaml" in answer.err
    assert film.read_bytes() == before
    assert cli("plan", shots[0]).code == 0
    shots[0].rename(tmp_path / "moved.yaml")  # its name is free again
    assert cli("plan", shots[1]).code == 0


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_without_arrows_gets_what_looks_like_one(data, encoding):
    """A real process: the encoding is chosen when Python starts."""
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}

    def run(*arguments):
        command = [sys.executable, "-c", "from latent_assets.cli import main; main()", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b""), done.stderr
        return done.stdout.decode(encoding)

    (data / "walks" / "w.yaml").write_text(BIRD + "description: → 書\n", encoding="utf-8")
    assert "  golden retriever -> dog" in run("vocabulary", "golden", "retriever")
    assert json.loads(run("list", "--json"))["walks"][0]["description"] == "→ 書"


def test_at_its_end_a_command_does_not_look_through_all_that_it_has_loaded(data):
    look = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 0));"
    command = "import latent_assets.cli as cli; cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", look + command, "stats"],
        env={**os.environ, "LATENT_ASSETS_DATA": str(data)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "True"


def test_validate_tells_of_links_to_nothing_and_of_devices(cli, data):
    write(data, "good")
    (data / "walks" / "broken.yaml").symlink_to("nowhere")
    (data / "walks" / "endless.yaml").symlink_to("/dev/zero")
    answer = cli("validate")
    assert answer.code == 2
    assert "broken.yaml: file: is a link to nothing" in answer.err
    assert "endless.yaml: file: is no regular file" in answer.err


def test_validate_of_a_fresh_folder_says_how_to_begin(cli):
    assert "To begin: latent-assets new NAME" in cli("validate").out
    assert "To begin: latent-assets new bird" in cli("plan", "bird").err


def test_validate_knows_what_size_the_model_renders(cli, data):
    write(data, "bird", BIRD + "size: 1000\nmodel: embedded\n")
    answer = cli("validate", "--json")
    assert answer.code == 2
    assert [error["field"] for error in answer.json["errors"]] == ["size"]


def test_validate_and_plan_name_each_prompt_that_the_model_cannot_take(cli, data, monkeypatch):
    long = f"a {'very ' * 80}small bird"
    text = BIRD.replace("a sunflower in a meadow", long) + f"negative_prompt: {long}\n"
    path = write(data, "bird", text + "model: stable-diffusion-1\n")
    errors = cli("validate", "--json").json["errors"]
    assert [(e["file"], e["field"]) for e in errors] == [
        (str(path), "prompts[1]"), (str(path), "negative_prompt"),
    ]  # fmt: skip
    answer = cli("plan", "bird")
    assert (answer.code, answer.out) == (2, "")
    assert "bird: prompts[1]: the prompt" in answer.err
    assert "would be cut" in answer.err
    assert cli("plan", "bird", "--model", "embedded").code == 0
    monkeypatch.setenv("LATENT_ASSETS_TRUNCATE", "on")
    assert cli("validate").code == 0
    answer = cli("plan", "bird")
    assert (answer.code, "it is cut after" in answer.err) == (0, True)


def test_a_file_name_of_any_bytes_is_told_not_tripped_over(cli, data):
    path = os.fsdecode(os.fsencode(str(data)) + b"/walks/\xff\x1b[31m.yaml")
    try:
        Path(path).write_text(BIRD)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert "\x1b" not in cli("list").err
    for answer in (cli("validate", "--json"), cli("validate")):
        assert answer.code == 2
        assert "\x1b" not in answer.out + answer.err
        (answer.out + answer.err).encode()


# --- list, plan ---------------------------------------------------------------------------------


def test_list_shows_each_walk_and_how_much_of_it_is_rendered(cli, data):
    write(data, "bird", BIRD + "description: A bird\n")
    write(data, "wrong", "kind: [")
    answer = cli("list", "--json")
    assert answer.code == 0
    bird, wrong = answer.json["walks"]
    assert bird == {
        "walk": "bird", "kind": "interpolation", "model": "embedded", "frames": 3, "cached": 0,
        "description": "A bird",
    }  # fmt: skip
    assert wrong["walk"] == "wrong"
    assert ":1: file: is not YAML" in wrong["error"]
    plain = cli("list").out
    assert "bird" in plain
    assert "wrong: see latent-assets validate" in plain


def test_list_of_a_fresh_folder_is_empty_and_says_how_to_begin(cli, data):
    assert cli("list", "--json").json == {"walks": []}
    told = cli("list").out
    assert told.startswith(f"No walks in {data / 'walks'}. To begin: latent-assets new NAME")
    assert "latent-assets init" in told


def test_list_cuts_no_name_however_narrow_the_terminal(cli, data, monkeypatch):
    monkeypatch.setattr(sys.modules["latent_assets.cli.common"].out, "_width", 40)
    name = "a-name-of-some-forty-characters-or-so-in-all"
    write(data, name)
    assert name in cli("list").out.split()


def test_list_tells_of_files_that_are_no_walk_for_their_name(cli, data):
    write(data, "Bad")
    write(data, "bird")
    (data / "walks" / "bird.yml").write_text(BIRD)
    answer = cli("list", "--json")
    assert [row["walk"] for row in answer.json["walks"]] == ["bird"]
    assert "Bad.yaml: file name: 'Bad' cannot be the name of a walk" in answer.err
    assert "is the same walk as" in answer.err


def test_list_says_which_models_are_to_be_downloaded_first(cli, data, fake):
    write(data, "bird")
    assert cli("list").err == ""
    object.__setattr__(fake, "download_notice", lambda _name: "it downloads")
    assert cli("list").err == "note: embedded: it downloads\n"
    fill(fake)
    assert cli("list").err == ""


def test_plan_says_what_is_to_be_rendered_without_touching_the_store(cli, data):
    write(data, "bird")
    answer = cli("plan", "bird", "--json")
    assert answer.code == 0
    assert answer.json == {
        "walk": "bird", "model": "embedded", "frames": 3, "num_steps": 2, "cached": 0,
        "to_render": 3, "pilots": 0, "exact": True, "to_upscale": 0, "estimate_s": None,
        "warnings": [],
    }  # fmt: skip
    assert "to render  3" in cli("plan", "bird").out
    assert not (data / "store" / "frames").exists()


def test_plan_takes_a_file_from_anywhere_and_changes_for_once(cli, tmp_path):
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text(BIRD + "model: stable-diffusion-1\n")
    assert cli("plan", elsewhere, "--frames", 9, "--json").json["to_render"] == 9
    answer = cli("plan", elsewhere, "--model", "embedded", "--json").json
    assert (answer["walk"], answer["model"]) == ("elsewhere", "embedded")


def test_plan_says_what_a_draft_takes_or_why_there_is_none(cli, data):
    write(data, "bird", BIRD.replace("num_steps: 2", "num_steps: 24"))
    assert "3 frames, a draft in 6 steps" in cli("plan", "bird", "--draft").out
    answer = cli("plan", "bird", "--draft", "--json").json
    assert (answer["num_steps"], answer["to_render"]) == (6, 3)
    answer = cli("render", "bird", "--draft", "--model", "embedded-fast")
    assert answer.code == 2
    assert "samples in 4 steps, and in no other number" in answer.err


def test_plan_says_what_the_first_render_downloads(cli, data, fake):
    write(data, "bird")
    answer = cli("plan", "bird")
    assert answer.err == ""
    notice = "the first render downloads weights.h5: 4.1 GB"
    object.__setattr__(fake, "download_notice", lambda _name: notice)
    assert cli("plan", "bird", "--json").json["warnings"] == [notice]
    fill(fake)
    assert cli("plan", "bird", "--json").json["warnings"] == []


def test_plan_warns_on_stderr_of_words_that_the_model_does_not_know(cli, data):
    write(data, "odd", BIRD.replace("a sunflower in a meadow", "'a [/zyzzyva]'"))
    answer = cli("plan", "odd", "--json")
    assert answer.code == 0
    assert any("zyzzyva" in warning for warning in answer.json["warnings"])
    plain = cli("plan", "odd")
    assert (plain.code, "warning:" in plain.err) == (0, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan", "nowhere"),
        ("plan", "../../etc/passwd"),
        ("plan", "nowhere.yaml"),
        ("plan", "Bad Name"),
        ("plan", ""),
        ("plan", "bird", "--model", "dall-e"),
        ("plan", "bird", "--frames", "1"),
        ("plan", "bird", "--frames", "0"),
        ("plan", "bird", "--frames", "99999"),
        ("plan", "bird", "--frames", "many"),
        ("plan", "wrong"),
        ("plan",),
        ("render", "nowhere"),
        ("render", "wrong"),
        ("render", "bird", "--model", "dall-e"),
        ("verify", "nowhere"),
        ("verify", "bird"),
        ("new", "Bad Name"),
        ("new", "../bird"),
        ("new", "bird"),
        ("new", "spiral", "--kind", "spiral"),
        ("gc", "--older-than", "soon"),
        ("gc", "--older-than", "-1d"),
        ("gc", "--runs", "soon"),
        ("gc", "--max-size", "much"),
        ("dance",),
        ("plan", "bird", "--unheard-of"),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2_and_words_on_stderr_alone(cli, data, arguments):
    write(data, "bird")
    write(data, "wrong", "kind: [")
    answer = cli(*arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.strip()

    as_json = cli(*arguments, "--json")
    assert (as_json.code, as_json.err) == (2, answer.err)
    told = as_json.json
    assert told["exit_code"] == 2
    assert told["error"]
    assert all(word in answer.err for word in told["error"].split()[:3])
    if "wrong" in arguments:
        assert told["errors"][0]["line"] == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [("DATE", "x"), ("MODEL", "dall-e"), ("PRECISION", "float8"), ("JIT", "perhaps")],
)
def test_a_wrong_setting_ends_with_2_and_names_the_variable(cli, monkeypatch, variable, value):
    monkeypatch.setenv(f"LATENT_ASSETS_{variable}", value)
    answer = cli("list", "--json")
    assert answer.code == 2
    assert f"LATENT_ASSETS_{variable}" in answer.err
    assert f"LATENT_ASSETS_{variable}" in answer.json["error"]


def test_a_finished_file_that_is_not_there_is_called_a_file(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in ("verify", "inspect"):
        answer = cli(command, "none.gif")
        assert (answer.code, answer.err.splitlines()[0]) == (
            2,
            "latent-assets: none.gif does not exist",
        )
    (tmp_path / "old.gif").touch()
    assert "old.gif is no walk file\n" in cli("plan", "old.gif").err


# --- render -----------------------------------------------------------------------------------


def test_a_keyframe_that_no_frame_stands_on_is_told_by_validate_plan_and_render(cli, fake, data):  # noqa: ARG001
    told = "no frame stands on the keyframe b (between frames 1 and 2): 3 or 5 frames meet all"
    write(data, "odd", "kind: interpolation\nprompts: [a, b, c]\nframes: 4\n")
    assert told in cli("validate").err
    answer = cli("validate", "--json")
    assert (answer.code, answer.json["ok"], told in answer.json["warnings"][0]) == (0, True, True)
    assert cli("plan", "odd", "--json").json["warnings"] == [told]
    answer = cli("render", "odd")
    assert answer.code == 0
    assert answer.err.count(told) == 1
    answer = cli("render", "odd", "--json")
    assert (answer.code, answer.json["warnings"]) == (0, [told])
    assert answer.json["failed_checks"] == [
        {"check": "keyframes_reached", "severity": "WARN", "description": told}
    ]


def test_a_check_that_fails_as_an_error_ends_a_render_with_1(cli, fake, data):
    """A store that holds a black frame, of a version that did not look for such."""
    write(data, "w", "kind: interpolation\nprompts: [a, b]\nframes: 5\n")
    keys = [each.key for each in fake.specify("w", load_walk(data / "walks" / "w.yaml")).recipes()]
    black = np.zeros((*SIZE, 3), np.uint8)
    receipt = Receipt(
        key=keys[2], recipe={}, pixel_digest=pixel_digest(black), batch=(keys[2],), position=0,
        environment=environment(device="cpu"), seconds=0.1, created="2026-01-01T00:00:00Z",
    )  # fmt: skip
    fake.frames.write(keys[2], black, receipt)
    answer = cli("render", "w")
    assert answer.code == 1
    assert "failed: frames_show_something: black or of one colour: frames 2" in answer.err
    assert "5 frames, 4 rendered" in answer.out
    answer = cli("render", "w", "--json")
    assert answer.code == 1
    assert [check["severity"] for check in answer.json["failed_checks"]] == ["ERROR"]


def test_without_a_terminal_a_render_says_in_lines_how_far_it_is(cli, fake, data):  # noqa: ARG001
    """As under nohup, in a journal or in CI."""
    write(data, "w", "kind: interpolation\nprompts: [a, b]\nframes: 41\nbatch_size: 2\n")
    lines = [line for line in cli("render", "w").err.splitlines() if line.startswith("w: ")]
    assert lines[0].startswith("w: 6 of 41 frames, ")
    assert lines[0].endswith((" s left", " min left"))
    assert lines[-1] == "w: 41 of 41 frames"
    assert 8 <= len(lines) <= 10
    assert "w: " not in cli("render", "w").err


@pytest.fixture
def told(monkeypatch, capsys):
    """What is said of (when, done, of how many, unit, made), one after the other from 0 s on."""

    def lines(*counted):
        now = 0
        monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now))
        kept = progress.Lines("w")
        for now, *each in counted:  # noqa: B007 - the clock reads it
            kept.tell(*each)
        return capsys.readouterr().err.splitlines()

    return lines


def test_time_that_is_left_is_told_by_the_pace_of_what_is_counted_now(told):
    assert told(
        (12, 6, 24, "frames", 6),  # ten seconds for the model
        (14, 12, 24, "frames", 12),
        (18, 24, 24, "frames", 24),
        (30, 6, 24, "pictures made larger", 6),
        (38, 12, 24, "pictures made larger", 12),
    ) == [
        "w: 6 of 24 frames, 36 s left",
        "w: 12 of 24 frames, 4 s left",
        "w: 24 of 24 frames",
        "w: 6 of 24 pictures made larger, 36 s left",
        "w: 12 of 24 pictures made larger, 16 s left",
    ]


def test_frames_that_are_there_say_nothing_of_how_long_the_others_take(told):
    assert told((1, 10, 20, "frames", 0), (4, 13, 20, "frames", 3), (5, 14, 20, "frames", 3)) == [
        "w: 13 of 20 frames, 9 s left",
        "w: 14 of 20 frames, 10 s left",
    ]


def test_where_nothing_happens_for_long_the_silence_is_broken(monkeypatch, capsys):
    monkeypatch.setattr(progress, "SILENCE_S", 0.5)
    lines = progress.Lines("w")
    said, end = "", time.monotonic() + 120
    with lines.kept_up():
        while "w: no frame yet, after " not in said:
            assert time.monotonic() < end, said
            time.sleep(0.05)
            said += capsys.readouterr().err


# --- new, schema --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TEMPLATES)
def test_new_writes_a_walk_that_can_be_rendered_as_it_stands(cli, data, kind):
    answer = cli("new", "first-walk", "--kind", kind, "--json")
    assert answer.code == 0
    path = Path(answer.json["file"])
    assert path == data / "walks" / "first-walk.yaml"
    assert load_walk(path).kind == kind
    assert cli("validate").code == 0
    assert cli("plan", "first-walk", "--json").json["to_render"] > 0
    assert cli("plan", "first-walk", "--json").json["warnings"] == []
    assert (data / "walks" / "schema.json").is_file()


def test_new_does_not_write_over_a_walk(cli, data):
    path = write(data, "bird")
    assert "already" in cli("new", "bird").err
    assert path.read_text() == BIRD


@pytest.mark.parametrize("arguments", [("new", "bird"), ("schema", "--write")], ids=" ".join)
def test_a_data_folder_that_is_a_file_is_told(cli, tmp_path, monkeypatch, arguments):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LATENT_ASSETS_DATA", str(tmp_path / "file"))
    answer = cli(*arguments)
    assert (answer.code, answer.out) == (1, "")
    assert f"cannot write {tmp_path / 'file'}" in answer.err


def test_schema_is_printed_or_written_for_editors(cli, data):
    printed = cli("schema").json
    assert printed == cli("schema", "--json").json
    assert cli("schema", "--write", "--json").json == {"file": str(data / "walks" / "schema.json")}
    assert json.loads((data / "walks" / "schema.json").read_text()) == printed


# --- the store ----------------------------------------------------------------------------------


def fill(studio, name="bird", text=BIRD):
    """Render a walk into the store, by the same loop as the graph."""
    spec = studio.specify(name, load_walk(write(studio.settings.data, name, text)))
    render_frames(studio, spec.recipes(), batch_size=2)
    return spec


def age(folder, days):
    """As if everything in the store had been stored so long ago."""
    for path in (folder / "store").rglob("*.*"):
        before = path.stat().st_mtime - days * 86400
        os.utime(path, (before, before))


def test_stats_of_an_empty_store_are_zeros(cli):
    answer = cli("stats", "--json")
    assert answer.code == 0
    assert answer.json["frames"] == 0
    assert cli("stats").code == 0


def test_stats_count_what_is_stored(cli, fake):
    fill(fake)
    found = cli("stats", "--json").json
    assert (found["frames"], found["encodings"]) == (3, 3)
    assert found["frames_bytes"] > 0
    assert found["store"] == fake.settings.store_url
    assert cli("list", "--json").json["walks"][0]["cached"] == 3


def test_gc_of_an_empty_store_removes_nothing(cli):
    for options in ((), ("--unreferenced",), ("--older-than", "1d"), ("--max-size", "1G")):
        assert cli("gc", *options, "--json").code == 0


def test_gc_says_what_it_would_remove_and_removes_it_only_when_told(cli, fake, data):
    spec = fill(fake)
    fill(fake, "other", BIRD + "seed: 5\n")
    (data / "walks" / "other.yaml").unlink()
    age(data, 3)
    dry = cli("gc", "--unreferenced", "--json")
    assert (dry.code, dry.json["deleted"]) == (0, False)
    assert cli("stats", "--json").json["frames"] == 6
    assert "Add --delete to do it." in cli("gc", "--unreferenced").out
    assert cli("gc", "--unreferenced", "--delete", "--json").json["deleted"]
    assert cli("stats", "--json").json["frames"] == 3
    assert fake.plan(spec).to_render == 0


def test_what_a_killed_render_left_half_written_among_the_outputs_is_counted_and_goes(cli, data):
    folder = data / "outputs" / "bird"
    (folder / "frames").mkdir(parents=True)
    old = [folder / ".tmp-12-0123456789ab-bird.gif", folder / "frames" / ".tmp-12-ab12-x.png"]
    kept = [folder / ".tmp-13-0123456789ab-bird.mp4", folder / ".tmp-mine.gif", folder / "bird.gif"]
    for path in (*old, *kept):
        path.write_bytes(b"half")
    for path in (*old, *kept[1:]):
        os.utime(path, (0, 0))
    found = cli("stats", "--json").json
    assert (found["leftovers"], found["leftovers_bytes"]) == (3, 12)
    assert cli("gc", "--json").json["by_reason"] == {"left behind": {"count": 2, "bytes": 8}}
    assert all(path.exists() for path in old)
    assert "left behind" in cli("gc", "--delete").out
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in kept)


@pytest.mark.parametrize(
    ("spares", "takes"),
    [(("--older-than", "4d"), ("--older-than", "2d")), (("--max-size", "1G"), ("--max-size", "0"))],
)
def test_gc_by_age_and_by_size_takes_what_it_is_told(cli, fake, data, spares, takes):
    fill(fake)
    age(data, 3)
    assert cli("gc", *takes, "--delete").code == 0
    assert cli("stats", "--json").json["frames"] == 3  # a walk file names them
    (data / "walks" / "bird.yaml").unlink()
    assert cli("gc", *spares, "--delete").code == 0
    assert cli("stats", "--json").json["frames"] == 3
    assert cli("gc", *takes, "--delete").code == 0
    assert cli("stats", "--json").json["frames"] == 0


def test_gc_leaves_what_was_stored_just_now_since_a_render_may_be_under_way(cli, fake, data):
    fill(fake)
    (data / "walks" / "bird.yaml").unlink()
    cli("gc", "--max-size", "0", "--delete")
    assert cli("stats", "--json").json["frames"] == 3


def test_gc_leaves_everything_if_a_wrong_walk_hides_what_it_uses(cli, fake, data):
    fill(fake)
    write(data, "wrong", "kind: [")
    answer = cli("gc", "--unreferenced", "--delete")
    assert answer.code == 2
    assert "wrong" in answer.err
    assert cli("stats", "--json").json["frames"] == 3


# --- verify, inspect ----------------------------------------------------------------------------


def test_verify_renders_again_and_says_identical(cli, fake):
    fill(fake)
    answer = cli("verify", "bird", "--json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.json["counts"] == {"identical": 3}
    assert len(cli("verify", "bird", "--sample", 2, "--json").json["frames"]) == 2
    assert "3 identical" in cli("verify", "bird").out
    assert "in a batch of 2 then, alone now" in cli("verify", "bird", "--alone").out


RECORD = b'<!doctype html><script type="application/json" id="provenance">%s</script>'
FORGED = (
    b'{"schema": "latent-assets.provenance/1", "walk": 5, "model": {},'
    b' "root": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}'
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("none.gif", None),
        ("empty.gif", b""),
        ("text.png", b"no picture"),
        ("page.html", b"<!doctype html><p>no record"),
        ("cut.mp4", b"\0\0\0\x20ftypisom\0\0\0\0"),
        ("record.html", RECORD % b"[1]"),
        ("forged.html", RECORD % FORGED),
    ],
)  # fmt: skip
def test_inspect_of_a_file_without_a_record_ends_with_2_and_words(cli, tmp_path, name, content):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    answer = cli("inspect", path, "--json")
    assert answer.code == 2
    assert name in answer.err
    assert name in answer.json["error"]


def test_a_poster_and_a_numbered_frame_are_verified_by_the_one_frame_they_show(cli, fake, data):  # noqa: ARG001
    write(data, "w", BIRD + "output: {formats: [png, poster], captions: true}\n")
    assert cli("render", "w").code == 0
    outputs = data / "outputs" / "w"
    for file in (outputs / "w-poster.jpg", outputs / "w-frames" / "w-0002.png"):
        answer = cli("verify", file)
        assert answer.code == 0, answer.err
        assert "1 identical" in answer.out
    still = outputs / "w-poster.jpg"
    film = still.rename(still.with_suffix(".gif"))
    assert cli("verify", film).code == 2


def test_inspect_of_a_folder_is_told(cli, tmp_path):
    assert cli("inspect", tmp_path).code == 2


# --- render, the graph run in this process on a numpy model -------------------------------------


def test_a_walk_edited_while_it_is_rendered_is_rendered_as_it_was_read(
    cli, fake, data, monkeypatch
):
    """One reading for the plan and the run, or their numbers would be of two walks."""
    path = write(data, "bird", BIRD + "output: {formats: [gif]}\n")
    planned = fake.plan

    def plan_and_edit(spec):
        plan = planned(spec)
        path.write_text(BIRD.replace("frames: 3", "frames: 5"))
        return plan

    monkeypatch.setattr(type(fake), "plan", lambda _self, spec: plan_and_edit(spec))
    answer = cli("render", "bird", "--json")
    assert answer.code == 0, answer.err
    assert (answer.json["frames"], answer.json["rendered"], answer.json["reused"]) == (3, 3, 0)
    with Image.open(fake.output_path("bird", ".gif")) as film:
        assert film.n_frames == 3
    assert load_walk(path).frames == 5


def test_many_walks_render_in_one_process_and_one_that_fails_keeps_the_others_from_nothing(
    cli, fake, data, tmp_path
):
    write(data, "bird")
    write(data, "broken", BIRD + "frames: 1\n")
    write(data, "large", BIRD.replace("frames: 3", "frames: 4"))
    for name in ("too.many", "no-such-walk", tmp_path / "gone.yaml"):
        refused = cli("render", "bird", name)
        assert refused.code == 2, name
        assert not (data / "store").exists(), "a name that is wrong is told before anything is done"
    answer = cli("render", "bird", "broken", "bird", "large", "--json")
    assert answer.code == 1
    found = answer.json
    assert [each["walk"] for each in found["walks"]] == ["bird", "broken", "large"]
    assert found["walks"][1]["exit_code"] == 2
    assert found["walks"][1]["errors"][0]["field"] == "frames"
    assert (found["failed"], found["rendered"], found["exit_code"]) == (["broken"], 5, 1)
    assert fake.counts.engines == 1
    assert (fake.output_path("large", ".gif")).is_file()
    plain = cli("render", "--all")
    assert plain.code == 1
    assert plain.out.splitlines()[-1].startswith("2 walks done, 0 frames rendered; failed: broken;")
    assert "broken.yaml:5: frames: is written twice" in plain.err
    assert cli("render", "broken", "--all").code == 2
    assert cli("render").code == 2


def test_changed_renders_what_is_not_rendered_as_its_file_says(cli, fake, data):  # noqa: ARG001
    write(data, "bird")
    write(data, "still")
    assert cli("render", "--changed", "--json").json["rendered"] == 3, "the same frames in both"
    told = cli("render", "--changed")
    assert (told.code, told.out) == (
        0, "Nothing to render: all walks are rendered as their files say.\n",
    )  # fmt: skip
    write(data, "bird", BIRD.replace("frames: 3", "frames: 5"))
    answer = cli("render", "--changed", "--json")
    assert [each["walk"] for each in answer.json["walks"]] == ["bird"]
    shutil.rmtree(data / "outputs" / "still")
    answer = cli("render", "--changed", "--json")
    assert [(each["walk"], each["rendered"]) for each in answer.json["walks"]] == [("still", 0)]


def test_a_walk_comes_through_a_pipe(cli, fake, data, monkeypatch):
    def piped(text, *arguments):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
        return cli(*arguments)

    assert piped(BIRD.encode(), "validate", "-").code == 0
    wrong = piped(BIRD.encode() + b"framse: 2\n", "validate", "-", "--json")
    assert wrong.json["errors"][0]["line"] == 5
    assert piped(b"\xff", "plan", "-", "--json").json["errors"][0]["file"] == "standard input"
    assert piped(BIRD.encode(), "plan", "-", "--json").json["to_render"] == 3
    answer = piped(BIRD.encode(), "render", "-", "--json")
    assert answer.json.get("rendered") == 3, answer
    assert fake.output_path("stdin", ".gif").is_file()
    write(data, "stdin")
    assert piped(BIRD.encode(), "render", "-").code == 2


def test_render_to_files_and_back_to_a_walk_file(cli, fake, data, tmp_path):
    """The whole road, and what scripts rely on; once, since Dagster takes its seconds."""
    write(data, "bird", BIRD + "output: {formats: [gif]}\nchunk_size: 2\n")
    first = cli("render", "bird", "--json")
    assert first.code == 0, first.err
    assert {**first.json, "seconds": 0, "outputs": []} == {
        "walk": "bird", "frames": 3, "rendered": 3, "reused": 0, "pilots": 0,
        "seconds": 0, "outputs": [], "warnings": [], "failed_checks": [],
    }  # fmt: skip
    gif = data / "outputs" / "bird" / "bird.gif"
    assert str(gif) in first.json["outputs"]
    assert all(Path(path).is_file() for path in first.json["outputs"])
    assert fake.counts.frames == 3
    collected = cli("gc", "--runs", "30d", "--json")
    assert collected.json["runs"] == {"removals": 0, "bytes": 0}
    assert "0 runs of Dagster" in cli("gc", "--runs", "30d", "--delete").out

    assert cli("verify", gif, "--json").json["altered"] == []
    painted = gif.with_name("painted.gif")
    first, *others = (Image.new("RGB", (32, 32), (40 * place, 9, 9)) for place in range(3))
    with Image.open(gif) as image:
        comment = image.info["comment"]
    first.save(painted, save_all=True, append_images=others, comment=comment)
    answer = cli("verify", painted, "--json")
    assert (answer.code, answer.json["altered"]) == (1, [0, 1, 2])
    assert "all 3 frames: the file shows something else" in cli("verify", painted).out

    record = cli("inspect", gif, "--json").json
    assert record["walk"]["name"] == "bird"
    assert len(record["frame_keys"]) == 3
    again = tmp_path / "again.yaml"
    assert cli("inspect", gif, "--walk-file", again).code == 0
    assert cli("plan", again, "--json").json["to_render"] == 0
    assert cli("inspect", gif, "--walk-file", again).code == 2  # never over a file that is there
    assert cli("inspect", gif, "--walk-file", tmp_path / "none" / "again.yaml").code == 2

    elsewhere = tmp_path / "[old] pictures"
    more = cli("render", "bird", "--frames", 5, "--output", elsewhere, "--no-metadata", "--json")
    assert (more.json["rendered"], more.json["reused"]) == (2, 3)
    assert cli("inspect", elsewhere / "bird" / "bird.gif").code == 2
    assert cli("verify", gif, "--json").json["counts"] == {"identical": 3}


@pytest.mark.parametrize(
    ("setting", "option", "written"),
    [
        ("on", (), True),
        ("off", (), False),
        ("off", ("--metadata",), True),
        ("on", ("--no-metadata",), False),
    ],
)
def test_the_option_metadata_takes_the_place_of_the_setting(
    cli, data, monkeypatch, setting, option, written
):
    write(data, "bird")
    monkeypatch.setenv("LATENT_ASSETS_METADATA", setting)
    seen = []

    def run(studio, *_arguments):
        seen.append(studio.settings.metadata)
        return module.Made([], 0, 0, [])

    module = sys.modules["latent_assets.cli.render"]
    monkeypatch.setattr(module, "_run", run)
    assert cli("render", "bird", *option).code == 0
    assert seen == [written]


# --- the same with the embedded model, each command a process of its own -------------------------

WATCH = (
    "import sys\nfrom latent_assets.cli import main\n"
    "try:\n    main()\nfinally:\n    print('TF', 'tensorflow' in sys.modules, file=sys.stderr)"
)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "walks").mkdir()
    (folder / "walks" / "bird.yaml").write_text(BIRD)
    (folder / "walks" / "large.yaml").write_text(BIRD + "model: stable-diffusion-1\n")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LATENT_ASSETS_")}
    environment = {**kept, "LATENT_ASSETS_DATA": str(folder)}

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-c", WATCH, *map(str, arguments)],
            env=environment, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        return Answer(done.returncode, done.stdout, done.stderr)

    first = run("render", "bird", "--json")
    assert first.code == 0, first.err
    return folder, run, first


@pytest.mark.engine
def test_the_first_render_renders_every_frame(real):
    folder, _, first = real
    assert (first.json["rendered"], first.json["reused"]) == (3, 0)
    assert str(folder / "outputs" / "bird" / "bird.gif") in first.json["outputs"]
    assert "TF True" in first.err
    assert Settings.from_environment({"LATENT_ASSETS_DATA": str(folder)}).dagster_home.is_dir()


@pytest.mark.engine
def test_the_second_render_renders_none_and_does_not_import_tensorflow(real):
    _, run, _ = real
    second = run("render", "bird", "--json")
    assert (second.json["rendered"], second.json["reused"]) == (0, 3)
    assert "TF False" in second.err


@pytest.mark.engine
def test_a_walk_of_another_model_renders_with_the_embedded_one(real, tmp_path):
    """The same prompts, so all frames are there: nothing is rendered."""
    _, run, _ = real
    answer = run("render", "large", "--model", "embedded", "--output", tmp_path, "--json")
    assert (answer.code, answer.json["rendered"]) == (0, 0), answer.err
    assert all(path.startswith(str(tmp_path)) for path in answer.json["outputs"])


@pytest.mark.engine
def test_frames_verified_in_another_process_are_identical(real):
    _, run, _ = real
    answer = run("verify", "bird", "--json")
    assert (answer.code, answer.json["counts"]) == (0, {"identical": 3}), answer.err


@pytest.mark.engine
def test_more_frames_render_only_those_between(real, tmp_path):
    folder, run, _ = real
    options = ("--frames", 5, "--no-metadata", "--output", tmp_path, "--json")
    answer = run("render", "bird", *options)
    assert (answer.json["rendered"], answer.json["reused"]) == (2, 3), answer.err
    assert run("inspect", tmp_path / "bird" / "bird.gif").code == 2
    again = tmp_path / "again.yaml"
    assert run("inspect", folder / "outputs" / "bird" / "bird.gif", "--walk-file", again).code == 0
    assert run("plan", again, "--json").json["cached"] == 3
