"""Putting a model among the project's: by a link to where it lies, or a download."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from latent_assets.diffusion.checkpoints.identify import Identity, identify
from latent_assets.diffusion.checkpoints.models import (
    PREDICTION_NAMES,
    ModelFiles,
    open_checkpoint,
)
from latent_assets.diffusion.checkpoints.tensors import open_tensors
from latent_assets.errors import ModelError, PredictionUnknownError, UsageError
from latent_assets.models.hub import HUB, download
from latent_assets.models.library import BUILT_IN, PARTS, TENSOR_SUFFIX, ModelLibrary, is_name
from latent_assets.walks.yaml_text import dump

_USES = {
    "lora": "loras: [{{file: {place}, weight: 1}}]",
    "embedding": "embeddings: [{place}]",
    "vae": "vae: {place}",
}


@dataclass(frozen=True)
class Added:
    """What now lies among the project's models."""

    path: Path
    what: str
    """In words, as `a checkpoint of Stable Diffusion 1.x`."""
    advice: str
    """What to do with it."""


def describe_source(added: Added) -> str:
    """What was done, in words."""
    to = f" -> {added.path.readlink()}" if added.path.is_symlink() else ""
    return f"{added.path}{to}: {added.what}"


def add_model(
    library: ModelLibrary,
    source: str,
    name: str | None,
    prediction: str | None,
    tell: Callable[[str], None],
) -> Added:
    """Link a file or folder, or download one. Nothing is put there that could not be used.

    Raises UsageError for a name that cannot be, ModelError for a file that is no model nor a part
    of one. tell: is given what takes time, in words.
    """
    if prediction is not None and prediction not in PREDICTION_NAMES:
        raise UsageError(f"a model cannot predict {prediction!r}", "Write epsilon or v.")
    if source.startswith(HUB):
        path = download(library.folder, source.removeprefix(HUB), name, tell)
        return _judge(library, path, path.stem if path.is_file() else path.name, prediction)
    path = Path(source).expanduser().absolute()
    if not path.exists():
        raise UsageError(f"there is no file or folder {path}")
    return _judge(library, path, name or _name_of(path), prediction)


def _name_of(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def _judge(library: ModelLibrary, path: Path, name: str, prediction: str | None) -> Added:
    if not is_name(name):
        taken = "is that of a built-in model" if name in BUILT_IN else "cannot name a model"
        raise UsageError(
            f"{name!r} {taken}", "Give it another with --name: letters, digits, . - and _."
        )
    identity = None if path.is_dir() else identify(open_tensors(path).shapes)
    if identity is not None and identity.kind in _USES:
        place = _link(path, library.folder / PARTS / f"{name}{TENSOR_SUFFIX}")
        return Added(place, identity.title, _use(identity, f"{PARTS}/{place.name}"))
    told = PREDICTION_NAMES[prediction] if prediction else None
    try:
        checkpoint = open_checkpoint(ModelFiles(name, path, prediction=told))
    except PredictionUnknownError as error:
        raise UsageError(
            error.problem, "Add it with --prediction epsilon, or with --prediction v."
        ) from None
    suffix = "" if path.is_dir() else TENSOR_SUFFIX
    place = _link(path, library.folder / f"{name}{suffix}")
    if prediction is not None:
        document = {"base": place.name, "prediction": prediction}
        (library.folder / f"{name}.yaml").write_text(dump(document), encoding="utf-8")
    return Added(
        place,
        f"a checkpoint of {checkpoint.architecture.title}",
        f"name it in a walk: `model: {name}`; or look at it: latent-assets models check {name}",
    )


def _use(identity: Identity, place: str) -> str:
    line = _USES[identity.kind].format(place=place)
    return f"write it into the file of a model, data/models/NAME.yaml: `{line}`"


def _link(path: Path, place: Path) -> Path:
    if path == place:
        return place
    if place.exists() or place.is_symlink():
        if place.is_symlink() and place.resolve() == path.resolve():
            return place
        raise UsageError(f"there is {place} already", "Choose another name with --name.")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path)
    except OSError as error:
        raise ModelError(
            f"no link can be made at {place}: {error.strerror}", f"Copy {path} there instead."
        ) from None
    return place
