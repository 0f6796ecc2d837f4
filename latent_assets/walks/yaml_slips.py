"""What people write in walk files and YAML takes for something else, told with its cure."""

from __future__ import annotations

import re
from collections.abc import Sequence

import yaml

_BREAKS = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_PROMPTS = {"prompts", "prompt", "negative_prompt", "description"}
"""Fields of free text."""
_CUT = re.compile(r"[ \t]+#[^ \t]")
"""A comment whose sign stands right before a word: `#3`, `#dog`."""
_VALUE = re.compile(r"\s*(?P<dashes>(?:-\s+)*)(?:(?P<field>[A-Za-z_]+)\s*:\s+)?(?P<value>\S.*)?")
_COMMENT = re.compile(r"\s#")
_LONGEST = 4_000
"""Characters of a line that are looked at: no prompt is longer."""
_BEGINS = {
    "[": "[ begins a list",
    "{": "{ begins a group of fields",
    "*": "* begins an alias",
    "&": "& begins an anchor",
    "!": "! begins a tag",
    "%": "% begins a directive",
    "@": "YAML keeps @ for itself",
    "`": "YAML keeps ` for itself",
    "|": "| begins a block of lines",
    ">": "> begins a block of lines",
    "?": "? begins a field",
    ",": "a comma parts the items of a list",
    "]": "] ends a list",
    "}": "} ends a group of fields",
    '"': 'it begins with ", so it has to end at the next one',
    "'": "it begins with ', so it has to end at the next one",
}
ALIAS = (
    "aliases (*name) are not allowed; write the value out, and put a prompt that begins with * "
    "in quotes"
)
ANCHOR = "anchors (&name) are not allowed; put a prompt that begins with & in quotes"
TAG = "tags (!name) are not allowed; put a prompt that begins with ! in quotes"
SECOND = "holds two documents, parted by ---; write each walk into a file of its own"


def split_lines(text: str) -> list[str]:
    """The lines as YAML counts them."""
    return _BREAKS.split(text)


def cut_text(node: yaml.ScalarNode, path: Sequence[str | int], lines: Sequence[str]) -> str | None:
    """What to say of a text that a comment cuts off although it hardly is one; None if all is well.

    node: a value of a walk file; path: of its field; lines: of the file (`split_lines`).
    """
    by_place = len(path) == 2 and path[0] == "keyframes"  # noqa: PLR2004 - {30: a cat #3}
    if node.style or not (by_place or _PROMPTS.intersection(path)):
        return None
    end = node.end_mark
    rest = lines[end.line][end.column :] if end.line < len(lines) else ""
    if _CUT.match(rest) is None:
        return None
    return (
        "is cut off: ` #` begins a comment; put the prompt in quotes, or leave a space behind the #"
    )


def explain(error: yaml.YAMLError, lines: Sequence[str]) -> tuple[str, int | None]:
    """What is no YAML, in words, and its line from 1; lines: of the file."""
    told: list[int] = [
        mark.line
        for name in ("context_mark", "problem_mark")
        if (mark := getattr(error, name, None)) is not None
    ]
    marks = [line for line in told if line < len(lines)]  # the end may be one line further
    for line in sorted({*marks, *(line - 1 for line in marks if line)}):
        if _hidden_end(lines[line][:_LONGEST]):
            return "put the prompt in quotes: ` #` begins a comment, and hides the rest", line + 1
    if (sign := _sign_at(getattr(error, "problem_mark", None), lines)) is not None:
        return f"put the prompt in quotes: {_BEGINS[sign]}", marks[-1] + 1
    for line in reversed(marks):
        if (slip := _slip(lines[line][:_LONGEST])) is not None:
            return slip, line + 1
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return f"is not YAML: {what}", min(told[-1] + 1, len(lines) or 1) if told else None


def _hidden_end(line: str) -> bool:
    """Whether a comment stands in a list or group in brackets, whose end it may hide."""
    begin = next((at for at, sign in enumerate(line) if sign in "[{"), len(line))
    found = _COMMENT.search(line, begin)
    return found is not None and not {'"', "'"}.intersection(line[begin : found.start()])


def _sign_at(mark: yaml.Mark | None, lines: Sequence[str]) -> str | None:
    """The sign at the mark that no plain text can begin with, as inside a list in brackets."""
    at = lines[mark.line][mark.column : mark.column + 1] if mark and mark.line < len(lines) else ""
    return at if at and at in "@`%" else None


def _slip(line: str) -> str | None:
    """The slip of a line that cannot be read, if it is a known one."""
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent:
        return "begins with a tab: indent with spaces"
    found = _VALUE.match(line)
    if found is None or not found["value"] or found["value"][0] not in _BEGINS:
        return None
    prompt = bool(found["dashes"]) or found["field"] in _PROMPTS
    if found["value"][0] in "[{" and (not prompt or found["field"] == "prompts"):
        return None  # a list is meant there, or a group
    return f"put the {'prompt' if prompt else 'text'} in quotes: {_BEGINS[found['value'][0]]}"
