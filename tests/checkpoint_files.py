"""Files with the names and shapes of real checkpoints: sparse, so that gigabytes take no room."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

LAYOUTS = Path(__file__).parent / "unit" / "layouts"
"""By name of the architecture, what diffusers' own modules and converters say of each tensor:
its name there, its name in the original layout (with q, k or v for a third of it), its shape."""
BYTES = {"F16": 2, "BF16": 2, "F32": 4}

Shapes = dict[str, tuple[int, ...]]


class Row(NamedTuple):
    name: str
    ldm: str
    third: str
    shape: tuple[int, ...]


def layout(architecture: str) -> list[Row]:
    rows = []
    for line in (LAYOUTS / f"{architecture}.txt").read_text().splitlines():
        name, ldm, shape = line.split("\t")
        ldm, _, third = ldm.partition(" ")
        rows.append(Row(name, ldm, third, tuple(map(int, shape.split("x")))))
    return rows


def original(architecture: str, extras: bool = True) -> Shapes:
    """Names and shapes of one file in the original layout, as the published ones have them."""
    shapes: Shapes = {}
    for row in layout(architecture):
        shape = row.shape if not row.third else (3 * row.shape[0], *row.shape[1:])
        attention = row.name.startswith("vae.") and ".attentions." in row.name
        if attention and len(shape) == 2:  # 1 x 1 convolutions there
            shape = (*shape, 1, 1)
        shapes[row.ldm] = shape
    if not extras:
        return shapes
    shapes |= {
        "first_stage_model.encoder.conv_in.weight": (128, 3, 3, 3),
        "first_stage_model.quant_conv.weight": (8, 8, 1, 1),
        "alphas_cumprod": (1000,),
        "sqrt_one_minus_alphas_cumprod": (1000,),
        "posterior_log_variance_clipped": (1000,),
        "model_ema.decay": (),
    }
    if architecture == "sd1":
        shapes["cond_stage_model.transformer.text_model.embeddings.position_ids"] = (1, 77)
    else:
        last = "cond_stage_model.model.transformer.resblocks.23"
        shapes[f"{last}.mlp.c_fc.weight"] = (4096, 1024)
        shapes["cond_stage_model.model.text_projection"] = (1024, 1024)
        shapes["cond_stage_model.model.logit_scale"] = ()
    return shapes


def averaged(shapes: Shapes) -> Shapes:
    """The EMA copies of a denoiser, as LDM names them."""
    prefix = "model.diffusion_model."
    return {
        "model_ema." + name.removeprefix("model.").replace(".", ""): shape
        for name, shape in shapes.items()
        if name.startswith(prefix)
    }


def network(architecture: str, prefix: str) -> Shapes:
    """Names and shapes of one network's file in diffusers' layout: unet, vae or text_encoder."""
    return {
        row.name.removeprefix(f"{prefix}."): row.shape
        for row in layout(architecture)
        if row.name.startswith(f"{prefix}.")
    }


def write_sparse(
    path: Path,
    shapes: Mapping[str, tuple[int, ...]],
    dtype: str = "F16",
    metadata: dict[str, str] | None = None,
) -> Path:
    """A whole safetensors file of zeros that takes the room of its header alone."""
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, shape in shapes.items():
        size = math.prod(shape) * BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    return path


def write_folder(
    path: Path, architecture: str, prediction: str | None = "epsilon", variant: str = ""
) -> Path:
    """A folder in diffusers' layout."""
    stems = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model"}
    for part in ("unet", "vae", "text_encoder"):
        stem = stems.get(part, "model")
        write_sparse(path / part / f"{stem}{variant}.safetensors", network(architecture, part))
    second = architecture == "sd2"
    configs = {
        "model_index.json": {"_class_name": "StableDiffusionPipeline"},
        "unet/config.json": {"attention_head_dim": [5, 10, 20, 20] if second else 8},
        "vae/config.json": {"scaling_factor": 0.18215},
        "text_encoder/config.json": {"hidden_act": "gelu" if second else "quick_gelu"},
    }
    if prediction is not None:
        scheduler = {"prediction_type": prediction, "beta_schedule": "scaled_linear"}
        scheduler |= {"beta_start": 0.00085, "beta_end": 0.012}
        configs["scheduler/scheduler_config.json"] = scheduler
    for name, document in configs.items():
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text(json.dumps(document))
    return path


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray], **metadata: str) -> Path:
    """A safetensors file by the library of that name."""
    from safetensors.numpy import save_file  # noqa: PLC0415

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(dict(tensors), path, metadata=metadata or None)
    return path
