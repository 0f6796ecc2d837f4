"""The walk file: every field that a user may write, with its bounds and its default.

The models are frozen and strict: no unknown field, no number out of a string, no rounding.
Their JSON Schema is exported to `data/walks/schema.json`, so that editors complete walk files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    field_validator,
    model_validator,
)

from latent_assets.prompt_syntax import PromptSyntax, PromptSyntaxError, read_plainly
from latent_assets.walks.cron import check_cron
from latent_assets.walks.fields import (
    MOST_STEPS,
    QUEUE,
    WITH_OWN_SPACING,
    BatchSize,
    ChunkSize,
    Ease,
    Format,
    GuidanceScale,
    KeyframePlace,
    ModelName,
    Position,
    PromptText,
    RequiredPrompt,
    Sampler,
    Seed,
    Size,
    Spacing,
)
from latent_assets.walks.written import PlaceError, placed

FieldPath = tuple[str | int, ...]
MAX_FRAMES = 10_000
MAX_GRID_SIDE = 64
NAME_PATTERN = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
MAX_NAME_CHARACTERS = 100


class _Part(BaseModel):
    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", use_attribute_docstrings=True
    )


class Keyframe(_Part):
    """An anchor of an interpolation: a prompt, and where the walk reaches it."""

    prompt: RequiredPrompt
    at: KeyframePlace | None = None
    """Where on the walk, from 0 (first frame) to 1 (last frame), as a fraction (1/3), a frame
    counted from 0 (30), or a time (2s); default: evenly spaced."""
    seed: Seed | None = None
    """Noise at this keyframe; between two seeds the noise is interpolated spherically."""
    ease: Ease = "linear"
    """How the walk moves from this keyframe to the next."""


_NETWORK_FACTORS = (2, 4)


class Upscale(_Part):
    """How the pictures are made larger before files are made of them."""

    method: Literal["network", "lanczos", "nearest"] = "network"
    """network: a small network that draws clean edges; lanczos: a filter; nearest: whole pixels."""
    factor: Annotated[int, Field(ge=2, le=8)]
    """How many times as wide and as high: 2 to 8, by the network 2 or 4."""

    @model_validator(mode="after")
    def _factor_of_the_network(self) -> Upscale:
        if self.method == "network" and self.factor not in _NETWORK_FACTORS:
            message = "must be 2 or 4 by the network; lanczos and nearest take 2 to 8"
            raise FieldError(message, ("factor",), self.factor)
        return self

    @classmethod
    def read(cls, written: object) -> object:
        """A factor alone means the network: 2 -> {factor: 2}."""
        if written is None or isinstance(written, dict | Upscale):
            return written
        if written not in _NETWORK_FACTORS or isinstance(written, bool | float):
            raise ValueError(
                "must be 2 or 4, or a method and a factor: {method: lanczos, factor: 3}"
            )
        return {"factor": written}


class Output(_Part):
    """The files that are made of the frames."""

    formats: list[Format] = Field(default_factory=lambda: ["gif"], min_length=1, max_length=9)
    """gif, webp, mp4, apng, avif, html (a player page); png (a folder of numbered frames), poster
    (one frame); of a grid png (its cells) and jpg."""
    fps: Annotated[float, Field(ge=0.1, le=60, allow_inf_nan=False)] = 10.0
    """Frames per second."""
    ping_pong: bool = False
    """There and back again, without repeating the first and the last frame."""
    upscale: Annotated[
        Upscale | None, BeforeValidator(Upscale.read, Upscale | Literal[2, 4] | None)
    ] = None
    """Make the pictures 2 or 4 times as large by a small network, or name a method and a factor."""
    captions: bool = False
    """Write below each picture where it stands on the walk; around a grid, what its corners are."""
    poster_frame: Annotated[int, Field(ge=0, le=MAX_FRAMES - 1)] | None = None
    """The number of the frame on the poster, from 0; default: the one in the middle."""
    keep_earlier: Annotated[int, Field(ge=0, le=1_000)] = 0
    """How many earlier versions of a file are kept when it is made anew."""

    @field_validator("formats")
    @classmethod
    def _no_format_twice(cls, formats: list[str]) -> list[str]:
        if len(set(formats)) != len(formats):
            raise ValueError("names a format twice; name each once")
        return formats


class Checks(_Part):
    """What must hold of the finished walk; distances are those of `pace: perceptual`."""

    max_over_median: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = None
    """The largest step, in usual steps, at most this; default: not checked."""
    seam_ratio: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 3.0
    """Of a loop, the step from the last frame to the first, in usual steps, at most this."""
    cv: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Standard deviation of the steps over their mean, at most this; default: not checked."""
    on_failure: Literal["warn", "block"] = "warn"
    """block: no files are made of the walk, and the run fails."""


class Schedule(_Part):
    """When the walk is rendered by itself. Schedules are off until switched on in the web UI."""

    cron: Annotated[str, StringConstraints(max_length=100)]
    """Five cron fields, e.g. "0 2 * * *" for every night at two, "0 2 * * MON-FRI", or @daily."""
    timezone: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "UTC"
    """An IANA time zone, e.g. Europe/Berlin."""

    @field_validator("cron")
    @classmethod
    def _a_time_that_comes(cls, cron: str) -> str:
        return check_cron(cron)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, timezone: str) -> str:
        try:
            ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is no time zone; write one as Europe/Berlin, or UTC") from None
        return timezone


class _Walk(_Part):
    description: Annotated[str, StringConstraints(max_length=2_000)] = ""
    """One line for people; shown in the web UI."""
    seed: Seed = 0
    """Determines the noise, the same on every machine."""
    negative_prompt: PromptText = ""
    """What the pictures should not show."""
    prompt_syntax: PromptSyntax = "text"
    """text: prompts are read as they stand; weighted: (word:1.3), (word), [word], BREAK, and more
    than 75 tokens."""
    num_steps: Annotated[int, Field(ge=2, le=500)] = 25
    """Denoising steps per frame."""
    sampler: Sampler = "ddim"
    """How the noise is walked away: ddim (as the Keras guide), dpm++2m, euler; lcm for models
    that were distilled for it; tuned as `latent-assets tune-sampler` fitted it to the model."""
    spacing: Spacing = "uniform"
    """How the sampler's timesteps are spread; lcm and tuned have their own."""
    clip_skip: Annotated[int, Field(ge=1, le=12)] = 1
    """Which layer of the text encoder is used, counted from the last: 1."""
    size: Size | None = None
    """Pixels of a side, or [height, width]; default: the model's own size."""
    batch_size: BatchSize = "auto"
    """Frames per forward pass. auto: the fewest that are about as fast as any, measured on each
    machine while it renders."""
    chunk_size: ChunkSize = 30
    """Frames per step of the asset graph: what is retried as one. auto: as many as take about
    a minute, by the measured seconds of frames like these."""
    queue: Annotated[str, StringConstraints(pattern=QUEUE, max_length=40)] = "gpu"
    """On several machines: which workers render it, those of `latent-assets worker --queue`. One
    for each kind of GPU, say."""
    model: ModelName | None = None
    """Default: the deployment's setting."""
    output: Output = Field(default_factory=Output)
    checks: Checks = Field(default_factory=Checks)
    schedule: Schedule | None = None

    @model_validator(mode="before")
    @classmethod
    def _spacing_of_the_sampler(cls, document: object) -> object:
        if not isinstance(document, Mapping) or "spacing" in document:
            return document
        own = document.get("sampler") in WITH_OWN_SPACING
        return {**document, "spacing": "own"} if own else document

    @model_validator(mode="after")
    def _spacing_fits(self) -> _Walk:
        if (self.sampler in WITH_OWN_SPACING) == (self.spacing == "own"):
            return self
        message = f"is `own` for the sampler {self.sampler}: leave it out"
        if self.spacing == "own":
            message = f"is for {' and '.join(WITH_OWN_SPACING)}: leave it out"
        raise FieldError(message, ("spacing",), self.spacing)

    @model_validator(mode="after")
    def _steps_fit(self) -> _Walk:
        most = MOST_STEPS.get(self.sampler)
        if most is not None and self.num_steps > most:
            message = f"must be at most {most} for the sampler {self.sampler}"
            raise FieldError(message, ("num_steps",), self.num_steps)
        return self

    @model_validator(mode="after")
    def _readable_prompts(self) -> _Walk:
        written = {**_placed_prompts(self), ("negative_prompt",): self.negative_prompt}
        for path, prompt in written.items():
            try:
                self.read(prompt)
            except PromptSyntaxError as error:
                raise FieldError(f"is not well written: {error}", path, prompt) from None
        return self

    def read(self, prompt: str) -> str:
        """One of its prompts as recipes have it: weights as exact fractions."""
        return read_plainly(prompt, self.prompt_syntax)

    @property
    def size_px(self) -> tuple[int, int] | None:
        """(height, width) in pixels, or None for the model's own size."""
        if self.size is None:
            return None
        height, width = (self.size, self.size) if isinstance(self.size, int) else self.size
        return height, width


class _Paced(_Walk):
    pace: Literal["uniform", "perceptual"] = "uniform"
    """uniform: frames at equal distances along the path; perceptual: equally far apart to the eye,
    as the distances of a few pilot frames show."""
    places: Annotated[list[list[Position]], Field(min_length=1, max_length=2)] | None = None
    """Where the frames stand along the path, in place of pilots; `inspect --walk-file` writes it.
    One list; for a grid two, the places of its columns and of its rows."""

    @property
    def is_loop(self) -> bool:
        """Whether the last frame is followed by the first."""
        return False

    @property
    def waits_for_places(self) -> bool:
        """Whether pilots are to say where its frames stand; else the file does."""
        return self.pace == "perceptual" and self.places is None

    @property
    def lengths(self) -> tuple[int, ...]:
        """How many places there are to find: of the frames; of a grid's columns and rows."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _pace_fits(self) -> _Paced:
        if self.pace == "perceptual" and getattr(self, "noise", None) == "varying":
            message = (
                "needs frames that are near each other where their places are:"
                " leave `noise` at fixed, or `pace` at uniform"
            )
            raise FieldError(message, ("pace",), self.pace)
        if self.places is not None:
            _check_paced(self)
        return self


class _Moving(_Paced):
    frames: Annotated[int, Field(ge=2, le=MAX_FRAMES)]
    """Length of the walk."""

    @property
    def lengths(self) -> tuple[int, ...]:
        """One: the number of the frames."""
        return (self.frames,)


class _Guided(_Walk):
    guidance_scale: GuidanceScale = 7.5
    """How closely the pictures follow the prompt; 1 switches guidance off."""


def _or_by_place(schema: dict[str, Any]) -> None:
    """JSON Schema of a list, or else of a map from places to what stands there."""
    items = schema["anyOf"][0]["items"]
    prompt = {"type": "string", "minLength": 1}
    each = {"anyOf": [prompt, items]} if "$ref" in items else prompt
    schema["anyOf"].insert(1, {"type": "object", "additionalProperties": each})


class Interpolation(_Moving, _Guided):
    """From prompt to prompt."""

    kind: Literal["interpolation"]
    prompts: Annotated[list[RequiredPrompt], Field(min_length=2, max_length=1_000)] | None = Field(
        default=None, json_schema_extra=_or_by_place
    )
    """Two or more, evenly spaced; or a map from places to prompts."""
    keyframes: Annotated[list[Keyframe], Field(min_length=2, max_length=1_000)] | None = Field(
        default=None, json_schema_extra=_or_by_place
    )
    """In place of `prompts`, to set places, seeds and easing; or a map from places to them."""
    closed: bool = False
    """Walk back to the first prompt: a loop without a repeated frame."""
    method: Literal["lerp", "slerp"] = "lerp"
    """Straight through the text encodings, or along the sphere."""
    noise: Literal["fixed", "varying", "loop"] = "fixed"

    @model_validator(mode="before")
    @classmethod
    def _keyframes_in_their_places(cls, document: object) -> object:
        if not isinstance(document, Mapping):
            return document
        try:
            return placed(document, MAX_FRAMES)
        except PlaceError as error:
            raise FieldError(str(error), error.path, error.value) from None

    @model_validator(mode="after")
    def _one_source_of_keyframes(self) -> Interpolation:
        written = self.model_fields_set & {"prompts", "keyframes"}
        if self.prompts is self.keyframes is None and len(written) == 1:
            raise FieldError("is empty; write a list, one item per line", tuple(written), None)
        if (self.prompts is None) == (self.keyframes is None):
            raise ValueError("give either `prompts` or `keyframes`, one of the two")
        if self.keyframes is not None:
            _check_places(self.keyframes, closed=self.closed)
            if self.noise != "fixed" and any(k.seed is not None for k in self.keyframes):
                raise ValueError("keyframes with seeds set the noise: leave `noise` at fixed")
        return self

    @property
    def is_loop(self) -> bool:
        """Whether the walk goes back to its first prompt."""
        return self.closed

    @property
    def anchors(self) -> list[Keyframe]:
        """The keyframes, whichever way they were written."""
        if self.keyframes is not None:
            return self.keyframes
        return [Keyframe(prompt=prompt) for prompt in self.prompts or []]


class Grid(_Paced, _Guided):
    """Between four prompts at the corners of a square."""

    kind: Literal["grid"]
    prompts: Annotated[list[RequiredPrompt], Field(min_length=4, max_length=4)]
    """Exactly four: top left, top right, bottom left, bottom right."""
    grid_size: Annotated[int, Field(ge=2, le=MAX_GRID_SIDE)]
    """n: the grid has n by n pictures."""
    noise: Literal["fixed", "varying"] = "fixed"

    @property
    def frames(self) -> int:
        """Pictures in the grid."""
        return self.grid_size**2

    @property
    def lengths(self) -> tuple[int, ...]:
        """Two: of columns and of rows."""
        return self.grid_size, self.grid_size


class PromptWalk(_Moving, _Guided):
    """Around one prompt, in small steps of its text encoding."""

    kind: Literal["prompt_walk"]
    prompt: RequiredPrompt
    step_size: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] = 0.005
    """Root-mean-square change of an encoding's elements from frame to frame."""
    direction: Literal["constant", "random", "orbit"] = "constant"
    """constant: the same amount on every element (the Keras guide); random: a seeded direction;
    orbit: a closed circle around the prompt."""
    noise: Literal["fixed", "varying", "loop"] = "fixed"

    @property
    def is_loop(self) -> bool:
        """Whether it is an orbit."""
        return self.direction == "orbit"


class NoiseLoop(_Moving, _Guided):
    """One prompt, while the noise goes once round a circle."""

    kind: Literal["noise_loop"]
    prompt: RequiredPrompt
    noise: Literal["loop"] = "loop"

    @property
    def is_loop(self) -> bool:
        """Always."""
        return True


class GuidanceSweep(_Walk):
    """One prompt and one noise, under a range of guidance scales."""

    kind: Literal["guidance_sweep"]
    prompt: RequiredPrompt
    guidance_scales: Annotated[list[GuidanceScale], Field(min_length=1, max_length=1_000)]
    noise: Literal["fixed"] = "fixed"
    pace: Literal["uniform"] = "uniform"
    """May be left out: the scales say where the frames stand."""

    @field_validator("pace", mode="before")
    @classmethod
    def _no_pace(cls, pace: object) -> object:
        if pace == "perceptual":
            raise ValueError(
                "is not for a guidance sweep: its guidance_scales say where its frames stand;"
                " leave `pace` out"
            )
        return pace

    @property
    def frames(self) -> int:
        """One frame per guidance scale."""
        return len(self.guidance_scales)


Walk = Interpolation | Grid | PromptWalk | NoiseLoop | GuidanceSweep
KINDS: dict[str, type[_Walk]] = {
    "interpolation": Interpolation,
    "grid": Grid,
    "prompt_walk": PromptWalk,
    "noise_loop": NoiseLoop,
    "guidance_sweep": GuidanceSweep,
}
_GROUPS: dict[object, type[_Part]] = {
    "keyframes": Keyframe,
    "prompts": Keyframe,  # as a map
    "output": Output,
    "upscale": Upscale,
    "checks": Checks,
    "schedule": Schedule,
}
WALK_ADAPTER: TypeAdapter[Walk] = TypeAdapter(Annotated[Walk, Field(discriminator="kind")])


_FORMER_BATCH = 3


def walk_meaning(walk: Walk) -> dict[str, Any]:
    """The fields that are not at their default, as plain JSON: what versions are digests of.

    So a field that a later version of the project knows changes no walk that does without it. A
    default that is there already therefore stays what it is; that of `batch_size` was 3 once.
    """
    meaning = WALK_ADAPTER.dump_python(walk, mode="json", exclude_defaults=True)
    if meaning.get("batch_size") == _FORMER_BATCH:
        del meaning["batch_size"]
    return meaning


def fields_of(walk: type[_Part], path: tuple[str | int, ...]) -> list[str]:
    """The fields of the group at a path in a walk's file, () being the walk; none of an unknown."""
    group = next((_GROUPS[part] for part in reversed(path) if part in _GROUPS), None)
    model = group if path else walk
    return sorted(model.model_fields) if model else []


class FieldError(ValueError):
    """Wrong about a field within the group that is checked."""

    def __init__(self, message: str, path: FieldPath, value: object) -> None:
        super().__init__(message)
        self.path = path
        self.value = value


def _check_places(keyframes: list[Keyframe], *, closed: bool) -> None:
    """Raises FieldError for a keyframe that no frame could reach."""
    reached = Fraction(-1)
    last = len(keyframes) - 1
    for index, place in enumerate(keyframe.at for keyframe in keyframes):
        if place is None:
            continue
        message = None
        if index == 0 and place != 0:
            message = "the first keyframe stands at the start: its `at` is 0"
        elif index > 0 and place == 0:
            message = "the first keyframe stands at the start: no other can have `at` 0"
        elif closed and place == 1:
            message = "a closed walk ends at its first keyframe: no other can have `at` 1"
        elif not closed and index == last and place != 1:
            message = "the last keyframe stands at the end: its `at` is 1"
        elif not closed and index < last and place == 1:
            message = "the last keyframe stands at the end: no other can have `at` 1"
        elif place <= reached:
            message = "the keyframes' `at` must grow from each to the next"
        if message is not None:
            raise FieldError(message, ("keyframes", index, "at"), str(place))
        reached = place


def _check_paced(walk: _Paced) -> None:
    """Raises FieldError for places that are not those of this walk's frames."""
    assert walk.places is not None
    lengths = tuple(map(len, walk.places))
    if walk.pace != "perceptual":
        raise FieldError("belongs to `pace: perceptual`; leave it out", ("places",), None)
    if lengths != walk.lengths:
        message = (
            f"has {_counted(lengths)} places, the walk asks for {_counted(walk.lengths)};"
            " leave it out to have the places found"
        )
        raise FieldError(message, ("places",), None)
    for index, places in enumerate(walk.places):
        rising = all(a < b for a, b in pairwise(places))
        if places[0] != 0 or not rising or (places[-1] == 1) == walk.is_loop:
            end = "ends below 1" if walk.is_loop else "ends at 1"
            message = f"must be a list that begins at 0, rises from place to place, and {end}"
            raise FieldError(message, ("places", index), None)


def _counted(lengths: Iterable[int]) -> str:
    return " and ".join(map(str, lengths))


def _placed_prompts(walk: Any) -> dict[FieldPath, str]:
    """By the path of its field."""
    if getattr(walk, "keyframes", None) is not None:
        return {("keyframes", i, "prompt"): each.prompt for i, each in enumerate(walk.keyframes)}
    if hasattr(walk, "prompts"):
        return {("prompts", i): prompt for i, prompt in enumerate(walk.prompts or [])}
    return {("prompt",): walk.prompt}


def prompt_fields(walk: Walk) -> dict[str, str]:
    """Every prompt that the walk names, by its field, in order; the negative prompt not."""
    return {_dotted(path): prompt for path, prompt in _placed_prompts(walk).items()}


def _dotted(path: FieldPath) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).lstrip(".")


def walk_prompts(walk: Walk) -> list[str]:
    """Every prompt that the walk names, as recipes have it, each once, in order.

    The negative prompt not.
    """
    return list(dict.fromkeys(walk.read(prompt) for prompt in _placed_prompts(walk).values()))


def json_schema() -> dict[str, Any]:
    """JSON Schema of a walk file."""
    schema = WALK_ADAPTER.json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A walk through latent space",
        **schema,
    }
