"""What the finished files show: the frames, or the larger pictures that were made of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from latent_assets.media import Captions, Frames, ImageArray
from latent_assets.store import FrameStore
from latent_assets.studio import Studio, WalkSpec, captions_of, shown_size


@dataclass(frozen=True)
class Shown:
    """Stored pictures in the order of the walk's frames.

    They are read anew at every use, a few at a time: a long walk need not fit in memory.
    """

    store: FrameStore
    keys: list[str]
    digests: list[str]
    captions: Captions | None = None
    """What stands below them."""

    @classmethod
    def of(cls, studio: Studio, frames: dict, upscaled_frames: dict | None = None) -> "Shown":
        """By the manifests of `frames` and, where the walk asks for it, of `upscaled_frames`."""
        if upscaled_frames and "keys" in upscaled_frames:
            return cls(studio.upscaled, upscaled_frames["keys"], upscaled_frames["digests"])
        return cls(studio.frames, frames["keys"], frames["digests"])

    def captioned(self, spec: WalkSpec) -> "Shown":
        """With captions, if the walk's file asks for them."""
        if not spec.walk.output.captions:
            return self
        _, width = shown_size(spec.walk, spec.rendering.size)
        return replace(self, captions=captions_of(spec.walk, width))

    @property
    def all(self) -> Frames:
        """Every picture once."""
        return self.at(range(len(self.keys)))

    def one(self, place: int) -> ImageArray:
        """The picture at this place in the walk, (H, W, 3) uint8."""
        return next(iter(self.at([place])()))

    def at(self, places: Iterable[int]) -> Frames:
        """The pictures at these places in the walk, in this order."""
        chosen = list(places)
        keys = [self.keys[place] for place in chosen]

        def read() -> Iterator[ImageArray]:
            return (frame.pixels for frame in self.store.read_many(keys))

        return read if self.captions is None else self.captions.on(read, chosen)
