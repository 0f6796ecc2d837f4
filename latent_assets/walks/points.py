"""What a frame is made of, written down exactly: a point in text-encoding space and one in noise.

A point is both the formula (`as_dict`, hashed into the frame's key) and the calculation
(`evaluate`), so the two cannot drift apart. Points are normalised when made: where a path meets
a prompt, the point *is* the prompt, and the frame is shared by every walk that comes past.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from latent_assets.digests import canonical
from latent_assets.walks import paths
from latent_assets.walks.exact import fraction
from latent_assets.walks.noise import gaussian

FloatArray = npt.NDArray[np.float32]
Encodings = Mapping[str, FloatArray]
"""Prompt -> text encoding, (T, D) float32."""


_quoted = lru_cache(maxsize=1024)(canonical)
"""A prompt as JSON: hundreds of frames have the same two."""


class _Point:
    """A formula."""

    __slots__ = ()

    def as_dict(self) -> dict[str, object]:
        """The formula as plain JSON."""
        raise NotImplementedError

    def canonical(self) -> str:
        """The canonical JSON of `as_dict`."""
        return canonical(self.as_dict())


# --- points among text encodings ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Blend(_Point):
    """Weighted sum of prompts' encodings: a prompt, a lerp, a place on a grid."""

    terms: tuple[tuple[Fraction, str], ...]
    """(weight, prompt), ordered by prompt; weights are not zero and sum to 1."""

    @classmethod
    def of(cls, weights: Sequence[Fraction], prompts: Sequence[str]) -> Blend:
        """Merge equal prompts, drop those of no weight, order the rest."""
        merged: dict[str, Fraction] = {}
        for weight, prompt in zip(weights, prompts, strict=True):
            merged[prompt] = merged.get(prompt, Fraction(0)) + weight
        return cls(tuple((merged[p], p) for p in sorted(merged) if merged[p]))

    @classmethod
    def between(cls, a: str, b: str, t: Fraction) -> Blend:
        """(1 - t) a + t b, as `of` gives it: most frames of most walks are such."""
        part, whole = t.as_integer_ratio()
        if a == b or not part:
            return cls.at(a)
        if part == whole:
            return cls.at(b)
        terms = (fraction(whole - part, whole), a), (t, b)
        return cls(terms if a < b else terms[::-1])

    @classmethod
    def at(cls, prompt: str) -> Blend:
        """The prompt itself."""
        return cls(((Fraction(1), prompt),))

    def as_dict(self) -> dict[str, object]:
        """The formula as plain JSON."""
        return {"op": "blend", "terms": [[str(weight), prompt] for weight, prompt in self.terms]}

    def canonical(self) -> str:
        """As `as_dict`, without a way round: there are many of them."""
        terms = ",".join([f'["{weight}",{_quoted(prompt)}]' for weight, prompt in self.terms])
        return f'{{"op":"blend","terms":[{terms}]}}'

    def evaluate(self, encodings: Encodings) -> FloatArray:
        """The text encoding at this point, (T, D) float32."""
        return paths.blend(
            [encodings[prompt] for _, prompt in self.terms], [weight for weight, _ in self.terms]
        )


@dataclass(frozen=True, slots=True)
class Arc(_Point):
    """Spherical interpolation between two prompts, token by token."""

    a: str
    b: str
    t: Fraction

    @classmethod
    def of(cls, a: str, b: str, t: Fraction) -> Arc | Blend:
        """Ends are the prompts themselves; the arc from b to a is the arc from a to b."""
        if t in (0, 1) or a == b:
            return Blend.at(b if t == 1 else a)
        return cls(a, b, t) if a < b else cls(b, a, 1 - t)

    def as_dict(self) -> dict[str, object]:
        """The formula as plain JSON."""
        return {"op": "slerp", "a": self.a, "b": self.b, "t": str(self.t)}

    def evaluate(self, encodings: Encodings) -> FloatArray:
        """The text encoding at this point, (T, D) float32."""
        return paths.slerp(encodings[self.a], encodings[self.b], self.t)


@dataclass(frozen=True, slots=True)
class Offset(_Point):
    """A prompt's encoding, moved by `distance` (root mean square) along one direction."""

    prompt: str
    direction: str
    """`constant` (every element alike) or `random` (from the seed)."""
    seed: int
    distance: Fraction

    @classmethod
    def of(cls, prompt: str, direction: str, seed: int, distance: Fraction) -> Offset | Blend:
        """No distance is the prompt itself; the constant direction needs no seed."""
        if not distance:
            return Blend.at(prompt)
        return cls(prompt, direction, 0 if direction == "constant" else seed, distance)

    def as_dict(self) -> dict[str, object]:
        """The formula as plain JSON."""
        return {
            "op": "offset",
            "prompt": self.prompt,
            "direction": self.direction,
            "seed": self.seed,
            "distance": str(self.distance),
        }

    def evaluate(self, encodings: Encodings) -> FloatArray:
        """The text encoding at this point, (T, D) float32."""
        base = encodings[self.prompt]
        if self.direction == "constant":
            direction = _unit(np.ones_like(base), base)
        else:
            direction = _unit(gaussian(self.seed, base.shape, "direction"), base)
        return (base + float(self.distance) * direction).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Orbit(_Point):
    """A circle around a prompt's encoding in a seeded random plane."""

    prompt: str
    seed: int
    circumference: Fraction
    """Root-mean-square length of the whole way round."""
    turn: Fraction
    """In [0, 1): how far round."""

    def as_dict(self) -> dict[str, object]:
        """The formula as plain JSON."""
        return {
            "op": "orbit",
            "prompt": self.prompt,
            "seed": self.seed,
            "circumference": str(self.circumference),
            "turn": str(self.turn),
        }

    def evaluate(self, encodings: Encodings) -> FloatArray:
        """The text encoding at this point, (T, D) float32."""
        base = encodings[self.prompt]
        x = _unit(gaussian(self.seed, base.shape, "orbit x"), base)
        y = gaussian(self.seed, base.shape, "orbit y")
        # Gram-Schmidt: an exact circle, not nearly one.
        y = _unit(y - np.mean(x * y) / (np.mean(x * x) or 1.0) * x, base)
        radius = float(self.circumference) / (2 * math.pi)
        return (base + paths.rotate(x, y, self.turn, radius)).astype(np.float32)


ContextPoint = Blend | Arc | Offset | Orbit


def _unit(direction: npt.NDArray[np.floating], base: FloatArray) -> npt.NDArray[np.float64]:
    """Scale to a root mean square of 1 over the tokens that say something.

    Tokens of zeros are padding (the embedded model's); moved, they would become words.
    """
    said = np.any(base != 0, axis=-1, keepdims=True)
    kept = np.where(said, direction.astype(np.float64), 0.0)
    count = max(int(said.sum()) * base.shape[-1], 1)
    return kept / math.sqrt(float(np.sum(kept * kept)) / count or 1.0)


# --- points in noise ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gaussian(_Point):
    """Noise of a seed; `stream` tells the frames of varying noise apart."""

    seed: int
    stream: str = ""

    def as_dict(self) -> dict[str, object]:
        """The formula as plain JSON."""
        return {"op": "gaussian", "seed": self.seed, "stream": self.stream}

    def canonical(self) -> str:
        """As `as_dict`, without a way round: there are many of them."""
        return f'{{"op":"gaussian","seed":{self.seed},"stream":{_quoted(self.stream)}}}'

    def evaluate(self, shape: tuple[int, int, int], step: int = 0) -> FloatArray:
        """Noise of `shape` (h, w, channels), float32; see `NoisePoint`."""
        return gaussian(self.seed, shape, _stream(self.stream, step))


@dataclass(frozen=True, slots=True)
class Loop(_Point):
    """x cos a + y sin a with x and y from one seed: a circle through that seed's noise."""

    seed: int
    turn: Fraction

    @classmethod
    def of(cls, seed: int, turn: Fraction) -> Loop | Gaussian:
        """The circle starts, and ends, at the seed's own noise."""
        turn %= 1
        return cls(seed, turn) if turn else Gaussian(seed)

    def as_dict(self) -> dict[str, object]:
        """The formula as plain JSON."""
        return {"op": "loop", "seed": self.seed, "turn": str(self.turn)}

    def evaluate(self, shape: tuple[int, int, int], step: int = 0) -> FloatArray:
        """Noise of `shape` (h, w, channels), float32; see `NoisePoint`."""
        x, y = (gaussian(self.seed, shape, _stream(name, step)) for name in ("", "loop y"))
        return paths.rotate(x, y, self.turn)


@dataclass(frozen=True, slots=True)
class NoiseArc(_Point):
    """Spherical interpolation between the noises of two seeds, each taken as one vector."""

    a: int
    b: int
    t: Fraction

    @classmethod
    def of(cls, a: int, b: int, t: Fraction) -> NoiseArc | Gaussian:
        """Ends are the seeds' own noise; the arc from b to a is the arc from a to b."""
        if t in (0, 1) or a == b:
            return Gaussian(b if t == 1 else a)
        return cls(a, b, t) if a < b else cls(b, a, 1 - t)

    def as_dict(self) -> dict[str, object]:
        """The formula as plain JSON."""
        return {"op": "slerp", "a": self.a, "b": self.b, "t": str(self.t)}

    def evaluate(self, shape: tuple[int, int, int], step: int = 0) -> FloatArray:
        """Noise of `shape` (h, w, channels), float32; see `NoisePoint`."""
        a, b = (gaussian(seed, shape, _stream("", step)) for seed in (self.a, self.b))
        return paths.slerp(a, b, self.t, axes=None)


NoisePoint = Gaussian | Loop | NoiseArc
"""`evaluate(shape)` is the initial noise; `evaluate(shape, k)` what a sampler adds in its step k.

The latter goes the same way through noise as the former: on along a walk, and closed with a loop.
"""


def _stream(name: str, step: int) -> str:
    return f"{name} in step {step}" if step else name


# --- points read back from a receipt ----------------------------------------------------------


def context_from_dict(formula: Mapping[str, Any]) -> ContextPoint:
    """The inverse of a context point's `as_dict`. Raises ValueError for what is none."""
    try:
        match formula["op"]:
            case "blend":
                return Blend(tuple((Fraction(weight), p) for weight, p in formula["terms"]))
            case "slerp":
                return Arc(formula["a"], formula["b"], Fraction(formula["t"]))
            case "offset":
                distance = Fraction(formula["distance"])
                return Offset(formula["prompt"], formula["direction"], formula["seed"], distance)
            case "orbit":
                way, turn = Fraction(formula["circumference"]), Fraction(formula["turn"])
                return Orbit(formula["prompt"], formula["seed"], way, turn)
    except (KeyError, TypeError) as error:
        raise ValueError(f"no point among text encodings: {error}") from error
    raise ValueError(f"no point among text encodings: {formula['op']!r}")


def noise_from_dict(formula: Mapping[str, Any]) -> NoisePoint:
    """The inverse of a noise point's `as_dict`. Raises ValueError for what is none."""
    try:
        match formula["op"]:
            case "gaussian":
                return Gaussian(formula["seed"], formula["stream"])
            case "loop":
                return Loop(formula["seed"], Fraction(formula["turn"]))
            case "slerp":
                return NoiseArc(formula["a"], formula["b"], Fraction(formula["t"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"no point in noise: {error}") from error
    raise ValueError(f"no point in noise: {formula['op']!r}")


def prompts_of(point: ContextPoint) -> list[str]:
    """The prompts whose encodings `evaluate` needs."""
    match point:
        case Blend():
            return [prompt for _, prompt in point.terms]
        case Arc():
            return [point.a, point.b]
        case _:
            return [point.prompt]
