"""What a run tells whoever looks on: the command line's bar, the run's page in the web UI."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

LINE_S = 1.0
_LINE = re.compile(r"\d+ of \d+ frames\b")


def _nobody(*_: object) -> None:
    pass


@dataclass(frozen=True)
class Onlooker:
    """Functions that a run calls; they must not raise."""

    on_frames: Callable[[Sequence[str], bool], None] = _nobody
    """(keys of the frames that are done now, whether they were rendered just now)."""
    on_places: Callable[[Sequence[str]], None] = _nobody
    """(keys of the walk's frames), once its timeline is known."""
    on_upscaled: Callable[[int, int], None] = _nobody
    """(pictures that were made larger, of how many)."""
    on_waiting: Callable[[str], None] = _nobody
    """(why the run waits); empty when it waits no longer."""


class Pace:
    """How fast the frames of a run come, from batch to batch; loading and waiting do not count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: float | None = None
        self._frames, self._seconds = 0, 0.0

    def begin(self) -> None:
        """From now on it is rendered."""
        self._last = self._clock()

    def add(self, frames: int) -> None:
        """So many more were rendered."""
        now = self._clock()
        if self._last is not None:
            self._frames += frames
            self._seconds += now - self._last
        self._last = now

    @property
    def seconds_per_frame(self) -> float | None:
        """None, before the first."""
        return self._seconds / self._frames if self._frames else None


class RunPage:
    """What the page of a run says while frames are rendered: a line a second.

    tell: takes a line.
    """

    def __init__(
        self,
        total: int,
        *,
        tell: Callable[[str], None],
        pace: Pace,
        done: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """total: frames of the walk. done: of them, those before this step's."""
        self._total, self._done = total, done
        self._tell, self._pace, self._clock = tell, pace, clock
        self._told_at: float | None = None

    def on_frames(self, keys: Sequence[str], rendered: bool) -> None:
        """As in `Onlooker`."""
        self._done += len(keys)
        if not keys or not rendered:
            return
        self._pace.add(len(keys))
        now = self._clock()
        last = self._done == self._total
        if last or self._told_at is None or now - self._told_at >= LINE_S:
            self._told_at = now
            self._tell(self._line())

    def _line(self) -> str:
        line = f"{self._done} of {self._total} frames"
        each = self._pace.seconds_per_frame
        if each:
            line += f", {_rate(each)}"
            left = self._total - self._done
            line += f", {_duration(left * each)} left" if left else ""
        return line


def says_progress(line: str) -> bool:
    """Whether `RunPage` has told it: frames of the step were stored just before."""
    return _LINE.match(line) is not None


def _rate(seconds_per_frame: float) -> str:
    if seconds_per_frame > 1:
        return f"{seconds_per_frame:.1f} s a frame"
    return f"{1 / seconds_per_frame:.1f} frames a second"


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 1.5:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"  # noqa: PLR2004
