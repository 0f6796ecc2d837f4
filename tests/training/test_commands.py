"""What the training's command line refuses before it begins."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from latent_assets.diffusion.embedded.weights import WEIGHTS_FILE, default_directory
from latent_assets.training.__main__ import main
from latent_assets.training.concepts import CONCEPTS
from latent_assets.training.cutouts import pack

SHIPPED = default_directory()


@pytest.fixture(autouse=True)
def keras_as_it_was(monkeypatch):
    """A step sets the precision and the threads of its process: here, that of other tests."""
    for module in ("__main__", "autoencoder", "denoiser"):
        monkeypatch.setattr(f"latent_assets.training.{module}.prepare", lambda *_: None)


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


@pytest.mark.parametrize(
    ("step", "option"),
    [
        ("evaluate", "--judge-pictures"),
        ("denoiser", "--new-pictures"),
        ("few-steps", "--new-pictures"),
        ("together", "--new-pictures"),
    ],
)
def test_pictures_that_are_composed_need_artwork(step, option, monkeypatch, capsys):
    told = refused(monkeypatch, capsys, step, option, "9")
    assert "there is no --artwork" in told


@pytest.mark.parametrize("count", ["0", "-1", "x", "1.5"])
def test_the_judge_gets_a_whole_number_of_pictures(count, monkeypatch, capsys):
    told = refused(monkeypatch, capsys, "evaluate", "--artwork", ".", f"--judge-pictures={count}")
    assert "--judge-pictures" in told


@pytest.mark.parametrize("step", ["denoiser", "evaluate"])
def test_a_precision_that_is_none_is_told_before_anything_is_composed(step, monkeypatch, capsys):
    told = refused(monkeypatch, capsys, step, "--precision", "float15")
    assert "mixed_bfloat16" in told


def told(monkeypatch, capsys, *arguments):
    """What a step says that cannot begin: words, and no stack trace."""
    monkeypatch.setattr(sys, "argv", ["training", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("latent-assets: ")
    return said


def test_artwork_that_is_not_there_is_told(tmp_path, monkeypatch, capsys):
    said = told(monkeypatch, capsys, "data", "--work", tmp_path)
    assert str(tmp_path / "artwork.npz") in said
    assert "latent_assets.training artwork" in said


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_artwork_that_is_broken_is_told(content, tmp_path, monkeypatch, capsys):
    file = tmp_path / "artwork.npz"
    file.write_bytes(content)
    said = told(monkeypatch, capsys, "data", "--artwork", file, "--work", tmp_path)
    assert f"{file} is no packed artwork" in said


def test_an_archive_of_something_else_is_no_artwork(tmp_path, monkeypatch, capsys):
    np.savez(tmp_path / "other.npz", numbers=np.arange(3))
    said = told(monkeypatch, capsys, "data", "--artwork", tmp_path / "other.npz")
    assert "is no packed artwork" in said


def test_a_drawing_that_is_no_picture_is_told(tmp_path, monkeypatch, capsys):
    pack(tmp_path / "artwork.npz", {CONCEPTS[0].name: b"no picture"})
    said = told(monkeypatch, capsys, "data", "--work", tmp_path)
    assert "holds a drawing that is no picture" in said


def test_a_folder_is_no_artwork(tmp_path, monkeypatch, capsys):
    said = told(monkeypatch, capsys, "data", "--artwork", tmp_path)
    assert f"{tmp_path} cannot be read: Is a directory" in said


@pytest.mark.parametrize("step", ["autoencoder", "denoiser"])
def test_training_without_pictures_is_told(step, tmp_path, monkeypatch, capsys):
    given = ("--init", SHIPPED) if step == "denoiser" else ()
    said = told(monkeypatch, capsys, step, "--work", tmp_path, "--workers", 1, *given)
    assert str(tmp_path / "data" / "train.npy") in said
    assert "latent_assets.training data" in said


@pytest.mark.parametrize("step", ["denoiser", "together"])
def test_training_without_an_autoencoder_is_told(step, tmp_path, monkeypatch, capsys):
    said = told(monkeypatch, capsys, step, "--work", tmp_path)
    assert str(tmp_path / "autoencoder" / "autoencoder.safetensors") in said


def test_few_steps_without_a_denoiser_is_told(tmp_path, monkeypatch, capsys):
    said = told(monkeypatch, capsys, "few-steps", "--work", tmp_path)
    assert str(tmp_path / "denoiser" / "denoiser.safetensors") in said


def test_weights_that_are_cut_off_are_told(tmp_path, monkeypatch, capsys):
    codec = tmp_path / "autoencoder" / "autoencoder.safetensors"
    codec.parent.mkdir()
    codec.write_bytes((SHIPPED / WEIGHTS_FILE).read_bytes()[:1000])
    said = told(monkeypatch, capsys, "denoiser", "--work", tmp_path)
    assert f"{codec} is no whole file of weights" in said


@pytest.mark.parametrize("step", ["denoiser", "few-steps", "export"])
def test_a_model_that_is_not_there_is_told(step, tmp_path, monkeypatch, capsys):
    given = ("--init", tmp_path) if step != "export" else ()
    said = told(monkeypatch, capsys, step, "--work", tmp_path, "--model", tmp_path / "no", *given)
    assert "does not exist" in said


def test_judging_without_pictures_is_told_before_the_judge_learns(tmp_path, monkeypatch, capsys):
    said = told(monkeypatch, capsys, "evaluate", "--work", tmp_path, "--quick")
    assert str(tmp_path / "data") in said


@pytest.mark.parametrize(
    ("program", "reason"), [(None, "is not installed"), ("exit 7", "ended with 7")]
)
def test_artwork_that_cannot_be_fetched_is_told(program, reason, tmp_path, monkeypatch, capsys):
    programs = tmp_path / "programs"
    programs.mkdir()
    if program is not None:
        (programs / "npm").write_text(f"#!/bin/sh\n{program}\n")
        (programs / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}")
    said = told(monkeypatch, capsys, "artwork", "--work", tmp_path)
    assert reason in said
    assert str(tmp_path / "npm") in said


def test_ctrl_c_is_answered_in_words(tmp_path, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("latent_assets.training.__main__.run_team", interrupted)
    monkeypatch.setattr(sys, "argv", ["training", "autoencoder", "--work", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert "--resume goes on" in capsys.readouterr().err
