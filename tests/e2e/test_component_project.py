"""A Dagster project of somebody else, in a folder of its own, by Dagster's command line `dg`."""

import json
from pathlib import Path

import pytest
from dg_project import dg

from latent_assets.media import inspect_file

pytestmark = pytest.mark.slow

PROJECT = """\
[project]
name = "shop"
version = "0"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "shop"
"""
DEFINITIONS = """\
from pathlib import Path

from dagster import definitions, load_from_defs_folder


@definitions
def defs():
    return load_from_defs_folder(path_within_project=Path(__file__).parent)
"""
WALK = """\
kind: interpolation
prompts: [an apple, a pear]
frames: 2
batch_size: 2
model: embedded-fast
"""


class Project:
    """A folder with a project, and `dg` in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.defs = folder / "src" / "shop" / "defs"
        self.defs.mkdir(parents=True)
        for package in (self.defs, self.defs.parent):
            (package / "__init__.py").touch()
        (self.defs.parent / "definitions.py").write_text(DEFINITIONS, encoding="utf-8")
        (folder / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
        (folder / "home").mkdir()

    def dg(self, *arguments: str) -> str:
        return dg(self.folder, *arguments, modules=self.folder / "src", home=self.folder / "home")


def test_dg_scaffolds_checks_lists_and_launches_walks(tmp_path):
    project = Project(tmp_path)
    project.dg("scaffold", "defs", "latent_assets.WalksComponent", "art")
    project.dg("check", "yaml")
    project.dg("check", "defs")
    (project.defs / "art" / "walks" / "first-walk.yaml").write_text(WALK, encoding="utf-8")

    listed = json.loads(project.dg("list", "defs", "--json"))
    assert "art/frames" in {asset["asset_key"] for asset in listed["assets"]}
    assert "art__render_walk" in {job["name"] for job in listed["jobs"]}

    project.dg("launch", "--job", "art__render_walk", "--partition", "first-walk")
    film = tmp_path / "latent-assets" / "outputs" / "first-walk" / "first-walk.gif"
    assert inspect_file(film) is not None
    assert len(list((tmp_path / "latent-assets" / "store" / "frames").rglob("*.png"))) == 2
    # Dagster's own notes are in its own home, not in the data folder.
    assert (tmp_path / "home" / "storage").is_dir()
