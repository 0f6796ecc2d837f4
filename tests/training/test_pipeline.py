"""The whole pipeline on a tiny budget: own drawings, a few steps, no network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latent_assets.diffusion.embedded.weights import (
    CARD_FILE,
    GIST,
    Tensors,
    default_directory,
    read_model_card,
    read_weights,
    write_weights,
)
from latent_assets.training import artwork
from latent_assets.training.classifier import WEIGHTS, Training, train_classifier
from latent_assets.training.cutouts import pack
from latent_assets.training.trainer import Budget
from latent_assets.training.weight_files import load_tensors

pytestmark = [pytest.mark.slow, pytest.mark.engine]


PICTURES = ("--pictures", "8", "--test-pictures", "2")


def step(work: Path, model: Path, name: str, *options: str) -> str:
    command = [sys.executable, "-m", "latent_assets.training", name]
    command += ["--work", str(work), "--model", str(model), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def write_weights_and_card(model: Path, tensors: Tensors) -> None:
    card = read_model_card(model) | {"weights_sha256": write_weights(model, tensors)}
    (model / CARD_FILE).write_text(json.dumps(card))


def tiny(*options: str) -> tuple[str, ...]:
    return ("--batch-size", "2", "--precision", "float32", *options)


def test_pipeline_from_drawings_to_a_model_that_loads(tmp_path):
    work, model = tmp_path / "work", tmp_path / "model"
    shutil.copytree(default_directory(), model)
    before = read_weights(model)

    step(work, model, "data", "--own-artwork", "--pictures", "24", "--test-pictures", "6")
    log = step(work, model, "autoencoder", *tiny("--steps", "3", "--workers", "2"))
    assert "PSNR" in log
    step(work, model, "denoiser", *tiny("--steps", "2", "--workers", "1"))
    drawings = tmp_path / "artwork.npz"
    pack(drawings, {name: artwork.render(svg) for name, svg in artwork.OWN_DRAWINGS.items()})
    composed = ("--artwork", str(drawings))
    anew = tiny("--steps", "1", "--workers", "1", "--resume", *composed, "--new-pictures", "70")
    assert "samples 6 " in step(work, model, "denoiser", *anew)
    step(work, model, "export")

    after = read_weights(model)
    assert after.keys() == before.keys()
    kernel = "denoiser/down1_conv1/kernel"
    assert not np.array_equal(after[kernel], before[kernel])
    trained = json.loads((model / "model.json").read_text())["training"]
    kept = read_model_card(default_directory())["training"]["samples"]["few_steps"]
    assert trained["samples"] == {"autoencoder": 12, "denoiser": 6, "few_steps": kept}

    composed = (*composed, "--judge-pictures", "70")
    log = step(work, model, "evaluate", "--quick", "--classifier-minutes", "0.05", *composed)
    figures = json.loads(log[log.index("\n{") :])
    assert figures["generated"]["pictures"] == 3
    assert (work / "evaluation" / "prompts.png").is_file()


def test_training_goes_on_from_exported_weights(tmp_path):
    """Here from weights of before the noise was tied, which have no layers for that."""
    model = tmp_path / "model"
    shutil.copytree(default_directory(), model)
    tensors = read_weights(model)
    known = {name: tensor for name, tensor in tensors.items() if GIST not in name}
    write_weights_and_card(model, known)
    step(tmp_path, model, "data", "--own-artwork", *PICTURES)
    options = tiny("--steps", "1", "--workers", "1", "--init", str(model), "--gentle", "0")
    step(tmp_path, model, "denoiser", *options)
    learned = load_tensors(tmp_path / "denoiser" / "denoiser.safetensors")
    # What the weights knew is held still, and what begins anew learns.
    for name in learned.keys() & known.keys():
        np.testing.assert_allclose(learned[name], known[name], rtol=1e-6, err_msg=name)
    fresh = learned.keys() - known.keys()
    assert {name.split("/")[1] for name in fresh} == {"gist1", "gist2"}
    assert np.abs(learned["denoiser/gist2/kernel"]).max() > 0


def test_denoiser_and_its_few_steps_are_trained_in_one_go(tmp_path):
    model = default_directory()
    step(tmp_path, model, "data", "--own-artwork", *PICTURES)
    options = tiny("--steps", "2", "--workers", "1", "--init", str(model))
    log = step(tmp_path, model, "together", *options)
    assert log.count("samples 4 sheet and weights written") == 2
    first = load_tensors(tmp_path / "denoiser" / "denoiser.safetensors")
    second = load_tensors(tmp_path / "few_steps" / "denoiser.safetensors")
    assert first.keys() == second.keys()
    # The second task went on from the first one, and its mode from what the weights knew of it.
    for name in ("denoiser/time1/kernel", "denoiser/down1_conv1/kernel"):
        assert 0 < np.abs(second[name] - first[name]).max() < 0.1, name
    few, known = second["denoiser/few1/kernel"], read_weights(model)["denoiser/few1/kernel"]
    assert (
        0 < np.abs(few - known).max() < 0.001 < np.abs(few - second["denoiser/time1/kernel"]).max()
    )


def test_the_judge_goes_on_with_its_learning_and_judges_in_full_precision(tmp_path):
    import keras

    step(tmp_path, default_directory(), "data", "--own-artwork", *PICTURES)
    pictures, folder = tmp_path / "data", tmp_path / "evaluation"
    once = Training(Budget(steps=2, report_minutes=60), 2, "mixed_bfloat16")
    before = keras.config.dtype_policy()
    network = train_classifier(pictures, folder, once)
    assert keras.config.dtype_policy() == before
    assert network.get_layer("stage1-first").compute_dtype == "float32"

    first = load_tensors(folder / WEIGHTS)
    train_classifier(pictures, folder, once)  # it is there already
    known = load_tensors(folder / WEIGHTS)
    assert all(np.array_equal(first[name], known[name]) for name in first)
    train_classifier(pictures, folder, replace(once, resume=True))
    again = load_tensors(folder / WEIGHTS)
    assert not all(np.array_equal(first[name], again[name]) for name in first)
    with np.load(folder / "checkpoint.npz") as checkpoint:
        assert int(checkpoint["samples"]) == 8
