"""What the training's command line refuses before it begins."""

from __future__ import annotations

import sys

import pytest

from latent_assets.training.__main__ import main


@pytest.mark.parametrize("step", ["denoiser", "few-steps", "together"])
def test_a_share_for_weights_that_are_not_there_is_refused(step, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["training", step, "--gentle", "0.06"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "there is no --init" in capsys.readouterr().err


@pytest.mark.parametrize("share", ["-1", "2", "nan", "x"])
def test_a_share_is_a_number_from_0_to_1(share, monkeypatch, capsys):
    arguments = ["training", "denoiser", "--init", ".", f"--gentle={share}"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "--gentle" in capsys.readouterr().err
