"""Server-sent events: what has changed since the last look, to every page that is open.

One task looks, at most once a second, as long as somebody listens; listeners cost no look.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool

from latent_assets.errors import LatentAssetsError
from latent_assets.gallery.cards import LOOK_S, Card, Look, Shelf

BEAT_S = 15.0
"""Silence no longer than this: proxies and browsers take longer ones for the end."""
_ARRIVING_S = 8.0
"""Frames that came so lately are a render that goes on, whoever renders."""
_WINDOW_S = 90.0
"""The rate is that of so long."""


class Pace:
    """How fast the frames of a walk come."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stored: int | None = None
        self._came: deque[tuple[float, int]] = deque()
        """When frames came, and how many were there then."""

    def note(self, stored: int) -> None:
        """At this moment so many frames are there."""
        now = self._clock()
        before, self._stored = self._stored, stored
        if before is None or stored < before:
            self._came.clear()
        elif stored > before:
            self._came.append((now, stored))
        while self._came and now - self._came[0][0] > _WINDOW_S and len(self._came) > 2:  # noqa: PLR2004
            self._came.popleft()

    @property
    def arriving(self) -> bool:
        """Whether frames came a moment ago."""
        return bool(self._came) and self._clock() - self._came[-1][0] < _ARRIVING_S

    def rate(self) -> float | None:
        """Frames a second from one arrival to another; None before there were two.

        What passed before the first says nothing: a model was loaded, or a place waited for.
        """
        if len(self._came) < 2:  # noqa: PLR2004
            return None
        (began, first), (until, last) = self._came[0], self._came[-1]
        usual = (until - began) / (len(self._came) - 1)
        late = max(self._clock() - until - usual, 0.0)
        return (last - first) / max(until - began + late, 1e-3)

    def left_s(self, frames: int) -> float | None:
        """Seconds until all are there."""
        rate = self.rate()
        return None if rate is None or self._stored is None else (frames - self._stored) / rate


class Broadcast:
    """What all pages of a server hear."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._listeners: set[asyncio.Queue[Look | None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = False
        self._task: asyncio.Task[None] | None = None
        self._paces: dict[str, Pace] = {}

    async def looks(self) -> AsyncIterator[Look | None]:
        """Each look that is taken from now on; None as a sign of life when nothing is new."""
        queue: asyncio.Queue[Look | None] = asyncio.Queue(maxsize=2)
        self._listeners.add(queue)
        self._loop = asyncio.get_running_loop()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            yield await run_in_threadpool(self._shelf.look)
            while not self._ended:
                try:
                    look = await asyncio.wait_for(queue.get(), BEAT_S)
                    if look is not None:
                        yield look
                except asyncio.TimeoutError:
                    yield None
        finally:
            self._listeners.discard(queue)
            if not self._listeners and self._task is not None:
                self._task.cancel()
                self._task = None

    def end(self) -> None:
        """Let every listener go: the server ends. To be called from any thread."""
        self._ended = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for queue in self._listeners:
            with contextlib.suppress(asyncio.QueueFull):  # it wakes by what is in it
                queue.put_nowait(None)

    async def _watch(self) -> None:
        while True:
            began = time.monotonic()
            with contextlib.suppress(LatentAssetsError):  # of a disk that is away for a moment
                look = await run_in_threadpool(self._shelf.look)
                began = look.at  # the next is due a second after it: sooner, it is this one again
                self._note(look)
                for queue in self._listeners:
                    with contextlib.suppress(asyncio.QueueFull):  # it is slow: it gets the next
                        queue.put_nowait(look)
            await asyncio.sleep(max(LOOK_S - (time.monotonic() - began), LOOK_S / 4))

    def _note(self, look: Look) -> None:
        for name, card in look.cards.items():
            if name not in self._paces:
                self._paces[name] = Pace()
            self._paces[name].note(card.stored)

    def state(self, card: Card) -> dict[str, Any]:
        """What a page shows of a walk that may be rendering."""
        pace = self._paces.get(card.name) or Pace()
        complete = card.complete
        rendering = (card.running or pace.arriving) and not complete
        rate, left = pace.rate(), pace.left_s(card.frames)
        return {
            "name": card.name,
            "frames": card.frames,
            "stored": card.stored,
            "rendering": rendering,
            "finishing": card.running and complete,
            "rate": round(rate, 2) if rendering and rate else None,
            "left": round(left) if rendering and left is not None else None,
            "failure": "" if rendering else card.failure,
            "problem": card.problem,
            "checks": list(card.failed_checks),
            "changed": card.changed,
            "rendered": round(card.rendered),
            "looks": card.looks,
        }


def event(kind: str, document: Any) -> bytes:
    """One server-sent event."""
    return f"event: {kind}\ndata: {json.dumps(document)}\n\n".encode()


BEAT = b": still here\n\n"
