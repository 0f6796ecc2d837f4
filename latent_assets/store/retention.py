"""What lies in a store, and what of it can go.

Nothing is removed without a plan that says what and why: `plan_removal` is the dry run, `remove`
carries it out. Whatever is removed is only ever a frame or an encoding that can be made again.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from latent_assets.errors import UsageError
from latent_assets.store import encodings, frames, timelines
from latent_assets.store.objects import Entry, Objects
from latent_assets.store.parallel import in_order

KINDS = (
    *("frames", "upscaled", "encodings", "features", "timelines"),
    *("quarantine", "leftovers"),
)
"""What is counted, in the order in which it is shown."""
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


@dataclass(frozen=True)
class Content:
    """How many objects of one kind there are, and how large they are together."""

    count: int = 0
    bytes: int = 0

    def plus(self, entry: Entry) -> Content:
        """The content with one object more."""
        return Content(self.count + 1, self.bytes + entry.size)


@dataclass(frozen=True)
class Stats:
    """What a store holds."""

    frames: Content
    upscaled: Content
    """Pictures that were made larger."""
    encodings: Content
    features: Content
    """What a distance looks at in frames, for walks of perceptual pace."""
    timelines: Content
    quarantine: Content
    """Damaged objects that were set aside."""
    leftovers: Content
    """Temporary files of writers that were killed (or are writing this minute)."""
    oldest: float | None
    """When the oldest frame was stored, epoch seconds; None without frames."""
    newest: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types: `frames`, `frames_bytes` and so on."""
        data: dict[str, Any] = {}
        for name in KINDS:
            content: Content = getattr(self, name)
            data |= {name: content.count, f"{name}_bytes": content.bytes}
        return data | {"oldest": self.oldest, "newest": self.newest}


def stats(objects: Objects, *others: Objects) -> Stats:
    """Counts everything; opens nothing. objects: of a `FrameStore` or an `EncodingStore`.

    others: places of which leftovers alone are counted.
    """
    content = Content()
    times: list[float] = []
    for entry in objects.entries(frames.FOLDER):
        content = content.plus(entry)
        times.append(entry.modified)
    return Stats(
        frames=content,
        upscaled=_sum(objects.entries(frames.UPSCALED)),
        encodings=_sum(objects.entries(encodings.FOLDER)),
        features=_sum(objects.entries(encodings.FEATURES)),
        timelines=_sum(objects.entries(timelines.FOLDER)),
        quarantine=_sum(objects.entries(frames.QUARANTINE)),
        leftovers=_sum(entry for each in (objects, *others) for entry in each.leftovers(0)),
        oldest=min(times, default=None),
        newest=max(times, default=None),
    )


def _sum(entries: Iterator[Entry]) -> Content:
    content = Content()
    for entry in entries:
        content = content.plus(entry)
    return content


@dataclass(frozen=True)
class Policy:
    """What may go. Frames and encodings that `referenced` names are always kept."""

    older_than_s: float | None = None
    """Remove what was stored longer ago than this many seconds."""
    max_bytes: int | None = None
    """Remove the oldest until frames and encodings together are no larger."""
    unreferenced: bool = False
    """Remove what `referenced` does not name; with older_than_s, only if it is that old too."""
    referenced: Collection[str] | None = None
    """Keys of frames, encodings and timelines that are in use. None: not known."""
    grace_s: float = HOUR_S
    """Whatever is younger stays: a render that is under way may be about to use it."""
    quarantine_s: float = 30 * DAY_S
    """How long damaged objects are kept for those who want to look into them."""

    def check(self) -> None:
        """Raises UsageError for a policy that cannot be meant."""
        if self.unreferenced and self.referenced is None:
            raise UsageError("which frames are in use is not known", "Pass the keys in use.")
        for name in ("older_than_s", "max_bytes", "grace_s", "quarantine_s"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise UsageError(f"{name} is {value}", "Give 0 or more.")


@dataclass(frozen=True)
class Removal:
    """One object that goes, and why."""

    name: str
    bytes: int
    why: str
    """`old`, `unreferenced`, `over size`, `damaged` or `left behind`."""


@dataclass(frozen=True)
class RemovalPlan:
    """What a policy would remove."""

    removals: tuple[Removal, ...]
    kept: Content
    """Frames and encodings that stay."""

    @property
    def bytes(self) -> int:
        """How much becomes free."""
        return sum(removal.bytes for removal in self.removals)

    def plus(self, other: RemovalPlan) -> RemovalPlan:
        """What both remove and keep, together."""
        kept = Content(self.kept.count + other.kept.count, self.kept.bytes + other.kept.bytes)
        return RemovalPlan(self.removals + other.removals, kept)

    def by_reason(self) -> dict[str, Content]:
        """Count and size for each reason."""
        found: dict[str, Content] = {}
        for each in self.removals:
            so_far = found.get(each.why, Content())
            found[each.why] = Content(so_far.count + 1, so_far.bytes + each.bytes)
        return found

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types, without the single objects."""
        return {
            "removals": len(self.removals),
            "bytes": self.bytes,
            "kept": self.kept.count,
            "kept_bytes": self.kept.bytes,
            "by_reason": {
                why: {"count": content.count, "bytes": content.bytes}
                for why, content in self.by_reason().items()
            },
        }


def plan_removal(objects: Objects, policy: Policy, *, now: float | None = None) -> RemovalPlan:
    """What the policy would remove now. Changes nothing. now: epoch seconds.

    An object dated in the future (a clock was wrong) counts as new.
    """
    policy.check()
    now = time.time() if now is None else now
    removals: list[Removal] = []
    kept: list[Entry] = []
    for entry in _content(objects):
        why = _reason(entry, policy, now)
        if why is None:
            kept.append(entry)
        else:
            removals.append(Removal(entry.name, entry.size, why))
    removals += _over_size(kept, policy, now)
    over = {removal.name for removal in removals}
    removals += [
        Removal(entry.name, entry.size, "damaged")
        for entry in objects.entries(frames.QUARANTINE)
        if now - entry.modified >= policy.quarantine_s
    ]
    removals += left_behind(objects, grace_s=policy.grace_s).removals
    return RemovalPlan(tuple(removals), _sum(entry for entry in kept if entry.name not in over))


def left_behind(objects: Objects, *, grace_s: float = HOUR_S) -> RemovalPlan:
    """The temporary files of writers that were killed, and nothing else. Changes nothing."""
    found = (Removal(each.name, each.size, "left behind") for each in objects.leftovers(grace_s))
    return RemovalPlan(tuple(found), Content())


def remove(objects: Objects, plan: RemovalPlan) -> int:
    """Carries the plan out; what is gone already is passed over. Returns the bytes freed."""
    names = [removal.name for removal in plan.removals]
    for _ in in_order(objects.delete, names, objects.parallel):
        pass
    return plan.bytes


def _content(objects: Objects) -> Iterator[Entry]:
    yield from objects.entries(frames.FOLDER)
    yield from objects.entries(frames.UPSCALED)
    yield from objects.entries(encodings.FOLDER)
    yield from objects.entries(encodings.FEATURES)
    yield from objects.entries(timelines.FOLDER)


def _may_go(entry: Entry, policy: Policy, now: float) -> bool:
    key = PurePosixPath(entry.name).stem
    return now - entry.modified >= policy.grace_s and key not in (policy.referenced or ())


def _reason(entry: Entry, policy: Policy, now: float) -> str | None:
    if not _may_go(entry, policy, now):
        return None
    old = policy.older_than_s is not None and now - entry.modified >= policy.older_than_s
    if policy.unreferenced:
        return "unreferenced" if old or policy.older_than_s is None else None
    return "old" if old else None


def _over_size(kept: list[Entry], policy: Policy, now: float) -> list[Removal]:
    """The oldest of what would be kept, until the rest is small enough."""
    if policy.max_bytes is None:
        return []
    total = sum(entry.size for entry in kept)
    removals = []
    for entry in sorted(kept, key=lambda each: each.modified):
        if total <= policy.max_bytes:
            break
        if _may_go(entry, policy, now):
            removals.append(Removal(entry.name, entry.size, "over size"))
            total -= entry.size
    return removals
