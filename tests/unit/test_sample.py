"""Pictures of one prompt on a sheet, under the keys that walks use."""

from __future__ import annotations

import json

import pytest
from fakes import FakeStudio, fake_studio
from PIL import Image
from typer.testing import CliRunner

from latent_assets.api import noise_loop
from latent_assets.cli import sample
from latent_assets.cli.app import app
from latent_assets.errors import LatentAssetsError
from latent_assets.media import inspect_file


@pytest.fixture
def studio(tmp_path, monkeypatch) -> FakeStudio:
    fake = fake_studio(tmp_path)
    monkeypatch.setattr(sample, "open_studio", lambda: fake)
    return fake


def run(*arguments: str) -> dict:
    result = CliRunner().invoke(app, ["sample", *arguments, "--json"], catch_exceptions=False)
    return json.loads(result.stdout)


def test_a_sample_gives_frames_that_walks_find(studio, tmp_path):
    found = run("a red fox, at night!", "--seeds", "0-3,7", "--num-steps", "4")
    assert found["seeds"] == [0, 1, 2, 3, 7]
    assert (found["rendered"], found["reused"]) == (5, 0)
    walk = noise_loop("a red fox, at night!", frames=4, seed=7, num_steps=4)
    keys = [recipe.key for recipe in studio.specify("w", walk.fields).recipes()]
    assert keys[0] == found["keys"][4]
    assert studio.plan(studio.specify("w", walk.fields)).cached == 1
    file = tmp_path / "outputs" / "samples" / "a-red-fox-at-night-0-3-7.png"
    assert found["outputs"] == [str(file)]
    assert list(inspect_file(file).frame_keys) == found["keys"]
    again = run("a red fox, at night!", "--seeds", "3-4", "--num-steps", "4")
    assert (again["rendered"], again["reused"]) == (1, 1)


def test_one_seed_is_one_picture(studio, tmp_path):
    path = tmp_path / "fox.jpg"
    found = run("a fox", "--seeds", "5", "--output", str(path))
    assert (found["rendered"], found["reused"], len(found["keys"])) == (1, 0, 1)
    assert studio.counts.frames == 1
    with Image.open(path) as picture:
        assert picture.width < 100


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--seeds", "8-0"), "whole numbers and ranges"),
        (("--seeds", "many"), "whole numbers and ranges"),
        (("--seeds", "0-400"), "more than 400 pictures"),
        (("--seeds", "-1"), "whole numbers and ranges"),
        (("--num-steps", "1"), "num_steps: must be at least 2"),
        (("--output", "fox.gif"), "end in .png or .jpg"),
    ],
)
@pytest.mark.usefixtures("studio")
def test_what_is_wrong_is_told_before_anything_is_rendered(arguments, told):
    with pytest.raises(LatentAssetsError, match=told):
        CliRunner().invoke(app, ["sample", "a fox", *arguments], catch_exceptions=False)
