"""A double of the processes that compose."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from latent_assets.training.stream import Chunk


class Composing:
    """Stands for `PictureStream`: chunk after chunk, of level 1, 2 and so on."""

    def __init__(self, chunk: Callable[[int], Chunk]) -> None:
        self._chunk = chunk
        self.made, self.closed = 0, False

    def ready(self, wait_for_one: bool = False) -> Iterator[Chunk]:
        """One more chunk."""
        del wait_for_one
        self.made += 1
        yield self._chunk(self.made)

    def close(self) -> None:
        """Note it."""
        self.closed = True
