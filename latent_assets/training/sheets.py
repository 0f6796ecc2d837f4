"""Sheets of pictures for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CAPTION_HEIGHT = 14


def to_uint8(pictures: np.ndarray) -> np.ndarray:
    """Decoder output about [-1, 1] -> uint8, as the engine rounds it."""
    return np.clip((np.asarray(pictures, np.float32) + 1) * 127.5, 0, 255).round().astype(np.uint8)


def to_float(pixels: np.ndarray) -> np.ndarray:
    """uint8 -> float32 in [-1, 1], what the encoder takes."""
    return np.asarray(pixels, np.float32) / 127.5 - 1


def write_sheet(
    path: Path, pictures: Sequence[np.ndarray], columns: int, captions: Sequence[str] = ()
) -> None:
    """A grid of equally large uint8 pictures, with captions above them if there are any."""
    height, width = pictures[0].shape[:2]
    row_height = height + (CAPTION_HEIGHT if captions else 0)
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * width, rows * row_height), "white")
    draw = ImageDraw.Draw(sheet)
    for index, picture in enumerate(pictures):
        x, y = index % columns * width, index // columns * row_height
        sheet.paste(Image.fromarray(picture), (x, y + row_height - height))
        if index < len(captions):
            draw.text((x + 2, y), captions[index], fill="black")
    sheet.save(path)
