"""What a walk may ask for: a method and a factor, and what they determine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from latent_assets.digests import digest_of
from latent_assets.upscaling.network import FACTOR, Upscaler, upscaler_in

ImageArray = npt.NDArray[np.uint8]
Enlarge = Callable[[ImageArray], ImageArray]
"""(H, W, 3) uint8 -> (factor x H, factor x W, 3) uint8; equal pictures give equal bytes."""

SCHEMA = 1
"""Raised when a method gives other pixels; every picture is then made larger anew."""


@dataclass(frozen=True)
class Upscaling:
    """A method, ready to use: what it is, and the function that does it."""

    method: str
    factor: int
    weights: str
    """Digest of the network's weights; empty for the filters."""
    enlarge: Enlarge

    def as_dict(self, pixel_digest: str) -> dict[str, object]:
        """The recipe of one larger picture: all that determines it, as plain JSON.

        pixel_digest: of the frame. By the frame's pixels and not by its key, so that frames which
        look alike are made larger once.
        """
        return {
            "schema": SCHEMA,
            "upscale": {"method": self.method, "factor": self.factor},
            "weights": self.weights,
            "frame": pixel_digest,
        }

    def key_of(self, pixel_digest: str) -> str:
        """64 hex digits: sha256 of the recipe's canonical JSON."""
        return digest_of(self.as_dict(pixel_digest))


def open_upscaling(method: str, factor: int, directory: Path) -> Upscaling:
    """method: network, lanczos or nearest; factor: 2 to 8, for the network 2 or 4.

    directory: the network's. Nothing is loaded before a picture is made. Raises ModelError if the
    network is not there.
    """
    if method == "network":
        upscaler = upscaler_in(directory)
        return Upscaling(method, factor, upscaler.digest, _by_network(upscaler, factor))
    kernel = {"lanczos": Image.Resampling.LANCZOS, "nearest": Image.Resampling.NEAREST}[method]
    return Upscaling(method, factor, "", lambda picture: _by_filter(picture, factor, kernel))


def as_it_is(picture: ImageArray) -> ImageArray:
    """For walks that ask for no larger pictures."""
    return picture


def _by_network(upscaler: Upscaler, factor: int) -> Enlarge:
    """The network has one factor, 4; for 2 its picture is reduced, each pixel the mean of 2 x 2."""

    def enlarge(picture: ImageArray) -> ImageArray:
        large = upscaler.enlarge(picture)
        if factor == FACTOR:
            return large
        return np.asarray(Image.fromarray(large).reduce(FACTOR // factor))

    return enlarge


def _by_filter(picture: ImageArray, factor: int, kernel: Image.Resampling) -> ImageArray:
    height, width = picture.shape[:2]
    image = Image.fromarray(picture)
    return np.asarray(image.resize((width * factor, height * factor), kernel))
