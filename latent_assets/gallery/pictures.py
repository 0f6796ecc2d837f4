"""Frames as a browser takes them: WebP, one for each frame, and a small film for the index."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from PIL import Image

from latent_assets.gallery.album import Album
from latent_assets.media.frames import ImageArray, evenly
from latent_assets.media.metrics import rms_distance
from latent_assets.media.webp import write_webp_to

QUALITY = 86
PREVIEW_PX = 320
"""The longest side of a card's picture."""
PREVIEW_LEAST_PX = 256
"""Smaller frames are enlarged in films: Dagster shows these as large as they are."""
PREVIEW_FRAMES = 24
PREVIEW_S = 2.4
"""How long a card's film of so many frames takes."""
_KEPT_BYTES = 96 * 2**20
_KEPT_DISTANCES = 50_000


def webp(picture: ImageArray, *, longest_px: int | None = None, quality: int = QUALITY) -> bytes:
    """picture: (H, W, 3) uint8. longest_px: reduced to it; smaller ones are not enlarged."""
    image = Image.fromarray(picture)
    if longest_px is not None:
        image.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()


def preview(album: Album, keys: Sequence[str]) -> bytes:
    """The walk in small, as an animated WebP; of many frames some, evenly spread.

    keys: of frames that are stored, in the order of play. Raises StoreError.
    """
    chosen = [keys[place] for place in evenly(len(keys), PREVIEW_FRAMES)]
    seconds = PREVIEW_S * max(len(chosen), 2) / PREVIEW_FRAMES
    buffer = io.BytesIO()
    write_webp_to(
        buffer,
        lambda: (_small(frame.pixels) for frame in album.read_many(chosen)),
        fps=Fraction(len(chosen)) / Fraction(seconds).limit_denominator(100),
        quality=78,
    )
    return buffer.getvalue()


def _small(picture: ImageArray) -> ImageArray:
    import numpy as np  # noqa: PLC0415

    image = Image.fromarray(picture)
    longest = max(image.size)
    scale = min(max(longest, PREVIEW_LEAST_PX), PREVIEW_PX) / longest
    width, height = (max(1, round(side * scale)) for side in image.size)
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))


class Pictures:
    """Frames for pages, encoded once and kept as long as there is room. For many threads."""

    def __init__(self, album: Album, cache: Path) -> None:
        """cache: a folder for the films of the index, which take a second to make."""
        self._album = album
        self._cache = cache
        self._encoded: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._apart: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[Path, threading.Lock] = {}

    def frame(self, key: str) -> bytes:
        """The frame as WebP. Raises FrameMissingError, FrameDamagedError, ValueError for no key."""
        with self._lock:
            if (known := self._encoded.get(key)) is not None:
                self._encoded.move_to_end(key)
                return known
        made = webp(self._album.read(key).pixels)
        with self._lock:
            if key not in self._encoded:
                self._encoded[key] = made
                self._bytes += len(made)
            while self._bytes > _KEPT_BYTES:
                self._bytes -= len(self._encoded.popitem(last=False)[1])
        return made

    def distances(self, keys: Sequence[str], stored: frozenset[str]) -> list[float | None]:
        """The distance (rms) of each frame to the next; None where one of the two is missing."""
        before: tuple[str, ImageArray] | None = None
        found: list[float | None] = []
        for a, b in pairwise(keys):
            if a not in stored or b not in stored:
                found.append(None)
                continue
            known = self._apart.get((a, b))
            if known is None:
                first = before[1] if before and before[0] == a else self._album.read(a).pixels
                before = b, self._album.read(b).pixels
                known = rms_distance(first, before[1])
                with self._lock:
                    self._apart[a, b] = known
                    while len(self._apart) > _KEPT_DISTANCES:
                        self._apart.popitem(last=False)
            found.append(known)
        return found

    def preview(self, walk: str, looks: str, keys: Sequence[str]) -> bytes:
        """The film of the index (`preview`); looks: a digest of these frames."""
        return self._kept(f"{walk}.{looks}.webp", lambda: preview(self._album, keys))

    def poster(self, key: str) -> bytes:
        """One frame of the size of the index's films."""
        name = f"poster {key}"
        with self._lock:
            if (known := self._encoded.get(name)) is not None:
                return known
        made = webp(self._album.read(key).pixels, longest_px=PREVIEW_PX)
        with self._lock:
            self._encoded[name] = made
            self._bytes += len(made)
        return made

    def _kept(self, name: str, make: Callable[[], bytes]) -> bytes:
        path = self._cache / "previews" / name
        with self._lock:
            alone = self._making.setdefault(path, threading.Lock())
        with alone:
            return kept(path, make)


def kept(path: Path, make: Callable[[], bytes]) -> bytes:
    """The bytes of the file, or what `make` gives, which the file then holds if it can.

    The name is WALK.DIGEST.SUFFIX: of one walk one file is kept.
    """
    from latent_assets.store.atomic import write_bytes  # noqa: PLC0415

    try:
        return path.read_bytes()
    except OSError:
        pass
    made = make()
    try:
        write_bytes(path, made)
        for other in path.parent.glob(f"{path.name.partition('.')[0]}.*"):
            if other != path:
                other.unlink(missing_ok=True)
    except OSError:
        pass  # a full disk, or one that may not be written, costs a second the next time
    return made
