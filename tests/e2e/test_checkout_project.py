"""The checkout is a project of `dg`: what is scaffolded there stands beside the walks."""

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
from dg_project import dg

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ASSET = """\
import dagster as dg


@dg.asset
def my_asset() -> None:
    print("made by hand")
"""


@pytest.fixture
def checkout(tmp_path):
    """A copy, with the models of the original."""
    shutil.copytree(
        ROOT / "latent_assets",
        tmp_path / "latent_assets",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in ("walks", "dagster/dagster.yaml", "models"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).symlink_to(ROOT / "data" / name)
    return tmp_path


def test_an_asset_that_dg_scaffolds_in_the_checkout_stands_beside_the_walks(checkout):
    run = partial(dg, checkout, modules=checkout, home=checkout / "data" / "dagster")
    run("scaffold", "defs", "dagster.asset", "my_asset.py")
    written = checkout / "latent_assets" / "defs" / "my_asset.py"
    assert "def my_asset" in written.read_text("utf-8")
    written.write_text(ASSET, encoding="utf-8")
    listed = json.loads(run("list", "defs", "--json"))
    assert {"my_asset", "frames"} <= {asset["asset_key"] for asset in listed["assets"]}
    assert [job["name"] for job in listed["jobs"]] == ["render_walk"]
    run("launch", "--assets", "my_asset")
