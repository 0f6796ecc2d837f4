"""Run by a Python that has torch, diffusers, transformers and peft: models that they save.

    python diffusers_models.py sd1|sd2 PREDICTION FOLDER

Real architecture, seeded random weights, half precision. FOLDER/model is a folder in diffusers'
layout, FOLDER/model.safetensors the same in the original layout (which their own from_single_file
reads), FOLDER/vae.safetensors another VAE; for sd1 FOLDER/kohya.safetensors and
FOLDER/peft.safetensors are LoRAs, FOLDER/style.safetensors and FOLDER/cat.safetensors textual
inversions.
"""

from __future__ import annotations

import gc
import json
import re
import sys
import zlib
from pathlib import Path

import torch  # noqa: TID253 - run in a Python of its own
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "latent_assets" / "diffusion" / "checkpoints"))
import judge  # noqa: E402

LAYOUTS = HERE.parent / "unit" / "layouts"
ENCODER = {  # of the VAE: needed by their loader, not by ours
    r"down_blocks\.(\d)\.resnets\.(\d)": r"down.\1.block.\2",
    r"down_blocks\.(\d)\.downsamplers\.0\.conv": r"down.\1.downsample.conv",
    r"mid_block\.resnets\.0": "mid.block_1",
    r"mid_block\.resnets\.1": "mid.block_2",
    r"mid_block\.attentions\.0\.group_norm": "mid.attn_1.norm",
    r"mid_block\.attentions\.0\.to_([qkv])": r"mid.attn_1.\1",
    r"mid_block\.attentions\.0\.to_out\.0": "mid.attn_1.proj_out",
    "conv_shortcut": "nin_shortcut",
    "conv_norm_out": "norm_out",
}


def draw(name: str, shape: torch.Size, salt: str = "") -> torch.Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(f"{salt}{name}".encode()))
    values = torch.randn(shape, generator=generator)
    if len(shape) == 1:
        return (values * 0.05 + (1.0 if name.endswith("weight") else 0.0)).half()
    if "token_embedding" in name or "position_embedding" in name:
        return (values * 0.05).half()
    return (values / shape[1:].numel() ** 0.5).half()


def randomise(module: torch.nn.Module, salt: str = "") -> torch.nn.Module:
    module = module.to_empty(device="cpu")
    for name, buffer in module.named_buffers():
        if "position_ids" in name:
            buffer.copy_(torch.arange(77)[None])
    module = module.half()
    for name, value in module.state_dict().items():
        if value.dtype.is_floating_point:
            value.copy_(draw(name, value.shape, salt))
    return module


def networks(architecture: str):
    found = judge.configurations(architecture)
    text = {
        k: v for k, v in found["text_encoder"].items() if k not in ("model_type", "architectures")
    }
    plain = {part: {k: v for k, v in c.items() if k[0] != "_"} for part, c in found.items()}
    yield "text_encoder", lambda: CLIPTextModel(CLIPTextConfig(**text))
    yield "unet", lambda: UNet2DConditionModel(**plain["unet"])
    yield "vae", lambda: AutoencoderKL(**plain["vae"])


def original_name(name: str) -> str:
    for pattern, replacement in ENCODER.items():
        name = re.sub(pattern, replacement, name)
    return f"first_stage_model.{name}"


def original(architecture: str, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The original layout of weights in theirs; the names are those of the unit tests' lists."""
    found, thirds = {}, {}
    for line in (LAYOUTS / f"{architecture}.txt").read_text().splitlines():
        name, ldm, _shape = line.split("\t")
        ldm, _, third = ldm.partition(" ")
        short = name.replace("text_encoder.text_model.", "text_encoder.")
        value = weights[name] if name in weights else weights[short]
        if name.startswith("vae.") and ".attentions." in name and value.ndim == 2:
            value = value[:, :, None, None]
        if third:
            thirds.setdefault(ldm, {})[third] = value
        else:
            found[ldm] = value
    for ldm, parts in thirds.items():
        found[ldm] = torch.cat([parts[letter] for letter in "qkv"])
    for name, value in weights.items():
        if name.startswith(("vae.encoder.", "vae.quant_conv.")):
            matrix = ".attentions." in name and value.ndim == 2
            found[original_name(name.removeprefix("vae."))] = (
                value[:, :, None, None] if matrix else value
            )
    if architecture == "sd2":
        found["cond_stage_model.model.text_projection"] = torch.eye(1024).half()
    return {name: value.contiguous() for name, value in found.items()}


def write_loras(folder: Path, unet, text) -> None:
    """One with kohya's names, convolutions and alpha; one that diffusers itself saves."""
    tensors = {}
    for prefix, module in (("lora_unet", unet), ("lora_te", text)):
        for name, layer in module.named_modules():
            conv = isinstance(layer, torch.nn.Conv2d)
            if not (conv or isinstance(layer, torch.nn.Linear)):
                continue
            if not re.search(r"attn[12]|proj_in|resnets.*conv[12]|mlp|self_attn|ff\.net", name):
                continue
            own = (
                name
                if prefix == "lora_unet" or name.startswith("text_model")
                else f"text_model.{name}"
            )
            key = f"{prefix}_{own.replace('.', '_')}"
            out, into = layer.weight.shape[:2]
            side = tuple(layer.weight.shape[2:])
            tensors[f"{key}.lora_down.weight"] = draw(f"{key}.d", torch.Size((4, into, *side)))
            tensors[f"{key}.lora_up.weight"] = 0.3 * draw(
                f"{key}.u", torch.Size((out, 4, *(1 for _ in side)))
            )
            tensors[f"{key}.alpha"] = torch.tensor(2.0)
    save_file(tensors, folder / "kohya.safetensors")

    layers = {
        "unet": LoraConfig(r=4, lora_alpha=6, target_modules=["to_k", "to_q", "to_v", "to_out.0"]),
        "text": LoraConfig(r=4, lora_alpha=6, target_modules=["q_proj", "v_proj", "out_proj"]),
    }
    states = {}
    for part, module in (("unet", unet), ("text", text)):
        module.add_adapter(layers[part])
        states[part] = get_peft_model_state_dict(module)
        states[part] = {
            name: (0.3 if "lora_B" in name else 1.0) * draw(name, value.shape, part)
            for name, value in states[part].items()
        }
    StableDiffusionPipeline.save_lora_weights(
        folder,
        unet_lora_layers=states["unet"],
        text_encoder_lora_layers=states["text"],
        unet_lora_adapter_metadata=told(layers["unet"]),
        text_encoder_lora_adapter_metadata=told(layers["text"]),
        weight_name="peft.safetensors",
    )


def told(config: LoraConfig) -> dict[str, object]:
    """As diffusers' own training writes it: whole, what is a set as a list."""
    document = {k: sorted(v) if isinstance(v, set) else v for k, v in config.to_dict().items()}
    return json.loads(json.dumps(document, default=str))


def main(architecture: str, prediction: str, out: str) -> None:
    torch.set_grad_enabled(False)
    torch.set_num_threads(2)
    folder = Path(out)
    model = folder / "model"
    weights: dict[str, torch.Tensor] = {}
    modules = {}
    for part, make in networks(architecture):
        with torch.device("meta"):
            module = make()
        module = randomise(module)
        module.save_pretrained(model / part)
        weights |= {f"{part}.{name}": value for name, value in module.state_dict().items()}
        modules[part] = module
    (model / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))
    (model / "scheduler").mkdir(exist_ok=True)
    scheduler = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    scheduler |= {"_class_name": "DDIMScheduler", "prediction_type": prediction}
    (model / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler))
    whole = original(architecture, weights)
    save_file(whole, folder / "model.safetensors")
    vae = {
        name.removeprefix("first_stage_model."): draw(name, value.shape, "other")
        for name, value in whole.items()
        if name.startswith("first_stage_model.")
    }
    save_file(vae, folder / "vae.safetensors")
    del whole, weights
    gc.collect()
    if architecture == "sd1":
        write_loras(folder, modules["unet"], modules["text_encoder"])
        save_file(
            {"emb_params": draw("token_embedding", torch.Size((3, 768)))},
            folder / "style.safetensors",
        )
        save_file(
            {"<cat-toy>": draw("token_embedding.1", torch.Size((1, 768)))[0]},
            folder / "cat.safetensors",
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
