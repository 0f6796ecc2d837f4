"""The names in a file, or in a folder in diffusers' layout, brought to our weights.

A mapping is complete and one to one, or it says what is missing, left over or of another shape.
No tensor is read for it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from latent_assets.diffusion.checkpoints.architecture import TEXT, UNET, VAE, Architecture, Weight
from latent_assets.diffusion.checkpoints.tensors import TensorFile
from latent_assets.diffusion.protocol import FloatArray
from latent_assets.errors import ModelError

Shape = tuple[int, ...]

_NAMED = 3
"""So many tensors are named; of more, their number is given."""

_UNUSED = re.compile(
    r"""model_ema\..*                                     # running means, beside what is used
    |(first_stage_model\.)?(encoder|quant_conv|loss)\..*   # a VAE's way from pictures to latents
    |(cond_stage_model\.)?(transformer\.|model\.)?(text_model\.)?
        (embeddings\.position_ids|attn_mask|logit_scale|text_projection(\.weight)?)
    |text_projection\.weight|logit_scale|.*\.position_ids
    |betas|alphas_cumprod(_prev)?|(sqrt_|log_)?(one_minus_)?(recip(m1)?_)?alphas_cumprod
    |sqrt_.*|log_one_minus.*|posterior_.*|logvar|lvlb_weights|scale_factor|v_pred|denoiser\.sigmas
    |global_step|state_dict""",
    re.VERBOSE,
)
"""Tensors that checkpoints carry and nothing that is computed here needs."""
_OPEN_CLIP_LAYER = re.compile(r"cond_stage_model\.model\.transformer\.resblocks\.(\d+)\..*")
_OLD_VAE_ATTENTION = {
    "to_q": "query",
    "to_k": "key",
    "to_v": "value",
    "to_out.0": "proj_attn",
}


@dataclass(frozen=True)
class Source:
    """Where a weight comes from: a tensor of a file, or a third of it."""

    file: TensorFile
    name: str
    shape: Shape
    """As the network wants it; a 1 x 1 convolution may lie in the file as a matrix."""
    third: int | None = None

    def read(self) -> FloatArray:
        """The values, float32, in PyTorch's layout."""
        values = self.file.read(self.name)
        if self.third is not None:
            values = np.split(values, 3)[self.third]
        return values.reshape(self.shape)


@dataclass
class NameMap:
    """Weight name -> source, and what does not fit."""

    sources: dict[str, Source] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)
    """Weights whose tensor has another shape, in words."""
    unused: list[str] = field(default_factory=list)
    """What the file has besides and nothing here needs."""

    @property
    def complete(self) -> bool:
        """Whether every weight has its tensor and every tensor its use."""
        return not (self.missing or self.left_over or self.wrong)

    def problems(self) -> list[str]:
        """What does not fit, in words; empty if it is complete."""
        told = []
        if self.missing:
            told.append(f"it lacks {_listed(self.missing)}")
        if self.wrong:
            told.append(_listed(list(self.wrong.values())))
        if self.left_over:
            told.append(f"it has {_listed(self.left_over)}, which the network does not")
        return told

    def check(self, what: str, arch: Architecture) -> None:
        """Raises ModelError, naming tensors, if it is not complete."""
        if not self.complete:
            raise ModelError(
                f"{what} does not fit {arch.title}: {'; '.join(self.problems())}",
                "It is damaged, or of a network that was changed; take another file.",
            )

    def merge(self, other: NameMap) -> None:
        """Takes in what another mapping found, in place of what is here by the same names."""
        self.sources |= other.sources
        self.missing += other.missing
        self.left_over += other.left_over
        self.wrong |= other.wrong
        self.unused += other.unused


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def map_original(
    file: TensorFile, arch: Architecture, networks: Iterable[str] = (UNET, VAE, TEXT)
) -> NameMap:
    """One file in the original layout (LDM). Its EMA copies are used only if they are alone."""
    names: Callable[[Weight], tuple[str, ...]] = _original_names
    if not any(name.startswith("model.diffusion_model.") for name in file.entries):
        names = _averaged_names
    return _map(file, arch, networks, names, lambda name: _unused_original(name, arch))


def _original_names(weight: Weight) -> tuple[str, ...]:
    # Some converters leave out the module between the text encoder and its tables.
    short = weight.ldm.replace(
        "cond_stage_model.transformer.text_model.", "cond_stage_model.transformer."
    )
    return weight.ldm, short


def _averaged_names(weight: Weight) -> tuple[str, ...]:
    if weight.network != UNET:
        return _original_names(weight)
    return ("model_ema." + weight.ldm.removeprefix("model.").replace(".", ""),)


def _unused_original(name: str, arch: Architecture) -> bool:
    layer = _OPEN_CLIP_LAYER.fullmatch(name)
    # Stable Diffusion 2 takes the text encoding from before the last layer, which files keep.
    return _UNUSED.fullmatch(name) is not None or (
        layer is not None and int(layer[1]) >= arch.text_layers
    )


def map_network(file: TensorFile, arch: Architecture, network: str) -> NameMap:
    """A file of one network in the layout of diffusers and transformers."""
    return map_networks({network: [file]}, arch)


def map_networks(files: Mapping[str, list[TensorFile]], arch: Architecture) -> NameMap:
    """The files of each network in diffusers' layout; a network may lie in several (shards)."""
    whole = NameMap()
    for network, shards in files.items():
        found = NameMap()
        for shard in shards:
            part = _map(shard, arch, (network,), _diffusers_names, _unused_diffusers)
            found.sources |= part.sources
            found.left_over += part.left_over
            found.wrong |= part.wrong
            found.unused += part.unused
        wanted = (w.name for w in arch.weights if w.network == network)
        found.missing = [n for n in wanted if n not in found.sources and n not in found.wrong]
        whole.merge(found)
    return whole


def _diffusers_names(weight: Weight) -> tuple[str, ...]:
    name = weight.name.partition(".")[2]
    if weight.network == TEXT:  # transformers 5 leaves out the module of that name
        return name, name.removeprefix("text_model.")
    if weight.network == VAE and ".attentions.0." in name:
        before, _, part = name.rpartition(".attentions.0.")
        part, _, kind = part.rpartition(".")
        if part in _OLD_VAE_ATTENTION:
            return name, f"{before}.attentions.0.{_OLD_VAE_ATTENTION[part]}.{kind}"
    return (name,)


def _unused_diffusers(name: str) -> bool:
    return _UNUSED.fullmatch(name) is not None


def map_vae(file: TensorFile, arch: Architecture) -> NameMap:
    """A VAE in a file of its own, in either layout, with or without the original's prefix."""
    if "decoder.mid_block.resnets.0.norm1.weight" in file.entries:
        return map_network(file, arch, VAE)

    def names(weight: Weight) -> tuple[str, ...]:
        return weight.ldm, weight.ldm.removeprefix("first_stage_model.")

    return _map(file, arch, (VAE,), names, _unused_diffusers)


def _map(
    file: TensorFile,
    arch: Architecture,
    networks: Iterable[str],
    names_of: Callable[[Weight], tuple[str, ...]],
    unused: Callable[[str], bool],
) -> NameMap:
    found, used = NameMap(), set[str]()
    for weight in arch.weights:
        if weight.network not in networks:
            continue
        name = next((name for name in names_of(weight) if name in file.entries), None)
        if name is None:
            found.missing.append(names_of(weight)[0])
            continue
        used.add(name)
        shape = file.entries[name].shape
        third = weight.third if name == weight.ldm else None  # elsewhere each has its own
        wanted = weight.shape if third is None else (3 * weight.shape[0], *weight.shape[1:])
        if _same(shape, wanted):
            found.sources[weight.name] = Source(file, name, weight.shape, third)
        else:
            found.wrong[weight.name] = f"{name} has the shape {shape}, not {wanted}"
    for name in sorted(set(file.entries) - used):
        (found.unused if unused(name) else found.left_over).append(name)
    return found


def _same(shape: Shape, wanted: Shape) -> bool:
    """Whether a tensor of one shape is one of the other: a matrix is a 1 x 1 convolution."""
    if shape == wanted:
        return True
    plain = [each[:2] for each in (shape, wanted) if math.prod(each[2:]) == 1]
    return len(plain) == 2 and plain[0] == plain[1] and len(plain[0]) == 2  # noqa: PLR2004
