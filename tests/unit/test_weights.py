"""Weights files are found, told apart and refused in words that help; no network is used."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest

from latent_assets.diffusion import keras_cv_models, weights
from latent_assets.diffusion.registry import (
    WeightsSource,
    describe_model,
    download_notice,
    load_engine,
    read_prompt,
)
from latent_assets.diffusion.stable_diffusion import (
    STABLE_DIFFUSION_1,
    STABLE_DIFFUSION_2_1,
    WeightsFile,
)
from latent_assets.errors import ModelError, UsageError


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A model whose published files are a few bytes, and an empty Keras cache."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))

    def file(name):
        return WeightsFile(name, f"http://localhost:9/{name}", sha256(name.encode()), 0)

    return dataclasses.replace(
        STABLE_DIFFUSION_1,
        text_encoder=file("encoder.h5"),
        denoiser=file("denoiser.h5"),
        decoder=file("decoder.h5"),
    )


def put(directory, model, change=b""):
    directory.mkdir(parents=True, exist_ok=True)
    for file in model.files:
        (directory / file.name).write_bytes(file.name.encode() + change)


def test_files_in_the_models_directory_are_found(published, tmp_path):
    put(tmp_path / "models" / "stable-diffusion-1", published)
    paths = weights.find_weights(published, tmp_path / "models", None)
    assert [path.name for path in paths] == ["encoder.h5", "denoiser.h5", "decoder.h5"]


def test_files_that_were_downloaded_into_the_checkout_are_found_from_another_folder(
    published, tmp_path, monkeypatch
):
    own, shipped = tmp_path / "own", tmp_path / "shipped"
    put(shipped / "stable-diffusion-1", published)
    assert weights.files_to_download(published, own, None, shipped) == ()
    paths = weights.find_weights(published, own, None, shipped)
    assert {path.parent for path in paths} == {shipped / "stable-diffusion-1"}
    put(own / "stable-diffusion-1", published)
    paths = weights.find_weights(published, own, None, shipped)
    assert {path.parent for path in paths} == {own / "stable-diffusion-1"}

    asked = []
    monkeypatch.setattr(weights, "_download", lambda _file, folder: asked.append(folder) or folder)
    weights.find_weights(published, tmp_path / "new", None, tmp_path / "empty")
    assert set(asked) == {tmp_path / "new" / "stable-diffusion-1"}


def test_without_a_home_folder_there_is_no_cache_to_look_in(published, tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda _uid: {}["nobody"])
    assert weights.files_to_download(published, tmp_path, None) == published.files


def test_files_that_kerascv_downloaded_before_are_found(published, tmp_path):
    put(tmp_path / "keras" / "models", published)
    paths = weights.find_weights(published, tmp_path / "models", None)
    assert {path.parent for path in paths} == {tmp_path / "keras" / "models"}


def test_a_file_that_is_not_the_published_one_is_refused_with_both_digests(published, tmp_path):
    put(tmp_path / "models" / "stable-diffusion-1", published, change=b"cut")
    with pytest.raises(ModelError) as caught:
        weights.find_weights(published, tmp_path / "models", None)
    assert sha256(b"encoder.h5cut") in caught.value.problem
    assert published.text_encoder.sha256 in caught.value.problem
    assert "Delete it" in caught.value.cure


@pytest.mark.engine
def test_offline_the_error_names_file_address_digest_and_place(published, tmp_path):
    with pytest.raises(ModelError) as caught:
        weights.find_weights(published, tmp_path / "models", None)
    assert "encoder.h5 could not be downloaded from http://localhost:9/" in caught.value.problem
    assert str(tmp_path / "models" / "stable-diffusion-1" / "encoder.h5") in caught.value.cure
    assert published.text_encoder.sha256 in caught.value.cure


def test_a_weights_directory_that_lacks_files_names_them(tmp_path):
    (tmp_path / "kcv_encoder.h5").write_bytes(b"x")
    source = WeightsSource(tmp_path / "models", weights_dir=tmp_path)
    with pytest.raises(ModelError) as caught:
        describe_model("stable-diffusion-1", source)
    assert "lacks kcv_diffusion_model.h5, kcv_decoder.h5" in caught.value.problem


def test_other_weights_have_another_digest(published, tmp_path):
    put(tmp_path / "own", published)
    same = weights.weights_digest(published, tmp_path / "models", tmp_path / "own")
    assert same == published.published_digest()
    put(tmp_path / "own", published, change=b" fine-tuned")
    assert weights.weights_digest(published, tmp_path / "models", tmp_path / "own") != same


def test_digests_are_remembered_and_a_changed_file_is_hashed_anew(tmp_path):
    path = tmp_path / "file.h5"
    path.write_bytes(b"one")
    assert weights.file_digest(path, tmp_path) == sha256(b"one")
    memory = tmp_path / weights.DIGESTS_FILE
    known = json.loads(memory.read_text())
    known[str(path.resolve())]["sha256"] = "remembered"
    memory.write_text(json.dumps(known))
    assert weights.file_digest(path, tmp_path) == "remembered"
    path.write_bytes(b"longer")
    assert weights.file_digest(path, tmp_path) == sha256(b"longer")


def test_a_damaged_memory_of_digests_is_no_obstacle(tmp_path):
    path = tmp_path / "file.h5"
    path.write_bytes(b"one")
    (tmp_path / weights.DIGESTS_FILE).write_text("{")
    assert weights.file_digest(path, tmp_path) == sha256(b"one")


def test_digests_that_cannot_be_remembered_are_told_all_the_same(tmp_path):
    path = tmp_path / "file.h5"
    path.write_bytes(b"one")
    assert weights.file_digest(path, path / "models") == sha256(b"one")


def test_every_set_of_weights_has_a_digest_of_its_own(tmp_path):
    sources = [WeightsSource(tmp_path, random_seed=seed) for seed in (None, 0, 1)]
    names = ("stable-diffusion-1", "stable-diffusion-2.1")
    digests = [describe_model(name, source).weights_digest for name in names for source in sources]
    assert len(set(digests)) == 6
    assert all(len(digest) == 64 for digest in digests)


def test_the_licence_is_part_of_the_description(tmp_path):
    info = describe_model("stable-diffusion-1", WeightsSource(tmp_path))
    assert info.licence == "CreativeML OpenRAIL-M"
    assert "https://" in info.licence_notice
    assert (info.tokens, info.context_width) == (77, STABLE_DIFFUSION_1.context_width)
    assert STABLE_DIFFUSION_2_1.info("x").context_width == 1024


def test_what_the_first_render_downloads_is_told_with_its_size(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    source = WeightsSource(tmp_path)
    notice = "the first render downloads kcv_encoder.h5, kcv_diffusion_model.h5, kcv_decoder.h5"
    assert download_notice("stable-diffusion-1", source) == f"{notice}: 4.1 GB"
    (tmp_path / "keras" / "models").mkdir(parents=True)
    (tmp_path / "keras" / "models" / "kcv_diffusion_model.h5").touch()
    notice = download_notice("stable-diffusion-1", source)
    assert notice == "the first render downloads kcv_encoder.h5, kcv_decoder.h5: 0.7 GB"
    assert download_notice("embedded", source) == ""
    assert download_notice("stable-diffusion-1", WeightsSource(tmp_path, random_seed=0)) == ""


def test_a_long_prompt_is_refused_or_if_it_may_be_cut_warned_of(tmp_path):
    source = WeightsSource(tmp_path)
    assert read_prompt("stable-diffusion-1", source, "a cat").token_count == 4
    assert read_prompt("stable-diffusion-1", source, "a cat").warnings == ()
    with pytest.raises(ModelError, match="it would be cut after"):
        read_prompt("stable-diffusion-1", source, "cat " * 90)
    long = read_prompt("stable-diffusion-1", source, "cat " * 90, truncate=True)
    assert long.token_count == 92
    assert "it is cut after" in long.warnings[0]
    with pytest.raises(UsageError, match="stable-diffusion-1"):
        read_prompt("dall-e", source, "a cat")


def test_a_light_installation_says_what_stable_diffusion_needs_before_it_fetches(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(keras_cv_models.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ModelError, match="needs keras-cv, which is not installed"):
        load_engine("stable-diffusion-1", WeightsSource(tmp_path))
