"""A LoRA changes what it says, by up @ down times alpha over rank, however it is named."""

from __future__ import annotations

import json

import numpy as np
import pytest
from checkpoint_files import write_tensors

from latent_assets.diffusion.checkpoints.architecture import (
    STABLE_DIFFUSION_1,
    STABLE_DIFFUSION_2,
)
from latent_assets.diffusion.checkpoints.lora import open_lora
from latent_assets.diffusion.checkpoints.tensors import open_tensors
from latent_assets.errors import ModelError

ATTENTION = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
TEXT = "text_model.encoder.layers.3.self_attn.q_proj"
CONVOLUTION = "mid_block.resnets.0.conv1"
RNG = np.random.default_rng(1)


def low_rank(out, into, rank=4):
    return (
        RNG.standard_normal((rank, into)).astype(np.float32),
        RNG.standard_normal((out, rank)).astype(np.float32),
    )


DOWN, UP = low_rank(320, 768)
TEXT_DOWN, TEXT_UP = low_rank(768, 768)
PLAIN = ATTENTION.replace(".", "_")
PLAIN_TEXT = TEXT.replace(".", "_")

NAMINGS = {
    "kohya": (
        f"lora_unet_{PLAIN}.lora_down.weight",
        f"lora_unet_{PLAIN}.lora_up.weight",
        f"lora_te_{PLAIN_TEXT}.lora_down.weight",
        f"lora_te_{PLAIN_TEXT}.lora_up.weight",
    ),
    "kohya, original's names": (
        "lora_unet_input_blocks_1_1_transformer_blocks_0_attn2_to_k.lora_down.weight",
        "lora_unet_input_blocks_1_1_transformer_blocks_0_attn2_to_k.lora_up.weight",
        f"lora_te1_{PLAIN_TEXT}.lora_down.weight",
        f"lora_te1_{PLAIN_TEXT}.lora_up.weight",
    ),
    "diffusers": (
        f"unet.{ATTENTION}.lora_A.weight",
        f"unet.{ATTENTION}.lora_B.weight",
        f"text_encoder.{TEXT}.lora_A.weight",
        f"text_encoder.{TEXT}.lora_B.weight",
    ),
    "diffusers before PEFT": (
        f"unet.{ATTENTION.removesuffix('.to_k')}.processor.to_k_lora.down.weight",
        f"unet.{ATTENTION.removesuffix('.to_k')}.processor.to_k_lora.up.weight",
        f"text_encoder.{TEXT.removesuffix('.q_proj')}.to_q_lora.down.weight",
        f"text_encoder.{TEXT.removesuffix('.q_proj')}.to_q_lora.up.weight",
    ),
    "PEFT": (
        f"base_model.model.{ATTENTION}.lora_A.weight",
        f"base_model.model.{ATTENTION}.lora_B.weight",
        f"base_model.model.{TEXT}.lora_A.weight",
        f"base_model.model.{TEXT}.lora_B.weight",
    ),
}


def opened(path, tensors, architecture=STABLE_DIFFUSION_1, **metadata):
    file = open_tensors(write_tensors(path / "lora.safetensors", tensors, **metadata))
    return open_lora(file, architecture)


@pytest.mark.parametrize("naming", NAMINGS)
def test_every_naming_comes_to_the_same_change(naming, tmp_path):
    values = (DOWN, UP, TEXT_DOWN, TEXT_UP)
    lora = opened(tmp_path, dict(zip(NAMINGS[naming], values, strict=True)))
    deltas = {
        change.target: lora.delta(change, STABLE_DIFFUSION_1.by_name[change.target].shape)
        for change in lora.changes
    }
    assert set(deltas) == {f"unet.{ATTENTION}.weight", f"text_encoder.{TEXT}.weight"}
    assert np.allclose(deltas[f"unet.{ATTENTION}.weight"], UP @ DOWN, atol=1e-5)
    assert np.allclose(deltas[f"text_encoder.{TEXT}.weight"], TEXT_UP @ TEXT_DOWN, atol=1e-5)


def delta_of(lora):
    (change,) = lora.changes
    return lora.delta(change, STABLE_DIFFUSION_1.by_name[change.target].shape)


def test_alpha_over_the_rank_scales_it(tmp_path):
    names = NAMINGS["kohya"]
    tensors = {names[0]: DOWN, names[1]: UP}
    alpha = {f"lora_unet_{PLAIN}.alpha": np.array(2, np.float32)}
    assert np.allclose(delta_of(opened(tmp_path, tensors | alpha)), UP @ DOWN * 2 / 4, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "scale"),
    [
        ({"unet.lora_alpha": 6}, 6 / 4),
        ({"unet.lora_alpha": 6, "unet.use_rslora": True}, 6 / 2),
        ({"unet.lora_alpha": 6, "unet.alpha_pattern": {"attn2.to_k": 1}}, 1 / 4),
        ({"text_encoder.lora_alpha": 6}, 1),
    ],
)
def test_what_peft_writes_into_the_header_scales_it(settings, scale, tmp_path):
    names = NAMINGS["diffusers"]
    lora = opened(
        tmp_path, {names[0]: DOWN, names[1]: UP}, lora_adapter_metadata=json.dumps(settings)
    )
    assert np.allclose(delta_of(lora), UP @ DOWN * scale, atol=1e-5)


def test_a_convolution_in_two_steps_and_in_three(tmp_path):
    down = RNG.standard_normal((4, 1280, 3, 3)).astype(np.float32)
    up = RNG.standard_normal((1280, 4, 1, 1)).astype(np.float32)
    base = f"lora_unet_{CONVOLUTION.replace('.', '_')}"
    two = {f"{base}.lora_down.weight": down, f"{base}.lora_up.weight": up}
    expected = np.tensordot(up[:, :, 0, 0], down, axes=1)
    assert np.allclose(delta_of(opened(tmp_path, two)), expected, atol=1e-4)

    narrow = down[:, :, :1, :1].copy()
    middle = RNG.standard_normal((4, 4, 3, 3)).astype(np.float32)
    three = {
        f"{base}.lora_down.weight": narrow,
        f"{base}.lora_mid.weight": middle,
        f"{base}.lora_up.weight": up,
    }
    inner = np.tensordot(middle, narrow[:, :, 0, 0], axes=(1, 0)).transpose(0, 3, 1, 2)
    expected = np.tensordot(up[:, :, 0, 0], inner, axes=1)
    assert np.allclose(delta_of(opened(tmp_path, three)), expected, atol=1e-3)


def test_what_does_not_fit_is_named(tmp_path):
    kohya = NAMINGS["kohya"]
    whole = {kohya[0]: DOWN, kohya[1]: UP}
    wrong = {
        "has no up matrix": {kohya[0]: DOWN},
        "changes what Stable Diffusion 1.x has not: lora_unet_nowhere": {
            **whole,
            "lora_unet_nowhere.lora_down.weight": DOWN,
        },
        "have the shapes (4, 768) and (640, 4)": {kohya[0]: DOWN, kohya[1]: np.tile(UP, (2, 1))},
    }
    for words, tensors in wrong.items():
        with pytest.raises(ModelError) as caught:
            opened(tmp_path, tensors)
        assert words in caught.value.problem
    with pytest.raises(ModelError, match=r"is a LoRA for Stable Diffusion 1.x, the model is"):
        opened(tmp_path, whole, STABLE_DIFFUSION_2)
