"""By what our pictures are encoded: the same frames give the same pixels again only by the same."""

from __future__ import annotations

from importlib.metadata import version

from PIL import features

_PILLOWS = {"webp": "webp", "avif": "avif"}


def encoder_of(format: str) -> str:  # noqa: A002 - the word of the walk files
    """The encoder of a format, as `pillow 13.0.0, webp 1.6.0`, without loading it."""
    if format == "mp4":
        return f"av {version('av')}"
    pillow = f"pillow {version('pillow')}"
    if format == "gif":
        return f"{pillow}, numpy {version('numpy')}"
    if format in _PILLOWS:
        return f"{pillow}, {format} {features.version(_PILLOWS[format])}"
    return pillow
