"""Walks written in Python: the fields of walk files, checked as those are."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from latent_assets import places
from latent_assets.errors import InvalidWalkError, UsageError
from latent_assets.foreign import is_there
from latent_assets.store.atomic import write_bytes
from latent_assets.store.failures import explaining
from latent_assets.walks import schema
from latent_assets.walks.loading import WALK_SUFFIXES, check_name, load_walk
from latent_assets.walks.problems import FieldPath, problems_of
from latent_assets.walks.yaml_text import dump

if TYPE_CHECKING:
    from fractions import Fraction

    from typing_extensions import Unpack

_IN_PYTHON = {
    "must be a list, one item per line, each after a dash": "must be a list",
    "must be a group of `field: value` lines": "must be a dict",
    "must be text; put it in quotes": "must be text",
}
"""What problems say of YAML, for those who write Python."""


@dataclass(frozen=True, repr=False)
class Walk:
    """A walk as its file would describe it; nothing is rendered yet."""

    name: str
    """Small letters, digits, - and _; of a walk from a file the file's."""
    fields: schema.Walk
    """Every field of the walk file, defaults filled in: `walk.fields.frames`."""

    @property
    def text(self) -> str:
        """The text of its walk file: what was written, defaults left out."""
        written = self.fields.model_dump(mode="json", exclude_unset=True)
        return dump({"kind": self.fields.kind, **written})

    def __repr__(self) -> str:
        model = f", {self.fields.model}" if self.fields.model else ""
        return f"{self.name}: {self.fields.kind}, {self.fields.frames} frames{model}"

    def replace(self, **fields: Any) -> Walk:
        """The same walk with other fields; `name` may be among them. Raises InvalidWalkError."""
        name = fields.pop("name", self.name)
        written = self.fields.model_dump(mode="json", exclude_unset=True)
        return _walk(name, {**written, **fields})

    def save(self, path: str | Path, *, replace: bool = False) -> Path:
        """Write its walk file, NAME.yaml, for the command line and the web UI.

        replace: also over a walk that is another one. Raises UsageError.
        """
        file = places.folder(str(path), "the file")
        if file.suffix not in WALK_SUFFIXES:
            raise UsageError(f"{file} is no walk file", "Give it a name such as castle.yaml.")
        check_name(file.stem)
        with explaining("write", file):
            if is_there(file) and not replace and not self._stands_in(file):
                raise UsageError(
                    f"{file} exists already, and is another walk",
                    "Choose a new name; or, to write over it, save(..., replace=True).",
                )
            if not file.parent.is_dir():
                raise UsageError(f"there is no folder {file.parent}", "Make it, or name another.")
            write_bytes(file, self.text.encode())
        return file

    def _stands_in(self, file: Path) -> bool:
        try:
            return load_walk(file) == self.fields
        except (InvalidWalkError, UsageError):
            return False


def load(path: str | Path) -> Walk:
    """The walk of a walk file. Raises InvalidWalkError with everything that is wrong in it."""
    file = places.folder(str(path), "the file")
    if file.suffix not in WALK_SUFFIXES:
        raise UsageError(f"{path} is no walk file", "It ends in .yaml or .yml.")
    return Walk(check_name(file.stem), load_walk(file))


class Fields(TypedDict, total=False):
    """What every walk may have (docs/walk-files.md)."""

    description: str
    seed: int
    negative_prompt: str
    prompt_syntax: str
    num_steps: int
    sampler: str
    spacing: str
    clip_skip: int
    size: int | Sequence[int]
    batch_size: int | str
    chunk_size: int | str
    queue: str
    model: str
    output: Mapping[str, Any]
    checks: Mapping[str, Any]
    schedule: Mapping[str, Any]


class Paced(Fields, total=False):
    """What a walk may have whose frames stand along a path."""

    guidance_scale: float
    pace: str
    places: Sequence[Sequence[float | str | Fraction]]
    noise: str


class InterpolationFields(Paced, total=False):
    """From prompt to prompt."""

    keyframes: Sequence[Mapping[str, Any]] | Mapping[Any, Any]
    closed: bool
    method: str


class PromptWalkFields(Paced, total=False):
    """Around one prompt."""

    step_size: float
    direction: str


Build = TypeVar("Build", bound=Callable[..., Walk])


def _writes(model: type[BaseModel]) -> Callable[[Build], Build]:
    """A notebook shows the fields of this kind as the function's own, with what they mean."""

    def shown(build: Build) -> Build:
        signature = inspect.signature(build)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        there = {"kind", *(p.name for p in own)}
        more = [p for p in inspect.signature(model).parameters.values() if p.name not in there]
        build.__signature__ = signature.replace(parameters=[*own, *more])  # type: ignore[attr-defined]
        told = [
            f"    {name}: {field.description}"
            for name, field in model.model_fields.items()
            if field.description
        ]
        build.__doc__ = "\n".join([build.__doc__ or "", "", "    The fields:", "", *told])
        return build

    return shown


@_writes(schema.Interpolation)
def interpolation(
    prompts: Sequence[str] | Mapping[Any, str] | None = None,
    *,
    frames: int,
    name: str = "interpolation",
    **fields: Unpack[InterpolationFields],
) -> Walk:
    """From prompt to prompt, in so many frames. Raises InvalidWalkError."""
    given = {} if prompts is None else {"prompts": prompts}
    return _walk(name, {"kind": "interpolation", **given, "frames": frames, **fields})


@_writes(schema.Grid)
def grid(
    prompts: Sequence[str], *, grid_size: int, name: str = "grid", **fields: Unpack[Paced]
) -> Walk:
    """Between four prompts at the corners, n by n pictures. Raises InvalidWalkError."""
    return _walk(name, {"kind": "grid", "prompts": prompts, "grid_size": grid_size, **fields})


@_writes(schema.PromptWalk)
def prompt_walk(
    prompt: str, *, frames: int, name: str = "prompt_walk", **fields: Unpack[PromptWalkFields]
) -> Walk:
    """Around one prompt, in small steps of its text encoding. Raises InvalidWalkError."""
    return _walk(name, {"kind": "prompt_walk", "prompt": prompt, "frames": frames, **fields})


@_writes(schema.NoiseLoop)
def noise_loop(
    prompt: str, *, frames: int, name: str = "noise_loop", **fields: Unpack[Paced]
) -> Walk:
    """One prompt, while the noise goes once round a circle. Raises InvalidWalkError."""
    return _walk(name, {"kind": "noise_loop", "prompt": prompt, "frames": frames, **fields})


@_writes(schema.GuidanceSweep)
def guidance_sweep(
    prompt: str,
    *,
    guidance_scales: Sequence[float],
    name: str = "guidance_sweep",
    **fields: Unpack[Fields],
) -> Walk:
    """One prompt and one noise, a frame for each guidance scale. Raises InvalidWalkError."""
    document = {"kind": "guidance_sweep", "prompt": prompt, "guidance_scales": guidance_scales}
    return _walk(name, {**document, **fields})


def _walk(name: str, fields: Mapping[str, Any]) -> Walk:
    document = {field: _plain(value) for field, value in fields.items()}
    check_name(name)
    try:
        return Walk(name, schema.WALK_ADAPTER.validate_python(document))
    except ValidationError as error:
        found = problems_of(error, document, dict.fromkeys(_paths(document), 0), name)
        raise InvalidWalkError([_in_python(problem) for problem in found]) from None


def _in_python(problem: Any) -> Any:
    message = _IN_PYTHON.get(problem.message, problem.message)
    return replace(problem, message=message, line=None)


def _plain(value: Any) -> Any:
    """What YAML would give: numbers of numpy and tuples are none of its types."""
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return value


def _paths(value: Any, path: FieldPath = ()) -> list[FieldPath]:
    """Every field of the document, as `problems_of` asks for their lines."""
    found = [path]
    if isinstance(value, dict):
        for name, each in value.items():
            found += _paths(each, (*path, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            found += _paths(each, (*path, index))
    return found
