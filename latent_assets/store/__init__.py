"""The content-addressed store: frames with their receipts, arrays, timelines, measured timings.

Pure: knows neither models nor walks nor Dagster. A thing is stored under a key that the caller
computes from what determines it; what is stored is checked when it is read, and a damaged thing
is set aside and reported, so that the caller can make it again.
"""

from latent_assets.store.encodings import EncodingStore
from latent_assets.store.failures import (
    DamagedError,
    EncodingDamagedError,
    EncodingMissingError,
    FrameDamagedError,
    FrameMissingError,
    MissingError,
)
from latent_assets.store.frames import FrameStore, StoredFrame
from latent_assets.store.png import pixel_digest
from latent_assets.store.receipts import Environment, Receipt, differences, environment
from latent_assets.store.timelines import TimelineStore
from latent_assets.store.timings import Timings

__all__ = [
    "DamagedError",
    "EncodingDamagedError",
    "EncodingMissingError",
    "EncodingStore",
    "Environment",
    "FrameDamagedError",
    "FrameMissingError",
    "FrameStore",
    "MissingError",
    "Receipt",
    "StoredFrame",
    "TimelineStore",
    "Timings",
    "differences",
    "environment",
    "pixel_digest",
]
