"""The embedded model's networks: shapes, conventions, and the numbers they gave when exported."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from latent_assets.diffusion.embedded import load_embedded_model, model_info, nets
from latent_assets.diffusion.embedded.weights import (
    GIST,
    WEIGHTS_FILE,
    assign_weights,
    default_directory,
    model_tensors,
    read_weights,
    reads_gist,
)
from latent_assets.diffusion.schedule import alphas_cumprod
from latent_assets.errors import ModelError
from latent_assets.training.export import CHECK_FILE, check_inputs

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def model():
    return load_embedded_model()


@pytest.fixture(scope="module")
def recorded():
    """What the networks gave for `check_inputs` when the weights were exported."""
    with np.load(default_directory() / CHECK_FILE) as arrays:
        return dict(arrays)


def test_text_encoder_gives_what_it_gave_when_exported(model, recorded):
    tokens, _, _ = check_inputs()
    context = np.asarray(model.text_encoder(tokens))
    assert context.shape == (2, 16, 192)
    np.testing.assert_allclose(context, recorded["context"], atol=2e-3)


def test_denoiser_gives_what_it_gave_when_exported(model, recorded):
    _, latents, timesteps = check_inputs()
    time = nets.time_embedding(timesteps)
    noise = np.asarray(model.denoiser([latents, time, recorded["context"]]))
    assert noise.shape == latents.shape
    np.testing.assert_allclose(noise, recorded["noise"], atol=5e-3)


def test_decoder_gives_what_it_gave_when_exported(model, recorded):
    _, latents, _ = check_inputs()
    picture = np.asarray(model.decoder(latents))
    assert picture.shape == (2, 256, 256, 3)
    np.testing.assert_allclose(picture[:, ::8, ::8], recorded["picture"], atol=5e-3)


def test_the_mode_in_few_steps_gives_what_it_gave_when_exported(recorded):
    _, latents, timesteps = check_inputs()
    fast = load_embedded_model(fast=True)
    time = nets.time_embedding(timesteps)
    noise = np.asarray(fast.denoiser([latents, time, recorded["context"]]))
    np.testing.assert_allclose(noise, recorded["few_steps_noise"], atol=5e-3)


def test_padding_rows_of_a_context_are_zero_and_an_empty_prompt_is_all_zero(model):
    context = np.asarray(model.text_encoder(model.tokenize(["a cat", ""])))
    assert np.abs(context[0, 0]).sum() > 0
    assert not context[0, 1:].any()
    assert not context[1].any()


def test_an_encoding_does_not_depend_on_its_neighbours_by_more_than_rounding(model):
    alone = np.asarray(model.text_encoder(model.tokenize(["a cat in the snow"])))
    among = np.asarray(model.text_encoder(model.tokenize(["a dog", "a cat in the snow"])))
    np.testing.assert_allclose(among[1], alone[0], atol=1e-5)


def test_timestep_is_read_back_from_its_embedding_at_every_step():
    velocity = np.ones((1000, 1, 1, 1), np.float32)
    latents = np.full((1000, 1, 1, 1), 2, np.float32)
    time = nets.time_embedding(np.arange(1000))
    noise = np.asarray(nets._noise_of_velocity(velocity, latents, time)).ravel()
    alphas = alphas_cumprod()
    np.testing.assert_allclose(noise, np.sqrt(alphas) + 2 * np.sqrt(1 - alphas), atol=1e-5)


def test_time_embedding_is_cosines_then_sines():
    embedding = nets.time_embedding(np.array([0, 500]))
    np.testing.assert_array_equal(embedding[0], [1] * 160 + [0] * 160)
    np.testing.assert_allclose(embedding[1, :160] ** 2 + embedding[1, 160:] ** 2, 1, atol=1e-5)


def test_unfold_undoes_fold():
    x = np.arange(2 * 4 * 4 * 3, dtype=np.float32).reshape(2, 4, 4, 3)
    np.testing.assert_array_equal(np.asarray(nets._unfold(nets._fold(x, 2), 2)), x)


def test_autoencoder_gives_a_picture_back():
    tensors = read_weights(default_directory())
    encoder, decoder = nets.build_encoder(), nets.build_decoder()
    assign_weights(encoder, tensors)
    assign_weights(decoder, tensors)
    picture = np.ones((1, 256, 256, 3), np.float32)
    y, x = np.mgrid[:256, :256]
    picture[0, (x - 128) ** 2 + (y - 128) ** 2 < 80**2] = (0.7, -0.6, -0.6)
    latents = np.asarray(encoder(picture))
    assert latents.shape == (1, 16, 16, 16)
    error = np.asarray(decoder(latents)) - picture
    assert 10 * np.log10(4 / np.mean(error**2)) > 22


def test_info_is_known_without_the_networks():
    info = model_info()
    assert (info.tokens, info.context_width) == (16, 192)
    assert info.fixed_size
    assert info.latent_shape(info.default_size) == (16, 16, 16)
    assert len(info.weights_digest) == 64


def test_damaged_weights_are_refused_with_a_way_out(tmp_path):
    model = tmp_path / "model"
    shutil.copytree(default_directory(), model)
    blob = bytearray((model / WEIGHTS_FILE).read_bytes())
    blob[-1] ^= 1
    (model / WEIGHTS_FILE).write_bytes(blob)
    with pytest.raises(ModelError, match="sha256") as caught:
        load_embedded_model(model)
    assert "git checkout" in caught.value.cure


def test_weights_that_are_not_there_are_told(tmp_path):
    with pytest.raises(ModelError, match="does not exist"):
        load_embedded_model(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({"weights_sha256": ""}))
    with pytest.raises(ModelError, match="weights are not there"):
        read_weights(tmp_path)


def test_a_tensor_of_another_shape_is_refused():
    tensors = dict(read_weights(default_directory()))
    tensors["decoder/input/bias"] = np.zeros(3, np.float32)
    with pytest.raises(ModelError, match="decoder/input/bias"):
        assign_weights(nets.build_decoder(), tensors)
    del tensors["decoder/input/bias"]
    with pytest.raises(ModelError, match="has no tensor"):
        assign_weights(nets.build_decoder(), tensors)


def test_weights_from_before_the_gist_go_on_as_they_were():
    """What reads the gist begins by saying nothing, and without its tensors it is left out."""
    tensors = read_weights(default_directory())
    assert reads_gist(tensors)
    before = {name: tensor for name, tensor in tensors.items() if GIST not in name}
    assert not reads_gist(before)
    without, reader = nets.build_denoiser(gist=False), nets.build_denoiser()
    fresh = {name: tensor for name, tensor in model_tensors(reader).items() if GIST in name}
    assert reads_gist(fresh)
    assign_weights(without, before)
    assign_weights(reader, fresh | before)
    _, latents, timesteps = check_inputs()
    inputs = [latents, nets.time_embedding(timesteps), np.zeros((2, 16, 192), np.float32)]
    expected = np.asarray(without(inputs))
    np.testing.assert_allclose(np.asarray(reader(inputs)), expected, atol=1e-4)
    assign_weights(reader, tensors)
    assert np.abs(np.asarray(reader(inputs)) - expected).max() > 0.01


def test_weights_file_is_small():
    assert (default_directory() / WEIGHTS_FILE).stat().st_size <= 40_000_000
