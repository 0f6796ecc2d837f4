"""How far a render is, where people see it: a bar in a notebook, in a terminal, or nowhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from latent_assets.errors import StoppedError
from latent_assets.progress import Bar, Display, bar_of
from latent_assets.studio import Plan, WalkSpec

_EVERY_S = 0.2


class RenderInterrupt(KeyboardInterrupt):
    """A render was interrupted; what it had stored is said."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return str(self).splitlines()


class Silent:
    """Draws nothing."""

    def add_task(self, description: str, *, total: float | None, **fields: Any) -> int:
        """Any number will do."""
        del description, total, fields
        return 0

    def update(self, task_id: Any, **fields: Any) -> None:
        """Nothing."""


class NotebookBars:
    """HTML that is drawn over itself; as it stood last it stays in the notebook's file."""

    def add_task(self, description: str, *, total: float | None, **fields: Any) -> _NotebookBar:
        """A bar below the cell."""
        return _NotebookBar({"description": description, "total": total, **fields})

    def update(self, task_id: _NotebookBar, **fields: Any) -> None:
        """Drawn again, unless it was just now."""
        task_id.update(fields)


class _NotebookBar:
    def __init__(self, fields: dict[str, Any]) -> None:
        from IPython.display import HTML, display  # noqa: PLC0415 - a notebook has it

        self._fields = {"completed": 0, **fields}
        self._html = HTML
        self._began = self._drawn_at = time.monotonic()
        self._handle: Any = display(HTML(self._drawn()), display_id=True)

    def update(self, fields: dict[str, Any]) -> None:
        self._fields |= fields
        done = self._fields["completed"] == self._fields["total"]
        now = time.monotonic()
        if done or "waiting" in fields or now - self._drawn_at >= _EVERY_S:
            self._drawn_at = now
            self._handle.update(self._html(self._drawn()))

    def _drawn(self) -> str:
        told, done, total = self._fields, self._fields["completed"], self._fields["total"]
        count = f"{done} of {total} {told['unit']}" if total else f"{done} {told['unit']}"
        passed = time.monotonic() - self._began
        rate = f", {told['rendered'] / passed:.2f} a second" if told["rendered"] else ""
        waiting = f", {told['waiting']}" if told["waiting"] else ""
        value = f'value="{done}" max="{total}"' if total else ""
        says = escape(f"{told['description']}: {count}{rate}{waiting}")
        return f"<div><progress {value}></progress> {says}</div>"


@contextmanager
def watched(spec: WalkSpec, plan: Plan, *, shown: bool) -> Iterator[Bar]:
    """The bar, in the block. Raises RenderInterrupt if the block is interrupted.

    shown: whether anything is. Nothing is where nothing is to be made.
    """
    try:
        with bar_of(spec, plan, _display(shown and bool(plan.to_render or plan.to_upscale))) as bar:
            yield bar
    except StoppedError as stopped:
        raise RenderInterrupt(str(stopped)) from None


def _display(shown: bool) -> Display | None:
    """None: the terminal, or lines."""
    if not shown:
        return Silent()
    return NotebookBars() if _in_notebook() else None


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")  # where it was never imported, nobody runs in it
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None
