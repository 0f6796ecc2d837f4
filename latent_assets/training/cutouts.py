"""A drawing without its background: what artwork is rendered to and pictures are composed of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIZE = 128
"""Side of cut-outs and pictures, in pixels."""


@dataclass(frozen=True)
class Cutout:
    """One drawing of one concept: pixels (128, 128, 4) uint8, straight alpha."""

    concept: int
    style: str
    pixels: np.ndarray
