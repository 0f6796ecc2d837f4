"""Larger pictures of finished frames: by a small network, or by an ordinary filter.

Knows neither walks nor stores nor Dagster: pictures in, larger pictures out, and a digest of what
determines them (`Upscaling.key_of`), so that a picture is made larger once.
"""

from latent_assets.upscaling.upscaling import Enlarge, Upscaling, as_it_is, open_upscaling

__all__ = ["Enlarge", "Upscaling", "as_it_is", "open_upscaling"]
