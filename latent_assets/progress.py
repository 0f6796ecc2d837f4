"""How far a render is: a bar on stderr, or plain lines where that is no terminal."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from latent_assets import interrupts
from latent_assets.errors import StoppedError
from latent_assets.foreign import harmless
from latent_assets.studio import Plan, WalkSpec

TENTH = 10
SILENCE_S = 30.0


class HarmlessConsole(Console):
    """Prints texts from anywhere: whatever would move the cursor of a terminal is shown instead."""

    def print(self, *objects: Any, **how: Any) -> None:
        """As rich's."""
        super().print(*(harmless(o) if isinstance(o, str) else o for o in objects), **how)


err = HarmlessConsole(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def duration(seconds: float | None) -> str:
    """Seconds for people."""
    if seconds is None:
        return "not measured yet"
    if seconds < 90:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"  # noqa: PLR2004


class Display(Protocol):
    """What draws bars: rich's `Progress` in a terminal, another in a notebook."""

    def add_task(self, description: str, *, total: float | None, **fields: Any) -> Any:
        """A bar with these fields; returns what `update` wants to be given."""
        ...

    def update(self, task_id: Any, **fields: Any) -> None:
        """Other fields of a bar: `total`, `completed`, and our own."""
        ...


class Bar:
    """Counts the frames that are done, each once, however often it is told of."""

    def __init__(self, display: Display, spec: WalkSpec, plan: Plan, lines: Lines) -> None:
        self._display = display
        self._places: Counter[str] = Counter()
        self._done: set[str] = set()
        self._rendered = 0
        self.total = spec.walk.frames
        self._pilots = plan.cached + plan.to_render
        self._task = display.add_task(spec.name, total=None, unit="pilots", rendered=0, waiting="")
        if not spec.has_timeline:
            self.on_places([recipe.key for recipe in spec.recipes()])
        self._larger: Any = None
        self.lines = lines

    @property
    def done(self) -> int:
        """Frames of the walk that are stored."""
        return sum(self._places[key] for key in self._done)

    @property
    def stored(self) -> str:
        """How many frames are stored, or pilots as long as the frames are not known, in words."""
        if not self._places:
            return f"{len(self._done)} pilots"
        return f"{self.done} of {self.total} frames"

    @property
    def _aim(self) -> tuple[int, str]:
        """What is counted: the frames, or as long as these are not known, pilots."""
        return (self.total, "frames") if self._places else (self._pilots, "pilots at most")

    def on_places(self, keys: Sequence[str]) -> None:
        """These are the walk's frames: until this is known, pilots are what is rendered."""
        # A frame that appears twice in the walk is rendered once.
        self._places = Counter(keys)
        self._display.update(self._task, total=self.total, unit="frames", completed=self.done)

    def on_part(self, keys: Sequence[str]) -> None:
        """These alone of the walk's frames are to be rendered here."""
        self.total = len(keys)
        self.on_places(keys)

    def on_frames(self, keys: Sequence[str], rendered: bool) -> None:
        """These are in the store now."""
        self._rendered += len(keys) if rendered else 0
        self._done.update(keys)
        done = self.done if self._places else len(self._done)
        self._display.update(self._task, completed=done, rendered=self._rendered)
        self.lines.tell(done, *self._aim, self._rendered)

    def on_upscaled(self, done: int, count: int) -> None:
        """So many of the pictures that were missing are larger now."""
        if self._larger is None:
            self._larger = self._display.add_task(
                "made larger", total=count, unit="pictures", rendered=0, waiting=""
            )
        self._display.update(self._larger, completed=done, rendered=done)
        self.lines.tell(done, count, "pictures made larger", done)

    def on_waiting(self, why: str) -> None:
        """Say whom the render waits for; nothing if it goes on."""
        self._display.update(self._task, waiting=why)
        self.lines.say(why)


class _Rate:
    """How long one of what is counted takes.

    Of each unit by itself: what is made larger says nothing of frames. The first ones, with which
    the model is loaded and compiled, count only as long as there are no others.
    """

    def __init__(self, now: float) -> None:
        self._unit = ""
        self._began = self._now = now
        self._before = self._made = 0

    def seconds_each(self, now: float, unit: str, made: int) -> float | None:
        """made: so many by now; a count that begins again is another unit's."""
        first = unit != self._unit
        if first:
            self._unit, self._began = unit, self._now
            self._before = self._made if made >= self._made else 0
        count = made - self._before
        each = (now - self._began) / count if count > 0 else None
        if first and each is not None:
            self._began, self._before = now, made
        self._now, self._made = now, made
        return each


class Lines:
    """The same in plain lines, where stderr is no terminal: a file, a journal, a pipe.

    One at every tenth, and one after `SILENCE_S` without.
    """

    def __init__(self, name: str, *, quiet: bool = False) -> None:
        self._name = name
        self._quiet = quiet
        self._began = self._told_at = time.monotonic()
        self._told = 0
        self._rate = _Rate(self._began)
        self._last = ""
        self._over = threading.Event()
        self._lock = threading.Lock()

    @contextmanager
    def kept_up(self) -> Iterator[None]:
        """In the block, silence is broken."""
        if self._quiet:
            yield
            return
        thread = threading.Thread(target=self._break_silence, name="lines", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def tell(self, done: int, count: int, unit: str, made: int) -> None:
        """So many of them are done; made: in this render."""
        self._last = f"{done} of {count} {unit}"
        if done < self._told:  # others are counted now
            self._told = 0
        each = self._rate.seconds_each(time.monotonic(), unit, made)
        if made and done * TENTH // count > self._told * TENTH // count:
            self._told = done
            left = f", {duration((count - done) * each)} left" if each and done < count else ""
            self.say(f"{self._last}{left}")

    def say(self, what: str) -> None:
        """A line, where there is no bar."""
        if what and not self._quiet:
            with self._lock:
                self._told_at = time.monotonic()
            err.print(f"{self._name}: {what}", markup=False)

    def _break_silence(self) -> None:
        while not self._over.wait(1):
            now = time.monotonic()
            if now - self._told_at >= SILENCE_S:
                since = duration(now - self._began)
                self.say(f"{self._last or 'no frame yet'}, after {since}")


@contextmanager
def bar_of(spec: WalkSpec, plan: Plan, display: Display | None = None) -> Iterator[Bar]:
    """The bar, in the block. Raises StoppedError if the block is interrupted.

    display: default: the terminal, and lines where there is none.
    """
    shown = nullcontext(display) if display is not None else _progress(plan)
    with shown as drawn, interrupts.telling(_first_signal):
        bar = Bar(drawn, spec, plan, Lines(spec.name, quiet=display is not None or err.is_terminal))
        try:
            with bar.lines.kept_up():
                yield bar
        except (KeyboardInterrupt, Exception) as error:
            if not interrupts.is_behind(error):
                raise
            raise StoppedError(
                f"interrupted: {bar.stored} of {spec.name} are stored",
                "Render it again to go on: they are not rendered twice.",
            ) from None


def _first_signal(_number: int) -> None:
    if interrupts.is_deferred():
        err.print("Stopping when this batch is stored. Press Ctrl-C again to stop at once.")


def _progress(plan: Plan) -> Progress:
    return Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        _FramesPerSecond(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[waiting]}", markup=False),
        console=err,
        transient=plan.to_render == 0,
        disable=not err.is_terminal,
    )


class _FramesPerSecond(ProgressColumn):
    """Of frames that are rendered: reused ones cost nothing and would only flatter."""

    def render(self, task: Task) -> Text:
        rendered = task.fields.get("rendered", 0)
        if not rendered or not task.elapsed:
            return Text("")
        return Text(f"{rendered / task.elapsed:.2f} frames/s")
