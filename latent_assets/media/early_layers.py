"""What the first layers of a network trained on photographs see in a picture, and how far apart.

The network is EfficientNet-lite0 (Tan and Le 2019), its weights those of ImageNet, Apache-2.0;
`scripts/export_early_layers.py` says where from. Its stem and first five blocks answer to edges,
colours and textures and know no things. This is not LPIPS: no layer was weighted by what people
said, and each layer is averaged over an 8 x 8 grid of cells. numpy alone: 10 ms a picture of
128 px, and nothing to load.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

if TYPE_CHECKING:
    from latent_assets.media.frames import ImageArray

Map = npt.NDArray[np.float32]
"""(h, w, channels) float32."""

NAME = "early layers 1"
"""Of this measure; another number when other distances come out."""
_WEIGHTS = Path(__file__).with_name("early_layers.safetensors")
_STRIDES = (1, 2, 1, 2, 1)
"""Of the blocks, in order."""
_SEEN = {2: 5.1, 4: 5.6}
"""Blocks that are looked at, and how far apart two prompts' pictures are there in the mean."""
_CELLS = 8
_TILE_BYTES = 256 * 1024
"""Rows of a map that a processor's cache holds: larger ones take twice the time."""
_MOST_PX = 256


def features(picture: ImageArray) -> npt.NDArray[np.float32]:
    """picture: (H, W, 3) uint8. Returns (4096,) float32; fewer for pictures below 64 px.

    The Euclidean distance of two is about 1 between the pictures of two prompts.
    """
    layers, maps = _layers(), []
    signal = ((_reduced(picture) - 127) / 128).astype(np.float32)
    signal = _clipped(_convolved(signal, *layers["stem"], stride=2))
    for block, stride in enumerate(_STRIDES):
        signal = _block(signal, block, stride)
        if block in _SEEN:
            cells = _averaged(signal)
            maps.append(cells.ravel() / (_SEEN[block] * np.sqrt(2 * cells.size)))
    return np.concatenate(maps).astype(np.float32)


def features_distance(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    """Euclidean distance of two pictures' `features`."""
    return float(np.sqrt(np.sum(np.square(a.astype(np.float64) - b))))


@lru_cache(maxsize=1)
def _layers() -> dict[str, tuple[Map, Map]]:
    """Kernel and bias of each layer."""
    arrays = load_file(_WEIGHTS)
    names = [name.removesuffix(".kernel") for name in arrays if name.endswith(".kernel")]
    return {name: (arrays[f"{name}.kernel"], arrays[f"{name}.bias"]) for name in names}


def _block(signal: Map, block: int, stride: int) -> Map:
    """An inverted residual (Sandler et al. 2018): wider, each channel by itself, narrower."""
    layers, wide = _layers(), signal
    if f"{block}.expand" in layers:
        wide = _clipped(_mixed(wide, *layers[f"{block}.expand"]))
    wide = _clipped(_each_channel(wide, *layers[f"{block}.depthwise"], stride=stride))
    narrow = _mixed(wide, *layers[f"{block}.project"])
    return np.add(narrow, signal, out=narrow) if narrow.shape == signal.shape else narrow


def _mixed(signal: Map, kernel: Map, bias: Map) -> Map:
    """kernel: (in, out)."""
    mixed = signal @ kernel
    return np.add(mixed, bias, out=mixed)


def _convolved(signal: Map, kernel: Map, bias: Map, *, stride: int) -> Map:
    """kernel: (k, k, in, out)."""
    shifted = np.concatenate(list(_shifts(signal, kernel.shape[0], stride)), axis=-1)
    return _mixed(shifted, kernel.reshape(-1, kernel.shape[-1]), bias)


def _each_channel(signal: Map, kernel: Map, bias: Map, *, stride: int) -> Map:
    """kernel: (k, k, channels). A few rows at a time; the sums are in the order of the kernel."""
    first, *others = _shifts(signal, kernel.shape[0], stride)
    _, width, channels = first.shape
    weights = kernel.reshape(-1, 1, channels).repeat(width, axis=1)
    total = np.empty(first.shape, np.float32)
    rows = max(1, _TILE_BYTES // total[0].nbytes)
    product = np.empty((rows, width, channels), np.float32)
    for top in range(0, len(total), rows):
        tile = slice(top, top + rows)
        part = np.multiply(first[tile], weights[0], out=total[tile])
        for weight, shifted in zip(weights[1:], others, strict=True):
            np.add(part, np.multiply(shifted[tile], weight, out=product[: len(part)]), out=part)
        np.add(part, bias, out=part)
    return total


def _shifts(signal: Map, side: int, stride: int) -> list[Map]:
    """What each element of a kernel of `side` x `side` meets; zeros around, as TensorFlow pads."""
    sizes = [-(-length // stride) for length in signal.shape[:2]]
    missing = [
        max((size - 1) * stride + side - length, 0)
        for size, length in zip(sizes, signal.shape[:2], strict=True)
    ]
    top, left = (each // 2 for each in missing)
    height, width, channels = signal.shape
    padded = np.zeros((height + missing[0], width + missing[1], channels), np.float32)
    padded[top : top + height, left : left + width] = signal
    ends = [(size - 1) * stride + 1 for size in sizes]
    return [
        padded[row : row + ends[0] : stride, column : column + ends[1] : stride]
        for row in range(side)
        for column in range(side)
    ]


def _clipped(signal: Map) -> Map:
    return np.clip(signal, 0, 6, out=signal)


def _reduced(picture: ImageArray) -> Map:
    """At most `_MOST_PX` a side: means of whole squares, a rest at the edge left out."""
    factor = -(-max(picture.shape[:2]) // _MOST_PX)
    height, width = (max(side // factor, 1) for side in picture.shape[:2])
    cut = picture[: height * factor, : width * factor].astype(np.float32)
    if factor == 1:
        return cut
    return cut.reshape(height, factor, width, -1, cut.shape[-1]).mean((1, 3))


def _averaged(signal: Map) -> Map:
    """Means over 8 x 8 cells, nearly equal ones."""
    for axis in (0, 1):
        length = signal.shape[axis]
        edges = np.arange(min(_CELLS, length)) * length // min(_CELLS, length)
        sums = np.add.reduceat(signal, edges, axis=axis)
        counts = np.diff([*edges, length]).reshape([-1 if each == axis else 1 for each in range(3)])
        signal = (sums / counts).astype(np.float32)
    return signal
