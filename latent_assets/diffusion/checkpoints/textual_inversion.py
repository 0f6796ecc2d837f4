"""Textual inversion: a name in a prompt that stands for vectors of its own (Gal et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from latent_assets.diffusion.checkpoints.architecture import VOCABULARY, Architecture
from latent_assets.diffusion.checkpoints.identify import identify, require
from latent_assets.diffusion.checkpoints.tensors import TensorFile, open_tensors
from latent_assets.diffusion.protocol import FloatArray
from latent_assets.errors import ModelError

MAX_VECTORS = 75
"""As many as a prompt has room for."""
_NAMELESS = ("emb_params", "string_to_param")


@dataclass(frozen=True)
class Embedding:
    """A textual inversion: its name in prompts, and where its vectors lie."""

    token: str
    file: TensorFile
    tensor: str
    vectors: int

    def read(self) -> FloatArray:
        """The vectors, (n, D) float32."""
        return self.file.read(self.tensor).reshape(self.vectors, -1)


def open_embedding(path: Path, token: str | None, arch: Architecture) -> Embedding:
    """A textual inversion by its header.

    token: its name in prompts; by default the one that the file has for it, else the file's own.
    Raises ModelError if the file is none, or is for another model.
    """
    file = open_tensors(path)
    identity = require(identify(file.shapes), "embedding", str(path))
    tensor = "emb_params" if "emb_params" in file.entries else next(iter(file.entries))
    shape = file.entries[tensor].shape
    if len(shape) not in (1, 2) or shape[-1] != arch.context_width:
        theirs = identity.architecture.title if identity.architecture else "another model"
        raise ModelError(
            f"{path} is a textual inversion for {theirs}, the model is {arch.title}",
            f"Its vectors have {shape[-1] if shape else 0} numbers, the model's have"
            f" {arch.context_width}.",
        )
    vectors = shape[0] if len(shape) == 2 else 1  # noqa: PLR2004 - rows of vectors
    if not 1 <= vectors <= MAX_VECTORS:
        raise ModelError(
            f"{path} has {vectors} vectors", f"A prompt has room for 1 to {MAX_VECTORS}."
        )
    name = token or (path.stem if tensor in _NAMELESS else tensor)
    return Embedding(_checked_name(name, path), file, tensor, vectors)


def _checked_name(name: str, path: Path) -> str:
    plain = " ".join(name.split())
    if not plain or not plain.isprintable() or plain != name:
        raise ModelError(
            f"{path} would be called {name!r} in prompts, which nobody could write",
            "Give it a name in the file of the model: embeddings: {my-style: FILE}.",
        )
    return name


@dataclass(frozen=True)
class Placeholders:
    """The names that stand for vectors, and the ids of these, from the vocabulary's end on."""

    embeddings: tuple[Embedding, ...] = ()

    def ids(self) -> dict[str, list[int]]:
        """By name, lower case, the ids of its vectors."""
        found, first = {}, VOCABULARY
        for each in self.embeddings:
            found[each.token.lower()] = list(range(first, first + each.vectors))
            first += each.vectors
        return found
