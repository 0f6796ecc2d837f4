"""Pictures in a notebook: a film that plays, a grid, or of a long walk a strip."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from html import escape

import numpy as np

from latent_assets.media import Frames, ImageArray, contact_sheet, evenly, thumbnail
from latent_assets.media.frames import exact_fps
from latent_assets.media.thumbnails import reduced
from latent_assets.media.webp import TICKS_PER_SECOND, write_webp_to

MOST_FRAMES = 120
"""Of a film that plays inline; each is some 10 kB of the notebook."""
LONGEST_PX = 384
STRIP_FRAMES = 12
_GRID_PX = 960
_GRID_CHARACTERS = 1_000_000
_QUALITY = 80

At = Callable[[Sequence[int]], Frames]
"""Places -> the pictures there."""


def playing(at: At, order: Sequence[int], fps: float, alt: str, says: str) -> str:
    """HTML of a film; order: the places that it shows, one after the other."""
    if len(set(order)) == 1:
        return still(next(iter(at(order[:1])())), alt, says)
    if len(order) > MOST_FRAMES:
        return strip(at, max(order) + 1, alt, says)
    file = io.BytesIO()
    rate = min(exact_fps(fps), Fraction(TICKS_PER_SECOND))
    write_webp_to(file, _small(at(order)), fps=rate, quality=_QUALITY)
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return _figure(f"data:image/webp;base64,{data}", alt, says)


def strip(at: At, count: int, alt: str, says: str) -> str:
    """HTML of a few of the frames, evenly spread, each with its number."""
    places = evenly(count, STRIP_FRAMES)
    sheet = contact_sheet(at(places), map(str, places), columns=STRIP_FRAMES // 2)
    return still(sheet, alt, says)


def still(picture: ImageArray, alt: str, says: str) -> str:
    """HTML of one picture, (H, W, 3) uint8."""
    url = thumbnail(picture, longest_px=_GRID_PX, max_characters=_GRID_CHARACTERS)
    return _figure(url, alt, says)


def _small(frames: Frames) -> Frames:
    def read() -> Iterator[ImageArray]:
        return (np.asarray(reduced(picture, LONGEST_PX)) for picture in frames())

    return read


def _figure(url: str, alt: str, says: str) -> str:
    return (
        f'<figure style="margin:0"><img src="{url}" alt="{escape(alt, quote=True)}"'
        f' style="max-width:100%"><figcaption>{escape(says)}</figcaption></figure>'
    )
