"""An object store on loopback that speaks S3 (moto's), in a thread of the test's process.

It can be as bad as real ones are: late, refusing, and failing when the work was already done.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

_SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"
_BROKEN = b"<Error><Code>InternalError</Code><Message>We encountered an error.</Message></Error>"
_XML = [("Content-Type", "application/xml")]


@dataclass
class Troubles:
    """What is wrong with the server, from now on; tests change it while it runs."""

    latency_s: float = 0.0
    """Before each answer."""
    fault_every: int = 0
    """Each so-manieth request fails, by turns before and after it was carried out; 0: none."""
    is_cut: bool = False
    """Whether every request is refused."""
    faults: int = 0
    """So many there were."""
    refused: int = 0
    """Requests that came while the server was cut off."""
    _requests: int = 0
    _failed: set[tuple[str, str]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next_fault(self, request: tuple[str, str]) -> str:
        """`before`, `after`, or nothing. The same request fails once, then it succeeds."""
        with self._lock:
            if self.is_cut:
                self.refused += 1
                return "before"
            self._requests += 1
            if request in self._failed:
                self._failed.discard(request)
                return ""
            if not self.fault_every or self._requests % self.fault_every:
                return ""
            self._failed.add(request)
            self.faults += 1
            return "before" if self.faults % 2 else "after"


class TroubledApp:
    """A WSGI application in front of moto's."""

    def __init__(self, app: Callable[..., Iterable[bytes]], troubles: Troubles) -> None:
        self._app, self.troubles = app, troubles

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if self.troubles.latency_s:
            time.sleep(self.troubles.latency_s)
        fault = self.troubles.next_fault((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if fault == "before":
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response("503 Slow Down", _XML)
            return [_SLOW_DOWN]
        if fault == "after":
            list(self._app(environ, lambda *_: None))
            start_response("500 Internal Server Error", _XML)
            return [_BROKEN]
        return self._app(environ, start_response)


@dataclass(frozen=True)
class S3Server:
    """A server that runs."""

    url: str
    """http://127.0.0.1:PORT."""
    troubles: Troubles

    @property
    def options(self) -> dict[str, Any]:
        """For `FrameStore` and its like."""
        return {"key": "test", "secret": "test", "client_kwargs": {"endpoint_url": self.url}}

    def make_bucket(self, name: str) -> None:
        """A bucket of this name, empty."""
        import s3fs  # noqa: PLC0415 - an extra package

        s3fs.S3FileSystem(**self.options).mkdir(name)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server without troubles, on a port of its own; the test is skipped without the packages."""
    pytest.importorskip("s3fs")
    werkzeug_app = pytest.importorskip("moto.moto_server.werkzeug_app")
    from werkzeug.serving import make_server  # noqa: PLC0415 - an extra package

    troubles = Troubles()
    app = TroubledApp(
        werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app), troubles
    )
    handler = werkzeug_app.MotoRequestHandler
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=handler)
    thread = threading.Thread(target=server.serve_forever, name="S3", daemon=True)
    thread.start()
    try:
        yield S3Server(f"http://127.0.0.1:{server.server_port}", troubles)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
