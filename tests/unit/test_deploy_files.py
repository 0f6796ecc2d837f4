"""Compose and systemd files say what the project understands; no container engine runs here."""

import re
import shlex
import shutil
import subprocess

import pytest
import yaml
from typer.main import get_command

from latent_assets.cli.app import app
from latent_assets.settings import Settings
from latent_assets.shipped import PROJECT_ROOT

DEPLOY = PROJECT_ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
OURS = {name: one for name, one in COMPOSE["services"].items() if one["image"] == "latent-assets"}
VARIABLE = re.compile(r"\$\{(\w+)(?::?[-?][^}]*)?\}")


def examples():
    lines = (DEPLOY / "cluster.env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def check_command(words):
    command = get_command(app).commands[words[0]]
    command.make_context(words[0], words[1:])


@pytest.mark.parametrize("name", sorted(OURS))
def test_each_container_of_ours_starts_a_command_with_options_that_there_are(name):
    check_command([VARIABLE.sub("localhost", word) for word in OURS[name]["command"]])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_each_unit_starts_a_command_with_options_that_there_are(unit):
    (line,) = re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)
    program, *words = shlex.split(line.replace("%i", "0"))
    assert program.endswith("/latent-assets")
    check_command(words)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_finds_nothing_wrong_with_a_unit(tmp_path, unit):
    # The program is not installed here, nor is its user: systemd is asked about all else.
    text = re.sub(r"/opt/latent-assets/bin/latent-assets", "/bin/true", unit.read_text())
    copy = tmp_path / unit.name.replace("@", "@0")
    copy.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = [line for line in done.stderr.splitlines() if unit.stem.partition("@")[0] in line]
    assert said == []


def test_the_settings_of_all_containers_are_settings_and_none_holds_a_secret():
    known = {f"LATENT_ASSETS_{name.upper()}" for name in Settings.__dataclass_fields__}
    for one in OURS.values():
        said = one["environment"]
        assert {name for name in said if name.startswith("LATENT_ASSETS_")} <= known
    for name, one in COMPOSE["services"].items():
        for variable, value in one["environment"].items():
            secret = re.search("PASSWORD|SECRET|BROKER|DATABASE", variable)
            assert not secret or VARIABLE.fullmatch(value), (name, variable)


def test_every_variable_without_a_default_is_in_the_example_which_is_a_deployment():
    text = (DEPLOY / "compose.yaml").read_text()
    needed = set(re.findall(r"\$\{(\w+):\?", text))
    there = examples()
    assert needed <= there.keys()
    settings = Settings.from_environment(
        {name: value for name, value in there.items() if name.startswith("LATENT_ASSETS_")}
    )
    assert settings.executor == "celery"
    assert there["REDIS_PASSWORD"] in settings.broker
    assert there["POSTGRES_PASSWORD"] in settings.database


def test_what_waits_for_another_waits_for_one_that_says_when_it_is_ready():
    services = COMPOSE["services"]
    for one in OURS.values():
        for other, how in one["depends_on"].items():
            assert how["condition"] == "service_healthy"
            assert services[other]["healthcheck"]["test"]
    (gpu,) = OURS["worker-gpu-0"]["deploy"]["resources"]["reservations"]["devices"]
    assert (gpu["driver"], gpu["capabilities"]) == ("nvidia", ["gpu"])
