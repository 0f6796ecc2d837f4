"""The form that a value should have, shown for what stands in its place in a walk file."""

from __future__ import annotations

from collections.abc import Sequence

from latent_assets.walks.cron import check_cron

_FORMS = {
    "schedule": '{cron: "@daily"}',
    "output": "{formats: [gif, mp4], fps: 12}",
    "checks": "{on_failure: block}",
    "keyframes": "{prompt: a cat, at: 30}",
}
_NAMES = {"text", "prompt"}
"""What people call the text in a group that stands where a text should."""
_GROUP = "must be a group of `field: value` lines"


def group_form(value: object, path: Sequence[str | int]) -> str:
    """What to say of a value that should be a group of fields; path: of its field."""
    names = [part for part in path if isinstance(part, str)]
    form = _FORMS.get(names[-1]) if names else None
    if form is None:
        return _GROUP
    if names[-1] == "schedule" and _is_cron(value):
        form = f'{{cron: "{value}"}}'
    elif names[-1] == "keyframes" and isinstance(value, str):
        return f"{_GROUP}, as {form}; a list of texts alone is called `prompts`"
    return f"{_GROUP}, as {form}"


def text_form(value: object, path: Sequence[str | int]) -> str:
    """What to say of a value that should be a text; path: of its field."""
    if value is None:
        return "is empty; write the text behind it, in quotes"
    if isinstance(value, list):
        return "must be text; put it in quotes, or leave the brackets out"
    if not isinstance(value, dict):
        return "must be text; put it in quotes"
    if not _NAMES.intersection(value):
        return "must be text; put it in quotes: a colon and a blank make a group of fields of it"
    if path[:1] == ("prompts",):
        return (
            "must be the text alone; what has more to say is written under `keyframes` in place of"
            " `prompts`: - {prompt: a cat, at: 30}"
        )
    return "must be the text alone, without a field before it"


def _is_cron(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(check_cron(value))
    except ValueError:
        return False
