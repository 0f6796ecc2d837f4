"""What is wrong with a walk file, in words: pydantic's errors told to a person, with lines."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from pydantic import ValidationError

from latent_assets.errors import WalkProblem
from latent_assets.foreign import printable
from latent_assets.walks.forms import group_form, text_form
from latent_assets.walks.schema import KINDS, FieldError, fields_of
from latent_assets.walks.written import as_written

FieldPath = tuple[str | int, ...]
Lines = dict[FieldPath, int]
MAX_PROBLEMS = 200
_SHOWN_VALUE = 60
_MEANT = {"text": "prompt", "frame": "at", "time": "at", "place": "at", "easing": "ease"}
"""Fields of a keyframe as other programs call them."""

_PLAIN_MESSAGES = {
    "missing": "is required",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "list_type": "must be a list, one item per line, each after a dash",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large",
    "string_unicode": "holds characters that are no text",
}
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def problems_of(
    error: ValidationError,
    document: Mapping[str, Any],
    lines: Mapping[FieldPath, int],
    file: str,
    known: Sequence[str] = (),
) -> Iterator[WalkProblem]:
    """One problem per wrong field; `lines` tells the line of each field in the file.

    known: the fields of a file that is no walk file.
    """
    kind = document.get("kind")
    seen: set[tuple[str, str]] = set()
    found = error.errors(include_url=False, include_context=True)
    for raw in islice(found, MAX_PROBLEMS):
        detail: dict[str, Any] = {**raw}
        location = detail["loc"][detail["loc"][:1] != () and detail["loc"][0] in KINDS :]
        written = as_written(document, location)
        path = _field_path(written, lines)
        message = _message(detail, path, kind if isinstance(kind, str) and not known else None)
        if known and detail["type"] == "extra_forbidden" and len(path) == 1:
            message = f"is not a field here{_hint(str(path[0]), known)}"
        if detail["type"].startswith("union_tag"):
            path = ("kind",)
            detail["input"] = kind
        elif isinstance(cause := (detail.get("ctx") or {}).get("error"), FieldError):
            location = (*path, *cause.path)
            path, detail["input"] = as_written(document, location), cause.value
        keyframe = path[:1] == ("keyframes",)
        if (path != location or keyframe) and path in lines:  # as written, not as we made it
            detail["input"] = _value(document, path)
        field = dotted(path) or "walk"
        if (field, message) in seen:
            continue
        seen.add((field, message))
        line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), None)
        value = None
        if (
            path
            and path in lines
            and detail["input"] is not None
            and detail["type"] not in {"missing", "extra_forbidden"}
        ):
            value = shown(detail["input"])
        yield WalkProblem(file, field, message, line, value)
    if len(found) > MAX_PROBLEMS:
        yield WalkProblem(file, "walk", f"and {len(found) - MAX_PROBLEMS} problems more")


def _value(document: Mapping[str, Any], path: FieldPath) -> object:
    """What stands in the file there."""
    value: Any = document
    for part in path:
        try:
            value = value[part]
        except (LookupError, TypeError):
            return None
    return value


def _field_path(location: tuple[int | str, ...], lines: Mapping[FieldPath, int]) -> FieldPath:
    """The path in the file: pydantic's, without the names of the branches it tried."""
    parts = list(location)
    if parts and parts[0] in KINDS:
        parts = parts[1:]
    path: FieldPath = ()
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        known = (*path, part) in lines
        # Branches of a union (`int`, `list[...]`) are no fields; a missing last one is.
        if known or (last and isinstance(part, str) and part.isidentifier() and part != "int"):
            path = (*path, part)
    return path


def _message(  # noqa: C901, PLR0911 - a table of cases
    detail: dict[str, Any], path: FieldPath, kind: str | None
) -> str:
    context = detail.get("ctx") or {}
    match detail["type"]:
        case "union_tag_not_found" | "union_tag_invalid":
            return f"must be one of: {', '.join(KINDS)}"
        case "extra_forbidden":
            return _unknown_field(path or ("?",), kind)
        case "string_type":
            return text_form(detail["input"], path)
        case "model_type" | "model_attributes_type" | "dict_type":
            return group_form(detail["input"], path)
        case "missing" if kind and len(path) == 1:
            return f"is required for the kind {kind}"
        case "literal_error":
            return f"must be one of: {context.get('expected', '').replace(' or ', ', ')}"
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            return _bound(detail["type"], context)
        case "too_short" | "too_long":
            words = "at least" if detail["type"] == "too_short" else "at most"
            limit = context.get("min_length", context.get("max_length"))
            return f"must have {words} {limit} items, it has {context.get('actual_length')}"
        case "string_too_long" | "string_too_short":
            longest = context.get("max_length")
            short = f"must have at least {context.get('min_length')} characters"
            return f"must have at most {longest} characters" if longest else short
        case "value_error":
            return str(context.get("error", detail["msg"]))
        case other:
            return _PLAIN_MESSAGES.get(other) or str(detail["msg"])


def _bound(kind: str, context: dict[str, Any]) -> str:
    words, key = _BOUNDS[kind]
    limit = context.get(key)
    return f"must be {words} {limit:g}" if isinstance(limit, float) else f"must be {words} {limit}"


def _unknown_field(path: FieldPath, kind: str | None) -> str:
    model = KINDS.get(kind or "")
    if model is None:
        return "is not a field here"
    of = f"of the kind {kind}" if len(path) == 1 else "here"
    return f"is not a field {of}{_hint(str(path[-1]), fields_of(model, path[:-1]))}"


def _hint(name: str, known: Sequence[str]) -> str:
    if not known:
        return ""
    close = [_MEANT[name]] if _MEANT.get(name) in known else []
    close = close or difflib.get_close_matches(name, known, n=1)
    return f"; did you mean `{close[0]}`?" if close else f"; known are: {', '.join(known)}"


def dotted(path: FieldPath) -> str:
    """('output', 'formats', 0) -> output.formats[0]."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return _short(printable(text.lstrip(".")))


def shown(value: object) -> str:
    """A value as it may be printed: short, quoted, and without control characters."""
    return _short(repr(value))


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_VALUE else f"{text[: _SHOWN_VALUE - 1]}…"
