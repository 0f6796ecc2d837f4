"""Downloads from the Hugging Face hub, by its own library (the extra `hub`): resumed, checked."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from latent_assets.errors import ModelError, UsageError

HUB = "hf:"
_SOURCE = re.compile(r"([\w.-]+/[\w.-]+?)(?:@([\w./-]+?))?(?:/([\w./ -]+\.safetensors))?")
_PARTS = ("unet", "vae", "text_encoder")


def files_to_fetch(names: Sequence[str], wanted: str | None = None) -> list[str]:
    """Which of a repository's files make a model: nothing that is not read, nothing twice.

    wanted: the one file that was asked for. Raises UsageError if it must be asked which.
    """
    if wanted is not None:
        if wanted not in names:
            raise UsageError(f"it has no file {wanted}", f"It has {_some(_tensors(names))}.")
        return [wanted]
    if "model_index.json" in names:
        return _folder_files(names)
    single = [name for name in _tensors(names) if "/" not in name]
    if len(single) == 1:
        return single
    if not single:
        raise UsageError(
            "it has no .safetensors file, and no model_index.json",
            "Only those can be used: pickles (.ckpt, .bin) are not opened.",
        )
    raise UsageError(
        f"it has {len(single)} files", f"Name one: hf:OWNER/REPO/FILE, FILE one of {_some(single)}."
    )


def _folder_files(names: Sequence[str]) -> list[str]:
    """A folder in diffusers' layout: configurations, and each network once, in full if there."""
    found = ["model_index.json"]
    found += [name for name in names if name == "scheduler/scheduler_config.json"]
    for part in _PARTS:
        own = [name for name in names if name.startswith(f"{part}/")]
        found += [name for name in own if name == f"{part}/config.json"]
        tensors = _tensors(own)
        full = [name for name in tensors if not re.search(r"\.(fp16|bf16|non_ema|fp32)", name)]
        variant = next((v for v in ("fp16", "non_ema", "bf16") if _some_of(tensors, v)), "")
        chosen = full or _some_of(tensors, variant)
        whole = [name for name in chosen if not re.search(r"-\d{5}-of-\d{5}", name)]
        found += whole or chosen
        if not whole:
            ending = f".index.{variant}.json" if not full and variant else ".index.json"
            found += [name for name in own if name.endswith(ending)]
    return found


def _some_of(names: Sequence[str], variant: str) -> list[str]:
    return [name for name in names if f".{variant}" in name]


def _tensors(names: Sequence[str]) -> list[str]:
    return sorted(name for name in names if name.endswith(".safetensors"))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")  # noqa: PLR2004


def download(folder: Path, source: str, name: str | None, tell: Callable[[str], None]) -> Path:
    """A repository's model, in `folder`. Interrupted, it goes on where it was.

    source: OWNER/REPO, OWNER/REPO@REVISION, OWNER/REPO/FILE. Raises UsageError, ModelError.
    """
    match = _SOURCE.fullmatch(source)
    if match is None:
        raise UsageError(
            f"hf:{source} names no repository", "Write hf:OWNER/REPO, or hf:OWNER/REPO/FILE."
        )
    repository, revision, wanted = match.groups()
    try:
        from huggingface_hub import HfApi, snapshot_download  # noqa: PLC0415 - an extra
    except ImportError:
        raise UsageError(
            "downloads need the extra hub",
            "pip install 'latent-assets[hub]'; or download the files elsewhere, and add the folder"
            " or the file that they are in.",
        ) from None
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # its retries are not news
    try:
        names = HfApi().list_repo_files(repository, revision=revision)
        files = _chosen(repository, names, wanted)
        tell(f"Fetching {len(files)} files of {repository}")
        place = folder / (name or (Path(files[0]).stem if len(files) == 1 else _last(repository)))
        snapshot_download(repository, revision=revision, allow_patterns=files, local_dir=place)
    except (UsageError, ModelError):
        raise
    except Exception as error:  # its errors, and those of the client below it, are many
        raise _unreachable(repository, wanted, error) from error
    return place / files[0] if len(files) == 1 else place


def _last(repository: str) -> str:
    return repository.rpartition("/")[2]


def _chosen(repository: str, names: Sequence[str], wanted: str | None) -> list[str]:
    try:
        return files_to_fetch(names, wanted)
    except UsageError as error:
        raise UsageError(f"{repository}: {error.problem}", error.cure) from None


def _unreachable(repository: str, wanted: str | None, error: Exception) -> ModelError:
    why = next(iter(str(error).strip().splitlines()), type(error).__name__)
    what = wanted or (
        "model_index.json, scheduler/scheduler_config.json, and of unet/, vae/ and text_encoder/"
        " config.json and the .safetensors"
    )
    return ModelError(
        f"{repository} could not be downloaded: {why[:300]}",
        f"If there is no network here, get from it elsewhere: {what}; then `latent-assets models"
        " add` with the folder or the file. If it asks for a log-in: hf auth login.",
    )
