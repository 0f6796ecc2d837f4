"""Larger pictures of finished frames: by a small network, or by an ordinary filter.

Knows neither walks nor stores nor Dagster: pictures in, larger pictures out, and a digest of what
determines them (`Upscaling.key_of`), so that a picture is made larger once.
"""

from latent_assets.upscaling.upscaling import METHODS, Enlarge, Upscaling, open_upscaling

__all__ = ["METHODS", "Enlarge", "Upscaling", "open_upscaling"]
