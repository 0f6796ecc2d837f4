"""From frames to files that people look at, and what can be measured on frames.

Pure: knows neither models nor walks nor Dagster. Frames come as factories of iterables, so that
a thousand of them need not be in memory at once; every file appears whole or not at all.
"""

from latent_assets.media.animation import FORMATS, Format, write_animation
from latent_assets.media.captions import Captions, labelled_grid
from latent_assets.media.frames import (
    Frames,
    ImageArray,
    check_frames,
    evenly,
    ping_pong_order,
    play_order,
)
from latent_assets.media.jpeg import write_jpeg
from latent_assets.media.provenance import Provenance, inspect_file, root_digest
from latent_assets.media.stills import (
    SHEET_FRAMES,
    contact_sheet,
    picture_grid,
    write_png,
)
from latent_assets.media.thumbnails import FILM_FRAMES, thumbnail, thumbnail_film

__all__ = [
    "FILM_FRAMES",
    "FORMATS",
    "SHEET_FRAMES",
    "Captions",
    "Format",
    "Frames",
    "ImageArray",
    "Provenance",
    "check_frames",
    "contact_sheet",
    "evenly",
    "inspect_file",
    "labelled_grid",
    "picture_grid",
    "ping_pong_order",
    "play_order",
    "root_digest",
    "thumbnail",
    "thumbnail_film",
    "write_animation",
    "write_jpeg",
    "write_png",
]
