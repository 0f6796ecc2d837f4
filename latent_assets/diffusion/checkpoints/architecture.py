"""Every weight of Stable Diffusion 1.x and 2.x: its names, its shape, its layer in our networks.

The names in use here are those of diffusers and transformers, after the network that they belong
to: `unet.conv_in.weight`. Beside each stands its name in the original layout (LDM: one file with
the prefixes `model.diffusion_model.`, `first_stage_model.`, `cond_stage_model.`). Shapes are
PyTorch's: (out, in) of a matrix, (out, in, height, width) of a convolution.

A weight's place in KerasCV's networks is told by the class of a layer, its number among the
layers of that class, and the path within it. Our networks compute what needs no gradient: the
VAE's encoder is not among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from latent_assets.diffusion.tokenizer import MAX_TOKENS

Shape = tuple[int, ...]

UNET, VAE, TEXT = "unet", "vae", "text_encoder"
LATENT_CHANNELS = 4
VOCABULARY = 49408
_LDM = {UNET: "model.diffusion_model.", VAE: "first_stage_model."}
_CLIP_LDM = "cond_stage_model.transformer."
_OPEN_CLIP_LDM = "cond_stage_model.model."
_KERNEL = 3
_RESIDUALS_DOWN, _RESIDUALS_UP = 2, 3


@dataclass(frozen=True)
class Place:
    """Where a weight is in a network of KerasCV's."""

    layer: str
    """The class of a layer of the network."""
    number: int
    """Which of the layers of that class, in order."""
    path: str
    """Attributes and numbers from there on, with dots; empty for the layer itself."""
    index: int
    """0 for the kernel, scale or table, 1 for the bias."""


@dataclass(frozen=True)
class Weight:
    """One tensor of a network."""

    name: str
    ldm: str
    shape: Shape
    place: Place
    third: int | None = None
    """Which third of the tensor `ldm` it is: OpenCLIP keeps query, key and value in one."""

    @property
    def network(self) -> str:
        """unet, vae or text_encoder."""
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class Architecture:
    """What tells the generations of Stable Diffusion apart."""

    name: str
    """Also what stands for the model in a frame's recipe, whatever its file is called."""
    title: str
    context_width: int
    text_layers: int
    open_clip: bool
    """The text encoder is OpenCLIP's, whose original files have other names."""
    linear_projections: bool
    """The transformers' projections are matrices, not 1 x 1 convolutions."""
    heads: tuple[int, ...]
    """Of the denoiser's attention, at each level."""
    channels: tuple[int, ...] = (320, 640, 1280, 1280)
    vae_channels: tuple[int, ...] = (128, 256, 512, 512)

    @cached_property
    def weights(self) -> tuple[Weight, ...]:
        """Every weight of the three networks."""
        return (*_unet(self), *_vae(self), *_text_encoder(self))

    @cached_property
    def by_name(self) -> dict[str, Weight]:
        """The weights by their names."""
        return {weight.name: weight for weight in self.weights}


STABLE_DIFFUSION_1 = Architecture(
    name="sd1",
    title="Stable Diffusion 1.x",
    context_width=768,
    text_layers=12,
    open_clip=False,
    linear_projections=False,
    heads=(8, 8, 8, 8),
)
STABLE_DIFFUSION_2 = Architecture(
    name="sd2",
    title="Stable Diffusion 2.x",
    context_width=1024,
    text_layers=23,
    open_clip=True,
    linear_projections=True,
    heads=(5, 10, 20, 20),
)
ARCHITECTURES = {each.name: each for each in (STABLE_DIFFUSION_1, STABLE_DIFFUSION_2)}


@dataclass
class _Network:
    """Collects the weights of one network, counting KerasCV's layers by class."""

    name: str
    ldm: str

    def __post_init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.weights: list[Weight] = []

    def layer(self, kind: str) -> _Layer:
        """The next layer of that class."""
        number = self.counts.get(kind, 0)
        self.counts[kind] = number + 1
        return _Layer(self, kind, number)


@dataclass(frozen=True)
class _Layer:
    network: _Network
    kind: str
    number: int

    def add(
        self,
        path: str,
        name: str,
        ldm: str,
        shape: Shape,
        *,
        bias: bool = True,
        third: int | None = None,
        suffixes: tuple[str, str] = (".weight", ".bias"),
    ) -> None:
        """A weight and its bias: path within the layer, name, name in LDM files, shape."""
        network = self.network
        for index, suffix in enumerate((".weight", ".bias") if bias else (".weight",)):
            network.weights.append(
                Weight(
                    f"{network.name}.{name}{suffix}",
                    f"{network.ldm}{ldm}{suffixes[index]}",
                    shape if index == 0 else shape[:1],
                    Place(self.kind, self.number, path, index),
                    third,
                )
            )


def _conv(into: int, out: int, side: int = _KERNEL) -> Shape:
    return (out, into, side, side)


# --- the denoiser -----------------------------------------------------------------------------


def _unet(arch: Architecture) -> list[Weight]:
    net = _Network(UNET, _LDM[UNET])
    first, deepest, time = arch.channels[0], arch.channels[-1], 4 * arch.channels[0]
    for number, width in ((1, first), (2, time)):
        net.layer("Dense").add(
            "", f"time_embedding.linear_{number}", f"time_embed.{2 * number - 2}", (time, width)
        )
    net.layer("PaddedConv2D").add("", "conv_in", "input_blocks.0.0", _conv(LATENT_CHANNELS, first))
    skips = _down(arch, net)
    for number in (0, 1):
        _residual(
            net,
            f"mid_block.resnets.{number}",
            f"middle_block.{2 * number}",
            (deepest, deepest, time),
        )
        if number == 0:
            _transformer(arch, net, "mid_block.attentions.0", "middle_block.1", deepest)
    _up(arch, net, skips)
    net.layer("GroupNormalization").add("", "conv_norm_out", "out.0", (first,))
    net.layer("PaddedConv2D").add("", "conv_out", "out.2", _conv(first, LATENT_CHANNELS))
    return net.weights


def _down(arch: Architecture, net: _Network) -> list[int]:
    """Returns the channels of what is kept for the way up."""
    channels, time = arch.channels, 4 * arch.channels[0]
    skips, width, block = [channels[0]], channels[0], 0
    for level, out in enumerate(channels):
        last = level == len(channels) - 1
        for number in range(_RESIDUALS_DOWN):
            block += 1
            at, ldm = f"down_blocks.{level}", f"input_blocks.{block}"
            _residual(net, f"{at}.resnets.{number}", f"{ldm}.0", (width, out, time))
            if not last:
                _transformer(arch, net, f"{at}.attentions.{number}", f"{ldm}.1", out)
            width = out
            skips.append(out)
        if not last:
            block += 1
            net.layer("PaddedConv2D").add(
                "",
                f"down_blocks.{level}.downsamplers.0.conv",
                f"input_blocks.{block}.0.op",
                _conv(out, out),
            )
            skips.append(out)
    return skips


def _up(arch: Architecture, net: _Network, skips: list[int]) -> None:
    width, time, block = arch.channels[-1], 4 * arch.channels[0], 0
    for level, out in enumerate(reversed(arch.channels)):
        at = f"up_blocks.{level}"
        for number in range(_RESIDUALS_UP):
            ldm = f"output_blocks.{block}"
            shape = (width + skips.pop(), out, time)
            _residual(net, f"{at}.resnets.{number}", f"{ldm}.0", shape)
            if level:
                _transformer(arch, net, f"{at}.attentions.{number}", f"{ldm}.1", out)
            width = out
            block += 1
        if level < len(arch.channels) - 1:
            net.layer("Upsample").add(
                "conv",
                f"{at}.upsamplers.0.conv",
                f"output_blocks.{block - 1}.{2 if level else 1}.conv",
                _conv(out, out),
            )


def _residual(net: _Network, name: str, ldm: str, shape: tuple[int, int, int]) -> None:
    """shape: channels in, channels out, width of the time embedding."""
    into, out, time = shape
    layer = net.layer("ResBlock")
    layer.add("entry_flow.0", f"{name}.norm1", f"{ldm}.in_layers.0", (into,))
    layer.add("entry_flow.2", f"{name}.conv1", f"{ldm}.in_layers.2", _conv(into, out))
    layer.add("embedding_flow.1", f"{name}.time_emb_proj", f"{ldm}.emb_layers.1", (out, time))
    layer.add("exit_flow.0", f"{name}.norm2", f"{ldm}.out_layers.0", (out,))
    layer.add("exit_flow.2", f"{name}.conv2", f"{ldm}.out_layers.3", _conv(out, out))
    if into != out:
        shortcut = f"{name}.conv_shortcut"
        layer.add("residual_projection", shortcut, f"{ldm}.skip_connection", _conv(into, out, 1))


def _transformer(arch: Architecture, net: _Network, name: str, ldm: str, width: int) -> None:
    layer = net.layer("SpatialTransformer")
    projection = (width, width) if arch.linear_projections else _conv(width, width, 1)
    layer.add("norm", f"{name}.norm", f"{ldm}.norm", (width,))
    layer.add("proj1", f"{name}.proj_in", f"{ldm}.proj_in", projection)
    layer.add("proj2", f"{name}.proj_out", f"{ldm}.proj_out", projection)
    inner, theirs = f"{name}.transformer_blocks.0", f"{ldm}.transformer_blocks.0"

    def add(path: str, suffix: str, shape: Shape, *, bias: bool = True) -> None:
        layer.add(
            f"transformer_block.{path}", f"{inner}.{suffix}", f"{theirs}.{suffix}", shape, bias=bias
        )

    for number, context in ((1, width), (2, arch.context_width)):
        attention = f"attn{number}"
        add(f"{attention}.to_q", f"{attention}.to_q", (width, width), bias=False)
        add(f"{attention}.to_k", f"{attention}.to_k", (width, context), bias=False)
        add(f"{attention}.to_v", f"{attention}.to_v", (width, context), bias=False)
        add(f"{attention}.out_proj", f"{attention}.to_out.0", (width, width))
    for number in (1, 2, 3):
        add(f"norm{number}", f"norm{number}", (width,))
    add("geglu.dense", "ff.net.0.proj", (8 * width, width))
    add("dense", "ff.net.2", (width, 4 * width))


# --- the decoder ------------------------------------------------------------------------------


def _vae(arch: Architecture) -> list[Weight]:
    net = _Network(VAE, _LDM[VAE])
    deepest = arch.vae_channels[-1]
    net.layer("PaddedConv2D").add(
        "", "post_quant_conv", "post_quant_conv", _conv(LATENT_CHANNELS, LATENT_CHANNELS, 1)
    )
    net.layer("PaddedConv2D").add(
        "", "decoder.conv_in", "decoder.conv_in", _conv(LATENT_CHANNELS, deepest)
    )
    middle = "decoder.mid_block"
    _vae_residual(net, f"{middle}.resnets.0", "decoder.mid.block_1", deepest, deepest)
    _vae_attention(net, f"{middle}.attentions.0", "decoder.mid.attn_1", deepest)
    _vae_residual(net, f"{middle}.resnets.1", "decoder.mid.block_2", deepest, deepest)
    width, levels = deepest, len(arch.vae_channels)
    for level, out in enumerate(reversed(arch.vae_channels)):
        ours, theirs = f"decoder.up_blocks.{level}", f"decoder.up.{levels - 1 - level}"
        for number in range(_RESIDUALS_UP):
            into = width if number == 0 else out
            _vae_residual(net, f"{ours}.resnets.{number}", f"{theirs}.block.{number}", into, out)
        if level < levels - 1:
            net.layer("PaddedConv2D").add(
                "", f"{ours}.upsamplers.0.conv", f"{theirs}.upsample.conv", _conv(out, out)
            )
        width = out
    net.layer("GroupNormalization").add("", "decoder.conv_norm_out", "decoder.norm_out", (width,))
    net.layer("PaddedConv2D").add("", "decoder.conv_out", "decoder.conv_out", _conv(width, 3))
    return net.weights


def _vae_residual(net: _Network, name: str, ldm: str, into: int, out: int) -> None:
    layer = net.layer("ResnetBlock")
    for part, shape in (
        ("norm1", (into,)),
        ("conv1", _conv(into, out)),
        ("norm2", (out,)),
        ("conv2", _conv(out, out)),
    ):
        layer.add(part, f"{name}.{part}", f"{ldm}.{part}", shape)
    if into != out:
        shortcut = f"{name}.conv_shortcut"
        layer.add("residual_projection", shortcut, f"{ldm}.nin_shortcut", _conv(into, out, 1))


def _vae_attention(net: _Network, name: str, ldm: str, width: int) -> None:
    layer = net.layer("AttentionBlock")
    layer.add("norm", f"{name}.group_norm", f"{ldm}.norm", (width,))
    for path, ours in (("q", "to_q"), ("k", "to_k"), ("v", "to_v"), ("proj_out", "to_out.0")):
        layer.add(path, f"{name}.{ours}", f"{ldm}.{path}", (width, width))


# --- the text encoder -------------------------------------------------------------------------


def _text_encoder(arch: Architecture) -> list[Weight]:
    net = _Network(TEXT, _OPEN_CLIP_LDM if arch.open_clip else _CLIP_LDM)
    embedding = net.layer("CLIPEmbedding")
    width, ours = arch.context_width, "text_model.embeddings"
    tables = (("token", VOCABULARY), ("position", MAX_TOKENS))
    for table, rows in tables:
        theirs = f"{ours}.{table}_embedding"
        suffixes = (".weight", ".bias")
        if arch.open_clip:
            theirs = "token_embedding" if table == "token" else "positional_embedding"
            suffixes = (".weight", "") if table == "token" else ("", "")
        embedding.add(
            f"{table}_embedding",
            f"{ours}.{table}_embedding",
            theirs,
            (rows, width),
            bias=False,
            suffixes=suffixes,
        )
    for number in range(arch.text_layers):
        _text_layer(arch, net, number)
    final = "text_model.final_layer_norm"
    theirs = "ln_final" if arch.open_clip else final
    net.layer("LayerNormalization").add("", final, theirs, (width,))
    return net.weights


_OPEN_CLIP = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
_FUSED = ("q_proj", "k_proj", "v_proj")


def _text_layer(arch: Architecture, net: _Network, number: int) -> None:
    layer, width = net.layer("CLIPEncoderLayer"), arch.context_width
    ours = f"text_model.encoder.layers.{number}"
    theirs = f"transformer.resblocks.{number}" if arch.open_clip else ours
    for path, name, shape in _text_rows(width):
        ldm = f"{theirs}.{_OPEN_CLIP[name] if arch.open_clip else name}"
        layer.add(path, f"{ours}.{name}", ldm, shape)
    for third, name in enumerate(_FUSED):
        at = f"{ours}.self_attn.{name}"
        if arch.open_clip:
            layer.add(
                f"clip_attn.{name}",
                at,
                f"{theirs}.attn.in_proj",
                (width, width),
                third=third,
                suffixes=("_weight", "_bias"),
            )
        else:
            layer.add(f"clip_attn.{name}", at, at, (width, width))


def _text_rows(width: int) -> Iterator[tuple[str, str, Shape]]:
    yield "layer_norm1", "layer_norm1", (width,)
    yield "layer_norm2", "layer_norm2", (width,)
    yield "fc1", "mlp.fc1", (4 * width, width)
    yield "fc2", "mlp.fc2", (width, 4 * width)
    yield "clip_attn.out_proj", "self_attn.out_proj", (width, width)
