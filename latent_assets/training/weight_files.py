"""Full-precision weight files of the work directory (the exported ones are in half precision)."""

from __future__ import annotations

from pathlib import Path

from safetensors.numpy import load_file, save_file

from latent_assets.diffusion.embedded.weights import Tensors


def save_tensors(path: Path, tensors: Tensors) -> None:
    """Write tensors, all or nothing."""
    fresh = path.with_suffix(".new")
    save_file(tensors, fresh)
    fresh.replace(path)


def load_tensors(path: Path) -> Tensors:
    """Read what `save_tensors` wrote."""
    return load_file(path)
