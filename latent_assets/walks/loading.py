"""From a walk file to a walk, or to everything that is wrong with it, with line numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from latent_assets.errors import InvalidWalkError, UsageError, WalkProblem
from latent_assets.walks.problems import FieldPath, dotted, problems_of, shown
from latent_assets.walks.schema import MAX_NAME_CHARACTERS, NAME_PATTERN, WALK_ADAPTER, Walk

MAX_FILE_BYTES = 256 * 1024
MAX_DEPTH = 12
WALK_SUFFIXES = (".yaml", ".yml")


def check_name(name: str) -> str:
    """The name of a walk: it becomes a file, a folder and a partition, so it is kept plain."""
    if len(name) > MAX_NAME_CHARACTERS or not NAME_PATTERN.fullmatch(name):
        raise UsageError(
            f"{shown(name)} cannot be the name of a walk",
            "Use small letters, digits, - and _, beginning with a letter or digit: castle-at-night",
        )
    return name


def load_walk(path: Path) -> Walk:
    """Read one walk file. Raises InvalidWalkError with every problem found."""
    return parse_walk(_read(path), str(path))


def parse_walk(text: str, file: str) -> Walk:
    """The walk written in `text`; `file` is what problems are reported under."""
    document, lines = _parse_yaml(text, file)
    try:
        return WALK_ADAPTER.validate_python(document)
    except ValidationError as error:
        problems = sorted(problems_of(error, document, lines, file), key=lambda p: p.line or 0)
        raise InvalidWalkError(problems) from None


def walk_files(folder: Path) -> list[Path]:
    """The walk files of a folder, by name."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.suffix in WALK_SUFFIXES and p.is_file())


# --- reading ----------------------------------------------------------------------------------


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidWalkError([WalkProblem(str(path), "file", "is larger than 256 KiB")])
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"there is no walk file {path}") from None
    except UnicodeDecodeError:
        raise InvalidWalkError([WalkProblem(str(path), "file", "is not UTF-8 text")]) from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _parse_yaml(text: str, file: str) -> tuple[Any, dict[FieldPath, int]]:
    """The document, and the line (from 1) on which each field stands."""
    if len(text) > MAX_FILE_BYTES:
        raise InvalidWalkError([WalkProblem(file, "file", "is larger than 256 KiB")])
    try:
        _refuse_traps(text, file)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if not isinstance(node, yaml.MappingNode):
            message = "must be a list of `field: value` lines, beginning with `kind:`"
            raise InvalidWalkError([WalkProblem(file, "file", message)])
        lines: dict[FieldPath, int] = {}
        _note_lines(node, (), lines, file)
        return yaml.SafeLoader("").construct_document(node), lines
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        problem = WalkProblem(file, "file", f"is not YAML: {what}", line)
    except (ValueError, OverflowError) as error:  # dates, numbers and codepoints that do not exist
        problem = WalkProblem(file, "file", f"holds a value that cannot be read: {error}")
    raise InvalidWalkError([problem])


def _refuse_traps(text: str, file: str) -> None:
    """Aliases (which can grow without bound) and nesting that no walk needs."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            message = "aliases (*name) are not allowed; write the value out"
            raise InvalidWalkError([WalkProblem(file, "file", message, line)])
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            message = f"is nested more than {MAX_DEPTH} deep"
            raise InvalidWalkError([WalkProblem(file, "file", message, line)])


def _note_lines(node: yaml.Node, path: FieldPath, lines: dict[FieldPath, int], file: str) -> None:
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note_lines(item, (*path, index), lines, file)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                message = "field names are plain words"
                raise InvalidWalkError(
                    [WalkProblem(file, dotted(path) or "file", message, key.start_mark.line + 1)]
                )
            if key.value in seen:
                message = "is written twice; keep one"
                field = dotted((*path, key.value))
                raise InvalidWalkError([WalkProblem(file, field, message, key.start_mark.line + 1)])
            seen.add(key.value)
            _note_lines(value, (*path, key.value), lines, file)
            lines[(*path, key.value)] = key.start_mark.line + 1
