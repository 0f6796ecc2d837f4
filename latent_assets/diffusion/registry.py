"""The models by name: describe one, read a prompt as it does, load it.

Importing this module does not import TensorFlow; `load_engine` alone does (its modules import it
inside their functions).
"""

from __future__ import annotations

import gc
import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from latent_assets.diffusion import embedded, embedded_models, keras_cv_models, tokenizer, weights
from latent_assets.diffusion.checkpoints import networks
from latent_assets.diffusion.checkpoints.models import Checkpoint, ModelFiles, open_checkpoint
from latent_assets.diffusion.prompt_chunks import chunks_of
from latent_assets.diffusion.protocol import Engine, EngineOptions, ModelInfo, Prompt
from latent_assets.diffusion.stable_diffusion import (
    STABLE_DIFFUSION_MODELS,
    StableDiffusionModel,
    WeightsFile,
)
from latent_assets.diffusion.tensorflow_engine import LatentModels, TensorFlowEngine
from latent_assets.diffusion.tensorflow_runtime import check_precision, prepare_device
from latent_assets.errors import UsageError
from latent_assets.prompt_syntax import TEXT, WEIGHTED, PromptSyntax, parse

EMBEDDED, EMBEDDED_FAST = "embedded", "embedded-fast"
COMES_WITH_THE_PROJECT = (EMBEDDED, EMBEDDED_FAST)
"""Two ways of sampling with the same weights."""
MODEL_NAMES = (*COMES_WITH_THE_PROJECT, *STABLE_DIFFUSION_MODELS)

DEFAULT_OPTIONS = EngineOptions()

logger = logging.getLogger(__name__)


class Library(Protocol):
    """The user's own models."""

    def files(self, name: str) -> ModelFiles:
        """Of what a model is made. Raises UsageError if there is none of that name."""
        ...


@dataclass(frozen=True)
class WeightsSource:
    """Where models come from; built from the settings by the caller."""

    models_dir: Path
    """Holds what is downloaded, and models of the user's own."""
    weights_dir: Path | None = None
    """Three h5 files put there by hand, for Stable Diffusion."""
    random_seed: int | None = None
    """Seeded random weights in place of downloaded ones (tests, benchmarks)."""
    shipped_dir: Path | None = None
    """Where else models are looked for: those that come with the project."""
    library: Library | None = None
    """Models of the user's own, beside the built-in ones."""

    @property
    def embedded_dir(self) -> Path:
        """The embedded model's folder."""
        own = self.models_dir / EMBEDDED
        return own if self.shipped_dir is None or own.is_dir() else self.shipped_dir / EMBEDDED


_loaded: dict[tuple[str, str, WeightsSource, EngineOptions], Engine] = {}
"""The one engine that this process holds: a second one would not fit beside it."""


def describe_model(name: str, source: WeightsSource) -> ModelInfo:
    """What is known of a model without loading it. UsageError if there is none of that name."""
    if name in COMES_WITH_THE_PROJECT:
        return embedded.model_info(source.embedded_dir, name == EMBEDDED_FAST)
    if is_checkpoint(name, source):
        checkpoint = find_checkpoint(name, source)
        return checkpoint.info(checkpoint_digest(checkpoint, source))
    model = _stable_diffusion(name)
    if source.random_seed is not None:
        return model.info(model.random_digest(source.random_seed))
    return model.info(weights.weights_digest(model, source.models_dir, source.weights_dir))


def read_prompt(
    name: str,
    source: WeightsSource,
    text: str,
    truncate: bool = False,
    syntax: PromptSyntax = TEXT,
) -> Prompt:
    """How many tokens a model makes of a prompt, and what it will not understand of it.

    Raises ModelError if the model cannot take it: if it is too long, unless `truncate` or it is
    weighted; PromptSyntaxError for a weighted one that is not well written.
    """
    if name in COMES_WITH_THE_PROJECT:
        vocabulary = _vocabulary(source.embedded_dir)
        if syntax == TEXT:
            reading = vocabulary.read(text)
            return Prompt(text, len(reading.used), reading.warnings())
        reading, _ = vocabulary.read_weighted(text)
        warnings = reading.warnings()
        if len(parse(text)) > 1:
            warnings += ("BREAK says nothing to the embedded model, which reads 16 words at once",)
        return Prompt(text, len(reading.used), warnings)
    names = None
    if is_checkpoint(name, source):
        names = find_checkpoint(name, source).placeholders.ids()
    else:
        _stable_diffusion(name)
    if syntax == WEIGHTED:
        chunks = chunks_of(text, names)
        return Prompt(text, sum(len(chunk.ids) for chunk in chunks), chunks=len(chunks))
    ids = tokenizer.encode(text, names)
    tokenizer.pad(ids, truncate)
    warnings = (tokenizer.too_long(ids),) if len(ids) > tokenizer.MAX_TOKENS else ()
    return Prompt(text, len(ids), warnings)


def files_to_download(name: str, source: WeightsSource) -> tuple[WeightsFile, ...]:
    """The weights that `load_engine` would download first; empty if all are at hand."""
    own_files = name in COMES_WITH_THE_PROJECT or is_checkpoint(name, source)
    if own_files or source.random_seed is not None:
        return ()
    model, own = _stable_diffusion(name), source.models_dir
    return weights.files_to_download(model, own, source.weights_dir, source.shipped_dir)


def download_notice(name: str, source: WeightsSource) -> str:
    """What `load_engine` would download first, in words; empty if all weights are at hand."""
    absent = files_to_download(name, source)
    if not absent:
        return ""
    gigabytes = sum(file.megabytes for file in absent) / 1000
    names = ", ".join(file.name for file in absent)
    return f"the first render downloads {names}: {gigabytes:.1f} GB"


def load_engine(
    name: str, source: WeightsSource, options: EngineOptions = DEFAULT_OPTIONS
) -> Engine:
    """The engine of a model; the same one for the same arguments, for as long as none else is.

    Raises UsageError for an unknown name, ModelError if the weights cannot be had.
    """
    info = describe_model(name, source)
    # With the digest: a file that is exchanged while a process lives is loaded anew.
    key = (name, info.weights_digest, source, options)
    if key in _loaded:
        return _loaded[key]
    own = name in COMES_WITH_THE_PROJECT
    if not own:
        keras_cv_models.require()  # before gigabytes are fetched
    unload()
    check_precision(options.precision)
    device = prepare_device()
    logger.info("Loading %s on %s.", info.title, device)
    if not own and info.licence_notice:  # a licence to accept, not just an attribution
        logger.warning("%s", info.licence_notice)
    _loaded[key] = TensorFlowEngine(info, _load_models(name, source, options), options)
    return _loaded[key]


def unload() -> None:
    """Free the engine that this process holds, if any."""
    if not _loaded:
        return
    import keras

    _loaded.clear()
    keras.backend.clear_session()
    gc.collect()


def _load_models(name: str, source: WeightsSource, options: EngineOptions) -> LatentModels:
    if name in COMES_WITH_THE_PROJECT:
        fast = name == EMBEDDED_FAST
        return embedded_models.load(source.embedded_dir, options.precision, fast)
    if is_checkpoint(name, source):
        checkpoint = find_checkpoint(name, source)
        return networks.load(checkpoint, options.precision, options.truncate)
    model = _stable_diffusion(name)
    if source.random_seed is not None:
        return keras_cv_models.load_random(
            model, source.random_seed, options.precision, options.truncate
        )
    paths = weights.find_weights(model, source.models_dir, source.weights_dir, source.shipped_dir)
    return keras_cv_models.load_from_files(model, paths, options.precision, options.truncate)


def is_checkpoint(name: str, source: WeightsSource) -> bool:
    """Whether a name is for the user's own models to know."""
    return name not in MODEL_NAMES and source.library is not None


_checkpoints: dict[ModelFiles, tuple[tuple[object, ...], Checkpoint]] = {}
"""What was read of the headers, with the size and time of each file."""


def find_checkpoint(name: str, source: WeightsSource) -> Checkpoint:
    """A model of the user's own, its files looked at; again only when one of them has changed.

    Raises UsageError, InvalidModelError or ModelError.
    """
    if source.library is None:
        raise UsageError(f"there is no model {name!r}", f"Choose from {', '.join(MODEL_NAMES)}.")
    files = source.library.files(name)
    known = _checkpoints.get(files)
    if known is not None and known[0] == _stamps(known[1]):
        return known[1]
    checkpoint = open_checkpoint(files)
    _checkpoints[files] = (_stamps(checkpoint), checkpoint)
    return checkpoint


def _stamps(checkpoint: Checkpoint) -> tuple[object, ...]:
    stamps: list[object] = []
    for path in (*checkpoint.paths, *checkpoint.configurations):
        try:
            status = path.stat()
        except OSError:
            stamps.append(None)
        else:
            stamps.append((status.st_size, status.st_mtime_ns, status.st_ino))
    return tuple(stamps)


def checkpoint_digest(checkpoint: Checkpoint, source: WeightsSource) -> str:
    """The digest that stands for a model's weights; files are hashed once."""
    return checkpoint.digest(lambda path: weights.file_digest(path, source.models_dir))


@lru_cache(maxsize=4)
def _vocabulary(directory: Path) -> embedded.Vocabulary:
    return embedded.Vocabulary.load(directory)


def _stable_diffusion(name: str) -> StableDiffusionModel:
    if name not in STABLE_DIFFUSION_MODELS:
        raise UsageError(f"there is no model {name!r}", f"Choose from {', '.join(MODEL_NAMES)}.")
    return STABLE_DIFFUSION_MODELS[name]
