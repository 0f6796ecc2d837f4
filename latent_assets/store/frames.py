"""The frame store: one PNG per frame, under its key, with its receipt inside."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from latent_assets.errors import StoreError
from latent_assets.foreign import NotRegularError
from latent_assets.store import png
from latent_assets.store.failures import FrameDamagedError, FrameMissingError
from latent_assets.store.objects import open_objects
from latent_assets.store.parallel import in_order
from latent_assets.store.receipts import Receipt

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from latent_assets.store.png import ImageArray

FOLDER = "frames"
UPSCALED = "upscaled"
"""The folder of pictures that were made larger: they can be made again from the frames alone."""
QUARANTINE = "quarantine"
_HEAD_BYTES = 16 * 1024  # holds the receipt of nearly every frame; else the whole file is read
_KEY_LENGTH = 64
_TRIES = 8
"""So often a place that is taken and free at once is looked at again."""


@dataclass(frozen=True)
class StoredFrame:
    """One frame as it was rendered: pixels (H, W, 3) uint8, and how it came to be."""

    pixels: ImageArray
    receipt: Receipt


class FrameStore:
    """Frames by their keys (64 hex digits, from `FrameRecipe.key`).

    root: a folder, or any fsspec URL; options go to the fsspec file system. folder: of the root,
    `FOLDER` or `UPSCALED`. A frame once stored is never changed: who comes second with the same
    key finds it there. Safe for any number of threads and processes.
    """

    def __init__(
        self, root: str | os.PathLike[str], *, folder: str = FOLDER, **options: Any
    ) -> None:
        self.objects = open_objects(root, **options)
        self.folder = folder

    def name(self, key: str) -> str:
        """Where the frame of this key lies, relative to the root. Raises ValueError."""
        if len(key) != _KEY_LENGTH or not set(key) <= set("0123456789abcdef"):
            raise ValueError(f"not a frame key (64 lower-case hex digits): {key[:80]!r}")
        return f"{self.folder}/{key[:2]}/{key}.png"

    def contains(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys whose frames are stored. Looks, does not read: see `check`."""
        names = {self.name(key): key for key in keys}
        return {names[name] for name in self.objects.existing(names)}

    def read(self, key: str) -> StoredFrame:
        """The frame, checked against its receipt.

        Raises FrameMissingError; FrameDamagedError after having moved it to `quarantine/`.
        """
        data = self._bytes(key)
        try:
            pixels, texts = png.decode(data)
            receipt = _receipt(texts, key)
            if png.pixel_digest(pixels) != receipt.pixel_digest:
                raise ValueError("its pixels are not those that were stored")  # noqa: TRY301
        except ValueError as error:
            raise self._quarantine(key, str(error)) from error
        return StoredFrame(pixels, receipt)

    def read_receipt(self, key: str) -> Receipt:
        """The receipt alone, from the file's head; the pixels are not checked. Raises as `read`."""
        head = self._bytes(key, _HEAD_BYTES)
        try:
            return _receipt(png.decode_texts(head), key)
        except ValueError:
            return self.read(key).receipt

    def digests(self, keys: Iterable[str]) -> dict[str, str]:
        """The pixel digests that receipts give, by key; without those of frames that are wrong."""

        def look(key: str) -> tuple[str, str | None]:
            try:
                return key, self.read_receipt(key).pixel_digest
            except (FrameMissingError, FrameDamagedError):
                return key, None

        looked = in_order(look, dict.fromkeys(keys), self.objects.parallel)
        return {key: digest for key, digest in looked if digest is not None}

    def write(self, key: str, pixels: ImageArray, receipt: Receipt) -> str:
        """Stores a frame, if there is none with this key. Returns the stored pixels' digest.

        pixels: (H, W, 3) uint8. What stands in its place and is no frame is set aside. Raises
        StoreError (disk full, no permission), and ValueError if the receipt is another frame's.
        """
        name = self.name(key)
        if receipt.key != key or receipt.pixel_digest != png.pixel_digest(pixels):
            raise ValueError(f"the receipt does not belong to this frame ({key})")
        data = png.encode(pixels, {png.RECEIPT_KEYWORD: receipt.to_json()})
        for attempt in range(_TRIES):
            if self.objects.write(name, data, replace=False):
                return receipt.pixel_digest
            try:
                return self.read(key).receipt.pixel_digest
            except FrameDamagedError:
                continue  # it was set aside: the place is free
            except FrameMissingError:
                if attempt:  # not collected just now, but a link that leads nowhere
                    self.objects.move(name, _aside(key))
        raise StoreError(
            f"frame {key} cannot be stored: what stands at {self.objects.root}/{name} can neither"
            " be read nor set aside",
            "Move it away, and render again.",
        )

    def read_many(self, keys: Iterable[str]) -> Iterator[StoredFrame]:
        """The frames in the order of the keys, read ahead in threads; few are in memory at once.

        Raises as `read`, at the frame that is missing or damaged.
        """
        yield from in_order(self.read, keys, self.objects.parallel)

    def write_many(self, frames: Iterable[tuple[str, ImageArray, Receipt]]) -> list[str]:
        """Stores (key, pixels, receipt) triples in threads. Returns the digests in order."""
        return list(in_order(lambda item: self.write(*item), frames, self.objects.parallel))

    def check(self, keys: Iterable[str]) -> dict[str, FrameMissingError | FrameDamagedError]:
        """Reads every frame; returns what is wrong, by key. Damaged frames are set aside."""

        def look(key: str) -> tuple[str, FrameMissingError | FrameDamagedError | None]:
            try:
                self.read(key)
            except (FrameMissingError, FrameDamagedError) as error:
                return key, error
            return key, None

        looked = in_order(look, keys, self.objects.parallel)
        return {key: error for key, error in looked if error is not None}

    def keys(self) -> Iterator[str]:
        """The keys of all frames, in no particular order."""
        for entry in self.objects.entries(self.folder):
            key = entry.name.rpartition("/")[2].removesuffix(".png")
            if len(key) == _KEY_LENGTH:
                yield key

    def delete(self, key: str) -> None:
        """Removes the frame; it may be gone already."""
        self.objects.delete(self.name(key))

    def _bytes(self, key: str, limit: int | None = None) -> bytes:
        try:
            return self.objects.read(self.name(key), limit)
        except FileNotFoundError as error:
            raise FrameMissingError(
                f"no frame {key} in {self.objects.root}", "Render the walk: it fills the gaps."
            ) from error
        except NotRegularError as error:
            raise self._quarantine(key, str(error)) from error

    def _quarantine(self, key: str, why: str) -> FrameDamagedError:
        aside = _aside(key)
        self.objects.move(self.name(key), aside)
        return FrameDamagedError(
            f"frame {key} in {self.objects.root} is damaged ({why}); moved to {aside}",
            "Render the walk: this frame alone is rendered again.",
        )


def _aside(key: str) -> str:
    return f"{QUARANTINE}/{key}.{time.time_ns()}.png"


def _receipt(texts: dict[str, str], key: str) -> Receipt:
    """Raises ValueError unless the texts hold the receipt of this key."""
    if png.RECEIPT_KEYWORD not in texts:
        raise ValueError("it has no receipt")
    receipt = Receipt.from_json(texts[png.RECEIPT_KEYWORD])
    if receipt.key != key:
        raise ValueError("its receipt is another frame's")
    return receipt
