"""What the index shows of a walk, and what else of it is found by a look at the disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from latent_assets.catalogue import Catalogue, Listed
from latent_assets.digests import digest_of
from latent_assets.errors import LatentAssetsError
from latent_assets.lastrun import LastRun, read_last_run
from latent_assets.studio import Studio
from latent_assets.walks.library import WalkLibrary

LOOK_S = 1.0
"""The disk is looked at no more often than this, whoever asks and however many."""
KINDS = {
    "interpolation": "From prompt to prompt",
    "grid": "Grid between four prompts",
    "prompt_walk": "Around a prompt",
    "noise_loop": "Round through the noise",
    "guidance_sweep": "Guidance sweep",
}


@dataclass(frozen=True)
class Card:
    """A walk at a glance."""

    name: str
    kind: str
    """The walk file's word; empty if the file is wrong."""
    description: str
    prompts: tuple[str, ...]
    model: str
    frames: int
    stored: int
    problem: str = ""
    """What is wrong with the file."""
    rendered: float = 0.0
    """When its files were last made, epoch seconds; 0 if never."""
    run: LastRun | None = None
    changed: bool = False
    """Whether the file means something else than what was rendered last."""
    looks: str = ""
    """A digest of the frames that are there: pictures of the walk are remembered under it."""
    size: tuple[int, int] = (1, 1)
    """(height, width) of a frame in pixels."""
    larger: int = 1
    """How many times as wide and high its files' pictures are."""

    @property
    def size_in_words(self) -> str:
        """Of the pictures in its files, for people: width first."""
        height, width = self.size
        frames = f"{width} × {height} px"  # noqa: RUF001 - the sign, not the letter
        if self.larger == 1:
            return frames
        return f"{width * self.larger} × {height * self.larger} px from {frames}"  # noqa: RUF001

    @property
    def kind_in_words(self) -> str:
        """For people."""
        return KINDS.get(self.kind, self.kind)

    @property
    def complete(self) -> bool:
        """Whether every frame is there."""
        return bool(self.frames) and self.stored == self.frames

    @property
    def failed_checks(self) -> tuple[str, ...]:
        """The names of the checks that do not hold, as far as they were made."""
        return (
            tuple(check.name for check in self.run.checks if not check.passed) if self.run else ()
        )

    @property
    def failure(self) -> str:
        """Why the last run failed; empty if it did not."""
        return self.run.problem if self.run and self.run.state == "failed" else ""

    @property
    def is_finished(self) -> bool:
        """Whether its frames and files are there as its walk file says."""
        done = self.run is not None and self.run.state == "done"
        return done and self.complete and not self.changed and bool(self.rendered)

    @property
    def running(self) -> bool:
        """Whether a run of it lives."""
        return self.run is not None and self.run.state == "running"


@dataclass(frozen=True)
class Look:
    """All walks as they were at one moment."""

    at: float
    """`time.monotonic`."""
    walks: Mapping[str, Listed]
    cards: Mapping[str, Card]
    stored: frozenset[str] = field(repr=False)
    """The keys of the frames that are there."""
    trouble: str = ""
    """Why the store could not be looked at."""


class Shelf:
    """All walks of a studio, looked at again when somebody asks, at most once a second."""

    def __init__(self, studio: Studio, library: WalkLibrary | None = None) -> None:
        self.studio = studio
        self._catalogue = Catalogue(studio, library)
        self._lock = threading.Lock()
        self._last: Look | None = None

    def look(self) -> Look:
        """Raises LatentAssetsError if the folder of walk files cannot be read."""
        with self._lock:
            if self._last is None or time.monotonic() - self._last.at >= LOOK_S:
                self._last = self._look()
            return self._last

    def _look(self) -> Look:
        began = time.monotonic()
        walks = self._catalogue.read()
        trouble = ""
        try:
            stored = frozenset(self._catalogue.found(walks.values()))
        except LatentAssetsError as error:
            stored, trouble = frozenset(), str(error)
        cards = {name: self._card(walk, stored) for name, walk in walks.items()}
        return Look(began, walks, cards, stored, trouble)

    def _card(self, walk: Listed, stored: frozenset[str]) -> Card:
        settings = self.studio.settings
        run = read_last_run(settings.data, walk.name)
        rendered = _date(settings.outputs_dir / walk.name)
        if walk.problem:
            return Card(walk.name, "", "", (), "", 0, 0, walk.problem, rendered, run)
        changed = bool(run and run.spec and run.state != "running")
        return replace(
            card_of(walk, stored),
            rendered=rendered,
            run=run,
            changed=changed and run is not None and run.spec != walk.document["version"],
        )


def card_of(walk: Listed, stored: Collection[str]) -> Card:
    """What the walk file and the store say; of one that nothing is wrong with."""
    there = [key in stored for key in walk.keys]
    fields, (height, width) = walk.walk, walk.document["rendering"]["size"]
    return Card(
        name=walk.name,
        kind=fields["kind"],
        description=fields["description"],
        prompts=_prompts(fields),
        model=walk.model,
        frames=len(there),
        stored=sum(there),
        looks=digest_of([walk.packed.hex()[:64], len(there), there])[:16],
        size=(height, width),
        larger=(fields["output"]["upscale"] or {"factor": 1})["factor"],
    )


def _prompts(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """Every prompt of a walk file, each once."""
    if fields.get("keyframes"):
        return tuple(dict.fromkeys(each["prompt"] for each in fields["keyframes"]))
    if fields.get("prompts"):
        return tuple(dict.fromkeys(fields["prompts"]))
    return (fields["prompt"],) if "prompt" in fields else ()


def _date(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0
