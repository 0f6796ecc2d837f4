"""Where Python has taken a lock, and the block that will give it back has not begun.

A signal's handler runs after whatever instruction the main thread is at. If that is the last one of
an `__enter__`, what the handler raises leaves the lock taken, since `__exit__` is never called:
whoever wants the lock next waits for ever, be it the main thread itself.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from types import FrameType

_OF_BLOCKS = {"__enter__", "__exit__"}
_BRIEF = {
    *(module.__file__ for module in (contextlib, logging, threading)),
    "<frozen importlib._bootstrap>",
}
"""Files of Python whose functions take locks for others, and are soon over."""
_LONG = {"wait", "wait_for", "join", "_wait_for_tstate_lock", "emit"}
"""But for these functions: they wait, and give back what they have whatever is raised."""


def is_handed_over(frame: FrameType | None) -> bool:
    """Whether a lock may be on its way where the main thread is. It is not for long."""
    if frame is None:
        return False
    code = frame.f_code
    return code.co_name in _OF_BLOCKS or (code.co_filename in _BRIEF and code.co_name not in _LONG)
