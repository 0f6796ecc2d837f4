"""A checkpoint's tensors stand where they belong in Keras, computed as they were trained."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from checkpoint_files import layout, write_tensors

from latent_assets.diffusion.checkpoints.architecture import STABLE_DIFFUSION_1, VAE
from latent_assets.diffusion.checkpoints.mapping import map_vae
from latent_assets.diffusion.checkpoints.models import Checkpoint, ModelFiles
from latent_assets.diffusion.checkpoints.networks import ORIGINAL_EPSILON, _extend_vocabulary, fill
from latent_assets.diffusion.checkpoints.tensors import open_tensors

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def tensors():
    """Random weights of a VAE's decoder in the original layout, half precision."""
    rng = np.random.default_rng(2)
    found = {}
    for row in layout("sd1"):
        if row.name.startswith("vae."):
            matrix = ".attentions." in row.name and len(row.shape) == 2
            shape = (*row.shape, 1, 1) if matrix else row.shape
            scale = 1 / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.1
            values = rng.standard_normal(shape, np.float32) * np.float32(scale)
            if row.name.endswith("weight") and len(shape) == 1:
                values += 1
            found[row.ldm.removeprefix("first_stage_model.")] = values.astype(np.float16)
    return found


@pytest.fixture(scope="module")
def decoder(tensors, tmp_path_factory):
    from keras_cv.src.models.stable_diffusion.decoder import Decoder

    file = open_tensors(write_tensors(tmp_path_factory.mktemp("vae") / "vae.safetensors", tensors))
    names = map_vae(file, STABLE_DIFFUSION_1)
    assert names.complete
    checkpoint = Checkpoint(
        ModelFiles("mine", file.path), STABLE_DIFFUSION_1, "epsilon", "quick_gelu", names
    )
    network = Decoder(128, 128, name="decoder", download_weights=False)
    fill({VAE: network}, checkpoint)
    return network


def test_every_weight_of_the_network_has_its_tensor(decoder, tensors):
    assert len(decoder.weights) == len(tensors)
    ours = sorted(float(np.abs(weight.numpy()).sum(dtype=np.float64)) for weight in decoder.weights)
    theirs = sorted(float(np.abs(each.astype(np.float64)).sum()) for each in tensors.values())
    assert np.allclose(ours, theirs, rtol=1e-4)


def convolve(x, weight, bias):
    """(h, w, in) with PyTorch's (out, in, 3, 3) -> (h, w, out), padded by one."""
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    height, width, _ = x.shape
    taps = [
        padded[i : i + height, j : j + width] @ weight[:, :, i, j].T
        for i in range(3)
        for j in range(3)
    ]
    return sum(taps) + bias


def normalise(x, weight, bias, epsilon=1e-6, groups=32):
    height, width, channels = x.shape
    grouped = x.reshape(height * width, groups, channels // groups)
    mean = grouped.mean(axis=(0, 2), keepdims=True)
    spread = grouped.std(axis=(0, 2), keepdims=True)
    return ((grouped - mean) / np.sqrt(spread**2 + epsilon)).reshape(x.shape) * weight + bias


def test_the_first_layers_compute_what_the_original_computes(decoder, tensors):
    """By formula, float64: two convolutions and the first residual block."""
    values = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
    latents = np.random.default_rng(3).standard_normal((8, 8, 4))

    def both(name):
        return values[f"{name}.weight"], values[f"{name}.bias"]

    quantised, offset = both("post_quant_conv")
    x = latents / 0.18215 @ quantised[:, :, 0, 0].T + offset
    x = convolve(x, *both("decoder.conv_in"))
    inner = x
    for number in (1, 2):
        inner = normalise(inner, *both(f"decoder.mid.block_1.norm{number}"))
        inner = convolve(inner / (1 + np.exp(-inner)), *both(f"decoder.mid.block_1.conv{number}"))
    expected = x + inner

    found = latents[None].astype(np.float32)
    for layer in decoder.layers:
        found = layer(found)
        if type(layer).__name__ == "ResnetBlock":
            break
    assert np.abs(np.asarray(found)[0] - expected).max() < 1e-4 * np.abs(expected).max()


def test_normalisations_have_the_originals_epsilon(decoder):
    from keras.layers import GroupNormalization

    found = [
        part.epsilon
        for layer in decoder.layers
        for part in (layer, *vars(layer).values())
        if isinstance(part, GroupNormalization)
    ]
    assert found == [ORIGINAL_EPSILON] * 30


def test_vectors_of_textual_inversions_stand_behind_the_vocabulary():
    import keras
    from keras_cv.src.models.stable_diffusion.text_encoder import CLIPEmbedding

    known, width, length = 10, 4, 3
    tokens, positions = (keras.Input((length,), dtype="int32") for _ in range(2))
    layer = CLIPEmbedding(known, width, length)
    encoder = keras.Model([tokens, positions], layer([tokens, positions]))
    rows, places = (each.numpy() for each in layer.weights)
    vectors = np.random.default_rng(0).standard_normal((2, width)).astype(np.float32)
    more = SimpleNamespace(read=lambda: vectors)
    checkpoint = SimpleNamespace(
        placeholders=SimpleNamespace(embeddings=[more]),
        architecture=SimpleNamespace(context_width=width),
    )
    _extend_vocabulary(checkpoint, encoder)
    found = encoder([np.array([[known + 1, 2, known]]), np.arange(length)[None]])
    assert np.allclose(found[0], np.stack([vectors[1], rows[2], vectors[0]]) + places)
