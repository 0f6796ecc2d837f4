"""A folder of h5 files in KerasCV's layout: the published ones, or as today's Keras saves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from latent_assets.diffusion.checkpoints.architecture import (
    TEXT,
    UNET,
    VAE,
    VOCABULARY,
    Architecture,
)
from latent_assets.diffusion.checkpoints.identify import describes
from latent_assets.errors import ModelError

KERAS_NAMES = {
    TEXT: ("kcv_encoder", "text_encoder_v2_1", "text_encoder"),
    UNET: ("kcv_diffusion_model", "diffusion_model_v2_1", "diffusion_model"),
    VAE: ("kcv_decoder", "decoder"),
}
"""What the files of each network may be called, before the suffix."""
KERAS_SUFFIXES = (".h5", ".weights.h5")


def keras_files(folder: Path) -> dict[str, Path]:
    """By network, the h5 file that holds it; only those that are there."""
    found = {}
    for network, stems in KERAS_NAMES.items():
        candidates = (folder / f"{stem}{suffix}" for stem in stems for suffix in KERAS_SUFFIXES)
        path = next((path for path in candidates if path.is_file()), None)
        if path is not None:
            found[network] = path
    return found


def weights_file(folder: Path, name: str) -> Path:
    """The published name in a folder, or the same with the suffix that today's Keras asks for."""
    plain = folder / name
    today = folder / f"{name.removesuffix('.h5')}.weights.h5"
    return today if today.is_file() and not plain.is_file() else plain


def require_all(folder: Path, files: dict[str, Path]) -> None:
    """Raises ModelError if one of the three networks has no file."""
    lacking = [network for network in (TEXT, UNET, VAE) if network not in files]
    if lacking:
        names = ", ".join(f"{KERAS_NAMES[n][-1]}.weights.h5" for n in lacking)
        raise ModelError(
            f"{folder} lacks {names}",
            "A model in KerasCV's layout has three files: text_encoder.weights.h5,"
            " diffusion_model.weights.h5 and decoder.weights.h5, each by its network's"
            " save_weights(...); or the three published ones.",
        )


def architecture_of(path: Path) -> Architecture:
    """By the table of tokens in the text encoder's file. Raises ModelError."""
    import h5py  # noqa: PLC0415 - comes with Keras; only these files need it

    widths: list[int] = []

    def note(_name: str, item: Any) -> None:
        shape = getattr(item, "shape", ())
        if len(shape) == 2 and shape[0] == VOCABULARY:  # noqa: PLR2004 - a table
            widths.append(int(shape[1]))

    try:
        with h5py.File(path, "r") as file:
            file.visititems(note)
    except (OSError, RuntimeError) as error:
        raise ModelError(
            f"{path} is no h5 file, or is cut short: {str(error)[:200]}",
            "Download, copy or save it again.",
        ) from None
    arch = describes(widths[0]) if widths else None
    if arch is None:
        raise ModelError(
            f"{path} holds no text encoder of Stable Diffusion 1.x or 2.x",
            "It must be written by KerasCV's text_encoder.save_weights(...).",
        )
    return arch
