"""What the finished files show: the frames, or the larger pictures that were made of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from latent_assets.media import Frames
from latent_assets.store import FrameStore
from latent_assets.studio import Studio


@dataclass(frozen=True)
class Shown:
    """Stored pictures in the order of the walk's frames.

    They are read anew at every use, a few at a time: a long walk need not fit in memory.
    """

    store: FrameStore
    keys: list[str]
    digests: list[str]

    @classmethod
    def of(cls, studio: Studio, frames: dict, upscaled_frames: dict | None = None) -> "Shown":
        """By the manifests of `frames` and, where the walk asks for it, of `upscaled_frames`."""
        if upscaled_frames and "keys" in upscaled_frames:
            return cls(studio.upscaled, upscaled_frames["keys"], upscaled_frames["digests"])
        return cls(studio.frames, frames["keys"], frames["digests"])

    @property
    def all(self) -> Frames:
        """Every picture once."""
        return self.at(range(len(self.keys)))

    def at(self, places: Iterable[int]) -> Frames:
        """The pictures at these places in the walk, in this order."""
        keys = [self.keys[place] for place in places]

        def read() -> Iterator[np.ndarray]:
            return (frame.pixels for frame in self.store.read_many(keys))

        return read
