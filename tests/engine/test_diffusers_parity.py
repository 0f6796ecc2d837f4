"""A checkpoint renders what diffusers renders: real architecture, seeded random weights.

The judge is a Python of its own with torch, diffusers, transformers and peft: `.venv-judge`, which
`make test-parity` makes, or the one that JUDGE_PYTHON names.
"""

from __future__ import annotations

import gc
import gzip
import importlib.util
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from latent_assets import judging
from latent_assets.diffusion import registry
from latent_assets.diffusion.registry import WeightsSource
from latent_assets.models import ModelLibrary

pytestmark = [pytest.mark.slow, pytest.mark.parity, pytest.mark.timeout(3000)]

HERE = Path(__file__).parent
JUDGE = Path(os.environ.get("JUDGE_PYTHON") or HERE.parents[1] / ".venv-judge" / "bin" / "python")
MAKER = HERE / "diffusers_models.py"
CASES = {"sd1": ("sd1", "epsilon"), "sd2": ("sd2", "epsilon"), "sd2-v": ("sd2", "v_prediction")}

needs_judge = pytest.mark.skipif(not JUDGE.exists(), reason="make test-parity makes .venv-judge")


def made(folder, case):
    """A folder of models, saved by diffusers; and as our library finds them."""
    architecture, prediction = CASES[case]
    subprocess.run([JUDGE, MAKER, architecture, prediction, folder], check=True)
    models = folder / "models"
    models.mkdir()
    told = "v" if prediction == "v_prediction" else "epsilon"
    (models / "single.yaml").write_text(f"base: ../model.safetensors\nprediction: {told}\n")
    (models / "folder").symlink_to(folder / "model")
    return models


@pytest.fixture(scope="module", params=CASES)
def models(request, tmp_path_factory):
    yield made(tmp_path_factory.mktemp(request.param), request.param)
    registry.unload()


def judged(models, name, size=(16, 16), frames=2, **more):
    """What differs between our computation and theirs."""
    source = WeightsSource(models, library=ModelLibrary(models))
    checkpoint = registry.find_checkpoint(name, source)
    inputs = judging.make_inputs(checkpoint, size, frames)
    registry.unload()  # their networks and ours do not fit beside each other
    gc.collect()
    answer = judging.ask(str(JUDGE), judging.make_request(checkpoint, **more), inputs)
    if more:  # their own tokenizer read the prompts
        assert np.array_equal(answer["tokens"], inputs["tokens"])
    engine = registry.load_engine(name, source)
    return judging.compare(engine, judging.prompts_for(checkpoint), inputs, answer)


def check(rows, record_property):
    for row in rows:
        record_property(row["what"], row["difference"])
    assert all(row["good"] for row in rows), rows


@needs_judge
@pytest.mark.parametrize("name", ["single", "folder"])
def test_frames_are_those_of_diffusers(models, name, record_property):
    check(judged(models, name), record_property)


@needs_judge
def test_a_larger_picture_is_that_of_diffusers(models, record_property):
    check(judged(models, "single", (32, 32), 1), record_property)


def vocabulary():
    """OpenAI's merges, from the wheel that has them (`make test` installs it)."""
    found = importlib.util.find_spec("open_clip")
    path = Path(found.origin).with_name("bpe_simple_vocab_16e6.txt.gz") if found else None
    if path is None:
        pytest.skip("make test installs OpenAI's vocabulary")
    assert gzip.decompress(path.read_bytes()).startswith(b'"bpe_simple_vocab')
    return str(path)


PARTS = {
    "kohya-and-embeddings": (
        "loras: [{file: ../kohya.safetensors, weight: 0.7}]\n"
        "embeddings: {ink-style: ../style.safetensors, <cat-toy>: ../cat.safetensors}"
    ),
    "peft-and-vae": ("loras: [{file: ../peft.safetensors, weight: 0.7}]\nvae: ../vae.safetensors"),
}


@needs_judge
@pytest.mark.parametrize("part", PARTS)
def test_what_is_put_on_top_is_what_diffusers_makes_of_it(part, models, record_property):
    if not (models.parent / "kohya.safetensors").exists():
        pytest.skip("of 1.x alone")
    (models / f"{part}.yaml").write_text(f"base: ../model.safetensors\n{PARTS[part]}\n")
    more = {"vocabulary": vocabulary()} if "embeddings" in part else {}
    check(judged(models, part, **more), record_property)


@needs_judge
def test_the_recorded_schedules_are_those_of_diffusers(tmp_path):
    found = tmp_path / "tables.json"
    subprocess.run([JUDGE, HERE / "diffusers_schedules.py", found], check=True)
    recorded = HERE.parent / "unit" / "diffusers_schedules.json"
    for new, old in zip(*(json.loads(each.read_text()) for each in (found, recorded)), strict=True):
        assert {**new, "steps": 0} == {**old, "steps": 0}
        for here, there in zip(new["steps"], old["steps"], strict=True):
            assert here == pytest.approx(there, rel=1e-6, abs=1e-6)
