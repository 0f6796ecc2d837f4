"""Samplers fitted to a model, in a file beside it: NAME.samplers.json.

One table for each guidance scale and number of steps. A table belongs to the weights that it was
fitted to, by their digest: with others it is not taken.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from latent_assets.diffusion.schedule import (
    MIN_STEPS,
    NUM_TRAIN_TIMESTEPS,
    TUNED,
    SamplingSchedule,
)
from latent_assets.digests import digest_of
from latent_assets.errors import ModelError
from latent_assets.foreign import open_regular, printable, read_json
from latent_assets.store.atomic import write_bytes
from latent_assets.store.failures import explaining

ENDING = ".samplers.json"
SCHEMA = 1
COLUMNS = 6
MOST_STEPS = 100
MOST_BYTES = 16_000_000
LARGEST = 1e4
"""Of a coefficient. Near the first timestep some are about 14."""
SMALLEST_SIGNAL = 1e-4
"""What a step divides by; of Stable Diffusion's timesteps the least is 0.07."""
MOST_PIXELS = 100_000
MOST_OF_A_SCALE = 999_999_999
"""Of the numerator and of the denominator of a guidance scale."""

Text = Annotated[str, Field(max_length=100)]
Coefficient = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False, strict=True)]
Side = Annotated[int, Field(gt=0, le=MOST_PIXELS, strict=True)]


class TunedSampler(BaseModel):
    """A table, whose columns are c0 to c5 of `diffusion.schedule`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: Text
    """Digest of the weights that it was fitted to."""
    guidance_scale: Annotated[str, Field(pattern=r"^[0-9]{1,9}(/[1-9][0-9]{0,8})?$")]
    """An exact number, such as 5 or 15/2."""
    size: tuple[Side, Side]
    """(height, width) in pixels of the pictures that it was fitted to."""
    distances: dict[Text, float] = Field(default_factory=dict)
    """How far from the limit, on prompts and noise that the fit did not see."""
    timesteps: Annotated[
        list[Annotated[int, Field(ge=0, lt=NUM_TRAIN_TIMESTEPS, strict=True)]],
        Field(min_length=MIN_STEPS, max_length=MOST_STEPS),
    ]
    coefficients: list[Annotated[list[Coefficient], Field(min_length=COLUMNS, max_length=COLUMNS)]]

    @model_validator(mode="after")
    def _whole(self) -> TunedSampler:
        steps = self.timesteps
        if any(b >= a for a, b in pairwise(steps)):
            raise ValueError("the timesteps do not decrease")
        if len(self.coefficients) != len(steps):
            raise ValueError("there are not as many rows of coefficients as timesteps")
        if any(abs(row[1]) < SMALLEST_SIGNAL for row in self.coefficients):
            raise ValueError("a signal is 0, or nearly")
        return self

    @property
    def num_steps(self) -> int:
        """Evaluations of the denoiser."""
        return len(self.timesteps)

    @property
    def scale(self) -> Fraction:
        """The guidance scale, exactly."""
        return Fraction(self.guidance_scale)

    @cached_property
    def digest(self) -> str:
        """Of what it does; enters the key of every frame that is sampled so."""
        return digest_of({"timesteps": self.timesteps, "coefficients": self._table().tolist()})

    def schedule(self) -> SamplingSchedule:
        """As an engine takes it."""
        return SamplingSchedule(TUNED, np.array(self.timesteps, np.int64), self._table())

    def _table(self) -> npt.NDArray[np.float32]:
        return np.array(self.coefficients, np.float32)


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    schema_: Annotated[int, Field(alias="schema", ge=SCHEMA, le=SCHEMA, strict=True)]
    samplers: list[TunedSampler]


@dataclass(frozen=True)
class TunedSamplers:
    """The files of tables in some folders; what is written goes into the first."""

    folders: tuple[Path, ...]

    def path(self, model: str) -> Path:
        """Where the tables of a model are written."""
        return self.folders[0] / f"{model}{ENDING}"

    def of(self, model: str) -> list[TunedSampler]:
        """All tables of a model, of whatever weights. Raises ModelError for a wrong file."""
        paths = dict.fromkeys(folder / f"{model}{ENDING}" for folder in self.folders)
        return [sampler for path in paths for sampler in _read(path)]

    def check(self, model: str) -> None:
        """What would keep `add` from writing is told before the work, not after it.

        Raises ModelError for a wrong file, StoreError where nothing can be written.
        """
        self.of(model)
        path = self.path(model)
        with explaining("write", path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path.parent):
                pass

    def find(self, model: str, weights: str, num_steps: int, scale: Fraction) -> TunedSampler:
        """The table for these steps and this scale. Raises ModelError, with what there is."""
        same = [s for s in self.of(model) if (s.num_steps, s.scale) == (num_steps, scale)]
        for sampler in same:
            if sampler.weights == weights:
                return sampler
        fitted = [sampler for sampler in self.of(model) if sampler.weights == weights]
        others = "The one that is there was fitted to other weights. " if same else ""
        command = f"latent-assets tune-sampler {model} --steps {num_steps}"
        raise ModelError(
            f"the model {model} has no tuned sampler of {num_steps} steps at guidance scale"
            f" {float(scale):g}",
            f"{others}{_there(fitted)}To make one: {command} --guidance-scale {float(scale):g}.",
        )

    def with_digest(self, model: str, digest: str) -> TunedSampler:
        """The table of which frames were made. Raises ModelError if it is not there."""
        for sampler in self.of(model):
            if sampler.digest == digest:
                return sampler
        raise ModelError(
            f"these frames are sampled with a table of {model} that is not there"
            f" ({digest[:12]}): no {ENDING} beside the model has it",
            "Put back the file that it was in; or, to render with the tables that are there,"
            " render the walk anew.",
        )

    def add(self, model: str, sampler: TunedSampler) -> Path:
        """Write a table beside the model, in place of one of the same steps and scale.

        Tables of weights that the model no longer has stay: frames may name them.
        """
        path = self.path(model)
        same = (sampler.weights, sampler.num_steps, sampler.scale)
        others = [s for s in _read(path) if (s.weights, s.num_steps, s.scale) != same]
        samplers = sorted([*others, sampler], key=lambda s: (s.weights, s.scale, s.num_steps))
        with explaining("write", path):
            write_bytes(path, _written(samplers).encode())
        return path


def _there(samplers: Sequence[TunedSampler]) -> str:
    if not samplers:
        return ""
    each = sorted({(sampler.scale, sampler.num_steps) for sampler in samplers})
    return "There are " + ", ".join(f"{n} steps at {float(s):g}" for s, n in each) + ". "


def _read(path: Path) -> list[TunedSampler]:
    file = printable(str(path))
    cure = "Put it back as latent-assets tune-sampler wrote it, or remove it."
    try:
        with open_regular(path) as opened:
            data = opened.read(MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ModelError(f"{file} cannot be read: {why}", cure) from None
    if len(data) > MOST_BYTES:
        raise ModelError(f"{file} is too large for a file of sampler tables", cure)
    try:
        return _Document.model_validate(read_json(data)).samplers
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        told = printable(f"{place}: {first['msg']}") if place else "it is no JSON object"
        raise ModelError(f"{file} is no file of sampler tables: {told}", cure) from None
    except ValueError as error:
        raise ModelError(f"{file} is no file of sampler tables: {error}", cure) from None


def _written(samplers: Sequence[TunedSampler]) -> str:
    """JSON, a line for each step."""
    documents = [json.dumps(_lines(sampler), ensure_ascii=False) for sampler in samplers]
    return f'{{"schema": {SCHEMA}, "samplers": [\n' + ",\n".join(documents) + "\n]}\n"


def _lines(sampler: TunedSampler) -> dict[str, Any]:
    return sampler.model_dump(mode="json")
