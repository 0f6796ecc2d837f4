"""A receipt says how a frame came to be, so that it can be made again and compared."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from latent_assets import __version__

SCHEMA = 1
PACKAGES = ("numpy", "tensorflow", "tensorflow-cpu", "keras", "keras-cv", "pillow")
# Instruction sets that numeric libraries choose their kernels by.
_RELEVANT_FEATURES = ("sse4_2", "avx", "avx2", "fma", "f16c", "asimd", "sve", "neon")
_RELEVANT_PREFIXES = ("avx512", "amx", "avx_vnni")


@dataclass(frozen=True)
class Environment:
    """What computes: everything that can change a frame's bytes though its recipe is the same."""

    versions: dict[str, str]
    """By package; `python` and `latent-assets` among them. What is not installed is left out."""
    platform: str
    """System and machine, as `Linux x86_64`."""
    cpu: str
    cpu_features: tuple[str, ...]
    device: str = "cpu"
    """`cpu`, or the GPU's name."""
    precision: str = "float32"
    jit: bool = False
    threads: int | None = None
    """Threads of one operation, as far as known."""


@dataclass(frozen=True)
class Receipt:
    """How one frame came to be."""

    key: str
    recipe: dict[str, Any]
    pixel_digest: str
    environment: Environment
    batch: tuple[str, ...]
    """Keys of the frames of the same forward pass, in order; this frame's is among them."""
    position: int
    """This frame's place in the batch, from 0."""
    seconds: float
    """The batch's time divided by its frames."""
    created: str
    """UTC, ISO 8601, whole seconds."""
    licence: str = ""
    """Of the weights that the frame was rendered with."""
    schema: int = SCHEMA

    def to_json(self) -> str:
        """One line of ASCII."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Receipt:
        """Raises ValueError for what is no receipt. Fields of later versions are ignored."""
        try:
            data = json.loads(text)
            surroundings = _known(Environment, data.pop("environment"))
            surroundings["cpu_features"] = tuple(surroundings["cpu_features"])
            known = _known(cls, data)
            known["batch"] = tuple(known["batch"])
            receipt = cls(environment=Environment(**surroundings), **known)
        except (TypeError, KeyError, AttributeError, ValueError, RecursionError) as error:
            raise ValueError(f"no receipt: {error}") from error
        receipt._check()
        return receipt

    def _check(self) -> None:
        if not isinstance(self.recipe, dict) or not isinstance(self.position, int):
            raise ValueError("no receipt: fields of the wrong type")  # noqa: TRY004
        if not 0 <= self.position < len(self.batch) or self.batch[self.position] != self.key:
            raise ValueError("no receipt: the frame is not at its place in its batch")


def _known(cls: type, data: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(cls)} - {"environment"}
    return {name: value for name, value in data.items() if name in names}


def utc_now() -> str:
    """The time in UTC, ISO 8601, whole seconds."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def environment(
    *,
    device: str = "cpu",
    precision: str = "float32",
    jit: bool = False,
    threads: int | None = None,
) -> Environment:
    """This process's environment. Imports none of the packages that it names."""
    return Environment(
        versions=dict(_versions()),
        platform=f"{platform.system()} {platform.machine()}",
        cpu=_cpu()[0],
        cpu_features=_cpu()[1],
        device=device,
        precision=precision,
        jit=jit,
        threads=threads,
    )


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "latent-assets": __version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@lru_cache(maxsize=1)
def _cpu() -> tuple[str, tuple[str, ...]]:
    """The CPU's name and its relevant features; on Linux alone are they to be had for nothing."""
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return platform.processor() or "unknown", ()
    first: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        first.setdefault(name.strip().lower(), value.strip())
    flags = (first.get("flags") or first.get("features") or "").split()
    relevant = sorted(
        flag for flag in flags if flag in _RELEVANT_FEATURES or flag.startswith(_RELEVANT_PREFIXES)
    )
    return first.get("model name") or platform.processor() or "unknown", tuple(relevant)


def differences(recorded: Environment, now: Environment) -> list[str]:
    """In words, what differs: each entry as `tensorflow 2.19.0 then, 2.21.0 now`.

    An empty list means: the same bytes may be expected for the same batch.
    """
    found = []
    for name in sorted({*recorded.versions, *now.versions}):
        then, today = recorded.versions.get(name), now.versions.get(name)
        if then != today:
            found.append(f"{name} {then or 'absent'} then, {today or 'absent'} now")
    for name, label in _LABELS.items():
        then, today = getattr(recorded, name), getattr(now, name)
        if then != today:
            found.append(f"{label} {_said(then)} then, {_said(today)} now")
    then_features, now_features = set(recorded.cpu_features), set(now.cpu_features)
    if lost := then_features - now_features:
        found.append(f"CPU features {', '.join(sorted(lost))} then, absent now")
    if gained := now_features - then_features:
        found.append(f"CPU features {', '.join(sorted(gained))} absent then, present now")
    return found


_LABELS = {
    "platform": "platform",
    "cpu": "CPU",
    "device": "device",
    "precision": "precision",
    "jit": "XLA",
    "threads": "threads",
}


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "unknown" if value is None else str(value)
