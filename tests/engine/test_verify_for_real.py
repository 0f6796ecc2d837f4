"""`latent-assets verify` with the embedded model, each time in a new process.

What is promised (`docs/store.md`): the same environment and batch give the same bytes; another
number of threads or another batch, no more than 1 level of 255.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from latent_assets.shipped import PROJECT_ROOT
from latent_assets.store import pixel_digest, png
from latent_assets.walks.order import coarse_to_fine

pytestmark = [pytest.mark.engine, pytest.mark.slow]

FRAMES = 9
WALK = f"""kind: interpolation
prompts: [a red apple, a sunflower]
frames: {FRAMES}
batch_size: 8
num_steps: 4
guidance_scale: 3
"""


def run(data: Path, *arguments: object, **variables: str) -> tuple[int, str, str]:
    """The command line in a process of its own: exit code, stdout, stderr."""
    command = [sys.executable, "-c", "from latent_assets.cli import main; main()"]
    ended = subprocess.run(
        [*command, *map(str, arguments)],
        env={**os.environ, "LATENT_ASSETS_DATA": str(data), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


def verify(data: Path, target: object, *options: str, **variables: str) -> dict:
    code, out, err = run(data, "verify", target, "--json", *options, **variables)
    assert out, err
    report = json.loads(out)
    assert code == (0 if report["ok"] else 1)
    return report


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> Path:
    data = tmp_path_factory.mktemp("rendered")
    (data / "walks").mkdir()
    (data / "walks" / "fruit.yaml").write_text(WALK)
    code, _, err = run(data, "render", "fruit")
    assert code == 0, err
    return data


@pytest.fixture
def data(rendered, tmp_path) -> Path:
    """A copy of what was rendered, to be damaged."""
    return shutil.copytree(rendered, tmp_path / "data")


def edit(path: Path, *, receipt_too: bool) -> None:
    """Paint a white square into a stored frame; its receipt is kept, or altered to agree."""
    pixels, texts = png.decode(path.read_bytes())
    pixels = pixels.copy()
    pixels[40:60, 40:60] = 255 - pixels[40:60, 40:60]
    if receipt_too:
        receipt = json.loads(texts[png.RECEIPT_KEYWORD])
        receipt["pixel_digest"] = pixel_digest(pixels)
        texts = {png.RECEIPT_KEYWORD: json.dumps(receipt)}
    path.write_bytes(png.encode(pixels, texts))


def frame_files(data: Path) -> list[Path]:
    return sorted((data / "store" / "frames").rglob("*.png"))


def test_the_same_environment_gives_the_same_bytes(rendered):
    report = verify(rendered, "fruit")
    assert report["counts"] == {"identical": FRAMES}
    assert not any(frame["why"] for frame in report["frames"])


def test_another_number_of_threads_stays_within_a_level_and_is_named(rendered):
    film = rendered / "outputs" / "fruit" / "fruit.gif"
    report = verify(rendered, film, TF_NUM_INTRAOP_THREADS="3")
    assert set(report["counts"]) <= {"identical", "within 1 level"}
    assert all(
        any(reason.startswith("threads ") and reason.endswith(" 3 now") for reason in frame["why"])
        for frame in report["frames"]
    )


def test_another_batch_stays_within_a_level_and_is_named(rendered):
    report = verify(rendered, "fruit", "--alone")
    assert set(report["counts"]) <= {"identical", "within 1 level"}
    frames = list(report["frames"])
    last = frames.pop(coarse_to_fine(FRAMES)[-1])  # it was alone in its batch before
    assert (last["why"], last["outcome"]) == ([], "identical")
    assert len(frames) == FRAMES - 1
    for frame in frames:
        assert frame["why"] == ["in a batch of 8 then, alone now"]


def test_a_picture_that_was_altered_is_damaged_and_a_forged_one_different(data):
    altered, forged, *_ = frame_files(data)
    edit(altered, receipt_too=False)
    edit(forged, receipt_too=True)
    report = verify(data, "fruit")
    outcomes = {frame["key"]: frame["outcome"] for frame in report["frames"]}
    assert outcomes.pop(altered.stem) == "damaged"
    assert outcomes.pop(forged.stem) == "different"
    assert set(outcomes.values()) == {"identical"}
    (bad,) = [frame for frame in report["frames"] if frame["outcome"] == "different"]
    assert bad["max_difference"] > 1
    assert "no entry of the environment differs" in bad["why"][0]


def test_other_weights_are_no_verdict_but_are_named(data):
    """Who has other weights cannot render these frames: to call them different would be wrong."""
    model = shutil.copytree(PROJECT_ROOT / "data" / "models" / "embedded", data / "models/embedded")
    weights, card = model / "weights.safetensors", model / "model.json"
    tensors = load_file(weights)
    name = max((n for n in tensors if n.startswith("denoiser")), key=lambda n: tensors[n].size)
    tensors[name] = (tensors[name].astype(np.float32) * 1.05).astype(tensors[name].dtype)
    save_file(tensors, weights)
    code, out, err = run(data, "verify", "fruit")
    assert (code, out) == (1, "")
    assert "is not the file that model.json describes" in err
    described = json.loads(card.read_text())
    described["weights_sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    card.write_text(json.dumps(described))
    code, _, err = run(data, "verify", "fruit")
    assert (code, "If the weights have changed" in err) == (2, True)
    code, _, err = run(data, "verify", data / "outputs/fruit/fruit.gif")
    assert (code, "rendered with other weights" in err) == (1, True)
