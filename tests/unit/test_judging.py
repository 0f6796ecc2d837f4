"""What stands in for a Python with diffusers and is none is told in a sentence."""

from __future__ import annotations

import stat

import numpy as np
import pytest

from latent_assets import judging
from latent_assets.errors import ModelError, UsageError


@pytest.fixture
def program(tmp_path):
    """Makes an executable of a shell script."""

    def make(script):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return make


@pytest.mark.parametrize("script", ["exit 0", "exit 1", "yes | head -c 100000; exit 3"])
def test_a_program_that_lacks_diffusers_is_refused(script, program):
    with pytest.raises(UsageError, match="has not all of torch, diffusers") as told:
        judging.compare_with_diffusers(None, "mine", program(script))
    assert "pip install torch" in told.value.cure


def test_what_cannot_be_run_is_refused(tmp_path):
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(UsageError, match="cannot be run") as told:
            judging.compare_with_diffusers(None, "mine", path)
        assert "--python" in told.value.cure


def test_what_never_answers_is_not_waited_for(program, monkeypatch):
    monkeypatch.setattr(judging, "_PATIENCE_S", 0.2)
    with pytest.raises(UsageError, match="does not say whether it has"):
        judging.compare_with_diffusers(None, "mine", program("exec sleep 60"))


def test_no_answer_and_a_failure_are_told(program):
    inputs = {"latents": np.zeros((1, 2, 2, 4), np.float32)}
    request = {"base": "models/mine.safetensors"}
    with pytest.raises(ModelError, match="gave no answer"):
        judging.ask(str(program("exit 0")), request, inputs)
    with pytest.raises(ModelError, match=r"could not compute models/mine\.safetensors: too little"):
        judging.ask(str(program("echo noise >&2; echo too little >&2; exit 1")), request, inputs)
