"""Weights files of Stable Diffusion: where they are, what they are, how to get them.

Looked for in this order: `weights_dir` (whatever files the user put there, fine-tuned ones too),
`models_dir`/<model name>, the same of those that the project ships, KerasCV's own cache; else
downloaded into `models_dir`/<model name>.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from latent_assets.diffusion.checkpoints.keras_files import weights_file
from latent_assets.diffusion.stable_diffusion import (
    StableDiffusionModel,
    WeightsFile,
    combined_digest,
)
from latent_assets.errors import ModelError
from latent_assets.foreign import open_regular

_BLOCK = 1 << 20
DIGESTS_FILE = "digests.json"
MOST_REMEMBERED_BYTES = 16_000_000
"""A larger file of digests is none of ours."""


def file_digest(path: Path, models_dir: Path) -> str:
    """Hex sha256 of a file; remembered in `models_dir`/digests.json by size and time of change.

    Hashing the denoiser's 3.4 GB takes some ten seconds, which a plan must not cost each time.
    """
    status = path.stat()
    stamp = [status.st_size, status.st_mtime_ns]
    memory = models_dir / DIGESTS_FILE
    known = _read_digests(memory)
    entry = known.get(str(path.resolve()))
    if isinstance(entry, dict) and entry.get("stamp") == stamp:
        return str(entry["sha256"])
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    known[str(path.resolve())] = {"stamp": stamp, "sha256": digest.hexdigest()}
    _write_digests(memory, known)
    return digest.hexdigest()


def weights_digest(model: StableDiffusionModel, models_dir: Path, weights_dir: Path | None) -> str:
    """Digest of the weights that `find_weights` would give; nothing is downloaded."""
    if weights_dir is None:
        return model.published_digest()
    paths = _in_weights_dir(model, weights_dir)
    return combined_digest([file_digest(path, models_dir) for path in paths])


def find_weights(
    model: StableDiffusionModel,
    models_dir: Path,
    weights_dir: Path | None,
    shipped_dir: Path | None = None,
) -> tuple[Path, ...]:
    """Paths of the text encoder, the denoiser and the decoder; downloads what is missing.

    Raises ModelError if a file is not there and cannot be had, or is not the published one.
    """
    if weights_dir is not None:
        return _in_weights_dir(model, weights_dir)
    places = _places(model, models_dir, shipped_dir)
    return tuple(_find_published(file, places, models_dir) for file in model.files)


def files_to_download(
    model: StableDiffusionModel,
    models_dir: Path,
    weights_dir: Path | None,
    shipped_dir: Path | None = None,
) -> tuple[WeightsFile, ...]:
    """The files that `find_weights` would download first; nothing is read."""
    if weights_dir is not None:
        return ()
    places = _places(model, models_dir, shipped_dir)
    return tuple(
        file for file in model.files if not any((place / file.name).is_file() for place in places)
    )


def _in_weights_dir(model: StableDiffusionModel, weights_dir: Path) -> tuple[Path, ...]:
    paths = tuple(weights_file(weights_dir, file.name) for file in model.files)
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise ModelError(
            f"the folder LATENT_ASSETS_WEIGHTS_DIR={weights_dir} lacks {', '.join(missing)}",
            f"{model.title} needs {', '.join(file.name for file in model.files)} there, in"
            " KerasCV's layout: fine-tuned weights keep these names, or as today's Keras saves"
            " them end in .weights.h5.",
        )
    return paths


def _places(
    model: StableDiffusionModel, models_dir: Path, shipped_dir: Path | None
) -> tuple[Path, ...]:
    """The folders where published files may lie; the first is the one to download into."""
    folders = [each / model.name for each in (models_dir, shipped_dir) if each is not None]
    cache = _keras_cache()
    return tuple(dict.fromkeys([*folders, cache] if cache else folders))


def _find_published(file: WeightsFile, places: Sequence[Path], models_dir: Path) -> Path:
    for path in (place / file.name for place in places):
        if path.is_file():
            found = file_digest(path, models_dir)
            if found != file.sha256:
                raise ModelError(
                    f"{path} is not the published file: its sha256 is {found}, not {file.sha256}",
                    "Delete it to have it downloaded again; to use weights of your own, put all"
                    " three files in a folder and let LATENT_ASSETS_WEIGHTS_DIR name it.",
                )
            return path
    return _download(file, places[0])


def _download(file: WeightsFile, directory: Path) -> Path:
    """KerasCV's own download (`keras.utils.get_file`): progress bar, sha256 checked."""
    import keras

    try:
        path = keras.utils.get_file(
            file.name,
            origin=file.url,
            file_hash=file.sha256,
            cache_dir=str(directory.parent),
            cache_subdir=directory.name,
        )
    except Exception as error:  # get_file raises bare Exception when the network fails
        raise ModelError(
            f"{file.name} could not be downloaded from {file.url}: {error}",
            f"On another machine, download it and put it at {directory / file.name} (sha256"
            f" {file.sha256}), or let LATENT_ASSETS_WEIGHTS_DIR name a folder that has all three.",
        ) from error
    return Path(path)


def _keras_cache() -> Path | None:
    """None if nobody knows this user's home folder."""
    home = os.environ.get("KERAS_HOME")
    try:
        return (Path(home) if home else Path.home() / ".keras") / "models"
    except RuntimeError:
        return None


def _read_digests(path: Path) -> dict[str, object]:
    try:
        with open_regular(path) as file:
            content = json.loads(file.read(MOST_REMEMBERED_BYTES))
    except (
        OSError,
        ValueError,
        RecursionError,
    ):  # none, or a damaged one: it is only a memory
        return {}
    return content if isinstance(content, dict) else {}


def _write_digests(path: Path, known: dict[str, object]) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")
        temporary.replace(path)
    except OSError:  # a read-only place: hash again next time
        with suppress(OSError):
            temporary.unlink()
