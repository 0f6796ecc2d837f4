"""The server: uvicorn behind the guard, announced, ended by Ctrl-C or SIGTERM within a moment."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from latent_assets.web.address import Address
from latent_assets.web.announced import Server, announced
from latent_assets.web.guard import Guard

PATIENCE_S = 1
"""How long an answer that is under way may take when the server ends."""


class _Uvicorn(uvicorn.Server):
    """Ends on a signal, and leaves it at that: its own way raises the signal once more."""

    def __init__(self, config: uvicorn.Config, on_end: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_end = on_end

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        def end(number: int, frame: FrameType | None) -> None:
            self._on_end()
            self.handle_exit(number, frame)

        before = {each: signal.signal(each, end) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def serve(
    app: ASGIApp,
    listener: socket.socket,
    address: Address,
    folder: Path,
    pages: tuple[str, ...],
    *,
    on_end: Callable[[], None] = lambda: None,
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    listener: of `address.listen`. folder: where the server is announced (`announced`).
    pages: what it serves, for those who look there. on_end: called at the signal.
    Raises StoreError.
    """
    config = uvicorn.Config(
        Guard(app, address),
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=PATIENCE_S,
    )
    server = Server(address.url, pages, address.token)
    with announced(folder, address.port, server):
        _Uvicorn(config, on_end).run(sockets=[listener])


def entrance(address: Address, path: str = "/") -> str:
    """The address to open in a browser: with the token, which the browser then keeps."""
    return f"{address.url}{path}" + (f"?token={address.token}" if address.token else "")


def open_browser(url: str) -> bool:
    """Show the address in the user's browser, if there is one and a display.

    Returns whether it is tried; does not wait for it.
    """
    displays = ("DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform == "linux" and not any(map(os.environ.get, displays)):
        return False  # what would open is a browser in this terminal
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
    return True
