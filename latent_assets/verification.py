"""Render stored frames again and say whether they come out the same, and if not, why.

What may be expected: the same environment, the same number of threads and the same batch give the
same bytes; anything else gives pixels within 1 level of 255 (`docs/store.md`). So each frame is
rendered in the batch that its receipt records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from latent_assets.media import evenly
from latent_assets.store import (
    DamagedError,
    Environment,
    FrameStore,
    MissingError,
    StoredFrame,
    differences,
    pixel_digest,
)

ImageArray = npt.NDArray[np.uint8]
Recipe = Mapping[str, Any]

RenderBatch = Callable[[Sequence[Recipe]], ImageArray]
"""Recipes of B frames, as receipts hold them -> their pictures, (B, H, W, 3) uint8."""

_Read = TypeVar("_Read")

Outcome = Literal["identical", "within 1 level", "different", "unconfirmed", "missing", "damaged"]
"""`unconfirmed`: a file shows other pixels than the store holds, and neither comes out again."""


@dataclass(frozen=True)
class Verdict:
    """What rendering one frame again showed."""

    key: str
    outcome: Outcome
    why: tuple[str, ...] = ()
    """What differs from when it was stored, in words; for `identical` it did not matter."""
    max_difference: int | None = None
    """Largest difference of a pixel value, 0..255."""
    changed: float | None = None
    """Share of the pixel values that differ, 0..1."""

    @property
    def good(self) -> bool:
        """Whether the frame is what it is said to be."""
        return self.outcome in ("identical", "within 1 level")


@dataclass(frozen=True)
class VerificationReport:
    """The verdicts, in the order of the keys."""

    verdicts: tuple[Verdict, ...]

    @property
    def ok(self) -> bool:
        """Whether every frame came out identical or within 1 level."""
        return all(verdict.good for verdict in self.verdicts)

    def counts(self) -> dict[str, int]:
        """How many frames had each outcome; outcomes that did not occur are left out."""
        outcomes = [verdict.outcome for verdict in self.verdicts]
        return {outcome: outcomes.count(outcome) for outcome in dict.fromkeys(outcomes)}

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        verdicts = [{**asdict(each), "why": list(each.why)} for each in self.verdicts]
        return {"ok": self.ok, "counts": self.counts(), "frames": verdicts}


def choose(keys: Sequence[str], sample: int | None) -> list[str]:
    """The different keys in order; of many, `sample` evenly spread ones, the ends among them."""
    different = list(dict.fromkeys(keys))
    if sample is None or sample >= len(different):
        return different
    if sample < 1:
        return []
    return [different[place] for place in evenly(len(different), sample)]


def verify(
    store: FrameStore,
    keys: Iterable[str],
    render_batch: RenderBatch,
    *,
    now: Environment,
    recipes: Mapping[str, Recipe] | None = None,
    digests: Mapping[str, str] | None = None,
    alone: bool = False,
    on_frame: Callable[[Verdict], None] = lambda _verdict: None,
) -> VerificationReport:
    """Renders the frames of the keys again, whole batches at a time.

    now: the environment that `render_batch` computes in. recipes: by key, for batch mates that
    are no longer stored. digests: by key, what a file's record says that it shows. alone: each
    frame in a batch of its own, whatever its receipt says. on_frame: is called with each verdict
    as soon as it stands. Raises what `render_batch` raises; frames that are missing or damaged are
    verdicts.
    """
    work = _Verification(store, render_batch, now, recipes or {}, digests or {}, alone, on_frame)
    wanted = list(dict.fromkeys(keys))
    for batch, members in work.by_batch(wanted).items():
        work.verify_batch(batch, members)
    return VerificationReport(tuple(work.verdicts[key] for key in wanted))


@dataclass
class _Verification:
    """One call of `verify`."""

    store: FrameStore
    render_batch: RenderBatch
    now: Environment
    recipes: Mapping[str, Recipe]
    digests: Mapping[str, str]
    alone: bool
    on_frame: Callable[[Verdict], None]
    verdicts: dict[str, Verdict] = field(default_factory=dict)

    def by_batch(self, keys: Sequence[str]) -> dict[tuple[str, ...], list[str]]:
        """The keys by the batch that each was rendered in."""
        groups: dict[tuple[str, ...], list[str]] = {}
        for key in keys:
            receipt = self._try(key, self.store.read_receipt)
            if receipt is not None:
                groups.setdefault(receipt.batch, []).append(key)
        return groups

    def verify_batch(self, batch: tuple[str, ...], members: Sequence[str]) -> None:
        """Renders one batch and compares its members that were asked for."""
        stored = {
            key: frame for key in members if (frame := self._try(key, self.store.read)) is not None
        }
        if not stored:
            return
        if self.alone:
            self._verify_alone(stored.values())
            return
        recipes, gone = self._recipes_of(batch, next(iter(stored.values())))
        pictures = self.render_batch(recipes)
        mates = len(batch) - 1
        why = [f"{gone} of its {mates} batch mates are gone from the store"] if gone else []
        for frame in stored.values():
            self._tell(self._compare(frame, pictures[frame.receipt.position], why))

    def _verify_alone(self, frames: Iterable[StoredFrame]) -> None:
        for frame in frames:
            then = len(frame.receipt.batch)
            why = [f"in a batch of {then} then, alone now"] if then > 1 else []
            self._tell(self._compare(frame, self.render_batch([frame.receipt.recipe])[0], why))

    def _recipes_of(self, batch: Sequence[str], known: StoredFrame) -> tuple[list[Recipe], int]:
        """The recipes of the batch in order, and how many are not to be had.

        A known frame stands in for those, so that at least the batch's size and each frame's
        place in it are as they were.
        """
        found = [self._recipe_of(key) for key in batch]
        filled = [known.receipt.recipe if recipe is None else recipe for recipe in found]
        return filled, found.count(None)

    def _recipe_of(self, key: str) -> Recipe | None:
        try:
            return self.store.read_receipt(key).recipe
        except (MissingError, DamagedError):
            return self.recipes.get(key)

    def _compare(self, frame: StoredFrame, again: ImageArray, known: Sequence[str]) -> Verdict:
        key = frame.receipt.key
        why = [*differences(frame.receipt.environment, self.now), *known]
        if again.shape != frame.pixels.shape:
            why.append(f"{_size(frame.pixels)} px then, {_size(again)} px now")
            return Verdict(key, "different", tuple(why))
        apart = np.abs(again.astype(np.int16) - frame.pixels)
        most, changed = int(apart.max()), float(np.mean(apart != 0))
        said = self.digests.get(key, frame.receipt.pixel_digest)
        if said != frame.receipt.pixel_digest:
            why.append("the file was made from other pixels than the store holds now")
            if said == pixel_digest(again):
                return Verdict(key, "identical", tuple(why), 0, 0.0)
            return Verdict(key, "unconfirmed", tuple(why), most, changed)
        if most and not why:
            why.append(
                "no entry of the environment differs: the code, drivers or hardware have changed,"
                " or the stored frame was altered together with its receipt"
            )
        return Verdict(key, _outcome(most), tuple(why), most, changed)

    def _try(self, key: str, read: Callable[[str], _Read]) -> _Read | None:
        """What is stored of the frame; or else a verdict why there is nothing."""
        try:
            return read(key)
        except MissingError as error:
            self._tell(Verdict(key, "missing", (error.problem,)))
        except DamagedError as error:
            self._tell(Verdict(key, "damaged", (error.problem,)))
        return None

    def _tell(self, verdict: Verdict) -> None:
        self.verdicts[verdict.key] = verdict
        self.on_frame(verdict)


def _outcome(most: int) -> Outcome:
    if most > 1:
        return "different"
    return "within 1 level" if most else "identical"


def _size(picture: ImageArray) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]}"
