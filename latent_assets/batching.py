"""How many frames go through the model at once, where a walk leaves that open.

Measured while frames are rendered, so that no trial is wasted: the smallest size within `SLACK` of
the best rate. What was measured lies with the timings, by model, size, precision, guidance and
device; a machine that is known is not tried again.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

from latent_assets.digests import digest_of

if TYPE_CHECKING:
    from latent_assets.diffusion.protocol import Engine
    from latent_assets.store import Timings

SIZES = (1, 2, 3, 5, 10, 15, 30)
"""What is tried. All divide a chunk of 30, so that no part of a walk ends in a small batch."""
SLACK = 1.05
SAMPLES = 2
"""Batches of a size before it counts as measured: the best of them, as load only adds."""
_ENOUGH = 5
_FIRST = 10
_FIRST_PIXELS = 3 * 512 * 512
"""A batch to begin with: as many pixels as three pictures of Stable Diffusion, at most 10."""
_MEMORY_SHARE = 0.5

_compiled: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()
"""By engine, what ran in this process already: the seconds before are those of compiling."""


class Batches(Protocol):
    """Says how many frames come next, and is told how long they took."""

    def next(self, left: int) -> int:
        """From 1 to `left`, the number of frames that are still to come."""
        ...

    def note(self, count: int, seconds: float) -> None:
        """So many frames went through the model at once, in so many seconds."""
        ...

    def remember(self) -> None:
        """Keep what was noted."""
        ...


class FixedBatches:
    """As many as the walk says."""

    def __init__(self, size: int) -> None:
        self._size = size

    def next(self, left: int) -> int:
        """See `Batches`."""
        return min(self._size, left)

    def note(self, count: int, seconds: float) -> None:
        """Nothing is to be learned."""

    def remember(self) -> None:
        """Nothing was learned."""


class MeasuredBatches:
    """The smallest size that is about as fast as any; sizes not yet measured come first.

    profile: what the rate depends on, without the number of steps. size: (height, width), pixels.
    steps: of a frame.
    """

    def __init__(
        self,
        timings: Timings,
        engine: Engine,
        profile: dict[str, Any],
        size: Sequence[int],
        steps: int,
    ) -> None:
        self._timings, self._engine = timings, engine
        self._profile, self._steps = profile, steps
        self._first = _first_size(size)
        known = {count: timings.samples(self._of(count)) for count in SIZES}
        self._samples = {count: list(samples) for count, samples in known.items()}
        self._new: list[tuple[int, float]] = []

    def next(self, left: int) -> int:
        """See `Batches`."""
        wanted = self._to_measure()
        if wanted is None or wanted > left:
            wanted = self._best()
        return min(wanted, left)

    def note(self, count: int, seconds: float) -> None:
        """See `Batches`. The first batch of a process compiles, with XLA that of each size."""
        shape = count if self._engine.jit_compile else 0
        ran = _compiled.setdefault(self._engine, set())
        key = digest_of({**self._profile, "shape": shape})
        warm = key in ran
        ran.add(key)
        if warm and len(self._samples.get(count, [None] * _ENOUGH)) < _ENOUGH:
            per_step = seconds / count / self._steps
            self._samples[count].append(per_step)
            self._new.append((count, per_step))

    def remember(self) -> None:
        """See `Batches`."""
        for count, per_step in self._new:
            self._timings.record(self._of(count), per_step)
        self._new.clear()

    def _of(self, count: int) -> dict[str, Any]:
        return {**self._profile, "batch": count}

    def _rate(self, count: int) -> float | None:
        """Seconds per frame and step; None if it is not measured."""
        samples = self._samples[count]
        return min(samples) if len(samples) >= SAMPLES else None

    def _to_measure(self) -> int | None:
        """The size to try next: upwards while that is faster, then down while it is no slower."""
        first = self._rate(self._first)
        if first is None:
            return self._first
        best = first
        for larger in (count for count in SIZES if count > self._first):
            rate = self._rate(larger)
            if rate is None:
                return larger if self._fits(larger) else self._smaller(best)
            if rate * SLACK > best:
                break
            best = rate
        return self._smaller(best)

    def _smaller(self, best: float) -> int | None:
        for smaller in (count for count in reversed(SIZES) if count < self._first):
            above = SIZES[SIZES.index(smaller) + 1]
            rate = self._rate(above)
            if rate is None or rate > best * SLACK:
                return None
            if self._rate(smaller) is None:
                return smaller
        return None

    def _best(self) -> int:
        """The smallest measured size within the slack of the best; the first if none is."""
        rates = {count: rate for count in SIZES if (rate := self._rate(count)) is not None}
        if not rates:
            return self._first
        best = min(rates.values())
        return min(count for count, rate in rates.items() if rate <= best * SLACK)

    def _fits(self, count: int) -> bool:
        """Whether there is room for it: by what this process took at most, all counted as pictures.

        A GPU says itself when it is full; the engine then goes on with half as many.
        """
        limit = self._engine.batch_limit
        if limit is not None and count > limit:
            return False
        if self._engine.device.kind != "CPU":
            return True
        below = SIZES[SIZES.index(count) - 1]
        return _most_memory() * (count / below - 1) < _MEMORY_SHARE * _free_memory()


def parts(count: int, batches: Batches) -> Iterator[slice]:
    """The batches of so many frames, each asked for when the one before is done."""
    start = 0
    while start < count:
        stop = start + batches.next(count - start)
        yield slice(start, stop)
        start = stop


def _first_size(size: Sequence[int]) -> int:
    most = min(_FIRST, _FIRST_PIXELS // (size[0] * size[1]))
    return max((count for count in SIZES if count <= most), default=1)


def _most_memory() -> int:
    """Bytes that this process has held at most."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _free_memory() -> int:
    """Bytes that this process may still take; 0 if that is not known."""
    free = _meminfo()
    try:
        group = Path("/sys/fs/cgroup")
        most = int((group / "memory.max").read_text())
        free = min(free, most - int((group / "memory.current").read_text()))
    except (OSError, ValueError):  # no group, or `max`: the machine's memory is the limit
        pass
    return max(free, 0)


def _meminfo() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvail"))
    except (OSError, ValueError, StopIteration):
        return 0
