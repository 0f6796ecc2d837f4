"""The page on walk files says of every field what the schema says, and its examples are walks."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from latent_assets.walks.loading import parse_walk
from latent_assets.walks.schema import KINDS, Checks, Keyframe, Output, Schedule, Upscale

PAGE = (Path(__file__).parents[2] / "docs" / "walk-files.md").read_text(encoding="utf-8")
PARTS = {
    "checks": Checks,
    "keyframes": Keyframe,
    "output": Output,
    "output.upscale": Upscale,
    "schedule": Schedule,
}
BOUNDS = {
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "minItems", "maxItems", "maxLength",
}  # fmt: skip
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+?) \| .+ \|$", re.MULTILINE)


def rows(section: str) -> dict[str, tuple[str, str]]:
    """Field -> (values, default) of the table under a heading."""
    text = re.split(r"^#+ ", PAGE.split(f"\n### {section}\n")[1], flags=re.MULTILINE)[0]
    found = ROW.findall(text)
    assert len({name for name, _, _ in found}) == len(found), f"a field twice under {section}"
    return {name: (values, default) for name, values, default in found}


def limits(schema: object) -> list[str]:
    """Every bound and every allowed value in a field's JSON Schema."""
    if isinstance(schema, list):
        return [found for item in schema for found in limits(item)]
    if not isinstance(schema, dict):
        return []
    here = [f"{schema[name]}" for name in BOUNDS & schema.keys()]
    here += [f"`{value}`" for value in [*schema.get("enum", []), schema.get("const")] if value]
    return here + [found for value in schema.values() for found in limits(value)]


def written(default: object) -> str:
    if default is None:
        return "none"
    if isinstance(default, BaseModel):
        return "below"
    if isinstance(default, list):
        return f"`[{', '.join(default)}]`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    text = f"{default:g}" if isinstance(default, float) else str(default) or '""'
    return f"`{text}`"


def tables(kind: str) -> dict[str, tuple[str, str]]:
    return {**rows("Every kind"), **rows(kind)} if kind in KINDS else rows(kind)


@pytest.mark.parametrize(("name", "model"), [*KINDS.items(), *PARTS.items()])
def test_every_field_stands_in_the_page_with_its_bounds_and_its_default(name, model):
    told = tables(name)
    assert set(told) == set(model.model_fields)
    schema = model.model_json_schema()["properties"]
    for field, info in model.model_fields.items():
        values, default = told[field]
        if info.is_required():
            assert default == "required", field
        else:
            assert default == written(info.get_default(call_default_factory=True)), field
        plain = values.replace(",", "")
        numbers = re.findall(r"[0-9.]+", plain)
        for limit in limits(schema[field]):
            assert (limit in plain) if limit.startswith("`") else (limit in numbers), (field, limit)


EXAMPLES = [
    text
    for text in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    if text[:5] == "kind:"
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_are_walks(text):
    parse_walk(text, "docs/walk-files.md")


def test_there_are_examples():
    assert len(EXAMPLES) >= 5


def test_the_walk_of_the_readme_is_the_shipped_one():
    project = Path(__file__).parents[2]
    readme = (project / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^```yaml\n# (data/walks/\S+)\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert found is not None
    shipped = (project / found[1]).read_text(encoding="utf-8")
    assert parse_walk(found[2], "README.md") == parse_walk(shipped, found[1])
