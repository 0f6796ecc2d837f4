"""The examples of the page on Python run as they stand, and it names all that there is."""

import re
from pathlib import Path

import pytest
from fakes import fake_studio

import latent_assets as la
from latent_assets.studio import Studio

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("error")
def test_the_examples_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LATENT_ASSETS_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(Studio, "open", lambda settings: fake_studio(settings.data))
    names: dict = {}
    examples = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) >= 5
    for example in examples:
        exec(example, names)
    said = capsys.readouterr().out
    assert "kind: interpolation" in said
    assert "\n23\n23 24\n" in said
    assert {path.name for path in tmp_path.iterdir()} == {
        "data", "closer.yaml", "closer.gif", "own.gif",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(la.__all__) - {"__version__"}))
def test_every_public_name_is_on_the_page(name):
    if name not in ("OpenStudio", "Plan", "Walk"):  # what functions give
        assert re.search(rf"\bla\.{name}\b|`{name}`", PAGE)


@pytest.mark.parametrize("kind", [la.OpenStudio, la.Film, la.Pictures, la.Walk])
def test_every_attribute_is_on_the_page(kind):
    names = {n for n in dir(kind) if not n.startswith("_")}
    names |= {n for n in kind.__dataclass_fields__ if not n.startswith("_")}
    absent = {n for n in names - {"studio", "fields"} if not re.search(rf"\b{n}\b", PAGE)}
    assert not absent
