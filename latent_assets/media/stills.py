"""Still pictures: the grid of a four-way walk, contact sheets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from latent_assets.errors import MediaError
from latent_assets.media import provenance
from latent_assets.media.frames import Frames, ImageArray, check_frames
from latent_assets.media.output import written
from latent_assets.media.signing import Seal
from latent_assets.media.thumbnails import reduced

_TITLE_PX, _TITLE_LINE_PX = 14, 20
_PNG_LEVEL = 4
"""Of zlib: 6, its usual one, takes twice the time for 3 % of the bytes."""
_PAPER = (24, 26, 30)
_INK = (222, 224, 228)
MAX_SIDE_PX = 32_000
"""Of a grid: 3 gigabytes of pixels, if it is square."""
SHEET_FRAMES = 400
"""More on a contact sheet are no longer looked at one by one, and cost gigabytes."""


def picture_grid(frames: Frames, columns: int, *, gap_px: int = 0) -> ImageArray:
    """Pictures side by side, row by row. Returns (H, W, 3) uint8.

    For an n x n walk, columns is n. Places left over in the last row are dark.
    """
    if columns < 1:
        raise MediaError(f"a grid of {columns} columns", "Ask for one column or more.")
    rows = list(_rows(check_frames(frames), columns))
    height, width = rows[0][0].shape[:2]
    total = len(rows) * (height + gap_px) - gap_px, columns * (width + gap_px) - gap_px
    if max(total) > MAX_SIDE_PX:
        raise MediaError(
            f"the grid would be {total[1]}x{total[0]} px, more than {MAX_SIDE_PX} a side",
            "Use a smaller grid or smaller frames.",
        )
    sheet = np.full((*total, 3), _PAPER, np.uint8)
    for row, pictures in enumerate(rows):
        top = row * (height + gap_px)
        for column, picture in enumerate(pictures):
            left = column * (width + gap_px)
            sheet[top : top + height, left : left + width] = picture
    return sheet


def _rows(pictures: Iterator[ImageArray], columns: int) -> Iterator[list[ImageArray]]:
    while row := list(islice(pictures, columns)):
        yield row


def contact_sheet(
    frames: Frames,
    labels: Iterable[str] | None = None,
    *,
    title: str = "",
    columns: int | None = None,
    cell_px: int = 160,
) -> ImageArray:
    """Small pictures with their numbers (or labels) below, under a title. Returns (H, W, 3) uint8.

    Of a long walk give `SHEET_FRAMES` of its frames, and their numbers as labels (`evenly`).
    cell_px: longest side of each picture; larger frames are reduced, smaller ones are not
    enlarged. columns: by default as many as make the sheet about 4:3.
    """
    small = [reduced(picture, cell_px) for picture in check_frames(frames)]
    width, height = small[0].size
    columns = columns or max(1, min(len(small), round(math.sqrt(len(small) * 4 / 3))))
    rows = math.ceil(len(small) / columns)
    pad, line = 8, 18
    font = ImageFont.load_default(size=12)
    heading, top = _heading(title, columns * (width + pad) - pad)
    step_x, step_y = width + pad, height + line + pad
    sheet = Image.new("RGB", (columns * step_x + pad, rows * step_y + pad + top), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.multiline_text(
        (pad, pad), heading, fill=_INK, font=ImageFont.load_default(size=_TITLE_PX), spacing=4
    )
    names = map(str, range(len(small))) if labels is None else labels
    for index, (picture, name) in enumerate(zip(small, names, strict=False)):
        x, y = pad + index % columns * step_x, top + pad + index // columns * step_y
        sheet.paste(picture, (x, y))
        draw.text((x + width / 2, y + height + 3), name, fill=_INK, font=font, anchor="ma")
    return np.asarray(sheet)


def _heading(title: str, width_px: int) -> tuple[str, int]:
    """The title in lines of that width, at words if that can be; and the height that it takes."""
    if not title:
        return "", 0
    font = ImageFont.load_default(size=_TITLE_PX)
    lines: list[str] = []
    for word in title.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width_px:
            lines[-1] = longer
        else:
            lines.append(word)
    cut = [_cut(line, font, width_px) for line in lines]
    return "\n".join(cut), len(cut) * _TITLE_LINE_PX + 2


def _cut(line: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width_px: int) -> str:
    """A word that is wider than the sheet loses its end."""
    while font.getlength(line) > width_px and len(line) > 1:
        line = line[:-2] + "…"
    return line


def write_png(
    picture: ImageArray,
    path: Path,
    *,
    provenance: Mapping[str, Any] | None = None,
    seal: Seal | None = None,
) -> Path:
    """picture: (H, W, 3) uint8; seal: signs the file. Raises MediaError.

    See `media.provenance` for the record.
    """
    text = None if provenance is None else _to_text(provenance)
    with written(path) as temporary:
        Image.fromarray(picture).save(
            temporary, "PNG", pnginfo=_png_info(text), compress_level=_PNG_LEVEL
        )
        if seal is not None:
            seal(temporary, ".png")
    return path


_to_text, _png_info = provenance.to_text, provenance.png_info
