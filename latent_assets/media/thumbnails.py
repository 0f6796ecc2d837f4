"""Pictures small enough for a database: `data:` URLs for Dagster's metadata.

Dagster keeps what it is told of an asset three times: what is 10 kB here is 30 kB there.
"""

from __future__ import annotations

import base64
import io
import math
from bisect import bisect_left
from functools import cache
from itertools import product

from PIL import Image

from latent_assets.media.frames import Frames, ImageArray, check_frames, evenly
from latent_assets.media.video import avif_available

MAX_CHARACTERS = 10_000
LONGEST_PX = 256
FILM_FRAMES = 12
"""Of an animated thumbnail: of a long walk give no more."""
_QUALITIES = (75, 50, 30)
_SMALLEST_PX = 16


def reduced(picture: ImageArray, longest_px: int) -> Image.Image:
    """picture: (H, W, 3) uint8; smaller ones are not enlarged."""
    image = Image.fromarray(picture)
    image.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    return image


def thumbnail(
    picture: ImageArray, *, longest_px: int = 640, max_characters: int = MAX_CHARACTERS
) -> str:
    """A `data:` URL of a WebP of the picture, as good and then as large as fits."""

    def encode(image: Image.Image, quality: int) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=quality, method=4)
        return buffer.getvalue()

    while True:
        image = reduced(picture, longest_px)
        smallest = _data_url("image/webp", encode(image, _QUALITIES[-1]))
        if len(smallest) <= max_characters or longest_px <= _SMALLEST_PX:
            break
        # Bytes grow about with the area; 0.9 so that one more round suffices.
        fits = int(longest_px * 0.9 * math.sqrt(max_characters / len(smallest)))
        longest_px = max(_SMALLEST_PX, min(longest_px - 1, fits))
    better = (_data_url("image/webp", encode(image, quality)) for quality in _QUALITIES[:-1])
    return next((url for url in better if len(url) <= max_characters), smallest)


def thumbnail_film(
    frames: Frames,
    *,
    seconds: float,
    longest_px: int = LONGEST_PX,
    max_characters: int = MAX_CHARACTERS,
) -> str:
    """A `data:` URL of a looping film of the frames that lasts so long; as many as fit.

    Small frames are enlarged. At most `FILM_FRAMES` are shown, all are held in memory. Where this
    Pillow writes no AVIF, or none fits, it is the first frame alone.
    """
    pictures = [_of_size(picture, longest_px) for picture in check_frames(frames)]

    @cache
    def film(attempt: tuple[int, int]) -> str:
        count, quality = attempt
        shown = [pictures[place] for place in evenly(len(pictures), count)]
        return _data_url("image/avif", _film(shown, seconds, quality))

    if avif_available():
        attempts = _attempts(len(pictures))
        first_fit = bisect_left(attempts, True, key=lambda each: len(film(each)) <= max_characters)
        if first_fit < len(attempts):
            return film(attempts[first_fit])
    first = next(iter(frames()))
    return thumbnail(first, longest_px=longest_px, max_characters=max_characters)


def _attempts(count: int) -> list[tuple[int, int]]:
    """Numbers of frames with qualities, the best first; each is about smaller than those before."""
    most = min(count, FILM_FRAMES)
    if most < 2:  # noqa: PLR2004 - one frame is no film
        return []
    counts = dict.fromkeys(max(2, n) for n in (most, most * 2 // 3, most // 2, most // 3))
    return [(each, quality) for each, quality in product(counts, (45, 28))]


def _film(pictures: list[Image.Image], seconds: float, quality: int) -> bytes:
    buffer = io.BytesIO()
    pictures[0].save(
        buffer,
        "AVIF",
        save_all=True,
        append_images=pictures[1:],
        duration=max(20, round(1000 * seconds / len(pictures))),
        quality=quality,
        speed=8,  # a tenth of the time of 6, for twice the bytes
        range="limited",
    )
    return buffer.getvalue()


def _of_size(picture: ImageArray, longest_px: int) -> Image.Image:
    image = Image.fromarray(picture)
    scale = longest_px / max(image.size)
    size = tuple(max(2, 2 * round(side * scale / 2)) for side in image.size)
    return image.resize((size[0], size[1]), Image.Resampling.LANCZOS)


def _data_url(mime: str, data: bytes) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"
