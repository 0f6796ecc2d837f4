"""The transcripts of docs/cli.md, replayed: what stands there is what the commands answer.

In a shell, command by command, in one folder, from the first section to the last. Blocks that are
marked `text` in place of `console` are not replayed: they need servers, or files of other programs.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from latent_assets.shipped import PROJECT_ROOT

pytestmark = [pytest.mark.slow, pytest.mark.flaky(reruns=0)]

MANUAL = (PROJECT_ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^## ([a-z-]+)\n|^```console\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL)
ELLIPSIS = "..."
HOME = "/home/ada"
BUTTERFLY = """\
kind: interpolation
description: From a butterfly to a sunflower.
prompts: [a butterfly in a meadow, a sunflower in a meadow]
frames: 5
num_steps: 10
guidance_scale: 3
"""
WRONG = """\
kind: interpolation
prompts:
  - a butterfly in a meadow
  - a sunflower in a meadow
framse: 5
seed: -1
output: {fps: 100}
"""
VARIES = (
    (r"\b[0-9a-f]{12,64}\b", "DIGEST"),
    (r"\b\d+(\.\d+)? s\b", "N s"),
    (r"\b\d+(\.\d+)? (B|KiB|MiB|GiB)\b", "SIZE"),
    (r"threads \d+ then", "threads N then"),
    (r'("(?:seconds|estimate_s|oldest|newest|\w*bytes)": )\d+(\.\d+)?', r"\1N"),
    (r" {2,}(?=\S)", "  "),
)
"""What is another at each time or on each machine."""
COMES_AND_GOES = re.compile(
    r"^(While it renders, see .*|\w+(@\d+)?: (loading the model .*|\d+ of \d+ frames.*)|)$"
)
"""Lines for who waits: they depend on the machine, and on whether a terminal is there."""


def transcripts():
    """(section, its block)."""
    section = ""
    for heading, block in BLOCKS:
        section = heading or section
        if block:
            yield section, block


def exchanges(block):
    """Of each command what was typed, and the lines of its answer."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [
        (command, answer.splitlines()) for command, _, answer in (p.partition("\n") for p in parts)
    ]


def comparable(lines):
    for pattern, instead in VARIES:
        lines = [re.sub(pattern, instead, line) for line in lines]
    return [line for line in lines if not COMES_AND_GOES.match(line)]


def same(expected, found):
    """Whether the lines are those; a line of three dots stands for any that come there."""
    pattern = "".join(
        r"(?:.*\n)*" if line.strip() == ELLIPSIS else _line(line) for line in expected
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in found))


def _line(line):
    """One that ends in three dots goes on."""
    cut = line.endswith(f", {ELLIPSIS}")
    return f"{re.escape(line.removesuffix(ELLIPSIS))}.+\n" if cut else f"{re.escape(line)}\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("manual")
    (place / "data" / "walks").mkdir(parents=True)
    (place / "data" / "walks" / "butterfly.yaml").write_text(BUTTERFLY)
    (place / "wrong.yaml").write_text(WRONG)
    return place


@pytest.fixture(scope="module")
def shell(place):
    known = {k: v for k, v in os.environ.items() if not k.startswith("LATENT_ASSETS_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), known["PATH"]])
    environment = {**known, "PATH": path, "LATENT_ASSETS_DATA": str(place / "data")}
    code = 0

    def run(command):
        nonlocal code
        done = subprocess.run(
            ["bash", "-c", f"(exit {code}); {command}"],
            cwd=place,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=300,
        )
        code = done.returncode
        return done.stdout.replace(f"{place}/data", "data").replace(str(place), HOME).splitlines()

    return run


@pytest.mark.parametrize(("section", "block"), list(transcripts()))
def test_the_manual_tells_what_the_commands_answer(section, block, shell):
    for command, expected in exchanges(block):
        found = comparable(shell(command))
        assert same(comparable(expected), found), f"{section}: {command}\n" + "\n".join(found)
