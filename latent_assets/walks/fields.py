"""The types of a walk file's fields: what each may hold, and the words when it holds more."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

MAX_PROMPT_CHARACTERS = 2_000
MAX_SEED = 2**64 - 1

_FRACTION = re.compile(
    r"[0-9]{1,20}/[0-9]{0,19}[1-9][0-9]{0,19}|-?[0-9]{1,20}(?:\.[0-9]{0,20})?(?:[eE]-?[0-9]{1,3})?"
)
"""No exponent of more digits: 1e-999999999 written out would fill the memory."""


def _clean_prompt(text: str) -> str:
    """Fold spacing and Unicode spelling, which mean nothing to a model; refuse what is no text."""
    folded = " ".join(unicodedata.normalize("NFC", text).split())
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in folded):
        raise ValueError("holds control characters; remove them")
    return folded


def _not_blank(text: str) -> str:
    if not text:
        raise ValueError("is empty; write what the picture shows")
    return text


def _exact(value: object) -> Fraction:
    """0.25, 1, "1/3" -> exact fraction, by the number's written form: 0.1 is 1/10."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Fraction):
        raise ValueError("must be a number from 0 to 1, or a fraction such as 1/3")  # noqa: TRY004
    text = str(value) if not isinstance(value, int) or abs(value) <= 1 else ""
    exact = Fraction(text) if _FRACTION.fullmatch(text) else None
    if exact is None or not 0 <= exact <= 1:
        raise ValueError("must be a number from 0 to 1, or a fraction such as 1/3")
    return exact


PromptText = Annotated[
    str, StringConstraints(max_length=MAX_PROMPT_CHARACTERS), AfterValidator(_clean_prompt)
]
RequiredPrompt = Annotated[PromptText, AfterValidator(_not_blank)]
Position = Annotated[
    Fraction,
    BeforeValidator(_exact),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string"}]}),
]


def _place(value: object) -> Fraction:
    try:
        return _exact(value)
    except ValueError:
        raise ValueError(
            "must be a place from 0 to 1, a fraction such as 1/3, a frame such as 30, or a time"
            " such as 2s"
        ) from None


KeyframePlace = Annotated[
    Fraction,
    BeforeValidator(_place),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1},
                {"type": "integer", "minimum": 0},
                {"type": "string"},
            ]
        }
    ),
]
GuidanceScale = Annotated[float, Field(ge=0, le=50, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
MIN_SIDE, MAX_SIDE = 64, 2048


def _size(value: object) -> object:
    sides = value if isinstance(value, list) else [value, value]
    if len(sides) != 2 or not all(  # noqa: PLR2004
        isinstance(side, int) and MIN_SIDE <= side <= MAX_SIDE for side in sides
    ):
        raise ValueError(
            f"must be a whole number of pixels from {MIN_SIDE} to {MAX_SIDE}, or [height, width]"
        )
    return value


_Side = Annotated[int, Field(ge=MIN_SIDE, le=MAX_SIDE)]
Size = Annotated[
    _Side | Annotated[list[_Side], Field(min_length=2, max_length=2)], BeforeValidator(_size)
]
MAX_CHUNK = 1_000


QUEUE = r"^[a-z0-9]+(-[a-z0-9]+)*$"


def _chunk_size(value: object) -> object:
    number = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_CHUNK
    if value != "auto" and not number:
        raise ValueError(f"must be a whole number from 1 to {MAX_CHUNK:,}, or auto")
    return value


MAX_BATCH = 64


def _batch_size(value: object) -> object:
    number = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_BATCH
    if value != "auto" and not number:
        raise ValueError(f"must be a whole number from 1 to {MAX_BATCH}, or auto")
    return value


BatchSize = Annotated[
    Annotated[int, Field(ge=1, le=MAX_BATCH)] | Literal["auto"], BeforeValidator(_batch_size)
]
ChunkSize = Annotated[
    Annotated[int, Field(ge=1, le=MAX_CHUNK)] | Literal["auto"], BeforeValidator(_chunk_size)
]
Ease = Literal["linear", "ease-in", "ease-out", "ease-in-out"]
MODEL_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"


def _model_name(name: str) -> str:
    if not re.fullmatch(MODEL_NAME, name):
        raise ValueError("must be a model's name: letters, digits, . - and _")
    return name


ModelName = Annotated[
    str,
    AfterValidator(_model_name),
    Field(
        json_schema_extra={
            "pattern": f"^{MODEL_NAME}$",
            "examples": ["embedded", "embedded-fast", "stable-diffusion-1", "stable-diffusion-2.1"],
        }
    ),
]
"""A built-in model, or one of the data folder's models/: which there are, a walk does not know."""
Sampler = Literal["ddim", "dpm++2m", "euler", "lcm", "tuned"]
Spacing = Literal["uniform", "karras", "trailing", "leading", "ays", "own"]
WITH_OWN_SPACING = ("lcm", "tuned")
"""Samplers with timesteps of their own."""
MOST_STEPS = {"lcm": 50, "tuned": 100}
"""Of samplers that have no more timesteps."""
Format = Literal["gif", "webp", "mp4", "apng", "avif", "html", "png", "jpg", "poster"]
