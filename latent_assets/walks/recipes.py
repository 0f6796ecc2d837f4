"""The recipe of a frame: all that determines its pixels, and nothing else. Its hash is the key.

Not in it: the walk's name, the place in the walk, batch and chunk sizes, output formats. So the
same frame in two walks is rendered once, and a change of format renders nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cached_property
from typing import Any

from latent_assets.digests import canonical, digest_of_text
from latent_assets.prompt_syntax import TEXT
from latent_assets.walks.points import (
    ContextPoint,
    NoisePoint,
    context_from_dict,
    noise_from_dict,
)
from latent_assets.walks.route import route
from latent_assets.walks.schema import Walk

RECIPE_SCHEMA = 1
"""Raised when the meaning of a recipe changes; every frame is then rendered anew."""

_PLAIN = {"prompt_syntax": TEXT, "chunks": 1, "clip_skip": 1}
"""What a recipe means that does not say it."""


@dataclass(frozen=True)
class Rendering:
    """How all frames of a walk are rendered: the model and the sampler."""

    model: str
    weights: str
    """Digest of the weights."""
    size: tuple[int, int]
    """(height, width) in pixels."""
    precision: str
    sampler: str
    sampler_version: int
    num_steps: int
    spacing: str
    unconditional: str
    """The negative prompt, or the empty one."""
    model_in_recipe: str = ""
    """What stands for the model in a recipe, if not its name: a model may then be renamed."""
    prompt_syntax: str = TEXT
    chunks: int = 1
    """Of a walk of weighted prompts: how often 75 tokens its longest prompt has."""
    clip_skip: int = 1
    table: str = ""
    """Digest of the table of a sampler that was fitted to the model."""

    @cached_property
    def said(self) -> dict[tuple[int, int], tuple[str, str, str]]:
        """What its frames' canonical recipes have in common: before, between, behind their points.

        By guidance scale (numerator, denominator); filled as frames are hashed.
        """
        return {}

    def reading(self) -> dict[str, object]:
        """How prompts are read, as a recipe says it; nothing where they are text."""
        said = {name: getattr(self, name) for name in _PLAIN}
        return {name: value for name, value in said.items() if value != _PLAIN[name]}


@dataclass(frozen=True)
class FrameRecipe:
    """One frame, determined."""

    rendering: Rendering
    context: ContextPoint
    noise: NoisePoint
    guidance_scale: Fraction

    def as_dict(self) -> dict[str, object]:
        """The recipe as plain JSON, all numbers exact."""
        how = self.rendering
        guided = self.guidance_scale != 1
        return {
            "schema": RECIPE_SCHEMA,
            "model": how.model_in_recipe or how.model,
            "weights": how.weights,
            "size": list(how.size),
            "precision": how.precision,
            "sampler": how.sampler,
            "sampler_version": how.sampler_version,
            "num_steps": how.num_steps,
            "spacing": how.spacing,
            "guidance_scale": str(self.guidance_scale),
            # Without guidance the negative prompt is never looked at.
            "unconditional": how.unconditional if guided else None,
            "context": self.context.as_dict(),
            "noise": self.noise.as_dict(),
            **how.reading(),
            **({"table": how.table} if how.table else {}),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], model: str | None = None) -> FrameRecipe:
        """The inverse of `as_dict`. Raises ValueError for what is no recipe of this schema.

        model: the name under which the model is to be had, if a recipe does not tell it.
        """
        if document.get("schema") != RECIPE_SCHEMA:
            raise ValueError(f"a recipe of schema {document.get('schema')!r}, not {RECIPE_SCHEMA}")
        told = document["model"]
        other = "" if model in (None, told) else told
        settled = {
            **_PLAIN,
            "table": "",
            **document,
            "model": model or told,
            "model_in_recipe": other,
        }
        named = {field.name: settled[field.name] for field in fields(Rendering)}
        named["size"] = tuple(named["size"])
        named["unconditional"] = named["unconditional"] or ""
        return cls(
            Rendering(**named),
            context_from_dict(document["context"]),
            noise_from_dict(document["noise"]),
            Fraction(document["guidance_scale"]),
        )

    @cached_property
    def key(self) -> str:
        """64 hex digits: sha256 of the recipe's canonical JSON."""
        return self.hashed()

    def hashed(self) -> str:
        """The `key`, not remembered: whoever asks once spares a lock and a place for each frame."""
        scale = self.guidance_scale.as_integer_ratio()
        common = self.rendering.said.get(scale)
        if common is None:
            common = self.rendering.said[scale] = self._common()
        start, between, end = common
        context, noise = self.context.canonical(), self.noise.canonical()
        return digest_of_text(f"{start}{context}{between}{noise}{end}")

    def _common(self) -> tuple[str, str, str]:
        """What all frames of the rendering with this guidance have in common, see `said`."""
        document = self.as_dict()
        parts = [""]
        for name in sorted(document):
            parts[-1] += f'{"," if name != min(document) else "{"}"{name}":'
            if name in ("context", "noise"):
                parts.append("")
            else:
                parts[-1] += canonical(document[name])
        start, between, end = parts
        return start, between, f"{end}}}"


def recipes_of(
    walk: Walk, rendering: Rendering, at: Sequence[int] | None = None
) -> list[FrameRecipe]:
    """The recipes of a walk's frames, in order; of those `at` these numbers alone, see `route`."""
    return [
        FrameRecipe(rendering, point.context, point.noise, point.guidance_scale)
        for point in route(walk, at)
    ]
