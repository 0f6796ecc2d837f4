"""Full-precision weight files of the work directory (the exported ones are in half precision)."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from latent_assets.diffusion.embedded.weights import Tensors
from latent_assets.errors import TrainingError


def save_tensors(path: Path, tensors: Tensors) -> None:
    """Write tensors, all or nothing."""
    fresh = path.with_suffix(".new")
    save_file(tensors, fresh)
    fresh.replace(path)


def load_tensors(path: Path) -> Tensors:
    """Read what `save_tensors` wrote. Raises TrainingError."""
    try:
        return load_file(existing(path))
    except SafetensorError as error:
        raise TrainingError(f"{path} is no whole file of weights: {error}") from error


def existing(path: Path) -> Path:
    """The path of a file of weights. Raises TrainingError, if there is none."""
    if not path.is_file():
        raise TrainingError(
            f"there are no weights to begin with: {path} does not exist",
            "Train what comes before (docs/embedded-model.md has the order), or name an exported"
            " model by --init.",
        )
    return path
