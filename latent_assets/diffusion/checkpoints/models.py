"""A model of the user's own, of one part or several: what it is, its digest, its description."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from latent_assets.diffusion.checkpoints.architecture import (
    STABLE_DIFFUSION_1,
    TEXT,
    UNET,
    VAE,
    Architecture,
)
from latent_assets.diffusion.checkpoints.folders import (
    CONFIGURATIONS,
    Folder,
    is_diffusers_folder,
    open_folder,
)
from latent_assets.diffusion.checkpoints.identify import identify, require
from latent_assets.diffusion.checkpoints.keras_files import (
    architecture_of,
    keras_files,
    require_all,
)
from latent_assets.diffusion.checkpoints.lora import Lora, open_lora
from latent_assets.diffusion.checkpoints.mapping import (
    NameMap,
    map_networks,
    map_original,
    map_vae,
)
from latent_assets.diffusion.checkpoints.tensors import (
    CONVERT,
    PICKLE_SUFFIXES,
    TensorFile,
    open_tensors,
)
from latent_assets.diffusion.checkpoints.textual_inversion import (
    Embedding,
    Placeholders,
    open_embedding,
)
from latent_assets.diffusion.protocol import EPSILON, V_PREDICTION, ModelInfo, Prediction
from latent_assets.diffusion.stable_diffusion import TEXT_LAYERS, TEXT_LAYERS_OF_2
from latent_assets.diffusion.tokenizer import END_OF_TEXT, MAX_TOKENS
from latent_assets.digests import digest_of
from latent_assets.errors import ModelError, PredictionUnknownError

CHECKPOINT_VERSION = 1
"""Enters the digest of every checkpoint: raise it when another picture comes of the same files."""

OPEN_CLIP_PADDING = 0

SIZE_MULTIPLE = 64
"""Pixels: the denoiser halves its latents, of 8 pixels each, three times."""
_SIZE, _SIZE_OF_V2 = (512, 512), (768, 768)
_PREDICTIONS: dict[str, Prediction] = {
    "epsilon": EPSILON,
    "eps": EPSILON,
    "v_prediction": V_PREDICTION,
    "v": V_PREDICTION,
}
"""As they are called in configurations and in the headers of files."""
PREDICTION_NAMES: dict[str, Prediction] = {"epsilon": EPSILON, "v": V_PREDICTION}
"""As users write them."""


@dataclass(frozen=True)
class ModelFiles:
    """Of what a model is made; paths are absolute."""

    name: str
    base: Path
    """A file or a folder."""
    vae: Path | None = None
    loras: tuple[tuple[Path, float], ...] = ()
    """Each with its weight."""
    embeddings: tuple[tuple[str | None, Path], ...] = ()
    """Each with its name in prompts; None for the one that it has."""
    prediction: Prediction | None = None
    size: tuple[int, int] | None = None
    """(height, width) in pixels."""
    licence: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """A model whose files were looked at, by their headers."""

    files: ModelFiles
    architecture: Architecture
    prediction: Prediction
    activation: str
    """Of the text encoder: quick_gelu, or gelu (the exact one)."""
    weights: NameMap | None
    """Where each weight comes from; None for KerasCV's own layout."""
    keras: dict[str, Path] = field(default_factory=dict)
    """By network, the h5 files of KerasCV's own layout, computed as KerasCV computes them."""
    loras: tuple[tuple[Lora, float], ...] = ()
    placeholders: Placeholders = field(default_factory=Placeholders)

    @property
    def title(self) -> str:
        """For people."""
        kind = " (v-prediction)" if self.prediction == V_PREDICTION else ""
        return f"{self.files.name}, {self.architecture.title}{kind}"

    @property
    def padding(self) -> int:
        """The id behind a prompt's end: open_clip, of 2.x, was trained with 0; KerasCV has none."""
        trained_so = self.architecture.open_clip and self.weights is not None
        return OPEN_CLIP_PADDING if trained_so else END_OF_TEXT

    @property
    def default_size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        if self.files.size is not None:
            return self.files.size
        large = self.prediction == V_PREDICTION and self.architecture != STABLE_DIFFUSION_1
        return _SIZE_OF_V2 if large else _SIZE

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """Every file that is read, each once, in order."""
        found = list(self.keras.values())
        if self.weights is not None:
            found += [source.file.path for source in self.weights.sources.values()]
        found += [lora.file.path for lora, _ in self.loras]
        found += [each.file.path for each in self.placeholders.embeddings]
        return tuple(dict.fromkeys(found))

    @cached_property
    def configurations(self) -> tuple[Path, ...]:
        """Of a folder, the files that say how it is computed; there or not."""
        return tuple(self.files.base / name for name in CONFIGURATIONS)

    def digest(self, file_digest: Callable[[Path], str]) -> str:
        """Hex sha256 over all that determines the weights and how they are computed.

        Neither names nor places are in it, so a model that is renamed or moved keeps its frames.
        """
        base = [*self.keras.values()]
        if self.weights is not None:
            base = [source.file.path for source in self.weights.sources.values()]
        return digest_of(
            {
                "version": CHECKPOINT_VERSION,
                "architecture": self.architecture.name,
                "prediction": self.prediction,
                "activation": self.activation,
                **({} if self.padding == END_OF_TEXT else {"padding": self.padding}),
                "networks": [file_digest(path) for path in dict.fromkeys(base)],
                "loras": [
                    [file_digest(lora.file.path), repr(weight)] for lora, weight in self.loras
                ],
                "embeddings": [
                    [each.token.lower(), file_digest(each.file.path)]
                    for each in self.placeholders.embeddings
                ],
            }
        )

    def info(self, weights_digest: str) -> ModelInfo:
        """The model's `ModelInfo`, with that digest."""
        licence = self.files.licence
        return ModelInfo(
            name=self.files.name,
            title=self.title,
            weights_digest=weights_digest,
            tokens=MAX_TOKENS,
            context_width=self.architecture.context_width,
            text_layers=TEXT_LAYERS_OF_2 if self.architecture.open_clip else TEXT_LAYERS,
            size_multiple=SIZE_MULTIPLE,
            default_size=self.default_size,
            licence=licence,
            licence_notice=(
                f"By using {self.files.name}'s weights you accept their licence: {licence}"
                if licence
                else ""
            ),
            prediction=self.prediction,
            name_in_recipes=self.architecture.name,
        )


def open_checkpoint(files: ModelFiles) -> Checkpoint:
    """Look at a model's files. Raises ModelError, naming the file, for whatever does not fit."""
    base = _open_base(files)
    arch, weights = base.architecture, base.weights
    if files.vae is not None:
        if weights is None:
            raise ModelError(
                f"the model {files.name} has h5 files, whose VAE cannot be exchanged",
                "Put another kcv_decoder.h5 beside the others, or take a base in safetensors.",
            )
        _exchange_vae(weights, files.vae, arch)
    loras = tuple((open_lora(open_tensors(path), arch), weight) for path, weight in files.loras)
    embeddings = tuple(open_embedding(path, token, arch) for token, path in files.embeddings)
    _refuse_same_names(files, embeddings)
    return Checkpoint(
        files,
        arch,
        base.prediction,
        base.activation,
        weights,
        base.keras,
        loras,
        Placeholders(embeddings),
    )


def _open_base(files: ModelFiles) -> Checkpoint:
    path = files.base
    if path.suffix.lower() in PICKLE_SUFFIXES and path.is_file():
        cure = CONVERT.format(file=path.name, stem=path.stem)
        raise ModelError(f"{path} is a pickle, not a safetensors file", cure)
    if path.is_dir():
        if is_diffusers_folder(path):
            return _open_diffusers(files)
        if h5 := keras_files(path):
            return _open_keras(files, h5)
        raise ModelError(
            f"{path} is no model: it has neither unet/, vae/ and text_encoder/ (diffusers' layout)"
            " nor three h5 files (KerasCV's)",
            "Name a .safetensors file, or the folder that has model_index.json.",
        )
    if path.suffix == ".h5":
        raise ModelError(
            f"{path} is one network; a model in KerasCV's layout has three",
            "Put all three h5 files in a folder and name the folder.",
        )
    return _open_original(files)


def _open_original(files: ModelFiles) -> Checkpoint:
    file = open_tensors(files.base)
    identity = require(identify(file.shapes), "checkpoint", str(files.base))
    arch = identity.architecture
    if arch is None:  # a checkpoint always tells it
        raise ModelError(f"{files.base} does not tell which Stable Diffusion it is")
    if "ztsnr" in file.entries:
        raise ModelError(
            f"{files.base} was trained with a noise schedule that ends in noise alone (zero SNR)",
            "That schedule is not computed here: take another checkpoint.",
        )
    weights = map_original(file, arch)
    weights.check(str(files.base), arch)
    prediction = files.prediction or _told_by(file, arch)
    return Checkpoint(files, arch, prediction, _activation(arch), weights)


def _activation(arch: Architecture) -> str:
    return "gelu" if arch.open_clip else "quick_gelu"


def _told_by(file: TensorFile, arch: Architecture) -> Prediction:
    """What the file itself says of its prediction; a ModelError that asks, if it must be known."""
    told = file.metadata.get("modelspec.prediction_type", "")
    if told in _PREDICTIONS:
        return _PREDICTIONS[told]
    if "v_pred" in file.entries:
        return V_PREDICTION
    if "768-v" in file.metadata.get("modelspec.architecture", ""):
        return V_PREDICTION
    if arch == STABLE_DIFFUSION_1:
        return EPSILON
    name = file.path.stem
    raise PredictionUnknownError(
        f"does {file.path} predict the noise or v? Nothing in it says so: 2.0 and 2.1 base (512 px)"
        " predict the noise, 2.0 and 2.1 at 768 px predict v",
        f"Write {file.path.parent / name}.yaml with two lines: `base: {file.path.name}` and"
        " `prediction: epsilon` (or `prediction: v`).",
    )


def _open_diffusers(files: ModelFiles) -> Checkpoint:
    folder = open_folder(files.base)
    arch = _architecture_of(folder)
    heads = folder.heads if isinstance(folder.heads, list) else [folder.heads] * len(arch.heads)
    if heads != list(arch.heads):
        raise ModelError(
            f"{files.base / 'unet' / 'config.json'} says attention_head_dim: {folder.heads};"
            f" {arch.title} has {list(arch.heads)}",
            "This model was trained otherwise than Stable Diffusion 1.x and 2.x: take another.",
        )
    weights = map_networks(folder.files, arch)
    weights.check(str(files.base), arch)
    told = _PREDICTIONS[folder.prediction] if folder.prediction else None
    prediction = files.prediction or told or _asked(files, arch)
    return Checkpoint(files, arch, prediction, folder.activation, weights)


def _architecture_of(folder: Folder) -> Architecture:
    """By the denoiser, whose files are refused by what they are."""
    shapes = {n: entry.shape for f in folder.files[UNET] for n, entry in f.entries.items()}
    identity = require(identify(shapes), "unet", str(folder.path / "unet"))
    if identity.architecture is None:  # a denoiser always tells it
        raise ModelError(f"{folder.path} does not tell which Stable Diffusion it is")
    return identity.architecture


def _asked(files: ModelFiles, arch: Architecture) -> Prediction:
    if arch == STABLE_DIFFUSION_1:
        return EPSILON
    raise PredictionUnknownError(
        f"does {files.base} predict the noise or v? It has no scheduler/scheduler_config.json",
        f"Get that file too, or write {files.base}.yaml with two lines: `base: {files.base.name}`"
        " and `prediction: epsilon` (or `prediction: v`).",
    )


def _open_keras(files: ModelFiles, h5: dict[str, Path]) -> Checkpoint:
    require_all(files.base, h5)
    arch = architecture_of(h5[TEXT])
    # KerasCV has the approximation of GELU, and its pictures are what its own files promise.
    return Checkpoint(files, arch, files.prediction or EPSILON, "keras_cv", None, h5)


def _exchange_vae(weights: NameMap, path: Path, arch: Architecture) -> None:
    file = open_tensors(path)
    require(identify(file.shapes), "vae", str(path))
    vae = map_vae(file, arch)
    vae.check(str(path), arch)
    weights.sources = {n: s for n, s in weights.sources.items() if not n.startswith(f"{VAE}.")}
    weights.merge(vae)


def _refuse_same_names(files: ModelFiles, embeddings: tuple[Embedding, ...]) -> None:
    names = [each.token.lower() for each in embeddings]
    for name in names:
        if names.count(name) > 1:
            raise ModelError(
                f"two embeddings of the model {files.name} are called {name!r} in prompts",
                "Give one of them another name: embeddings: {my-style: FILE}.",
            )
