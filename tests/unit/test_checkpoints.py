"""A checkpoint is told by its header, brought to our weights one to one, or refused in words."""

from __future__ import annotations

import json
import os
import time

import ml_dtypes
import numpy as np
import pytest
from checkpoint_files import (
    averaged,
    layout,
    network,
    original,
    write_folder,
    write_sparse,
    write_tensors,
)

from latent_assets.diffusion.checkpoints.architecture import ARCHITECTURES
from latent_assets.diffusion.checkpoints.mapping import Source
from latent_assets.diffusion.checkpoints.models import ModelFiles, open_checkpoint
from latent_assets.diffusion.checkpoints.tensors import open_tensors
from latent_assets.errors import ModelError

NAMES = sorted(ARCHITECTURES)
EPSILON = {"modelspec.prediction_type": "epsilon"}


def opened(path, **parts):
    return open_checkpoint(ModelFiles("mine", path, **parts))


def refused(path, **parts):
    with pytest.raises(ModelError) as caught:
        opened(path, **parts)
    return f"{caught.value.problem} | {caught.value.cure}"


# --- names and shapes ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_names_and_shapes_are_those_of_diffusers_and_of_the_original(name):
    ours = {w.name: (w.ldm, "" if w.third is None else "qkv"[w.third], w.shape)
            for w in ARCHITECTURES[name].weights}  # fmt: skip
    theirs = {row.name: (row.ldm, row.third, row.shape) for row in layout(name)}
    assert ours == theirs


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_has_a_place_of_its_own(name):
    weights = ARCHITECTURES[name].weights
    assert len({(w.network, w.place) for w in weights}) == len(weights)
    assert len({(w.ldm, w.third) for w in weights}) == len(weights)


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32"])
@pytest.mark.parametrize("name", NAMES)
def test_one_file_in_the_original_layout_is_mapped_whole(name, dtype, tmp_path):
    shapes = original(name)
    shapes |= averaged(shapes)
    found = opened(write_sparse(tmp_path / "m.safetensors", shapes, dtype, EPSILON))
    assert found.architecture.name == name
    assert set(found.weights.sources) == {row.name for row in layout(name)}
    used = {source.name for source in found.weights.sources.values()}
    assert used == {row.ldm for row in layout(name)}  # not one of the EMA copies
    assert used | set(found.weights.unused) == set(shapes)


def test_averaged_weights_are_taken_if_there_are_no_others(tmp_path):
    shapes = original("sd1")
    kept = {n: s for n, s in shapes.items() if not n.startswith("model.diffusion_model.")}
    found = opened(write_sparse(tmp_path / "m.safetensors", kept | averaged(shapes)))
    source = found.weights.sources["unet.conv_in.weight"]
    assert source.name == "model_ema.diffusion_modelinput_blocks00weight"


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_in_diffusers_layout_is_mapped_whole(name, tmp_path):
    found = opened(write_folder(tmp_path / "m", name))
    assert found.architecture.name == name
    assert found.activation == ("gelu" if name == "sd2" else "quick_gelu")
    assert set(found.weights.sources) == {row.name for row in layout(name)}
    assert len(found.paths) == 3


def test_half_precision_is_taken_where_there_is_no_full_one(tmp_path):
    folder = write_folder(tmp_path / "m", "sd1", variant=".fp16")
    assert {path.name for path in opened(folder).paths} == {
        "model.fp16.safetensors",
        "diffusion_pytorch_model.fp16.safetensors",
    }
    write_folder(folder, "sd1")
    assert not any(".fp16" in path.name for path in opened(folder).paths)


def shard(folder, variant=""):
    """The denoiser of a folder in two files, as diffusers splits it."""
    whole = network("sd1", "unet")
    names = sorted(whole)
    (folder / "diffusion_pytorch_model.safetensors").unlink(missing_ok=True)
    index = {}
    for number, part in enumerate((names[:300], names[300:]), 1):
        file = f"diffusion_pytorch_model{variant}-0000{number}-of-00002.safetensors"
        write_sparse(folder / file, {name: whole[name] for name in part})
        index |= dict.fromkeys(part, file)
    path = folder / f"diffusion_pytorch_model.safetensors.index{variant}.json"
    path.write_text(json.dumps({"weight_map": index}))
    return path


@pytest.mark.parametrize("variant", ["", ".fp16"])
def test_a_network_in_several_files_is_one(variant, tmp_path):
    folder = write_folder(tmp_path / "m", "sd1")
    shard(folder / "unet", variant)
    found = opened(folder)
    assert len(found.paths) == 4
    assert len(found.weights.sources) == 1022


def test_a_part_that_is_missing_is_named_and_none_is_looked_for_elsewhere(tmp_path):
    folder = write_folder(tmp_path / "m", "sd1")
    index = shard(folder / "unet")
    (folder / "unet" / "diffusion_pytorch_model-00002-of-00002.safetensors").unlink()
    assert "lacks diffusion_pytorch_model-00002-of-00002.safetensors" in refused(folder)
    index.write_text(json.dumps({"weight_map": {"conv_in.weight": "../../secret.safetensors"}}))
    assert "names a file outside its folder" in refused(folder)


def test_text_encoders_of_transformers_5_have_shorter_names(tmp_path):
    folder = write_folder(tmp_path / "m", "sd2")
    shapes = network("sd2", "text_encoder")
    short = {name.removeprefix("text_model."): shape for name, shape in shapes.items()}
    write_sparse(folder / "text_encoder" / "model.safetensors", short)
    assert len(opened(folder).weights.sources) == 1198


@pytest.mark.parametrize("layout_name", ["original", "original with prefix", "diffusers", "old"])
def test_another_vae_takes_the_place_of_the_models_own(layout_name, tmp_path):
    prefix = "first_stage_model."
    shapes = {n: s for n, s in original("sd1").items() if n.startswith(prefix)}
    if layout_name == "original":
        shapes = {name.removeprefix(prefix): shape for name, shape in shapes.items()}
    if layout_name in ("diffusers", "old"):
        shapes = network("sd1", "vae")
    if layout_name == "old":
        old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
        for ours, theirs in old.items():
            shapes = {n.replace(f".{ours}.", f".{theirs}."): s for n, s in shapes.items()}
    vae = write_sparse(tmp_path / "vae.safetensors", shapes)
    base = write_sparse(tmp_path / "m.safetensors", original("sd1"))
    sources = opened(base, vae=vae).weights.sources
    assert {s.file.path for n, s in sources.items() if n.startswith("vae.")} == {vae}
    assert {s.file.path for n, s in sources.items() if not n.startswith("vae.")} == {base}


# --- what a model predicts -----------------------------------------------------------------------


def test_what_a_2x_file_predicts_is_asked_where_nothing_says_it(tmp_path):
    path = write_sparse(tmp_path / "m.safetensors", original("sd2"))
    told = refused(path)
    assert "does" in told
    assert "predict the noise or v?" in told
    assert f"Write {tmp_path / 'm.yaml'} with two lines" in told
    assert opened(path, prediction="v_prediction").default_size == (768, 768)
    assert opened(path, prediction="epsilon").default_size == (512, 512)


@pytest.mark.parametrize(
    ("metadata", "extra", "expected"),
    [
        ({"modelspec.prediction_type": "v"}, {}, "v_prediction"),
        ({"modelspec.prediction_type": "epsilon"}, {"v_pred": ()}, "epsilon"),
        ({"modelspec.architecture": "stable-diffusion-v2-768-v"}, {}, "v_prediction"),
        ({}, {"v_pred": ()}, "v_prediction"),
    ],
)
def test_a_file_says_itself_what_it_predicts(metadata, extra, expected, tmp_path):
    path = write_sparse(tmp_path / "m.safetensors", original("sd2") | extra, metadata=metadata)
    assert opened(path).prediction == expected


def test_a_folders_scheduler_says_what_it_predicts(tmp_path):
    assert opened(write_folder(tmp_path / "a", "sd2", "v_prediction")).prediction == "v_prediction"
    assert opened(write_folder(tmp_path / "b", "sd2")).prediction == "epsilon"
    unsaid = write_folder(tmp_path / "c", "sd2", prediction=None)
    assert "It has no scheduler/scheduler_config.json" in refused(unsaid)
    assert opened(write_folder(tmp_path / "d", "sd1", prediction=None)).prediction == "epsilon"


# --- refusals ------------------------------------------------------------------------------------

_UNET = {"conv_in.weight": (320, 4, 3, 3), "down_blocks.0.resnets.0.conv1.weight": (320, 320, 3, 3)}


def _with_input(channels):
    return original("sd1") | {
        "model.diffusion_model.input_blocks.0.0.weight": (320, channels, 3, 3)
    }


FOREIGN = {
    "SDXL": {"conditioner.embedders.0.transformer.text_model.x": (1,), **original("sd1")},
    "Stable Diffusion 3": {"model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight": (3, 3)},
    "Flux": {"double_blocks.0.img_attn.qkv.weight": (9, 9)},
    "an inpainting model": _with_input(9),
    "a model that edits pictures": _with_input(8),
    "an upscaling model": _with_input(7),
    "a depth-to-image model": _with_input(5),
    "a ControlNet": {"control_model.input_blocks.0.0.weight": (320, 4, 3, 3)},
    "a LoRA for Stable Diffusion 1.x": {
        "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight": (
            4,
            768,
        )
    },
    "a LoRA for Stable Diffusion 2.x": {
        "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight": (4, 1024)
    },
    "a LoRA for SDXL": {"lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": (4, 1280)},
    "an adapter of another kind than LoRA": {"lora_unet_mid.hada_w1_a": (4, 4)},
    "a textual inversion for Stable Diffusion 1.x": {"emb_params": (3, 768)},
    "a textual inversion for Stable Diffusion 2.x": {"<cat>": (1024,)},
    "a textual inversion for SDXL": {"clip_g": (2, 1280), "clip_l": (2, 768)},
    "a VAE": {"decoder.conv_in.weight": (512, 4, 3, 3)},
    "a VAE with 16 latent channels": {"decoder.conv_in.weight": (512, 16, 3, 3)},
    "a motion module (AnimateDiff)": {"down_blocks.0.motion_modules.0.temporal_x": (1,)},
    "the denoiser alone of Stable Diffusion 1.x": {
        **_UNET,
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": (320, 768),
    },
    "Stable Diffusion 1.x without its text encoder and VAE": {
        name: shape for name, shape in original("sd1").items() if name.startswith("model.diffusion")
    },
    "a diffusion model with text encodings of width 2048": {
        **_UNET,
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": (320, 2048),
    },
    "no model that is known here (its first tensors: a, b, c)": dict.fromkeys("dcba", (2,)),
    "no model that is known here (its first tensors: none at all)": {},
}


@pytest.mark.parametrize("title", FOREIGN)
def test_what_is_no_checkpoint_is_called_by_its_name(title, tmp_path):
    path = write_sparse(tmp_path / "m.safetensors", FOREIGN[title])
    told = refused(path)
    assert told.startswith(f"{path} is {title}")
    assert "not a checkpoint of Stable Diffusion 1.x or 2.x" in told


def test_tensors_that_are_missing_left_over_or_of_another_shape_are_named(tmp_path):
    shapes = original("sd1")
    del shapes["model.diffusion_model.out.2.bias"]
    shapes["model.diffusion_model.extra.weight"] = (4, 4)
    shapes["first_stage_model.decoder.conv_in.bias"] = (7,)
    told = refused(write_sparse(tmp_path / "m.safetensors", shapes))
    assert "it lacks model.diffusion_model.out.2.bias" in told
    assert "it has model.diffusion_model.extra.weight, which the network does not" in told
    assert "first_stage_model.decoder.conv_in.bias has the shape (7,), not (512,)" in told


def test_of_many_missing_tensors_three_are_named_and_the_rest_counted(tmp_path):
    kept = {n: s for n, s in original("sd1").items() if ".output_blocks.11." not in n}
    assert " and 35 more" in refused(write_sparse(tmp_path / "m.safetensors", kept))


CONTENTS = {
    "is a pickle": b"PK\x03\x04 torch",
    "is a pickle, not": b"\x80\x02}q\x00",
    "is a quantized file (GGUF)": b"GGUF\x03\x00\x00\x00",
    "is a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\n",
    "is a page or a text": b"<!doctype html><title>Log in</title>",
    "has 0 bytes": b"",
    "has 3 bytes": b"abc",
    "its header would have": b"\xff" * 64,
    "is cut short": (200).to_bytes(8, "little") + b'{"a":',
    "or is damaged": (4).to_bytes(8, "little") + b"[1]]",
    "or is damaged: the place of a": (
        (62).to_bytes(8, "little")
        + b'{"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 4]}}  '
    ),
    "or is damaged: a is of the unknown type": (
        (63).to_bytes(8, "little")
        + b'{"a": {"dtype": "X32", "shape": [1], "data_offsets": [0, 4]}}  '
    ),
}


@pytest.mark.parametrize("words", CONTENTS)
def test_what_is_no_safetensors_file_is_refused_by_its_first_bytes(words, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(CONTENTS[words])
    assert words in refused(path)


def test_what_is_no_file_is_not_read(tmp_path):
    path = tmp_path / "m.safetensors"
    os.mkfifo(path)
    assert "cannot read" in refused(path)
    folder = write_folder(tmp_path / "m", "sd1")
    config = folder / "unet" / "config.json"
    config.unlink()
    os.mkfifo(config)
    assert "config.json cannot be read: it is no regular file" in refused(folder)
    config.unlink()
    config.symlink_to("/dev/zero")
    assert "config.json cannot be read: it is no regular file" in refused(folder)


@pytest.mark.parametrize("suffix", [".ckpt", ".pt", ".bin", ".pth"])
def test_pickles_are_not_opened_and_the_way_out_is_told(suffix, tmp_path):
    path = tmp_path / f"m{suffix}"
    path.write_bytes(b"whatever")
    told = refused(path)
    assert "is a pickle, not a safetensors file" in told
    assert f"torch.load('m{suffix}', map_location='cpu', weights_only=True)" in told


def test_a_file_that_was_cut_short_is_refused_with_both_sizes_at_once(tmp_path):
    path = write_sparse(tmp_path / "m.safetensors", original("sd1"))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size - 5)
    started = time.process_time()
    assert f"is cut short: {size - 5:,} of {size:,} bytes are there" in refused(path)
    assert time.process_time() - started < 1  # of 2 GB, the header alone was read


CONFIGURATIONS = {
    "StableDiffusionXLPipeline": ("model_index.json", {"_class_name": "StableDiffusionXLPipeline"}),
    "says beta_schedule": ("scheduler/scheduler_config.json", {"beta_schedule": "linear"}),
    "says rescale_betas_zero_snr": (
        "scheduler/scheduler_config.json",
        {"rescale_betas_zero_snr": True},
    ),
    "says prediction_type": ("scheduler/scheduler_config.json", {"prediction_type": "sample"}),
    "says scaling_factor": ("vae/config.json", {"scaling_factor": 0.13025}),
    "says hidden_act": ("text_encoder/config.json", {"hidden_act": "relu"}),
    "says attention_head_dim": ("unet/config.json", {"attention_head_dim": 16}),
    "is no JSON object": ("unet/config.json", []),
}


@pytest.mark.parametrize("words", CONFIGURATIONS)
def test_a_configuration_that_is_not_computed_here_is_refused(words, tmp_path):
    folder = write_folder(tmp_path / "m", "sd1")
    name, document = CONFIGURATIONS[words]
    (folder / name).write_text(json.dumps(document))
    assert words in refused(folder)


def test_a_folder_of_pickles_says_how_to_convert_them(tmp_path):
    folder = write_folder(tmp_path / "m", "sd1")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    assert "diffusion_pytorch_model.safetensors is missing" in refused(folder)
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"x")
    assert "diffusion_pytorch_model.bin is a pickle" in refused(folder)
    (folder / "unet" / "config.json").unlink()
    assert "config.json is missing" in refused(folder)


def test_a_folder_of_anything_else_is_no_model(tmp_path):
    (tmp_path / "m").mkdir()
    assert "is no model: it has neither" in refused(tmp_path / "m")
    assert "there is no file" in refused(tmp_path / "absent.safetensors")


# --- the values ----------------------------------------------------------------------------------


def test_every_type_is_read_as_the_library_reads_it(tmp_path):
    values = np.linspace(-3, 5, 24).reshape(4, 6)
    types = {"half": np.float16, "single": np.float32, "double": np.float64}
    path = write_tensors(
        tmp_path / "t.safetensors", {n: values.astype(t) for n, t in types.items()}
    )
    file = open_tensors(path)
    for name, kind in types.items():
        read = file.read(name)
        assert read.dtype == np.float32
        assert np.array_equal(read, values.astype(kind).astype(np.float32))
    # The library cannot write these from numpy: their bytes are written by hand.
    for dtype, kind in (("BF16", ml_dtypes.bfloat16), ("F8_E4M3", ml_dtypes.float8_e4m3fn)):
        data = values.astype(kind).tobytes()
        entry = {"dtype": dtype, "shape": [4, 6], "data_offsets": [0, len(data)]}
        header = json.dumps({"x": entry}).encode()
        path.write_bytes(len(header).to_bytes(8, "little") + header + data)
        assert np.array_equal(open_tensors(path).read("x"), values.astype(kind).astype(np.float32))


def test_query_key_and_value_are_the_thirds_of_one_tensor(tmp_path):
    values = np.arange(18, dtype=np.float32).reshape(6, 3)
    file = open_tensors(write_tensors(tmp_path / "t.safetensors", {"in_proj": values}))
    thirds = [Source(file, "in_proj", (2, 3), third).read() for third in range(3)]
    assert np.array_equal(np.concatenate(thirds), values)
