"""What Dagster says past all loggers, straight to standard error, before our own words."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

RAW = "Exception while writing logger call to event log"


class _Filtered:
    """A text stream that leaves out Dagster's raw words; all else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As `TextIO.write`."""
        return len(text) if text.startswith(RAW) else self._stream.write(text)

    def close(self) -> None:
        """Nothing: a log handler may hold this after the block, and takes it for its own file."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def without_raw_words() -> Iterator[None]:
    """In the block, of a disk that is full only our own message is told."""
    before = sys.stderr
    sys.stderr = _Filtered(before)  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.stderr = before
