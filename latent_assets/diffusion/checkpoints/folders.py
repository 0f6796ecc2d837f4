"""A folder in diffusers' layout: which files hold its networks, and what its configuration says.

    model_index.json                        the pipeline's class
    unet/, vae/, text_encoder/              config.json, and the weights: one file or several
    scheduler/scheduler_config.json         what the model predicts

What a configuration says that would change the pictures, and that is not computed here, is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latent_assets.diffusion.checkpoints.architecture import TEXT, UNET, VAE
from latent_assets.diffusion.checkpoints.tensors import (
    CONVERT,
    PICKLE_SUFFIXES,
    TensorFile,
    open_tensors,
)
from latent_assets.errors import ModelError
from latent_assets.foreign import open_regular

MAX_CONFIG_BYTES = 4_000_000
CONFIGURATIONS = (
    "model_index.json",
    "unet/config.json",
    "vae/config.json",
    "text_encoder/config.json",
    "scheduler/scheduler_config.json",
)
_STEMS = {UNET: "diffusion_pytorch_model", VAE: "diffusion_pytorch_model", TEXT: "model"}
_VARIANTS = ("", ".fp16", ".non_ema", ".bf16", ".fp32")
"""Before the suffix, in this order of preference: the full precision first."""
_PIPELINES = ("StableDiffusionPipeline", "LatentConsistencyModelPipeline")

# What the networks here compute; a configuration that says otherwise is of another network.
_EXPECTED: dict[str, dict[str, tuple[Any, ...]]] = {
    UNET: {
        "act_fn": ("silu", "swish"),
        "norm_num_groups": (32,),
        "center_input_sample": (False,),
        "flip_sin_to_cos": (True,),
        "freq_shift": (0,),
        "downsample_padding": (1,),
        "mid_block_scale_factor": (1,),
        "resnet_time_scale_shift": ("default",),
        "time_embedding_type": ("positional",),
        "dual_cross_attention": (False,),
        "only_cross_attention": (False,),
        "timestep_post_act": (None,),
        "class_embed_type": (None,),
        "addition_embed_type": (None,),
    },
    VAE: {"act_fn": ("silu", "swish"), "norm_num_groups": (32,), "scaling_factor": (0.18215,)},
    TEXT: {"hidden_act": ("quick_gelu", "gelu"), "max_position_embeddings": (77,)},
    "scheduler": {
        "beta_start": (0.00085,),
        "beta_end": (0.012,),
        "beta_schedule": ("scaled_linear",),
        "trained_betas": (None,),
        "num_train_timesteps": (1000,),
        "rescale_betas_zero_snr": (False, None),
        "prediction_type": ("epsilon", "v_prediction"),
    },
}
_READ = {"prediction_type": "epsilon", "hidden_act": "quick_gelu"}
"""What diffusers and transformers take where a configuration does not say."""


@dataclass(frozen=True)
class Folder:
    """The parts of a folder in diffusers' layout."""

    path: Path
    files: dict[str, list[TensorFile]]
    """By network, the files that hold it."""
    prediction: str | None
    """epsilon or v_prediction; None if there is no scheduler's configuration."""
    activation: str
    """Of the text encoder: quick_gelu or gelu."""
    heads: Any
    """Of the denoiser's attention, at each level (diffusers calls them `attention_head_dim`)."""


def is_diffusers_folder(path: Path) -> bool:
    """Whether a folder looks like one."""
    return (path / "model_index.json").is_file() or (path / "unet").is_dir()


def open_folder(path: Path) -> Folder:
    """The folder's parts. Raises ModelError for another pipeline, or what is not computed here."""
    index = _json(path / "model_index.json") or {}
    pipeline = str(index.get("_class_name", _PIPELINES[0]))
    if pipeline not in _PIPELINES:
        raise ModelError(
            f"{path} is a {pipeline}, not a model of Stable Diffusion 1.x or 2.x for pictures"
            " from text",
            "Only folders of a StableDiffusionPipeline can be rendered with.",
        )
    configs = {part: _config(path / part, part) for part in (UNET, VAE, TEXT)}
    scheduler = _checked(path / "scheduler" / "scheduler_config.json", "scheduler")
    files = {part: weights_of(path / part, _STEMS[part]) for part in (UNET, VAE, TEXT)}
    prediction = None
    if scheduler is not None:
        prediction = str(scheduler.get("prediction_type", _READ["prediction_type"]))
    activation = str(configs[TEXT].get("hidden_act", _READ["hidden_act"]))
    heads = configs[UNET].get("num_attention_heads") or configs[UNET].get("attention_head_dim", 8)
    return Folder(path, files, prediction, activation, heads)


def _config(folder: Path, part: str) -> dict[str, Any]:
    found = _checked(folder / "config.json", part)
    if found is None:
        raise ModelError(
            f"{folder / 'config.json'} is missing",
            "A folder in diffusers' layout has unet/, vae/ and text_encoder/, each with it.",
        )
    return found


def _checked(path: Path, part: str) -> dict[str, Any] | None:
    config = _json(path)
    if config is None:
        return None
    for name, allowed in _EXPECTED[part].items():
        value = config.get(name, allowed[0])
        if value not in allowed:
            words = " or ".join(json.dumps(each) for each in allowed)
            raise ModelError(
                f"{path} says {name}: {json.dumps(value)[:80]}; only {words} is computed here",
                "This model was trained otherwise than Stable Diffusion 1.x and 2.x: take another.",
            )
    return config


def _json(path: Path) -> dict[str, Any] | None:
    try:
        with open_regular(path) as file:
            text = file.read(MAX_CONFIG_BYTES + 1)
        if len(text) > MAX_CONFIG_BYTES:
            raise ModelError(f"{path} is too large for a configuration")
        document = json.loads(text.decode())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{path} cannot be read: {str(error)[:200]}", "Download or copy it again."
        ) from None
    if not isinstance(document, dict):
        raise ModelError(f"{path} is no JSON object", "Download or copy it again.")
    return document


def weights_of(folder: Path, stem: str) -> list[TensorFile]:
    """The files of one network: whole or sharded, the full precision before the half."""
    for variant in _VARIANTS:
        whole = folder / f"{stem}{variant}.safetensors"
        if whole.is_file():
            return [open_tensors(whole)]
        for index in (f"{stem}.safetensors.index{variant}.json",):
            if (folder / index).is_file():
                return _shards(folder / index)
    _refuse_pickles(folder)
    raise ModelError(
        f"{folder} has no weights: {stem}.safetensors is missing",
        "The copy or the download is not complete: get the file, or the folder, again.",
    )


def _shards(index: Path) -> list[TensorFile]:
    document = _json(index) or {}
    names = document.get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(n, str) for n in names.values()):
        raise ModelError(f"{index} names no files", "Download or copy it again.")
    files = sorted(set(names.values()))
    for name in files:
        if Path(name).name != name:
            raise ModelError(f"{index} names a file outside its folder: {name[:80]!r}")
        if not (index.parent / name).is_file():
            raise ModelError(
                f"{index.parent} lacks {name}, one of the {len(files)} parts of its weights",
                "Get the file, or the folder, again.",
            )
    return [open_tensors(index.parent / name) for name in files]


def _refuse_pickles(folder: Path) -> None:
    if not folder.is_dir():
        raise ModelError(
            f"{folder} is missing",
            "A folder in diffusers' layout has unet/, vae/ and text_encoder/.",
        )
    pickles = [each for each in sorted(folder.iterdir()) if each.suffix in PICKLE_SUFFIXES]
    if pickles:
        raise ModelError(
            f"{pickles[0]} is a pickle, not a safetensors file",
            CONVERT.format(file=pickles[0].name, stem=pickles[0].stem),
        )
