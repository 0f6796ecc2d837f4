"""The rooms of the house: who may know whom, and what a start does not load."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from latent_assets.cli.app import app
from latent_assets.shipped import PROJECT_ROOT

HEAVY = ("tensorflow", "keras", "keras_cv")


def loaded_by(module, watched):
    """Which of the watched packages importing a module loads, in a process of its own."""
    code = (
        f"import sys, json, {module}; print(json.dumps([m for m in {watched!r} if m in"
        " sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_the_contracts_between_the_packages_hold():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--no-cache"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout
    assert "0 kept" not in done.stdout


def test_the_command_line_starts_without_dagster_and_tensorflow():
    """`--help` and a no-op render answer at once: these two take seconds to import."""
    watched = [*HEAVY, "dagster", "matplotlib", "av"]
    assert loaded_by("latent_assets.cli.app", watched) == []


def test_the_definitions_load_without_tensorflow():
    assert loaded_by("latent_assets.definitions", list(HEAVY)) == []


def test_walks_load_nothing_of_the_rest_of_the_house():
    watched = ["latent_assets.diffusion", "latent_assets.store", "latent_assets.media", "PIL"]
    assert loaded_by("latent_assets.walks.recipes", watched) == []


def test_the_watch_would_notice():
    assert loaded_by("latent_assets.walks.recipes", ["numpy", "dagster"]) == ["numpy"]


# --- every command is explained -----------------------------------------------------------------

COMMANDS = typer.main.get_command(app).commands
MANUAL = (PROJECT_ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_each_of_its_options_has_help(name):
    for command in (COMMANDS[name], *getattr(COMMANDS[name], "commands", {}).values()):
        assert command.help
        assert command.help.strip().endswith(".")
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name} {parameter.name}"


@pytest.mark.parametrize(
    "name", [name for name in COMMANDS if name not in ("ui", "watch", "worker")]
)
def test_every_command_that_ends_can_answer_in_json(name):
    assert "--json" in {flag for param in COMMANDS[name].params for flag in param.opts}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_section_in_the_manual_with_all_its_options(name):
    section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", MANUAL, re.MULTILINE | re.DOTALL)
    assert section, f"docs/cli.md has no section on {name}"
    assert f"latent-assets {name}" in section[1]
    command = COMMANDS[name]
    below = getattr(command, "commands", {})
    for each in below:
        assert f"latent-assets {name} {each}" in section[1], f"{name} {each} is not in docs/cli.md"
    for parameter in (p for each in (command, *below.values()) for p in each.params):
        for flag in parameter.opts:
            if flag.startswith("--"):
                assert flag in section[1], f"{flag} of {name} is not in docs/cli.md"


def test_the_manual_describes_no_command_that_is_gone():
    sections = set(re.findall(r"^## ([a-z-]+)$", MANUAL, re.MULTILINE))
    assert sections == set(COMMANDS)
