"""What a file is, told by the names and shapes of its tensors; and why others are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from latent_assets.diffusion.checkpoints.architecture import (
    ARCHITECTURES,
    LATENT_CHANNELS,
    Architecture,
)
from latent_assets.errors import ModelError

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]

Kind = Literal["checkpoint", "unet", "text_encoder", "vae", "lora", "embedding", "other"]

_LDM_INPUT = "model.diffusion_model.input_blocks.0.0.weight"
_CONTEXT_KEYS = ("attn2.to_k.weight", "attn2.to_v.weight")
_LORA_MARKS = ("lora_down", "lora_up", "lora_A", "lora_B", "_lora.down", "_lora.up", ".lora.")
_OTHER_ADAPTERS = ("hada_w1", "lokr_w", "oft_blocks", "oft_diag", "dora_scale", ".diff_b", "boft")
_VAE_MARKS = ("decoder.conv_in.weight", "first_stage_model.decoder.conv_in.weight")
_MAX_TENSORS_OF_EMBEDDING = 4


@dataclass(frozen=True)
class Identity:
    """What a file is."""

    kind: Kind
    title: str
    """In words, as `a LoRA for Stable Diffusion 1.x`."""
    architecture: Architecture | None = None
    """Of Stable Diffusion; None if the file does not tell, or is for another model."""
    hint: str = ""
    """What to do with it, where it is not what was asked for."""


def identify(shapes: Shapes) -> Identity:
    """What a file with tensors of these names and shapes is. Nothing is refused here."""
    for rule in _RULES:
        if (found := rule(shapes)) is not None:
            return found
    first = ", ".join(sorted(shapes)[:3]) or "none at all"
    return Identity("other", f"no model that is known here (its first tensors: {first})")


def require(identity: Identity, kind: Kind, where: str) -> Identity:
    """The identity, if it is of that kind; else a ModelError that says what the file is."""
    if identity.kind == kind:
        return identity
    wanted = _WANTED[kind]
    raise ModelError(f"{where} is {identity.title}, not {wanted}", identity.hint or _HINTS[kind])


_WANTED: dict[str, str] = {
    "checkpoint": "a checkpoint of Stable Diffusion 1.x or 2.x",
    "vae": "a VAE of Stable Diffusion",
    "lora": "a LoRA",
    "embedding": "a textual inversion",
    "unet": "a denoiser",
    "text_encoder": "a text encoder",
    "other": "a file",
}
_HINTS: dict[str, str] = {
    **dict.fromkeys(_WANTED, "Name another file."),
    "checkpoint": "Only checkpoints of Stable Diffusion 1.x and 2.x can be rendered with.",
}


def describes(width: int) -> Architecture | None:
    """The Stable Diffusion whose text encodings have that width."""
    matching = (each for each in ARCHITECTURES.values() if each.context_width == width)
    return next(matching, None)


# --- rules, the most telling first ------------------------------------------------------------


def _any(shapes: Iterable[str], *marks: str) -> bool:
    return any(mark in name for name in shapes for mark in marks)


def _starting(shapes: Iterable[str], *prefixes: str) -> bool:
    return any(name.startswith(prefixes) for name in shapes)


def _other(title: str, *marks: str) -> Callable[[Shapes], Identity | None]:
    """A rule for another kind of model, told by a part of a name."""

    def rule(shapes: Shapes) -> Identity | None:
        return Identity("other", title) if _any(shapes, *marks) else None

    return rule


def _adapter(shapes: Shapes) -> Identity | None:
    if _any(shapes, *_OTHER_ADAPTERS):
        title = "an adapter of another kind than LoRA (LoHa, LoKr, DoRA, OFT)"
        return Identity("other", title, hint="Merge it into a checkpoint with the tool it is from.")
    if not _any(shapes, *_LORA_MARKS):
        return None
    hint = "Name it under `loras` in the file of a model, data/models/NAME.yaml."
    if _any(shapes, "lora_te2_", "text_encoder_2.", "add_embedding"):
        return Identity("other", "a LoRA for SDXL")
    if _any(shapes, "double_blocks", "single_blocks", "joint_blocks", "transformer_blocks_0_attn_"):
        return Identity("other", "a LoRA for another model than Stable Diffusion 1.x or 2.x")
    if _starting(shapes, "transformer.", "lora_transformer_"):
        return Identity("other", "a LoRA for another model than Stable Diffusion 1.x or 2.x")
    arch = _architecture_of_lora(shapes)
    return Identity("lora", f"a LoRA{_for(arch)}", arch, hint)


def _architecture_of_lora(shapes: Shapes) -> Architecture | None:
    """By the width of what multiplies the text encoding; text encoders by their own width."""
    down = ("lora_down.weight", "lora_A.weight", "lora.down.weight", "_lora.down.weight")
    for name, shape in shapes.items():
        plain = name.replace("_", ".")
        if not name.endswith(down) or len(shape) < 2:  # noqa: PLR2004 - a matrix
            continue
        context = "attn2.to.k" in plain or "attn2.to.v" in plain
        if context or "self.attn.q.proj" in plain:
            return describes(shape[1])
    return None


def _for(arch: Architecture | None) -> str:
    return f" for {arch.title}" if arch else ""


def _embedding(shapes: Shapes) -> Identity | None:
    if len(shapes) > _MAX_TENSORS_OF_EMBEDDING or not shapes:
        return None
    if set(shapes) == {"clip_g", "clip_l"}:
        return Identity("other", "a textual inversion for SDXL")
    name, shape = next(iter(shapes.items()))
    vectors = len(shapes) == 1 and len(shape) in (1, 2)
    if not vectors and name != "emb_params":
        return None
    arch = describes(shape[-1]) if shape else None
    if arch is None and name != "emb_params":
        return None
    hint = "Name it under `embeddings` in the file of a model, data/models/NAME.yaml."
    return Identity("embedding", f"a textual inversion{_for(arch)}", arch, hint)


def _original(shapes: Shapes) -> Identity | None:
    """One file in the original layout, by its denoiser's first convolution."""
    prefix = "model.diffusion_model."
    if not _starting(shapes, prefix) and not _starting(shapes, "model_ema.diffusion_model"):
        return None
    if (refused := _refused_denoiser(shapes)) is not None:
        return refused
    width = _context_width(shapes)
    arch = describes(width) if width else None
    if arch is None:
        return Identity("other", f"a diffusion model with text encodings of width {width}")
    whole = _starting(shapes, "cond_stage_model.") and _starting(shapes, "first_stage_model.")
    if not whole:
        lacks = "text encoder" if _starting(shapes, "first_stage_model.") else "VAE"
        if not _starting(shapes, "cond_stage_model.", "first_stage_model."):
            lacks = "text encoder and VAE"
        return Identity(
            "unet",
            f"{arch.title} without its {lacks}",
            arch,
            "Take the whole checkpoint; one of 2 GB or more has all three networks.",
        )
    return Identity("checkpoint", f"a checkpoint of {arch.title}", arch)


def _diffusers_denoiser(shapes: Shapes) -> Identity | None:
    if "conv_in.weight" not in shapes or not _starting(shapes, "down_blocks."):
        return None
    if (refused := _refused_denoiser(shapes)) is not None:
        return refused
    width = _context_width(shapes)
    arch = describes(width) if width else None
    if arch is None:
        return Identity("other", f"a diffusion model with text encodings of width {width}")
    hint = "Name the folder that has model_index.json: the text encoder and the VAE lie beside it."
    return Identity("unet", f"the denoiser alone of {arch.title}", arch, hint)


def _refused_denoiser(shapes: Shapes) -> Identity | None:
    names = (_LDM_INPUT, "conv_in.weight", "model_ema.diffusion_modelinput_blocks00weight")
    first = next((shapes[name] for name in names if name in shapes), None)
    channels = first[1] if first is not None and len(first) > 1 else LATENT_CHANNELS
    if channels == LATENT_CHANNELS:
        return None
    title = {
        9: "an inpainting model",
        8: "a model that edits pictures (InstructPix2Pix)",
        7: "an upscaling model",
        5: "a depth-to-image model",
    }.get(channels, f"a diffusion model of {channels} input channels")
    return Identity("other", title, hint="Take the text-to-image checkpoint of the same family.")


def _context_width(shapes: Shapes) -> int | None:
    for name, shape in shapes.items():
        if name.endswith(_CONTEXT_KEYS) and len(shape) == 2:  # noqa: PLR2004 - a matrix
            return shape[1]
    for name, shape in shapes.items():  # EMA copies are named without dots
        if name.startswith("model_ema.") and name.endswith(("attn2to_kweight", "attn2to_vweight")):
            return shape[1]
    return None


def _vae(shapes: Shapes) -> Identity | None:
    mark = next((mark for mark in _VAE_MARKS if mark in shapes), None)
    if mark is None:
        return None
    shape = shapes[mark]
    channels = shape[1] if len(shape) > 1 else 0
    if channels != LATENT_CHANNELS or len(shape) != 4:  # noqa: PLR2004 - a convolution
        return Identity("other", f"a VAE with {channels} latent channels, of another model")
    hint = "Name it as `vae` in the file of a model, data/models/NAME.yaml."
    return Identity("vae", "a VAE", hint=hint)


def _text_encoder(shapes: Shapes) -> Identity | None:
    tables = [s for n, s in shapes.items() if n.endswith("token_embedding.weight")]
    if not tables or len(tables[0]) != 2:  # noqa: PLR2004 - a table
        return None
    arch = describes(tables[0][1])
    hint = "Name the folder that has model_index.json: the other networks lie beside it."
    return Identity("text_encoder", f"a text encoder{_for(arch)}", arch, hint)


_RULES: tuple[Callable[[Shapes], Identity | None], ...] = (
    _adapter,
    _other(
        "a ControlNet",
        "control_model.",
        "input_hint_block",
        "controlnet_cond_embedding",
        "zero_convs.",
        "controlnet_down_blocks",
    ),
    _other("a T2I adapter", "adapter.body.", "body.0.in_conv"),
    _other("an IP adapter", "ip_adapter.", "image_proj."),
    _other("a motion module (AnimateDiff)", "motion_modules."),
    _other("a model of grounding boxes (GLIGEN)", "position_net."),
    _other("SDXL", "conditioner.embedders.", "label_emb.0.0", "add_embedding.linear_1"),
    _other("Stable Diffusion 3", "joint_blocks.", "context_embedder.weight"),
    _other("Flux", "double_blocks.", "single_transformer_blocks."),
    _other("a diffusion transformer (PixArt or its kin)", "caption_projection", "t_embedder.mlp"),
    _other("Stable Cascade", "clip_txt_mapper", "clip_txt_pooled_mapper"),
    _original,
    _diffusers_denoiser,
    _vae,
    _embedding,
    _text_encoder,
)
