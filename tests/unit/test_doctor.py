"""The doctor says what it finds, and what to do."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from latent_assets.cli import doctor
from latent_assets.cli.app import app
from latent_assets.diffusion.tensorflow_runtime import Device

CPU = Device("CPU", "a processor", 4)


@pytest.mark.parametrize(
    ("kind", "driver", "visible", "words"),
    [
        ("CPU", False, None, "no NVIDIA driver"),
        ("CPU", True, None, "install the extra gpu"),
        ("CPU", True, "-1", "hides every GPU"),
        ("CPU", True, "", "hides every GPU"),
        ("CPU", True, "0", "install the extra gpu"),
        ("GPU", True, None, "CUDA_VISIBLE_DEVICES"),
    ],
)
def test_a_device_is_explained(kind, driver, visible, words):
    assert words in doctor.explain(kind, driver, visible)


@pytest.fixture
def run(monkeypatch, tmp_path):
    def run(*arguments, device=CPU, memory=2**35, free=2**40):
        def prepare():
            if isinstance(device, Exception):
                raise device
            return device

        monkeypatch.setenv("LATENT_ASSETS_DATA", str(tmp_path))
        monkeypatch.setattr(doctor, "prepare_device", prepare)
        monkeypatch.setattr(doctor, "_memory", lambda: memory)
        monkeypatch.setattr(doctor, "_free", lambda _: free)
        return CliRunner().invoke(app, ["doctor", *arguments])

    return run


def test_an_embedded_model_without_its_files_is_a_problem(run, tmp_path):
    (tmp_path / "models" / "embedded").mkdir(parents=True)
    result = run()
    assert result.exit_code == 1
    assert "problem" in result.output
    assert str(tmp_path) in result.output.replace("\n", "")


def test_a_healthy_machine(run):
    result = run()
    assert result.exit_code == 0, result.output
    assert "CPU a processor, 4 threads" in result.output
    assert "32.0 GiB" in result.output
    assert "the first render downloads kcv_encoder.h5" in result.output
    report = json.loads(run("--json").output)
    assert report["ok"]
    assert "no NVIDIA driver" in report["device"]["why"] or "GPU" in report["device"]["why"]

    small = run(memory=2**32)
    assert small.exit_code == 0
    assert "Stable Diffusion needs some 8 GB" in small.output

    full = run(free=2**20)
    assert full.exit_code == 1
    assert "1.0 MiB of disk are free" in full.output

    broken = run(device=ImportError("libfoo.so is missing"))
    assert broken.exit_code == 1
    assert "TensorFlow does not start: libfoo.so is missing" in broken.output


def test_a_light_installation_lacks_nothing_that_the_embedded_model_needs(run, monkeypatch):
    installed = doctor.importlib.metadata.version

    def version(name):
        if name in {"tensorflow", "keras-cv"}:
            raise doctor.importlib.metadata.PackageNotFoundError(name)
        return "2.0-light" if name == "tensorflow-cpu" else installed(name)

    monkeypatch.setattr(doctor.importlib.metadata, "version", version)
    result = run()
    assert result.exit_code == 0, result.output
    assert "tensorflow 2.0-light" in result.output
    assert "Stable Diffusion needs keras-cv: pip install keras-cv" in result.output
