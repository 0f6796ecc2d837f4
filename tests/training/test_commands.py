"""What the training's command line refuses before it begins."""

from __future__ import annotations

import sys

import pytest

from latent_assets.training.__main__ import main


def refused(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["training", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("step", ["denoiser", "few-steps", "together"])
def test_a_share_for_weights_that_are_not_there_is_refused(step, monkeypatch, capsys):
    told = refused(monkeypatch, capsys, step, "--gentle", "0.06")
    assert "there is no --init" in told


@pytest.mark.parametrize("share", ["-1", "2", "nan", "x"])
def test_a_share_is_a_number_from_0_to_1(share, monkeypatch, capsys):
    told = refused(monkeypatch, capsys, "denoiser", "--init", ".", f"--gentle={share}")
    assert "--gentle" in told


def test_pictures_for_the_judge_need_artwork(monkeypatch, capsys):
    told = refused(monkeypatch, capsys, "evaluate", "--judge-pictures", "9")
    assert "there is no --artwork" in told


@pytest.mark.parametrize("count", ["0", "-1", "x", "1.5"])
def test_the_judge_gets_a_whole_number_of_pictures(count, monkeypatch, capsys):
    told = refused(monkeypatch, capsys, "evaluate", "--artwork", ".", f"--judge-pictures={count}")
    assert "--judge-pictures" in told


@pytest.mark.parametrize("step", ["denoiser", "evaluate"])
def test_a_precision_that_is_none_is_told_before_anything_is_composed(step, monkeypatch, capsys):
    told = refused(monkeypatch, capsys, step, "--precision", "float15")
    assert "mixed_bfloat16" in told
