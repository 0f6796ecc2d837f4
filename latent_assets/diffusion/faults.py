"""Frames that must never be stored: not a number, or nothing but one colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latent_assets.diffusion.protocol import FloatArray, ImageArray


@dataclass(frozen=True)
class FrameFault:
    """What is wrong with the frame at `index` of a batch, and what helps."""

    index: int
    problem: str
    cure: str


def find_faults(
    latents: FloatArray, pictures: ImageArray, precision: str = "float32"
) -> tuple[FrameFault, ...]:
    """The faults of a batch, at most one per frame.

    latents: (B, h, w, 4) float32, final; pictures: (B, height, width, 3) uint8, decoded from
    them (`Engine.decode` makes a picture black that is not finite).
    """
    cure = (
        "The weights or the text encoding are damaged: check the weights' digest."
        if precision == "float32"
        else f"{precision} overflowed: render with LATENT_ASSETS_PRECISION=float32."
    )
    faults = []
    for index, (latent, picture) in enumerate(zip(latents, pictures, strict=True)):
        bad = int(np.size(latent) - np.count_nonzero(np.isfinite(latent)))
        if bad:
            problem = f"{bad} of {np.size(latent)} latents are not finite numbers"
            faults.append(FrameFault(index, problem, cure))
        elif picture.min() == picture.max():
            problem = f"the picture has one value everywhere ({int(picture.flat[0])})"
            faults.append(FrameFault(index, problem, cure))
    return tuple(faults)
