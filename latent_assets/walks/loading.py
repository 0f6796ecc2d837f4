"""From a walk file to a walk, or to everything that is wrong with it, with line numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import yaml
from pydantic import ValidationError

from latent_assets.errors import InvalidWalkError, UsageError, WalkProblem
from latent_assets.foreign import open_regular, printable
from latent_assets.walks.problems import (
    MAX_PROBLEMS,
    FieldPath,
    Lines,
    dotted,
    problems_of,
    shown,
)
from latent_assets.walks.schema import MAX_NAME_CHARACTERS, NAME_PATTERN, WALK_ADAPTER, Walk
from latent_assets.walks.written import FIELDS
from latent_assets.walks.yaml_slips import (
    ALIAS,
    ANCHOR,
    SECOND,
    TAG,
    cut_text,
    explain,
    split_lines,
)
from latent_assets.walks.yaml_text import WalkLoader, dump

MAX_FILE_BYTES = 256 * 1024
MAX_DEPTH = 12
MAX_EVENTS = 20_000
"""Twice what a walk of a thousand keyframes, each with all its fields, takes."""
_NUMBERS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
_BY_PLACE = {(field,) for field in FIELDS}
"""Fields that may be a map whose names are numbers."""
WALK_SUFFIXES = (".yaml", ".yml")


def check_name(name: str) -> str:
    """The name of a walk: it becomes a file, a folder and a partition, so it is kept plain."""
    if len(name) > MAX_NAME_CHARACTERS or not NAME_PATTERN.fullmatch(name):
        raise UsageError(
            f"{shown(name)} cannot be the name of a walk",
            "Use small letters, digits, - and _, with a letter or digit first: castle-at-night.",
        )
    return name


def load_walk(path: Path) -> Walk:
    """Read one walk file. Raises InvalidWalkError with every problem found."""
    return parse_walk(read_text(path, "walk"), str(path))


def parse_walk(text: str, file: str) -> Walk:
    """The walk written in `text`; `file` is what problems are reported under."""
    file = printable(file)
    document, lines, problems = parse_yaml(text, file)
    try:
        walk = WALK_ADAPTER.validate_python(document)
    except ValidationError as error:
        problems.extend(problems_of(error, document, lines, file))
    else:
        if not problems:
            return walk
    raise InvalidWalkError(sorted(problems, key=lambda problem: problem.line or 0))


def document_walk(name: str, document: object) -> Walk:
    """The walk of a document that a program made: a dict, or the text of a walk file.

    Raises InvalidWalkError, with the same sentences as for a file.
    """
    if isinstance(document, str):
        return parse_walk(document, name)
    if not isinstance(document, dict):
        message = f"is {type(document).__name__}, where a dict or the text of a walk file belongs"
        raise InvalidWalkError([WalkProblem(name, "walk document", message)])
    try:
        # Each value by itself: what a program has twice would be an alias in the file.
        plain = json.loads(json.dumps(document))
    except (TypeError, ValueError, RecursionError) as error:
        message = f"may hold texts, numbers, lists and dicts alone: {error}"
        raise InvalidWalkError([WalkProblem(name, "walk document", message)]) from None
    return parse_walk(dump(plain), name)


def walk_files(folder: Path) -> list[Path]:
    """The walk files of a folder, by name. What begins with a dot is another program's."""
    return [path for path in _named_as_walks(folder) if path.is_file()]


def no_files(folder: Path) -> list[Path]:
    """What is named as a walk file and is none: a link to nothing, a pipe, a device."""
    return [path for path in _named_as_walks(folder) if not (path.is_file() or path.is_dir())]


def _named_as_walks(folder: Path) -> list[Path]:
    try:
        if not folder.is_dir():
            return []
        return sorted(
            path
            for path in folder.iterdir()
            if path.suffix in WALK_SUFFIXES and not path.name.startswith(".")
        )
    except OSError as error:
        raise UsageError(f"cannot read {printable(str(folder))}: {error.strerror}") from None


# --- reading ----------------------------------------------------------------------------------


def read_text(path: Path, kind: str) -> str:
    """The text of a walk file, or of another kind of small YAML file, e.g. `model`."""
    file = printable(str(path))
    try:
        with open_regular(path) as opened:
            return _decoded(opened.read(MAX_FILE_BYTES + 1), file)
    except FileNotFoundError:
        raise UsageError(f"there is no {kind} file {file}") from None
    except (OSError, ValueError) as error:  # a null byte in a path is a ValueError
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read {file}: {why}") from None


def read_walk(stream: IO[bytes], file: str) -> Walk:
    """The walk that comes through a pipe; `file` is what problems are reported under."""
    return parse_walk(_decoded(stream.read(MAX_FILE_BYTES + 1), file), file)


def _decoded(content: bytes, file: str) -> str:
    if len(content) > MAX_FILE_BYTES:
        raise InvalidWalkError([WalkProblem(file, "file", "is larger than 256 KiB")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidWalkError([WalkProblem(file, "file", "is not UTF-8 text")]) from None


def parse_yaml(text: str, file: str, first: str = "kind") -> tuple[Any, Lines, list[WalkProblem]]:
    """The document, the line (from 1) on which each field stands, and fields that are no fields.

    first: the field that a file should begin with. Raises InvalidWalkError for what is no such
    YAML at all.
    """
    if len(text) > MAX_FILE_BYTES:
        raise InvalidWalkError([WalkProblem(file, "file", "is larger than 256 KiB")])
    try:
        _refuse_traps(text, file)
        node = yaml.compose(text, Loader=WalkLoader)
        if not isinstance(node, yaml.MappingNode):
            message = f"must be a list of `field: value` lines, beginning with `{first}:`"
            raise InvalidWalkError([WalkProblem(file, "file", message)])
        lines: Lines = {}
        noted = _note_lines(node, (), lines, file, split_lines(text))
        problems = list(noted)[:MAX_PROBLEMS]
        return WalkLoader("").construct_document(node), lines, problems
    except yaml.YAMLError as error:
        what, line = explain(error, split_lines(text))
        problem = WalkProblem(file, "file", printable(what), line)
    except ValueError as error:  # characters that do not exist
        what = printable(str(error))
        problem = WalkProblem(file, "file", f"holds a value that cannot be read: {what}")
    raise InvalidWalkError([problem])


def _refuse_traps(text: str, file: str) -> None:
    """What no walk needs: aliases (they can grow without bound), tags, nesting, sheer number."""
    depth = documents = 0
    for count, event in enumerate(yaml.parse(text, Loader=WalkLoader)):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if isinstance(event, yaml.AliasEvent):
            message = ALIAS
        elif getattr(event, "anchor", None) is not None:
            message = ANCHOR
        elif getattr(event, "tag", None) is not None:
            message = TAG
        elif documents > 1:
            message = SECOND
        elif depth > MAX_DEPTH:
            message = f"is nested more than {MAX_DEPTH} deep"
        elif count > MAX_EVENTS:
            message = "holds too many values for a walk"
        else:
            continue
        raise InvalidWalkError([WalkProblem(file, "file", message, event.start_mark.line + 1)])


def _note_lines(
    node: yaml.Node, path: FieldPath, lines: Lines, file: str, text: Sequence[str]
) -> Iterator[WalkProblem]:
    """Fill `lines`; take out, and report, what is no field name, or one for the second time.

    text: the file's lines, for what they hold beside the values.
    """
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        if (cut := cut_text(node, path, text)) is not None:
            yield WalkProblem(file, dotted(path), cut, lines[path], shown(node.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _note_lines(item, (*path, index), lines, file, text)
    elif isinstance(node, yaml.MappingNode):
        kept: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if path in _BY_PLACE and key.tag in _NUMBERS:
                key.tag = "tag:yaml.org,2002:str"  # 30: a dog
            if key.tag != "tag:yaml.org,2002:str" or not key.value.isprintable():
                field = dotted(path) or "file"
                yield WalkProblem(file, field, "field names are plain words", line)
                continue
            here = (*path, key.value)
            if key.value in kept:
                yield WalkProblem(file, dotted(here), "is written twice; keep one", line)
                continue
            kept[key.value] = key, value
            yield from _note_lines(value, here, lines, file, text)
            lines[here] = line
        node.value = list(kept.values())
