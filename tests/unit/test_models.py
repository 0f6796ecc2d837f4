"""Models are named by files in a folder; a wrong model file is told by line; renaming is free."""

from __future__ import annotations

import json

import jsonschema
import numpy as np
import pytest
from checkpoint_files import original, write_folder, write_sparse, write_tensors

from latent_assets.diffusion import registry
from latent_assets.diffusion.registry import WeightsSource, describe_model, read_prompt
from latent_assets.errors import InvalidModelError, ModelError, UsageError
from latent_assets.models import ModelLibrary
from latent_assets.models.adding import add_model
from latent_assets.models.documents import model_json_schema
from latent_assets.models.hub import files_to_fetch
from latent_assets.shipped import PROJECT_ROOT

HEADER = {"modelspec.prediction_type": "epsilon"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


@pytest.fixture
def hashes(monkeypatch):
    """How often a file was hashed: sparse gigabytes take seconds each."""
    asked = []

    def file_digest(path, _models_dir):
        asked.append(path)
        return f"{path.resolve().stat().st_size}"

    monkeypatch.setattr(registry.weights, "file_digest", file_digest)
    return asked


def source(folder):
    return WeightsSource(folder, library=ModelLibrary(folder))


def write_model(folder, text, name="mine"):
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


def problems(folder, name="mine"):
    with pytest.raises(InvalidModelError) as caught:
        ModelLibrary(folder).files(name)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_models_are_files_folders_and_model_files(folder):
    write_sparse(folder / "one.safetensors", {"a": (1,)})
    write_folder(folder / "two", "sd1")
    write_model(folder, "base: one.safetensors\n", "three")
    (folder / "old.ckpt").touch()
    (folder / "parts").mkdir()
    (folder / "digests.json").touch()
    (folder / ".hidden.safetensors").touch()
    library = ModelLibrary(folder)
    assert library.names() == ["old", "one", "three", "two"]
    assert library.files("one").base == folder / "one.safetensors"
    assert library.files("two").base == folder / "two"
    assert library.files("three").base == folder / "one.safetensors"
    assert ModelLibrary(folder / "absent").names() == []


def test_an_unknown_name_is_answered_with_those_that_there_are(folder):
    write_sparse(folder / "one.safetensors", {"a": (1,)})
    for name in ("two", "../one", "embedded", "", "a\x1b[2J"):
        with pytest.raises(UsageError) as caught:
            ModelLibrary(folder).files(name)
        assert "there is no model" in caught.value.problem
        assert "\x1b" not in caught.value.problem
        assert "stable-diffusion-2.1, one" in caught.value.cure


def test_two_files_of_one_name_are_told_and_a_model_file_settles_it(folder):
    write_sparse(folder / "one.safetensors", {"a": (1,)})
    write_folder(folder / "one", "sd1")
    with pytest.raises(ModelError, match=r"called one: one and one\.safetensors"):
        ModelLibrary(folder).files("one")
    write_model(folder, "base: one.safetensors\n", "one")
    assert ModelLibrary(folder).files("one").base == folder / "one.safetensors"


def test_names_that_cannot_be_are_said(folder):
    write_sparse(folder / "Juggernaut (v2).safetensors", {"a": (1,)})
    write_sparse(folder / "embedded.safetensors", {"a": (1,)})
    told = {path.name: why for path, why in ModelLibrary(folder).unused()}
    assert "built-in" in told["embedded.safetensors"]
    assert "letters, digits" in told["Juggernaut (v2).safetensors"]
    assert ModelLibrary(folder).names() == []


def test_a_model_file_says_all_of_a_model(folder):
    for name in ("base", "vae", "lora", "style"):
        write_sparse(folder / f"{name}.safetensors", {"a": (1,)})
    write_model(
        folder,
        """\
base: base.safetensors
description: A model for the tests.
vae: vae.safetensors
loras:
  - {file: lora.safetensors, weight: 0.7}
  - file: lora.safetensors
embeddings: {my style: style.safetensors}
prediction: v
size: [512, 768]
licence: CreativeML OpenRAIL-M
""",
    )
    files = ModelLibrary(folder).files("mine")
    assert files.vae == folder / "vae.safetensors"
    assert files.loras == ((folder / "lora.safetensors", 0.7), (folder / "lora.safetensors", 1.0))
    assert files.embeddings == (("my style", folder / "style.safetensors"),)
    assert (files.prediction, files.size) == ("v_prediction", (512, 768))
    assert files.licence == "CreativeML OpenRAIL-M"


WRONG = {
    "bsae: a\n": ["mine.yaml:1: bsae: is not a field here; did you mean `base`?",
                  "mine.yaml: base: is required"],
    "base: 3\n": ["mine.yaml:1: base: must be text; put it in quotes (it is 3)"],
    "base: absent.safetensors\n": ["mine.yaml:1: base: there is no file or folder"],
    "base: b\nloras: [{file: b, weight: 90}]\n": [
        "mine.yaml:2: loras[0].weight: must be at most 8 (it is 90)"],
    "base: b\nloras:\n  - {file: b, strength: 1}\n": ["mine.yaml:3: loras[0].strength: is not a"],
    "base: b\nloras:\n  - {file: gone}\n": ["mine.yaml:3: loras[0].file: there is no file"],
    "base: b\nprediction: eps\n": ["mine.yaml:2: prediction: must be one of: 'epsilon', 'v'"],
    "base: b\nsize: 500\n": ["mine.yaml:2: size: must be a multiple of 64 px (it is 500)"],
    "base: b\nsize: 5120\n": ["mine.yaml:2: size: must be a whole number of pixels"],
    "base: b\nbase: b\n": ["mine.yaml:2: base: is written twice; keep one"],
    "base: &a b\nvae: *a\n": ["mine.yaml:1: file: anchors"],
    "- b\n": ["mine.yaml: file: must be a list of `field: value` lines, beginning with `base:`"],
    "base: [\n": ["mine.yaml:2: file: is not YAML"],
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_model_file_is_answered_by_line(text, folder):
    (folder / "b").touch()
    write_model(folder, text)
    told = problems(folder)
    assert len(told) == len(WRONG[text])
    for expected in WRONG[text]:
        assert any(line.startswith(expected) for line in told), told


def test_the_shipped_json_schema_is_the_models_own_and_takes_what_they_take():
    schema = json.loads((PROJECT_ROOT / "data" / "models" / "schema.json").read_text())
    assert schema == model_json_schema()
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({"base": "b", "loras": [{"file": "c", "weight": 0.5}]})
    assert validator.is_valid({"base": "b", "embeddings": {"x": "y"}, "size": [512, 512]})
    assert not validator.is_valid({"vae": "b"})
    assert not validator.is_valid({"base": "b", "lora": []})


def test_a_model_is_described_by_its_headers(folder, hashes):
    write_sparse(folder / "mine.safetensors", original("sd1"))
    info = describe_model("mine", source(folder))
    assert (info.title, info.context_width, info.size_multiple) == (
        "mine, Stable Diffusion 1.x",
        768,
        64,
    )
    assert info.name_in_recipes == "sd1"
    assert len(info.weights_digest) == 64
    assert hashes == [folder / "mine.safetensors"]


@pytest.mark.usefixtures("hashes")
def test_a_renamed_or_moved_model_has_the_same_digest(folder):
    path = write_sparse(folder / "mine.safetensors", original("sd1"))
    before = describe_model("mine", source(folder))
    path.rename(folder / "other.safetensors")
    write_model(folder, "base: other.safetensors\nlicence: mine\n", "third")
    for name in ("other", "third"):
        after = describe_model(name, source(folder))
        assert after.weights_digest == before.weights_digest
        assert after.name_in_recipes == before.name_in_recipes


def lora(path, scale=1.0):
    target = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    return write_tensors(
        path,
        {
            f"{target}.lora_down.weight": np.full((4, 768), scale, np.float32),
            f"{target}.lora_up.weight": np.ones((320, 4), np.float32),
        },
    )


def test_every_part_and_how_much_of_it_makes_another_digest(folder):
    write_tensors(folder / "x.safetensors", {"emb_params": np.zeros((2, 768), np.float32)})
    write_tensors(folder / "y.safetensors", {"emb_params": np.ones((2, 768), np.float32)})
    write_sparse(folder / "base.safetensors", original("sd1", extras=False))
    lora(folder / "l.safetensors")
    lora(folder / "m.safetensors", 2.0)
    models = [
        "base: base.safetensors\n",
        "base: base.safetensors\nprediction: v\n",
        "base: base.safetensors\nloras: [{file: l.safetensors}]\n",
        "base: base.safetensors\nloras: [{file: l.safetensors, weight: 0.5}]\n",
        "base: base.safetensors\nloras: [{file: m.safetensors}]\n",
        "base: base.safetensors\nembeddings: [x.safetensors]\n",
        "base: base.safetensors\nembeddings: {z: x.safetensors}\n",
        "base: base.safetensors\nembeddings: {x: y.safetensors}\n",
    ]
    digests = []
    for number, text in enumerate(models):
        write_model(folder, text, f"m{number}")
        checkpoint = registry.find_checkpoint(f"m{number}", source(folder))
        # The base is hashed by its size here: of its gigabytes nothing differs.
        own = source(folder)
        digests.append(
            checkpoint.digest(
                lambda path, own=own: (
                    str(path.stat().st_size)
                    if path.name == "base.safetensors"
                    else registry.weights.file_digest(path, own.models_dir)
                )
            )
        )
    assert len(set(digests)) == len(models)


@pytest.mark.usefixtures("hashes")
def test_a_header_is_read_again_when_its_file_has_changed(folder):
    path = write_sparse(folder / "mine.safetensors", original("sd1"))
    assert registry.find_checkpoint("mine", source(folder)).architecture.name == "sd1"
    assert registry.find_checkpoint("mine", source(folder)) is registry.find_checkpoint(
        "mine", source(folder)
    )
    write_sparse(path, original("sd2"), metadata=HEADER)
    assert registry.find_checkpoint("mine", source(folder)).architecture.name == "sd2"


@pytest.mark.usefixtures("hashes")
def test_an_embeddings_name_counts_its_vectors_as_tokens(folder):
    write_sparse(folder / "base.safetensors", original("sd1"))
    write_tensors(folder / "my-style.safetensors", {"emb_params": np.zeros((5, 768), np.float32)})
    write_tensors(folder / "cat.safetensors", {"<cat>": np.zeros(768, np.float32)})
    write_model(
        folder, "base: base.safetensors\nembeddings: [my-style.safetensors, cat.safetensors]"
    )
    plain = read_prompt("base", source(folder), "a house in my-style").token_count
    styled = read_prompt("mine", source(folder), "a house in my-style").token_count
    assert styled == plain - 3 + 5  # my, -, style: three tokens without the embedding
    assert read_prompt("mine", source(folder), "a <cat>, MY-STYLE").token_count == 2 + 1 + 1 + 1 + 5
    # Within a longer word it is not meant.
    longer = read_prompt("mine", source(folder), "a house in my-styles").token_count
    assert longer == read_prompt("base", source(folder), "a house in my-styles").token_count


@pytest.mark.usefixtures("hashes")
def test_what_does_not_fit_the_base_is_refused(folder):
    write_sparse(folder / "base.safetensors", original("sd2"), metadata=HEADER)
    lora(folder / "l.safetensors")
    write_tensors(folder / "x.safetensors", {"emb_params": np.zeros((2, 768), np.float32)})
    for part, words in (
        ("loras: [{file: l.safetensors}]", "is a LoRA for Stable Diffusion 1.x, the model is"),
        ("embeddings: [x.safetensors]", "is a textual inversion for Stable Diffusion 1.x"),
        ("vae: x.safetensors", "is a textual inversion for Stable Diffusion 1.x, not a VAE"),
        ("loras: [{file: x.safetensors}]", "not a LoRA"),
        ("embeddings: [l.safetensors]", "not a textual inversion"),
    ):
        write_model(folder, f"base: base.safetensors\n{part}\n")
        with pytest.raises(ModelError) as caught:
            describe_model("mine", source(folder))
        assert words in caught.value.problem


# --- adding --------------------------------------------------------------------------------------


def add(folder, path, name=None, prediction=None):
    return add_model(ModelLibrary(folder), str(path), name, prediction, lambda _text: None)


def test_a_checkpoint_is_linked_and_can_be_named_in_a_walk(folder, tmp_path):
    path = write_sparse(tmp_path / "Own_v1.5.safetensors", original("sd1"))
    added = add(folder, path)
    assert added.path == folder / "Own_v1.5.safetensors"
    assert added.path.resolve() == path.resolve()
    assert "`model: Own_v1.5`" in added.advice
    assert ModelLibrary(folder).names() == ["Own_v1.5"]
    assert add(folder, path).path == added.path  # once more changes nothing
    other = write_sparse(tmp_path / "b" / "Own_v1.5.safetensors", original("sd1"))
    with pytest.raises(UsageError, match="already"):
        add(folder, other)


def test_parts_go_among_the_parts_with_the_line_that_uses_them(folder, tmp_path):
    added = add(folder, lora(tmp_path / "sketch.safetensors"))
    assert added.path == folder / "parts" / "sketch.safetensors"
    assert "`loras: [{file: parts/sketch.safetensors, weight: 1}]`" in added.advice
    assert ModelLibrary(folder).names() == []


def test_what_could_not_be_used_is_not_put_there(folder, tmp_path):
    asked = write_sparse(tmp_path / "v2.safetensors", original("sd2"))
    with pytest.raises(UsageError, match="predict the noise or v"):
        add(folder, asked)
    for name in ("embedded", "a b", ""):
        with pytest.raises(UsageError, match="name"):
            add(folder, asked, name or " ", "v")
    with pytest.raises(UsageError, match="there is no file"):
        add(folder, tmp_path / "absent")
    with pytest.raises(ModelError, match="ControlNet"):
        add(folder, write_sparse(tmp_path / "c.safetensors", {"control_model.x": (1,)}))
    assert list(folder.iterdir()) == []
    add(folder, asked, prediction="v")
    assert ModelLibrary(folder).files("v2").prediction == "v_prediction"


REPOSITORY = [
    "model_index.json",
    "README.md",
    "v1-5-pruned.ckpt",
    "v1-5-pruned.safetensors",
    "scheduler/scheduler_config.json",
    "tokenizer/vocab.json",
    "safety_checker/model.safetensors",
    "text_encoder/config.json",
    "text_encoder/model.fp16.safetensors",
    "text_encoder/model.safetensors",
    "text_encoder/pytorch_model.bin",
    "unet/config.json",
    "unet/diffusion_pytorch_model.bin",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "unet/diffusion_pytorch_model.non_ema.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.fp16.safetensors",
]


def test_of_a_repository_each_network_is_fetched_once_and_no_pickle():
    assert sorted(files_to_fetch(REPOSITORY)) == [
        "model_index.json",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.fp16.safetensors",
    ]
    sharded = [
        "model_index.json",
        "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
        "unet/diffusion_pytorch_model-00002-of-00002.safetensors",
        "unet/diffusion_pytorch_model.safetensors.index.json",
    ]
    assert sorted(files_to_fetch(sharded)) == sorted(sharded)


def test_of_a_repository_of_single_files_it_is_asked_which():
    assert files_to_fetch(["a.safetensors", "b/c.safetensors", "a.ckpt"]) == ["a.safetensors"]
    assert files_to_fetch(REPOSITORY, "v1-5-pruned.safetensors") == ["v1-5-pruned.safetensors"]
    with pytest.raises(UsageError, match="it has 2 files"):
        files_to_fetch(["a.safetensors", "b.safetensors"])
    with pytest.raises(UsageError, match=r"no \.safetensors file"):
        files_to_fetch(["a.ckpt"])
    with pytest.raises(UsageError, match=r"it has no file x\.safetensors"):
        files_to_fetch(["a.safetensors"], "x.safetensors")
