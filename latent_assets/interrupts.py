"""Being asked to stop: Ctrl-C (SIGINT), SIGTERM, and a terminal that is closed (SIGHUP).

Python runs its handlers between two instructions of the main thread, and that may be in a call of
TensorFlow for minutes. So a thread of ours hears each signal at once, through the pipe of
`signal.set_wakeup_fd`. Handlers remain what they were: whoever wants to finish something first
says so by `deferred`.

A handler may also run in a finalizer, where Python drops what it raises, with a traceback on the
screen; or where a lock is taken that nobody would give back (`handover.py`). Such a signal is sent
once more, a moment later.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from latent_assets.handover import is_handed_over

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OF_SIGNALS = 128
"""A command that a signal ended exits with its number and this: 130 after Ctrl-C."""
_MOMENT_S = 0.02
_MARK = b"\0"
"""No signal's number: whatever came before it is heard when it is read."""
_AGAIN = 128
"""With this, a signal's number asks for that signal, a moment later."""
_CATCH_UP_S = 5.0
_TELLING_S = 10.0
"""For listeners that are told when it ends; they may be in a database that others hold."""
TWICE_S = 0.5
"""A second signal that comes sooner is the first one's echo: `timeout` sends two."""


class _Heard:
    """What this process was asked, and who wants to know."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.ignored: set[signal.Signals] = set()
        self.deferred = 0
        self.listeners: list[Callable[[int], None]] = []
        self.hearing = False
        self.sent_again: Counter[int] = Counter()
        self.pipe: int | None = None
        self.thread: threading.Thread | None = None
        self.telling: threading.Thread | None = None
        self.caught_up = threading.Event()


_heard = _Heard()


def asked() -> int | None:
    """The signal by which this process was first asked to stop, while somebody hears it.

    Whoever asks may be quicker than the thread that hears: it is waited for.
    """
    if _heard.first is None and _heard.pipe is not None:
        _catch_up(_heard.pipe)
    return _heard.first


def is_behind(error: BaseException) -> bool:
    """Whether an error is what became of an interrupt.

    Python makes a RuntimeError of one that comes while a class is made: in an import.
    """
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return _is_interrupt(type(error)) or (cause is not None and is_behind(cause))


def is_deferred() -> bool:
    """Whether the main thread finishes something before it stops."""
    return _heard.deferred > 0


@contextlib.contextmanager
def hearing(at_once: Callable[[int], None] | None = None) -> Iterator[None]:
    """In the block, signals are heard, in whatever call the main thread may be.

    at_once: called for a second one, in a thread; it should end the process. Does nothing
    where somebody hears them already, and in other threads than the main one.
    """
    if _heard.hearing or threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    unraisable = sys.unraisablehook
    sys.unraisablehook = lambda dropped: _was_interrupt(dropped) or unraisable(dropped)
    thread = threading.Thread(target=_hear, args=(reading, at_once), name="ears", daemon=True)
    _heard.hearing, _heard.first, _heard.telling = True, None, None
    _heard.pipe, _heard.thread = writing, thread
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        sys.unraisablehook = unraisable
        _heard.pipe = None
        os.close(writing)
        thread.join()
        _let_tell()
        _heard.hearing = False


def forget() -> None:
    """In a process that was forked: signals to it are not its parent's, and nobody hears them."""
    global _heard  # noqa: PLW0603 - what was inherited is the parent's
    signal.set_wakeup_fd(-1)
    _heard = _Heard()


@contextlib.contextmanager
def telling(listener: Callable[[int], None]) -> Iterator[None]:
    """In the block, the listener is told of the first signal, in a thread of its own.

    So a second signal is heard also while a listener waits for what the main thread has.
    """
    _heard.listeners.append(listener)
    try:
        yield
    finally:
        _heard.listeners.remove(listener)
        if asked() is not None:
            _let_tell()


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """In the block, the main thread is not interrupted; afterwards it is, if it was asked to be.

    Raises KeyboardInterrupt at the end; and at the beginning, if it was asked before.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if _heard.hearing and asked() is not None:
        raise KeyboardInterrupt
    noted: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        noted.append(number)

    kept = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    _heard.deferred += 1
    try:
        yield
    finally:
        _heard.deferred -= 1
        for number, handler in kept.items():
            signal.signal(number, handler)
        # Also one that came just before the block, and was lost in a finalizer.
        if noted or (_heard.hearing and _heard.first is not None):
            raise KeyboardInterrupt


def considerate(handler: Any) -> Any:
    """The same handler of a signal, but not where a lock is handed over: there, a moment later.

    As `signal.signal` takes it: what is no function stays what it is. Where nobody hears, the
    handler comes at once.
    """
    if not callable(handler) or hasattr(handler, "considers"):
        return handler

    def heed(number: int, frame: FrameType | None) -> None:
        if not (is_handed_over(frame) and _send_again(number)):
            handler(number, frame)

    heed.considers = handler  # type: ignore[attr-defined]
    return heed


def raise_keyboard_interrupt() -> None:
    """Let SIGTERM and SIGHUP do what Ctrl-C does; signals that are ignored stay so (`nohup`)."""
    ignored = {number for number in SIGNALS if signal.getsignal(number) is signal.SIG_IGN}
    _heard.ignored = ignored

    @considerate
    def interrupt(number: int, frame: FrameType | None) -> None:
        if number in ignored:
            return
        # Dagster has handlers of its own for SIGINT and SIGTERM while it runs; not for SIGHUP.
        handler = signal.getsignal(signal.SIGINT)
        if handler is interrupt or not callable(handler):
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)

    # Dagster gives SIGTERM the handler of SIGINT, so this one has to have ours also if ignored.
    for number in {*SIGNALS} - (ignored - {signal.SIGINT}):
        signal.signal(number, interrupt)


def nothing_is_left() -> None:
    """All is done, or told: from here on a first signal interrupts nobody. A second is heard."""
    for number in SIGNALS:
        signal.signal(number, lambda *_: None)


def by_default() -> None:
    """From here on signals do what they do to any program, without a traceback of Python."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN if number in _heard.ignored else signal.SIG_DFL)


def _was_interrupt(dropped: sys.UnraisableHookArgs) -> bool:
    """Whether what a finalizer dropped was an interrupt, which comes again."""
    interrupt = _is_interrupt(dropped.exc_type)
    if interrupt:
        _send_again(_heard.first or signal.SIGINT)
    return interrupt


def _send_again(number: int) -> bool:
    """Have the signal sent a moment later. Whether somebody will. Takes no lock."""
    if _heard.pipe is None:
        return False
    try:
        os.write(_heard.pipe, bytes([_AGAIN | number]))
    except OSError:
        return False
    return True


def _is_interrupt(kind: type[BaseException]) -> bool:
    """KeyboardInterrupt, and the one of Dagster's that is no Exception either."""
    return not issubclass(kind, (Exception, SystemExit, GeneratorExit))


def _catch_up(pipe: int) -> None:
    """Wait until every signal that came so far is heard."""
    if threading.current_thread() is _heard.thread:
        return
    _heard.caught_up.clear()
    with contextlib.suppress(OSError):
        os.write(pipe, _MARK)
        _heard.caught_up.wait(_CATCH_UP_S)


def _hear(pipe: int, at_once: Callable[[int], None] | None) -> None:
    first_at: float | None = None
    with open(pipe, "rb", buffering=0) as signals:
        while byte := signals.read(1):
            number = byte[0]
            if byte == _MARK:
                _heard.caught_up.set()
            if number & _AGAIN:
                _send(number ^ _AGAIN)
            if number not in SIGNALS:
                continue
            if _heard.sent_again[number]:
                _heard.sent_again[number] -= 1
                continue
            if first_at is None:
                first_at = time.monotonic()
                _tell(number)
                _heard.first = number
            elif at_once is not None and time.monotonic() - first_at > TWICE_S:
                at_once(number)


def _send(number: int) -> None:
    time.sleep(_MOMENT_S)
    if _heard.pipe is not None:
        _heard.sent_again[number] += 1
        os.kill(os.getpid(), number)


def _let_tell() -> None:
    if _heard.telling is not None:
        _heard.telling.join(_TELLING_S)


def _tell(number: int) -> None:
    listeners = list(_heard.listeners)

    def tell() -> None:
        for listener in listeners:
            listener(number)

    mouth = threading.Thread(target=tell, name="mouth", daemon=True)
    mouth.start()
    _heard.telling = mouth
