"""256 colours that stand for a picture's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from latent_assets.media.frames import ImageArray

_COLOURS = 256
_SAMPLE_PX = 64
_ROWS = 128
"""Pixels compared at once: so few that the BLAS does not spread the product over threads of its
own, which beside ours costs 25 times as much (measured: 512 rows 0.8 s a frame, 128 0.03 s)."""


def quantize(picture: ImageArray, *, dither: bool = False, fast: bool = False) -> Image.Image:
    """picture: (H, W, 3) uint8. Returns a palette image of its size.

    The palette is made for each frame by median cut and k-means on at most 64 x 64 of its
    pixels; each pixel then takes the nearest colour, found exactly (Pillow's own search looks at
    6 bits a channel, which costs 1 dB). No dither by default: it lowers PSNR by 2 to 3 dB and
    flickers from frame to frame; what it betters is the mean colour of wide gradients.
    `docs/outputs.md` has the figures. fast: an octree's colours instead, in less than a tenth of
    the time and 2 dB further off: for thumbnails.
    """
    image = Image.fromarray(picture)
    if fast:
        return image.quantize(_COLOURS, Image.Quantize.FASTOCTREE)
    size = min(image.width, _SAMPLE_PX), min(image.height, _SAMPLE_PX)
    sample = image if image.size == size else image.resize(size, Image.Resampling.NEAREST)
    if (exact := _exactly(picture, np.asarray(sample))) is not None:
        return exact
    chosen = sample.quantize(_COLOURS, Image.Quantize.MEDIANCUT, kmeans=8)
    if dither:
        return image.quantize(palette=chosen, dither=Image.Dither.FLOYDSTEINBERG)
    if sample is image:
        return chosen
    colours = np.array(chosen.getpalette(), np.float32).reshape(-1, 3)
    return _with_palette(_nearest(picture, colours), colours)


def _exactly(picture: ImageArray, sample: ImageArray) -> Image.Image | None:
    """The picture itself if it has no more than 256 colours; median cut would mix even few."""
    if len(np.unique(_packed(sample))) > _COLOURS:
        return None
    colours, indices = np.unique(_packed(picture), return_inverse=True)
    if len(colours) > _COLOURS:
        return None
    channels = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1)
    return _with_palette(indices.reshape(picture.shape[:2]).astype(np.uint8), channels)


def _packed(picture: ImageArray) -> npt.NDArray[np.uint32]:
    """One number for each pixel's colour."""
    red, green, blue = np.moveaxis(picture.astype(np.uint32), 2, 0)
    return red << 16 | green << 8 | blue


def _with_palette(indices: npt.NDArray[np.uint8], colours: npt.NDArray[Any]) -> Image.Image:
    image = Image.fromarray(indices)
    image.putpalette(colours.astype(np.uint8).tobytes())
    return image


def _nearest(picture: ImageArray, palette: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Index of the nearest of the palette's (N, 3) colours for each pixel, (H, W) uint8."""
    pixels = np.ones((picture.shape[0] * picture.shape[1], 4), np.float32)
    pixels[:, :3] = picture.reshape(-1, 3)
    # |x - p|^2 = |x|^2 + 2 (|p|^2 / 2 - x p), and |x|^2 is the same for every p.
    terms = np.concatenate([-palette.T, (palette**2).sum(axis=1)[None] / 2])
    distances = np.empty((_ROWS, len(palette)), np.float32)
    indices = np.empty(len(pixels), np.uint8)
    for start in range(0, len(pixels), _ROWS):
        part = pixels[start : start + _ROWS]
        found = np.matmul(part, terms, out=distances[: len(part)])
        indices[start : start + _ROWS] = found.argmin(axis=1)
    return indices.reshape(picture.shape[:2])
