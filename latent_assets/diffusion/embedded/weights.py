"""Reading and writing the embedded model's weights: one safetensors file, half precision.

A tensor is called `model/layer/weight`, such as `denoiser/down1_conv1/kernel`; the word vectors
are `word_vectors`. `model.json` beside the file holds its sha256: a damaged or exchanged file is
refused instead of rendering something else.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from latent_assets.errors import ModelError
from latent_assets.shipped import SHIPPED_MODELS

WEIGHTS_FILE = "weights.safetensors"
CARD_FILE = "model.json"
WORD_VECTORS = "word_vectors"

GIST = "denoiser/gist"
"""How the names begin of what reads the noise's code; weights from before it have none."""

Tensors = dict[str, np.ndarray]


def default_directory() -> Path:
    """Where the weights lie that come with the project."""
    return SHIPPED_MODELS / "embedded"


def read_model_card(directory: Path) -> dict[str, Any]:
    """The contents of `model.json`: name, weights digest, shapes, defaults."""
    path = directory / CARD_FILE
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(
            f"the embedded model is not there: {path} does not exist",
            "Take data/models/embedded/ from the repository, or name its place.",
        ) from error
    except json.JSONDecodeError as error:
        raise ModelError(f"{path} is not valid JSON: {error}") from error


def file_digest(path: Path) -> str:
    """Hex sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_weights(directory: Path, verify: bool = True) -> Tensors:
    """All tensors by name, as float32. With `verify`, the file must have the card's digest."""
    path = directory / WEIGHTS_FILE
    if not path.is_file():
        raise ModelError(f"the embedded model's weights are not there: {path} does not exist")
    if verify:
        expected, found = read_model_card(directory)["weights_sha256"], file_digest(path)
        if found != expected:
            raise ModelError(
                f"{path} is not the file that {CARD_FILE} describes: its sha256 is {found},"
                f" not {expected}",
                "Restore it with `git checkout -- data/models/embedded`.",
            )
    return {name: tensor.astype(np.float32) for name, tensor in load_file(path).items()}


def reads_gist(tensors: Tensors) -> bool:
    """Whether the denoiser of these weights was taught to read the gist of the latents."""
    return any(name.startswith(GIST) for name in tensors)


def named_weights(model: Any) -> dict[str, Any]:
    """A model's Keras variables by name, `model/layer/weight`, in the order of its layers."""
    return {
        f"{model.name}/{layer.name}/{weight.name}": weight
        for layer in model.layers
        for weight in layer.weights
    }


def model_tensors(model: Any) -> Tensors:
    """A model's weights by name."""
    return {name: weight.numpy() for name, weight in named_weights(model).items()}


def assign_weights(model: Any, tensors: Tensors) -> None:
    """Give a model its weights; one that is missing or of another shape is an error."""
    for name, weight in named_weights(model).items():
        if name not in tensors:
            raise ModelError(f"the weights file has no tensor {name!r}")
        if tuple(tensors[name].shape) != tuple(weight.shape):
            raise ModelError(
                f"tensor {name!r} has shape {tuple(tensors[name].shape)},"
                f" the network wants {tuple(weight.shape)}"
            )
        weight.assign(tensors[name])


def write_weights(directory: Path, tensors: Tensors) -> str:
    """Write all tensors in half precision; returns the file's sha256."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / WEIGHTS_FILE
    halves = {
        name: np.ascontiguousarray(tensor.astype(np.float16)) for name, tensor in tensors.items()
    }
    save_file(halves, path, metadata={"format": "np"})
    path.chmod(0o644)  # safetensors makes it readable by its owner alone
    return file_digest(path)
