"""Words below pictures and around grids, drawn with a font that Matplotlib ships (DejaVu Sans).

It has Latin, Greek, Cyrillic, Armenian, Georgian, Arabic and Hebrew letters; of others an empty box
is drawn. A caption stands below the picture, never over it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from latent_assets.media.frames import Frames, ImageArray

_PAPER, _INK, _QUIET = (24, 26, 30), (222, 224, 228), (150, 154, 162)
_MOST_LINES = 3
_SMALLEST_PX, _LARGEST_PX = 9, 40


class Captions:
    """Captions of one walk: the band below its pictures has room for the longest of them."""

    def __init__(self, texts: Sequence[str], width: int) -> None:
        """width: of the pictures, in pixels."""
        self._size = min(max(width // 22, _SMALLEST_PX), _LARGEST_PX)
        self._lines = [_wrapped(text, self._size, width - self._size) for text in texts]
        self._line_px = round(self._size * 1.35)
        most = max((len(lines) for lines in self._lines), default=1)
        band = self._line_px * most + self._size
        self.height = band + band % 2  # videos have even sides
        """Of the band, in pixels."""

    def below(self, picture: ImageArray, place: int) -> ImageArray:
        """(H, W, 3) -> (H + height, W, 3) uint8: the picture and the caption of its place."""
        band = Image.new("RGB", (picture.shape[1], self.height), _PAPER)
        draw = ImageDraw.Draw(band)
        lines = self._lines[place]
        top = (self.height - self._line_px * len(lines)) / 2
        for number, line in enumerate(lines):
            middle = top + self._line_px * (number + 0.5)
            where = (picture.shape[1] / 2, middle)
            draw.text(where, line, fill=_INK, font=_font(self._size), anchor="mm")
        return np.concatenate([picture, np.asarray(band)])

    def on(self, frames: Frames, places: Iterable[int]) -> Frames:
        """The frames with their captions; places: which of the walk each one is."""
        of = list(places)

        def read() -> Iterator[ImageArray]:
            return (self.below(*each) for each in zip(frames(), of, strict=True))

        return read


def labelled_grid(
    picture: ImageArray, corners: Sequence[str], places: Sequence[Sequence[Fraction]]
) -> ImageArray:
    """A grid with its four prompts at its corners, and how far each row and column is between them.

    picture: (H, W, 3) uint8; corners: top left, top right, bottom left, bottom right; places: from
    0 to 1, of the columns and of the rows.
    """
    height, width = picture.shape[:2]
    size = min(max(width // 44, _SMALLEST_PX), _LARGEST_PX)
    words = [_wrapped(text, size, width // 2 - size) for text in corners]
    line_px = round(size * 1.35)
    top, bottom = (max(map(len, pair)) * line_px + size for pair in (words[:2], words[2:]))
    ticks = line_px + size // 2
    left = round(_font(size).getlength("100%")) + size
    sheet = Image.new("RGB", (width + 2 * left, height + top + bottom + ticks), _PAPER)
    sheet.paste(Image.fromarray(picture), (left, top + ticks))
    draw = ImageDraw.Draw(sheet)
    for corner, lines in enumerate(words):
        right, below = corner % 2, corner // 2
        x = left + width if right else left
        y = top + ticks + height + size // 2 if below else size // 2
        for number, line in enumerate(lines):
            anchor = "ra" if right else "la"
            draw.text((x, y + number * line_px), line, fill=_INK, font=_font(size), anchor=anchor)
    columns = len(places[0])
    apart = max(1, math.ceil(1.2 * (left + size) / (width / columns)))
    for number in range(0, columns, apart):
        column, row = (f"{float(axis[number]):.0%}" for axis in places)
        across = left + width * (number + 0.5) / columns, top + ticks / 2
        down = left - size / 2, top + ticks + height * (number + 0.5) / columns
        draw.text(across, column, fill=_QUIET, font=_font(size), anchor="mm")
        draw.text(down, row, fill=_QUIET, font=_font(size), anchor="rm")
    return np.asarray(sheet)


def _wrapped(text: str, size: int, width: int) -> list[str]:
    """The text in at most three lines that fit, by words; what is cut off is marked by dots."""
    font, lines = _font(size), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    cut = len(lines) > _MOST_LINES
    return [
        _fitted(line, font, width, cut=cut and number == _MOST_LINES - 1)
        for number, line in enumerate(lines[:_MOST_LINES])
    ]


def _fitted(line: str, font: ImageFont.FreeTypeFont, width: int, *, cut: bool) -> str:
    if not cut and font.getlength(line) <= width:
        return line
    while line and font.getlength(f"{line}…") > width:
        line = line[:-1]
    return f"{line}…"


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Matplotlib is not imported for its font: that takes half a second."""
    spec = find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    file = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(file), size)
