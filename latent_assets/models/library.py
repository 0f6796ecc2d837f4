"""The models of a folder by name, read anew at every use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from latent_assets.diffusion.checkpoints.folders import is_diffusers_folder
from latent_assets.diffusion.checkpoints.keras_files import keras_files
from latent_assets.diffusion.checkpoints.models import ModelFiles
from latent_assets.diffusion.checkpoints.tensors import PICKLE_SUFFIXES
from latent_assets.errors import ModelError, UsageError
from latent_assets.foreign import printable
from latent_assets.models.documents import load_model_file
from latent_assets.walks.fields import MODEL_NAME

BUILT_IN = ("embedded", "embedded-fast", "stable-diffusion-1", "stable-diffusion-2.1")
"""The models that come with the project or are downloaded by it."""
MODEL_SUFFIXES = (".yaml", ".yml")
TENSOR_SUFFIX = ".safetensors"
PARTS = "parts"
"""The folder, among the models, of what is no model by itself: LoRAs, embeddings, VAEs."""

_NAME = re.compile(MODEL_NAME)


@dataclass(frozen=True)
class ModelLibrary:
    """A folder of models: model files, checkpoints, folders."""

    folder: Path

    def names(self) -> list[str]:
        """The models' names, in order; whether a model can be loaded is not looked at."""
        return sorted(name for name in self._found() if is_name(name))

    def unused(self) -> list[tuple[Path, str]]:
        """What looks like a model and is none, for the reason told."""
        told = []
        for name, paths in sorted(self._found().items()):
            if name in BUILT_IN:
                told += [(p, "its name is that of a built-in model: rename it") for p in paths]
            elif not is_name(name):
                why = "a model's name has letters, digits, . - and _ only: rename it"
                told += [(path, why) for path in paths]
        return told

    def files(self, name: str) -> ModelFiles:
        """Of what a model is made.

        Raises UsageError if there is none of that name, InvalidModelError if its model file is
        wrong, ModelError if two claim the name.
        """
        paths = self._found().get(name, []) if is_name(name) else []
        if not paths:
            names = ", ".join([*BUILT_IN, *self.names()])
            raise UsageError(f"there is no model {printable(repr(name))}", f"Choose from {names}.")
        described = [path for path in paths if path.suffix in MODEL_SUFFIXES]
        candidates = described or paths
        if len(candidates) > 1:
            both = " and ".join(path.name for path in candidates[:2])
            raise ModelError(
                f"two models in {self.folder} are called {name}: {both}",
                f"Rename one, or write {name}.yaml whose `base` names the one that is meant.",
            )
        path = candidates[0]
        if described:
            return load_model_file(path).files(name, path.parent)
        return ModelFiles(name, path)

    def _found(self) -> dict[str, list[Path]]:
        """Everything in the folder that looks like a model, by the name that it would have."""
        found: dict[str, list[Path]] = {}
        try:
            entries = sorted(self.folder.iterdir()) if self.folder.is_dir() else []
        except OSError as error:
            raise UsageError(f"cannot read {self.folder}: {error.strerror}") from None
        for path in entries:
            if path.name.startswith("."):
                continue
            if path.is_dir():
                if path.name not in BUILT_IN and _is_model_folder(path):
                    found.setdefault(path.name, []).append(path)
            elif path.suffix in (*MODEL_SUFFIXES, TENSOR_SUFFIX, *PICKLE_SUFFIXES):
                found.setdefault(path.stem, []).append(path)
        return found


def _is_model_folder(path: Path) -> bool:
    return is_diffusers_folder(path) or bool(keras_files(path))


def is_name(name: str) -> bool:
    """Whether a model of the user may have that name."""
    return name not in BUILT_IN and _NAME.fullmatch(name) is not None
