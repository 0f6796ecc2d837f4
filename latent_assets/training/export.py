"""Writes the trained model where rendering finds it: weights, vocabulary, `model.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from latent_assets.diffusion.embedded import load_embedded_model, nets
from latent_assets.diffusion.embedded.vocabulary import VOCABULARY_FILE
from latent_assets.diffusion.embedded.weights import (
    CARD_FILE,
    WEIGHTS_FILE,
    WORD_VECTORS,
    Tensors,
    read_model_card,
    read_weights,
    write_weights,
)
from latent_assets.training.sampling import FEW_STEPS, GUIDANCE, STEPS
from latent_assets.training.weight_files import load_tensors
from latent_assets.training.wordlist import vocabulary_document, words_directory

TRAINED = {
    "autoencoder": "autoencoder/autoencoder.safetensors",
    "denoiser": "denoiser/denoiser.safetensors",
    "few_steps": "few_steps/denoiser.safetensors",
}
"""Step -> what it leaves in the work directory; a later one's weights replace an earlier one's."""
SAMPLES, EARLIER_SAMPLES = "samples", "samples_of_earlier_runs"
EARLIER_FILE = "earlier-samples.json"
CHECK_FILE = "check.npz"
LICENCE = "Apache-2.0"
NOTICE = (
    "Trained on Fluent Emoji (MIT); word vectors derived from"
    " all-MiniLM-L6-v2 (Apache-2.0). See data/models/embedded/MODEL_CARD.md."
)


def model_document(weights_sha256: str, figures: dict[str, Any]) -> dict[str, Any]:
    """What `model.json` holds."""
    return {
        "name": "embedded",
        "title": "Embedded model (256 px, emoji artwork)",
        "weights_sha256": weights_sha256,
        "shapes": {
            "context": [nets.MAX_TOKENS, nets.CONTEXT_WIDTH],
            "time": [nets.TIME_WIDTH],
            "latents": [nets.LATENT_SIZE, nets.LATENT_SIZE, nets.LATENT_CHANNELS],
            "picture": [nets.IMAGE_SIZE, nets.IMAGE_SIZE, 3],
        },
        "defaults": {"num_steps": STEPS, "guidance_scale": GUIDANCE},
        "few_steps": {
            "name": "embedded-fast",
            "title": "Embedded model in four steps (256 px, emoji artwork)",
            "num_steps": FEW_STEPS,
            "spacing": "trailing",
        },
        "licence": LICENCE,
        "licence_notice": NOTICE,
        "training": figures,
    }


def export_work(work: Path, model: Path) -> str:
    """Export what was trained in `work`; what was not trained there stays that of `model`."""
    tensors = read_weights(model)
    source = words_directory(work, model)
    words = json.loads((source / VOCABULARY_FILE).read_text(encoding="utf-8"))["words"]
    tensors[WORD_VECTORS] = load_tensors(source / WEIGHTS_FILE)[WORD_VECTORS]
    for place in TRAINED.values():
        if (work / place).is_file():
            tensors |= load_tensors(work / place)
    return export_model(model, tensors, vocabulary_document(words), training_figures(work, model))


def training_figures(work: Path, model: Path) -> dict[str, Any]:
    """Samples trained, by network: in this run, and before it by the weights it started from.

    A network that was not trained in `work` keeps what the exported model says of it.
    """
    known = read_model_card(model).get("training", {})
    figures = {key: dict(known.get(key, {})) for key in (SAMPLES, EARLIER_SAMPLES)}
    for network in TRAINED:
        earlier = work / network / EARLIER_FILE
        # The autoencoder's second half, its sharpening, has a folder of its own.
        if parts := list((work / network).glob("**/checkpoint.npz")):
            figures[SAMPLES][network] = sum(map(_samples_of, parts))
            before = json.loads(earlier.read_text()) if earlier.is_file() else 0
            figures[EARLIER_SAMPLES][network] = before
    return figures


def _samples_of(checkpoint: Path) -> int:
    with np.load(checkpoint) as arrays:
        return int(arrays["samples"])


def note_earlier_samples(folder: Path, network: str, model: Path) -> None:
    """Note in a run's folder how many samples the weights that it starts from have seen."""
    known = read_model_card(model).get("training", {})
    seen = [known.get(key, {}).get(network, 0) for key in (SAMPLES, EARLIER_SAMPLES)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / EARLIER_FILE).write_text(json.dumps(sum(seen)))


def check_inputs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fixed inputs: tokens (2, 16), latents (2, 16, 16, 16), timesteps (2,)."""
    tokens = np.zeros((2, nets.MAX_TOKENS), np.int32)
    tokens[0, :3] = (5, 9, 100)
    shape = (2, nets.LATENT_SIZE, nets.LATENT_SIZE, nets.LATENT_CHANNELS)
    latents = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    return tokens, latents, np.array([999, 417])


def check_outputs(directory: Path) -> dict[str, np.ndarray]:
    """What the exported networks make of `check_inputs`; of the pictures each eighth pixel."""
    from keras.ops import convert_to_numpy as numbers

    model = load_embedded_model(directory)
    fast = load_embedded_model(directory, fast=True)
    tokens, latents, timesteps = check_inputs()
    context = numbers(model.text_encoder(tokens)).astype(np.float16).astype(np.float32)
    inputs = [latents, nets.time_embedding(timesteps), context]
    return {
        "context": context,
        "noise": numbers(model.denoiser(inputs)),
        "few_steps_noise": numbers(fast.denoiser(inputs)),
        "picture": numbers(model.decoder(latents))[:, ::8, ::8],
    }


def write_check(directory: Path) -> None:
    """Record `check_outputs` for the tests."""
    halves = check_outputs(directory)
    np.savez_compressed(
        directory / CHECK_FILE, **{name: array.astype(np.float16) for name, array in halves.items()}
    )


def export_model(
    directory: Path, tensors: Tensors, vocabulary: dict[str, Any], figures: dict[str, Any]
) -> str:
    """Write everything that rendering and `--init` need; returns the weights' sha256."""
    digest = write_weights(directory, tensors)
    _write_json(directory / VOCABULARY_FILE, vocabulary, indent=None)
    _write_json(directory / CARD_FILE, model_document(digest, figures), indent=2)
    write_check(directory)
    return digest


def _write_json(path: Path, document: dict[str, Any], indent: int | None) -> None:
    path.write_text(json.dumps(document, indent=indent) + "\n", encoding="utf-8")
