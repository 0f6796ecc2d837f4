"""The example notebooks run from top to bottom, and show what they say."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"
GUIDE_LINES = 160
"""The Keras guide has a few more of code, its comments and empty lines not counted."""

pytestmark = [pytest.mark.slow, pytest.mark.engine]


def executed(name: str, folder: Path, monkeypatch) -> nbformat.NotebookNode:
    monkeypatch.setenv("LATENT_ASSETS_DATA", str(folder / "data"))
    notebook = nbformat.read(EXAMPLES / name, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs are not kept"
    client = NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": str(folder)}})
    return client.execute()


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def shown(notebook: nbformat.NotebookNode) -> list[Image.Image]:
    """The pictures below the cells."""
    html = "".join(output.get("data", {}).get("text/html", "") for output in outputs(notebook))
    found = re.findall(r"data:image/\w+;base64,([^\"]+)", html)
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in found]


def frames_of(pictures: list[Image.Image]) -> list[int]:
    return [getattr(picture, "n_frames", 1) for picture in pictures]


def test_the_whole_guide_is_walked(tmp_path, monkeypatch):
    notebook = executed("latent_walk.ipynb", tmp_path, monkeypatch)
    pictures = shown(notebook)
    assert frames_of(pictures) == [8, 32, 1, 1, 32, 16]
    assert pictures[2].size == pictures[3].size == (960, 960)
    bars = [output for output in outputs(notebook) if "<progress" in str(output)]
    assert len(bars) == len(pictures)
    assert "5 of 5 frames" in str(bars[0])
    assert not [o for o in outputs(notebook) if o.output_type == "error"]
    assert (tmp_path / "cows.mp4").stat().st_size > 1000
    code = "\n".join(c.source for c in notebook.cells if c.cell_type == "code").splitlines()
    assert len([line for line in code if line.strip()]) < GUIDE_LINES / 5


def test_a_path_of_ones_own_is_a_film(tmp_path, monkeypatch):
    notebook = executed("own_path.ipynb", tmp_path, monkeypatch)
    assert frames_of(shown(notebook)) == [16]
    assert "(16, 256, 256, 3)" in str(outputs(notebook)[-1])
    assert (tmp_path / "fruit.gif").stat().st_size > 1000


def test_figures_are_tables(tmp_path, monkeypatch):
    notebook = executed("figures.ipynb", tmp_path, monkeypatch)
    assert frames_of(shown(notebook)) == [12]
    tables = [o.data["text/html"] for o in outputs(notebook) if "<table" in str(o.get("data"))]
    assert len(tables) == 2
    assert "max_over_median" in tables[1]
    assert any("image/png" in output.get("data", {}) for output in outputs(notebook))
