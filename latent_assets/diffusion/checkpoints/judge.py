"""Run by a Python that has torch, diffusers and transformers: what they make of a checkpoint.

    python judge.py REQUEST.json ANSWER.npz

It knows nothing of this project: the request says which files, what prompts, what noise. So what
is compared was computed by others.

Request: `base` (a file or folder), `architecture` (sd1, sd2), `prediction`, `arrays` (an .npz with
`tokens` (N, 77), `latents` (B, h, w, 4), `noise` (B, h, w, 4)), `timestep`, `timesteps` of DDIM,
`guidance`, `vae`, `loras` ([file, weight]), `embeddings` ([name, file]), `prompts` and `vocabulary`
(CLIP's merges, .txt.gz; then the prompts are read by their tokenizer, and textual inversions
loaded by their loader). Answer: `context`, `predicted`, `final`, `pictures`; channels last.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

CLIP_WORDS = 49408
_CLIP_MERGES = 48894


def configurations(architecture: str) -> dict[str, dict[str, Any]]:
    """What diffusers and transformers need to know of a single file: published with the models."""
    second = architecture == "sd2"
    width = 1024 if second else 768
    return {
        "unet": {
            "_class_name": "UNet2DConditionModel",
            "sample_size": 64,
            "in_channels": 4,
            "out_channels": 4,
            "block_out_channels": [320, 640, 1280, 1280],
            "layers_per_block": 2,
            "cross_attention_dim": width,
            "attention_head_dim": [5, 10, 20, 20] if second else 8,
            "use_linear_projection": second,
        },
        "vae": {
            "_class_name": "AutoencoderKL",
            "block_out_channels": [128, 256, 512, 512],
            "down_block_types": ["DownEncoderBlock2D"] * 4,
            "up_block_types": ["UpDecoderBlock2D"] * 4,
            "layers_per_block": 2,
            "latent_channels": 4,
            "sample_size": 512,
            "scaling_factor": 0.18215,
        },
        "text_encoder": {
            "model_type": "clip_text_model",
            "architectures": ["CLIPTextModel"],
            "vocab_size": CLIP_WORDS,
            "hidden_size": width,
            "intermediate_size": 4 * width,
            "num_hidden_layers": 23 if second else 12,
            "num_attention_heads": 16 if second else 12,
            "max_position_embeddings": 77,
            "hidden_act": "gelu" if second else "quick_gelu",
            "projection_dim": width,
            "layer_norm_eps": 1e-5,
            "eos_token_id": 2,
        },
    }


def write_configurations(folder: Path, architecture: str) -> None:
    """The same as a folder in diffusers' layout, without weights."""
    for part, document in configurations(architecture).items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / part / "config.json").write_text(json.dumps(document))


def load_networks(request: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Text encoder, denoiser, VAE by the loaders of diffusers and transformers, float32."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel

    base, single = request["base"], Path(request["base"]).is_file()
    options = {"torch_dtype": torch.float32, "local_files_only": True}
    if not single:
        variant = {"variant": request["variant"]} if request.get("variant") else {}
        text = CLIPTextModel.from_pretrained(base, subfolder="text_encoder", **options, **variant)
        unet = UNet2DConditionModel.from_pretrained(base, subfolder="unet", **options, **variant)
        vae = AutoencoderKL.from_pretrained(base, subfolder="vae", **options, **variant)
    else:
        from diffusers.loaders.single_file_utils import (
            create_diffusers_clip_model_from_ldm,
            load_single_file_checkpoint,
        )

        with tempfile.TemporaryDirectory() as config:
            write_configurations(Path(config), request["architecture"])
            text = create_diffusers_clip_model_from_ldm(
                CLIPTextModel,
                load_single_file_checkpoint(base, local_files_only=True),
                subfolder="text_encoder",
                config=config,
                torch_dtype=torch.float32,
                local_files_only=True,
                is_legacy_loading=False,
            )
            unet = UNet2DConditionModel.from_single_file(
                base, config=config, subfolder="unet", **options
            )
            vae = AutoencoderKL.from_single_file(base, config=config, subfolder="vae", **options)
    if request.get("vae"):
        vae = _other_vae(request, options)
    return text.eval().float(), unet.eval(), vae.eval()


def _other_vae(request: dict[str, Any], options: dict[str, Any]) -> Any:
    from diffusers import AutoencoderKL

    with tempfile.TemporaryDirectory() as config:
        write_configurations(Path(config), request["architecture"])
        return AutoencoderKL.from_single_file(
            request["vae"], config=config, subfolder="vae", **options
        )


def pipeline_of(text: Any, unet: Any, vae: Any, tokenizer: Any) -> Any:
    """A pipeline around the networks, for its loaders of LoRAs and textual inversions."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def tokenizer_of(vocabulary: Path, architecture: str) -> Any:
    """CLIP's tokenizer of transformers, from OpenAI's published merges.

    That of 2.x fills up with the first word of the vocabulary, as published.
    """
    from transformers import CLIPTokenizer

    # 256 bytes as printable characters, in the order of OpenAI's encoder.
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)]
    shown += range(ord("®"), ord("ÿ") + 1)
    others = [byte for byte in range(256) if byte not in shown]
    letters = [chr(byte) for byte in shown] + [chr(256 + n) for n in range(len(others))]
    lines = gzip.decompress(vocabulary.read_bytes()).decode().split("\n")[1 : _CLIP_MERGES + 1]
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    words += ["".join(line.split()) for line in lines]
    words += ["<|startoftext|>", "<|endoftext|>"]
    ids = {word: number for number, word in enumerate(words)}
    merges = [tuple(line.split()) for line in lines]
    padding = {"pad_token": "!"} if architecture == "sd2" else {}
    return CLIPTokenizer(vocab=ids, merges=merges, model_max_length=77, **padding)


def extend_by_hand(text: Any, embeddings: list[list[str]]) -> None:
    """Rows for the vectors behind the vocabulary, where no tokenizer is to be had."""
    import torch
    from safetensors.torch import load_file

    tables = []
    for _name, file in embeddings:
        tensors = load_file(file)
        vectors = tensors.get("emb_params", next(iter(tensors.values())))
        tables.append(vectors.float().reshape(-1, vectors.shape[-1]))
    rows = torch.cat(tables)
    text.resize_token_embeddings(CLIP_WORDS + len(rows))
    with torch.no_grad():
        text.get_input_embeddings().weight[CLIP_WORDS:] = rows


def alphas_cumprod() -> Any:
    """Diffusers' table of Stable Diffusion's schedule, float64."""
    from diffusers import DDIMScheduler

    options = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    return DDIMScheduler(**options).alphas_cumprod.double()


def noise_at(unet: Any, request: dict[str, Any], latents: Any, context: Any) -> Any:
    """The noise that the denoiser predicts at the request's timestep; of v, what it means."""
    step = request["timestep"]
    out = unet(latents, step, context).sample
    if request["prediction"] == "v_prediction":
        power = alphas_cumprod()[step]
        return power.sqrt().float() * out + (1 - power).sqrt().float() * latents
    return out


def ddim(unet: Any, request: dict[str, Any], noise: Any, context: Any, empty: Any) -> Any:
    """DDIM (Song et al. 2021, eta 0) over the given timesteps, with diffusers' table of alphas."""
    import torch

    alphas = alphas_cumprod()
    steps, scale = request["timesteps"], request["guidance"]
    latents = noise
    both = torch.cat([context, empty.expand_as(context)])
    for place, step in enumerate(steps):
        out, without = unet(torch.cat([latents, latents]), step, both).sample.chunk(2)
        out = without + scale * (out - without)
        signal, noise_part = alphas[step].sqrt().float(), (1 - alphas[step]).sqrt().float()
        if request["prediction"] == "v_prediction":
            clean = signal * latents - noise_part * out
            eps = signal * out + noise_part * latents
        else:
            clean, eps = (latents - noise_part * out) / signal, out
        following = alphas[steps[place + 1]] if place + 1 < len(steps) else torch.tensor(1.0)
        latents = following.sqrt().float() * clean + (1 - following).sqrt().float() * eps
    return latents


def main(request_file: str, answer_file: str) -> None:
    """Answers one request."""
    import numpy as np
    import torch

    request = json.loads(Path(request_file).read_text())
    torch.set_num_threads(request.get("threads", 2))
    arrays = dict(np.load(request["arrays"]))
    text, unet, vae = load_networks(request)
    vocabulary = request.get("vocabulary")
    tokenizer = tokenizer_of(Path(vocabulary), request["architecture"]) if vocabulary else None
    pipe = pipeline_of(text, unet, vae, tokenizer)
    for number, (file, weight) in enumerate(request.get("loras", [])):
        path = Path(file)
        name = f"lora{number}"
        pipe.load_lora_weights(str(path.parent), weight_name=path.name, adapter_name=name)
        pipe.fuse_lora(lora_scale=weight, adapter_names=[name])
        pipe.unload_lora_weights()
    embeddings = request.get("embeddings", [])
    if tokenizer is not None:
        for name, file in embeddings:
            pipe.load_textual_inversion(file, token=name)
        prompts = [pipe.maybe_convert_prompt(p, tokenizer) for p in request["prompts"]]
        tokens = tokenizer(
            prompts, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
        ).input_ids
    else:
        if embeddings:
            extend_by_hand(text, embeddings)
        tokens = torch.tensor(arrays["tokens"], dtype=torch.int64)

    def first(name: str) -> Any:
        return torch.tensor(arrays[name].transpose(0, 3, 1, 2))

    answer = {"tokens": tokens.numpy()}
    with torch.no_grad():
        encoded = torch.cat([pipe.text_encoder(row[None]).last_hidden_state for row in tokens])
        context, empty = encoded[:-1], encoded[-1:]
        answer["context"] = encoded.numpy()
        if "latents" in arrays:
            latents = first("latents")
            count = len(latents)
            answer["predicted"] = noise_at(pipe.unet, request, latents, context[:count]).numpy()
            answer["decoded"] = pipe.vae.decode(latents / 0.18215).sample.numpy()
        if "noise" in arrays:
            noise = first("noise")
            final = ddim(pipe.unet, request, noise, context[: len(noise)], empty)
            answer["final"] = final.numpy()
            answer["pictures"] = pipe.vae.decode(final / 0.18215).sample.numpy()
    for name in ("predicted", "decoded", "final", "pictures"):
        if name in answer:
            answer[name] = answer[name].transpose(0, 2, 3, 1)
    np.savez(answer_file, **answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
