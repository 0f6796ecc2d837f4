"""`latent-assets docs`: the pages, wherever the program is installed."""

import json
import re

import pytest
from typer.testing import CliRunner

from latent_assets.cli.app import app
from latent_assets.errors import UsageError
from latent_assets.shipped import PROJECT_ROOT, SHIPPED_DOCS, page_names

SOURCES = sorted((PROJECT_ROOT / "latent_assets").rglob("*.py"))


def told(*arguments):
    answer = CliRunner().invoke(app, ["docs", *arguments], catch_exceptions=False)
    assert answer.exit_code == 0
    return answer.output


@pytest.mark.parametrize("name", page_names())
def test_every_page_is_listed_with_its_title_and_read_by_its_name_or_its_path(name):
    text = (SHIPPED_DOCS / f"{name}.md").read_text(encoding="utf-8")
    title = text.splitlines()[0].removeprefix("# ")
    assert [name, title] in [line.split(maxsplit=1) for line in told().splitlines()]
    for way in (name, f"{name}.md", f"docs/{name}.md"):
        assert told(way) == text


def test_in_json_the_list_is_of_titles_and_a_page_has_its_text():
    assert list(json.loads(told("--json"))["pages"]) == page_names()
    page = json.loads(told("docs/marks.md", "--json"))
    assert page["page"] == "marks"
    assert page["text"].startswith("# Made by a machine")


@pytest.mark.parametrize("name", ["nothing", "", "../README", "decisions/0012-samplers-as-tables"])
def test_another_page_is_refused_with_those_that_there_are(name):
    with pytest.raises(UsageError, match="there is no page") as error:
        told(name)
    assert "walk-files" in error.value.cure


def test_every_page_that_a_message_names_is_there():
    texts = "\n".join(source.read_text(encoding="utf-8") for source in SOURCES)
    named = set(re.findall(r"latent-assets docs ([a-z-]+)", texts))
    assert named
    assert named <= set(page_names())
