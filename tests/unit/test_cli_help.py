"""What the shell completes, and the examples below the help."""

import os
import shlex
import subprocess
import sys

import pytest
import typer

from latent_assets.cli.app import app
from latent_assets.cli.epilogs import EXAMPLES, EXIT_CODES

PROGRAM = """
import sys, latent_assets.cli
sys.argv = ["latent-assets"]
latent_assets.cli.main()
"""


def completed(line, **environment):
    """What bash is offered for the last word of the line."""
    words = line.split(" ")
    known = {k: v for k, v in os.environ.items() if not k.startswith("LATENT_ASSETS_")}
    asked = {
        "_LATENT_ASSETS_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**known, **asked, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture
def data(tmp_path):
    (tmp_path / "walks").mkdir()
    for name in ("castle", "castle-at-night", "bird"):
        (tmp_path / "walks" / f"{name}.yaml").write_text("kind: wrong\n")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.safetensors").write_bytes(b"")
    return {"LATENT_ASSETS_DATA": str(tmp_path)}


def test_walks_are_completed_those_that_ship_too(data):
    assert completed("latent-assets render bird cas", **data) == ["castle", "castle-at-night"]
    assert completed("latent-assets plan demo-g", **data) == ["demo-garden-loop", "demo-guidance"]
    assert completed("latent-assets validate demo-g", **data) == []


def test_pages_are_completed():
    assert completed("latent-assets docs walk") == ["walk-files"]


def test_models_and_kinds_are_completed(data):
    assert completed("latent-assets render bird --model mi", **data) == ["mine"]
    assert completed("latent-assets plan bird --model embedded-", **data) == ["embedded-fast"]
    assert completed("latent-assets new x --kind p", **data) == ["prompt_walk"]


def test_a_wrong_setting_is_no_word_in_the_middle_of_a_line(data):
    wrong = {**data, "LATENT_ASSETS_PRECISION": "wrong"}
    assert completed("latent-assets render demo-ga", **wrong) == ["demo-garden-loop"]


COMMAND = typer.main.get_command(app)


@pytest.mark.parametrize(
    ("name", "example"), [(name, each) for name, some in EXAMPLES.items() for each in some]
)
def test_each_example_is_a_command_with_options_that_there_are(name, example):
    first, *arguments = shlex.split(example.partition(" <")[0])
    assert first == name
    command = COMMAND.commands[name]
    with command.make_context(name, arguments):
        assert f"latent-assets {example}" in command.epilog
        assert EXIT_CODES in command.epilog
