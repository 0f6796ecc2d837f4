"""What the finished files show: the frames, or the larger pictures that were made of them.

And what they say of themselves: the record of their origin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from latent_assets.media import (
    Captions,
    Frames,
    ImageArray,
    Provenance,
    labelled_grid,
    play_order,
    write_animation,
    write_jpeg,
    write_png,
)
from latent_assets.store import FrameStore
from latent_assets.studio import Studio, WalkSpec, captions_of, shown_size
from latent_assets.walks.route import frame_places, is_closed
from latent_assets.walks.schema import Grid

Write = Callable[..., object]
"""Called with the marks that the file is to carry: `provenance`, `seal`."""


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
    def of(cls, studio: Studio, frames: dict, upscaled_frames: dict | None = None) -> Shown:
        """By the manifests of `frames` and, where the walk asks for it, of `upscaled_frames`."""
        if upscaled_frames and "keys" in upscaled_frames:
            return cls(studio.upscaled, upscaled_frames["keys"], upscaled_frames["digests"])
        return cls(studio.frames, frames["keys"], frames["digests"])

    def captioned(self, spec: WalkSpec) -> Shown:
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


def shown_order(spec: WalkSpec) -> list[int]:
    """The places in the walk that its film shows, one after the other."""
    walk = spec.walk
    return play_order(walk.frames, ping_pong=walk.output.ping_pong, closed=is_closed(walk))


def film(spec: WalkSpec, pictures: Shown, path: Path, format: str) -> Write:  # noqa: A002
    """A writer of the walk's film; format: one that is `animated`."""
    order = shown_order(spec)
    # The page has a button for there and back: it needs each frame once.
    shown = pictures.all if format == "html" else pictures.at(order)
    write = partial(write_animation, shown, path, format=format, fps=spec.walk.output.fps)
    return partial(write, there_and_back=len(order) > spec.walk.frames)


def labelled(walk: Grid, drawn: ImageArray) -> ImageArray:
    """The grid with its corners' prompts around it, if the walk asks for captions."""
    if not walk.output.captions:
        return drawn
    return labelled_grid(drawn, walk.prompts, frame_places(walk))


def still(path: Path, picture: Callable[[], ImageArray]) -> Write:
    """A writer that draws the picture only when it is called; by the path's ending."""
    write = write_jpeg if path.suffix == ".jpg" else write_png
    return lambda **marks: write(picture(), path, **marks)


def record_of(
    studio: Studio,
    spec: WalkSpec,
    keys: Sequence[str],
    digests: Sequence[str],
    place: int | None = None,
) -> dict[str, Any] | None:
    """The record of origin of a file; None where the settings want none.

    keys, digests: of the walk's frames. place: of the one frame that the file shows.
    """
    if not studio.settings.metadata:
        return None
    how = spec.rendering
    walk = {"name": spec.name, **spec.to_json()["walk"], "model": how.model}
    if spec.walk.size_px != how.size:
        walk["size"] = None  # another model than the file's was asked for: it has its own size
    return Provenance(
        walk=walk,
        model={
            "name": how.model,
            "weights_digest": how.weights,
            "size": list(how.size),
            "precision": how.precision,
            **_upscaler(studio, spec),
        },
        frame_keys=tuple(keys if place is None else [keys[place]]),
        frame_digests=tuple(digests if place is None else [digests[place]]),
        extra={} if place is None else {"frame": place, "of": len(keys)},
    ).as_dict()


def _upscaler(studio: Studio, spec: WalkSpec) -> dict[str, str]:
    """The weights that made the pictures larger; filters have none."""
    upscale = spec.walk.output.upscale
    if upscale is None:
        return {}
    weights = studio.open_upscaling(upscale.method, upscale.factor).weights
    return {"upscaler_weights": weights} if weights else {}
