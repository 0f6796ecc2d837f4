"""The networks with a checkpoint's weights, computed as they were trained.

KerasCV's networks differ from the original in three places (docs/checkpoints.md has what each
does to the pictures): they have the tanh approximation of GELU in the denoiser and in the text
encoder of 2.x, and another epsilon in the normalisations of the transformers and of the VAE. A
checkpoint in safetensors gets what it was trained with; KerasCV's own h5 files keep KerasCV's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from latent_assets.diffusion.checkpoints.architecture import TEXT, UNET, VAE, Weight
from latent_assets.diffusion.checkpoints.models import Checkpoint
from latent_assets.diffusion.keras_cv_models import assemble, build_networks, load_h5
from latent_assets.diffusion.protocol import FloatArray
from latent_assets.diffusion.tensorflow_engine import LatentModels

ORIGINAL_EPSILON = 1e-6
"""Of the normalisations in the denoiser's transformers and in the VAE (Rombach et al. 2022)."""

Networks = dict[str, Any]


def load(checkpoint: Checkpoint, precision: str, truncate: bool = False) -> LatentModels:
    """The networks of a checkpoint. Raises ModelError if a file cannot be read.

    Weights are read one by one, straight into their place: beside the networks there is never
    more than one of them in memory.
    """
    built = build_networks(checkpoint.architecture.open_clip, precision)
    fill(dict(zip((TEXT, UNET, VAE), built, strict=True)), checkpoint)
    return assemble(built, truncate, checkpoint.placeholders.ids(), checkpoint.padding)


def fill(networks: Networks, checkpoint: Checkpoint) -> None:
    """Give KerasCV's networks, or some of them, a checkpoint's weights and its way to compute."""
    arch = checkpoint.architecture
    weights = tuple(weight for weight in arch.weights if weight.network in networks)
    variables = dict(_variables(networks, weights))
    if checkpoint.weights is None:
        for network, path in checkpoint.keras.items():
            load_h5(networks[network], path, checkpoint.title)
    else:
        _compute_as_trained(networks, checkpoint.activation)
        for weight in weights:
            variable = variables[weight.name]
            values = checkpoint.weights.sources[weight.name].read()
            variable.assign(_for_keras(values, weight, variable.shape))
    _merge_loras(checkpoint, variables)
    if TEXT in networks:
        _extend_vocabulary(checkpoint, networks[TEXT])


# --- where a weight is ------------------------------------------------------------------------


def _variables(networks: Networks, weights: tuple[Weight, ...]) -> Iterator[tuple[str, Any]]:
    """Each weight's name and its Keras variable."""
    layers: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for name, network in networks.items():
        for layer in network.layers:
            layers[name, type(layer).__name__].append(layer)
    for weight in weights:
        place = weight.place
        layer = layers[weight.network, place.layer][place.number]
        for part in place.path.split(".") if place.path else ():
            layer = layer[int(part)] if part.isdigit() else getattr(layer, part)
        yield weight.name, layer.weights[place.index]


def _for_keras(values: FloatArray, weight: Weight, shape: tuple[int, ...]) -> FloatArray:
    """PyTorch's layout -> Keras': (out, in, h, w) -> (h, w, in, out), (out, in) -> (in, out)."""
    if weight.place.layer == "CLIPEmbedding" or values.ndim == 1:  # tables stay as they are
        return values
    order = (2, 3, 1, 0) if values.ndim == 4 else (1, 0)  # noqa: PLR2004 - a convolution
    return np.ascontiguousarray(values.transpose(order)).reshape(shape)


# --- what is changed ---------------------------------------------------------------------------


def _merge_loras(checkpoint: Checkpoint, variables: dict[str, Any]) -> None:
    for lora, strength in checkpoint.loras:
        for change in lora.changes:
            if change.target not in variables:
                continue
            weight = checkpoint.architecture.by_name[change.target]
            variable = variables[change.target]
            delta = np.float32(strength) * lora.delta(change, weight.shape)
            variable.assign_add(_for_keras(delta, weight, variable.shape))


def _extend_vocabulary(checkpoint: Checkpoint, encoder: Any) -> None:
    """Rows for the vectors of textual inversions, behind the vocabulary's own."""
    embeddings = checkpoint.placeholders.embeddings
    if not embeddings:
        return
    from keras.layers import Embedding

    layer = next(each for each in encoder.layers if type(each).__name__ == "CLIPEmbedding")
    known: FloatArray = layer.token_embedding.weights[0].numpy()
    table = np.concatenate([known, *(each.read() for each in embeddings)])
    extended = Embedding(
        len(table), checkpoint.architecture.context_width, name=layer.token_embedding.name
    )
    extended.build()
    extended.weights[0].assign(table)
    # Keras takes no other layer into one that is built; that of before is called no more.
    object.__setattr__(layer, "token_embedding", extended)


def _compute_as_trained(networks: Networks, activation: str) -> None:
    from keras.layers import GroupNormalization

    for layer in _layers(networks, UNET):
        if type(layer).__name__ == "SpatialTransformer":
            layer.norm.epsilon = ORIGINAL_EPSILON
            geglu = layer.transformer_block.geglu
            geglu.__class__ = _exact_geglu(type(geglu))
    for layer in _layers(networks, VAE):
        for part in (layer, *vars(layer).values()):
            if isinstance(part, GroupNormalization):
                part.epsilon = ORIGINAL_EPSILON
    for layer in _layers(networks, TEXT):
        if type(layer).__name__ == "CLIPEncoderLayer":
            layer.activation = _activation(activation)


def _layers(networks: Networks, name: str) -> list[Any]:
    return networks[name].layers if name in networks else []


def _exact_geglu(geglu: type) -> type:
    """KerasCV's gated layer with GELU as it is defined (Shazeer 2020), not approximated."""

    class ExactGEGLU(geglu):
        def call(self, inputs: Any) -> Any:
            from keras import ops

            x = self.dense(inputs)
            values, gate = x[..., : self.output_dim], x[..., self.output_dim :]
            return values * ops.gelu(gate, approximate=False)

    return ExactGEGLU


def _activation(name: str) -> Any:
    from keras import ops

    if name == "quick_gelu":
        return lambda x: x * ops.sigmoid(1.702 * x)
    return lambda x: ops.gelu(x, approximate=False)
