"""The stored pictures that pages show: frames, and the larger pictures that were made of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from latent_assets.store import FrameMissingError, StoredFrame
from latent_assets.store.parallel import in_order
from latent_assets.studio import Studio, WalkSpec


class Album:
    """Pictures by key, whichever of a studio's two stores they are in. For many threads."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def read(self, key: str) -> StoredFrame:
        """Raises FrameMissingError, FrameDamagedError; ValueError for what is no key."""
        try:
            return self._studio.frames.read(key)
        except FrameMissingError:
            return self._studio.upscaled.read(key)

    def read_many(self, keys: Iterable[str]) -> Iterator[StoredFrame]:
        """In the order of the keys, read ahead in threads. Raises as `read`."""
        return in_order(self.read, keys, self._studio.frames.objects.parallel)

    def original(self, key: str) -> bytes:
        """The stored PNG. Raises FrameMissingError; ValueError for what is no key."""
        for store in (self._studio.frames, self._studio.upscaled):
            try:
                return store.objects.read(store.name(key))
            except FileNotFoundError:
                continue
        raise FrameMissingError(f"no picture {key}", "Render the walk: it fills the gaps.")

    def shown(self, spec: WalkSpec, keys: Sequence[str], stored: Collection[str]) -> list[str]:
        """The keys of what is shown of a walk: its frames, or where they are made, larger pictures.

        keys: of its frames, in order; stored: those that are there.
        """
        upscale = spec.walk.output.upscale
        if upscale is None:
            return list(keys)
        upscaling = self._studio.open_upscaling(upscale.method, upscale.factor)
        digests = self._studio.frames.digests(key for key in keys if key in stored)
        larger = {key: upscaling.key_of(digest) for key, digest in digests.items()}
        there = self._studio.upscaled.contains(larger.values())
        return [larger[key] if larger.get(key) in there else key for key in keys]
