"""LoRA: low-rank changes of weights, merged once when a model is loaded (Hu et al. 2021).

    W' = W + weight * alpha / rank * up @ down

Read are the names of kohya's trainers (`lora_unet_..._to_q.lora_down.weight`, with `alpha`), of
diffusers and PEFT (`unet....to_q.lora_A.weight`) and of diffusers before that
(`...processor.to_q_lora.down.weight`). Convolutions may be of one step or, as in LoCon, of three
(`lora_mid`). Merging costs nothing while frames are rendered.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from latent_assets.diffusion.checkpoints.architecture import TEXT, UNET, Architecture
from latent_assets.diffusion.checkpoints.identify import Identity, identify, require
from latent_assets.diffusion.checkpoints.tensors import TensorFile
from latent_assets.diffusion.protocol import FloatArray
from latent_assets.errors import ModelError

Shape = tuple[int, ...]

_PARTS = {
    "lora_down.weight": "down",
    "lora_up.weight": "up",
    "lora_mid.weight": "mid",
    "alpha": "alpha",
    "lora_A.weight": "down",
    "lora_B.weight": "up",
    "lora_A.default.weight": "down",
    "lora_B.default.weight": "up",
    "lora.down.weight": "down",
    "lora.up.weight": "up",
    "lora_linear_layer.down.weight": "down",
    "lora_linear_layer.up.weight": "up",
}
_PROCESSOR = re.compile(r"(.*)\.processor\.(to_q|to_k|to_v|to_out)_lora\.(down|up)\.weight")
_OLD_TEXT = re.compile(r"(.*)\.(to_q|to_k|to_v|to_out)_lora\.(down|up)\.weight")
_OLD_TEXT_NAMES = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}
_MAX_RANK = 4096


@dataclass(frozen=True)
class Change:
    """The change of one weight, not yet read."""

    target: str
    """The name of the weight that it changes."""
    down: str
    up: str
    mid: str | None
    alpha: str | float | None
    """A tensor's name, a value, or None for the rank: no scaling."""
    rslora: bool = False


@dataclass(frozen=True)
class Lora:
    """A LoRA file and what it changes."""

    file: TensorFile
    changes: tuple[Change, ...]
    left_over: tuple[str, ...] = field(default=())

    def delta(self, change: Change, shape: Shape) -> FloatArray:
        """What is added to the weight of that shape (PyTorch's layout) at a weight of 1."""
        down, up = self.file.read(change.down), self.file.read(change.up)
        rank = down.shape[0]
        alpha = self._alpha(change, rank)
        scale = alpha / (math.sqrt(rank) if change.rslora else rank)
        if change.mid is not None:
            mid = self.file.read(change.mid)
            product = np.einsum(
                "or,rshw,si->oihw", up.reshape(len(up), -1), mid, down.reshape(rank, -1)
            )
        else:
            product = up.reshape(len(up), -1) @ down.reshape(rank, -1)
        return (np.float32(scale) * product).reshape(shape).astype(np.float32)

    def _alpha(self, change: Change, rank: int) -> float:
        if change.alpha is None:
            return float(rank)
        if isinstance(change.alpha, str):
            return float(self.file.read(change.alpha).reshape(-1)[0])
        return change.alpha


def open_lora(file: TensorFile, arch: Architecture) -> Lora:
    """What a LoRA file changes in a network. Raises ModelError if it is none, or does not fit."""
    identity = require(identify(file.shapes), "lora", str(file.path))
    _refuse_other(identity, arch, file)
    groups, left_over = _groups(file, arch)
    peft = _peft_settings(file)
    changes = tuple(_change(file, target, parts, peft) for target, parts in groups.items())
    for change in changes:
        _check_shapes(file, change, arch)
    if left_over:
        shown = ", ".join(left_over[:3])
        more = f" and {len(left_over) - 3} more" if len(left_over) > 3 else ""  # noqa: PLR2004
        raise ModelError(
            f"{file.path} changes what {arch.title} has not: {shown}{more}",
            "It is for another model, or of a kind that is not read here.",
        )
    if not changes:
        raise ModelError(f"{file.path} changes nothing", "Take another file.")
    return Lora(file, changes)


def _refuse_other(identity: Identity, arch: Architecture, file: TensorFile) -> None:
    theirs = identity.architecture
    if theirs is not None and theirs != arch:
        raise ModelError(
            f"{file.path} is a LoRA for {theirs.title}, the model is {arch.title}",
            f"Take a LoRA that was trained on {arch.title}.",
        )


def _groups(file: TensorFile, arch: Architecture) -> tuple[dict[str, dict[str, str]], list[str]]:
    """By the weight that is changed, the names of its parts; and what belongs to no weight."""
    targets = _targets(arch)
    groups: dict[str, dict[str, str]] = {}
    left_over = []
    for name in sorted(file.entries):
        module, part = _split(name)
        target = targets.get(_plain(module)) if part else None
        if target is None:
            left_over.append(name)
        else:
            groups.setdefault(target, {})[part] = name
    return groups, left_over


def _targets(arch: Architecture) -> dict[str, str]:
    """Every way to write a layer's name, with underscores -> the weight that it has."""
    found: dict[str, str] = {}
    for weight in arch.weights:
        if not weight.name.endswith(".weight") or weight.network not in (UNET, TEXT):
            continue
        name = weight.name.removesuffix(".weight")
        inner = name.partition(".")[2]
        found[_plain(name)] = weight.name
        found[_plain(inner)] = weight.name  # PEFT's own files name no network
        if weight.network == UNET:
            found[_plain(f"lora_unet.{inner}")] = weight.name
            ldm = weight.ldm.removeprefix("model.diffusion_model.").removesuffix(".weight")
            found[_plain(f"lora_unet.{ldm}")] = weight.name
        else:
            for prefix in ("lora_te", "lora_te1"):
                found[_plain(f"{prefix}.{inner}")] = weight.name
            found[_plain(f"text_encoder.{inner.removeprefix('text_model.')}")] = weight.name
    return found


def _plain(module: str) -> str:
    return module.replace(".", "_")


def _split(name: str) -> tuple[str, str]:
    """A tensor's name -> the layer's, and which part it is; an empty part if it is none."""
    name = name.removeprefix("base_model.model.")
    if match := _PROCESSOR.fullmatch(name):
        layer = "to_out_0" if match[2] == "to_out" else match[2]
        return f"{match[1]}.{layer}", match[3]
    if name.startswith("text_encoder.") and (match := _OLD_TEXT.fullmatch(name)):
        return f"{match[1]}.{_OLD_TEXT_NAMES[match[2]]}", match[3]
    for suffix, part in _PARTS.items():
        if name.endswith(f".{suffix}"):
            return name.removesuffix(f".{suffix}"), part
    return name, ""


def _peft_settings(file: TensorFile) -> Mapping[str, object]:
    """What PEFT writes into the header: alpha, and how it is applied; empty if nothing."""
    try:
        settings = json.loads(file.metadata.get("lora_adapter_metadata", "{}"))
    except (ValueError, RecursionError):
        return {}
    return settings if isinstance(settings, dict) else {}


def _change(
    file: TensorFile, target: str, parts: Mapping[str, str], peft: Mapping[str, object]
) -> Change:
    lacking = [part for part in ("down", "up") if part not in parts]
    if lacking:
        raise ModelError(
            f"{file.path} has no {lacking[0]} matrix beside {next(iter(parts.values()))}",
            "The file is damaged or not complete: get it again.",
        )
    network, _, name = target.partition(".")
    alpha: str | float | None = parts.get("alpha")
    if alpha is None:
        alpha = _peft_alpha(peft, network, name.removesuffix(".weight"))
    rslora = peft.get(f"{network}.use_rslora") is True
    return Change(target, parts["down"], parts["up"], parts.get("mid"), alpha, rslora)


def _peft_alpha(peft: Mapping[str, object], network: str, module: str) -> float | None:
    patterns = peft.get(f"{network}.alpha_pattern")
    if isinstance(patterns, dict):
        for pattern, value in patterns.items():
            plain = str(pattern).lstrip("^")
            if (module == plain or module.endswith(f".{plain}")) and _number(value):
                return float(value)
    alpha = peft.get(f"{network}.lora_alpha")
    return float(alpha) if _number(alpha) else None  # type: ignore[arg-type]


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_shapes(file: TensorFile, change: Change, arch: Architecture) -> None:
    """Whether the product of the parts has the shape of the weight. Raises ModelError."""
    wanted = arch.by_name[change.target].shape
    down, up = file.entries[change.down].shape, file.entries[change.up].shape
    mid = file.entries[change.mid].shape if change.mid is not None else None
    if len(down) < 2 or len(up) < 2 or not _fits(up, mid, down, wanted):  # noqa: PLR2004
        raise ModelError(
            f"{file.path} does not fit {arch.title}: {change.down} and {change.up} have the shapes"
            f" {down} and {up}, the weight has {wanted}",
            "It is for another model.",
        )


def _fits(up: Shape, mid: Shape | None, down: Shape, wanted: Shape) -> bool:
    """Whether up @ down, or up @ mid @ down, has the wanted shape."""
    if not 0 < down[0] <= _MAX_RANK or up[0] != wanted[0]:
        return False
    if mid is None:
        return up[1] == down[0] and up[0] * math.prod(down[1:]) == math.prod(wanted)
    ranks = (up[1], down[0])
    return len(mid) == 4 and mid[:2] == ranks and (up[0], down[1], *mid[2:]) == wanted  # noqa: PLR2004
