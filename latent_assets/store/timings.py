"""Measured seconds per frame, by what they depend on: the plan's estimate comes from here."""

from __future__ import annotations

import json
import logging
import math
from statistics import median
from typing import TYPE_CHECKING, Any

from latent_assets.digests import digest_of
from latent_assets.errors import StoreError
from latent_assets.store.objects import open_objects

if TYPE_CHECKING:
    import os

logger = logging.getLogger(__name__)

FOLDER = "timings"
_KEPT = 20  # so that an estimate follows a change of machine or load


class Timings:
    """Timings by profile: a flat dict of whatever a frame's time depends on.

    As in `{"model": "embedded", "size": [128, 128], "num_steps": 25, "sampler": "ddim",
    "guided": true}`. One small file per profile. A file that is damaged counts as absent; of
    two processes that record at once one may go unrecorded: it is an estimate.
    """

    def __init__(self, root: str | os.PathLike[str], **options: Any) -> None:
        self.objects = open_objects(root, **options)

    def record(self, profile: dict[str, Any], seconds_per_frame: float) -> None:
        """Adds one measurement. What cannot be noted is told in the log: it is an estimate."""
        if not _sane(seconds_per_frame):
            return
        samples = [*self.samples(profile), round(seconds_per_frame, 6)][-_KEPT:]
        data = {"profile": profile, "seconds_per_frame": samples}
        try:
            self.objects.write(_name(profile), json.dumps(data, indent=1).encode())
        except StoreError as error:
            logger.warning("the seconds of this render are not remembered: %s", error.problem)

    def estimate(self, profile: dict[str, Any]) -> float | None:
        """Median seconds per frame; None if nothing like it was measured.

        Failing the profile itself, the one that differs in `num_steps` alone and has the nearest
        number of steps is scaled by their ratio.
        """
        if samples := self.samples(profile):
            return median(samples)
        steps = profile.get("num_steps")
        if not isinstance(steps, int) or steps < 1:
            return None
        others = [
            (
                abs(math.log(other["num_steps"] / steps)),
                median(samples) * steps / other["num_steps"],
            )
            for other, samples in self._all()
            if _alike(other, profile)
        ]
        return min(others)[1] if others else None

    def samples(self, profile: dict[str, Any]) -> list[float]:
        """What was recorded of exactly that, the oldest first."""
        read = self._read(_name(profile))
        return read[1] if read is not None else []

    def _all(self) -> list[tuple[dict[str, Any], list[float]]]:
        read = [self._read(entry.name) for entry in self.objects.entries(FOLDER)]
        return [each for each in read if each is not None]

    def _read(self, name: str) -> tuple[dict[str, Any], list[float]] | None:
        try:
            data = json.loads(self.objects.read(name))
            samples = [float(value) for value in data["seconds_per_frame"]]
            profile = dict(data["profile"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        samples = [value for value in samples if _sane(value)]
        return (profile, samples) if samples else None


def _name(profile: dict[str, Any]) -> str:
    return f"{FOLDER}/{digest_of(profile)[:32]}.json"


def _sane(seconds: float) -> bool:
    return math.isfinite(seconds) and 0 < seconds < 1e6  # noqa: PLR2004


def _alike(other: dict[str, Any], profile: dict[str, Any]) -> bool:
    """Whether the two differ in `num_steps` alone."""
    steps = other.get("num_steps")
    canonical = json.loads(json.dumps({**profile, "num_steps": steps}))
    return isinstance(steps, int) and steps >= 1 and other == canonical
