"""What a person wants to see of an asset: pictures and figures as Dagster metadata."""

from collections.abc import Iterable, Sequence

import dagster as dg
import numpy as np

from latent_assets.media import thumbnail_gif, thumbnail_png
from latent_assets.store import FrameStore

STRIP_FRAMES = 6
"""Pictures in a preview of frames."""


def picture(data_url: str, title: str) -> dg.MarkdownMetadataValue:
    """A picture that the web UI shows behind "Show Markdown"."""
    return dg.MetadataValue.md(f"![{title}]({data_url})")


def strip(store: FrameStore, keys: Sequence[str], title: str) -> dg.MarkdownMetadataValue:
    """A few frames, evenly spread, side by side in one small picture."""
    places = np.linspace(0, len(keys) - 1, min(STRIP_FRAMES, len(keys))).round().astype(int)
    frames = [store.read(keys[place]).pixels for place in places]
    return picture(
        thumbnail_png(np.concatenate(frames, axis=1), longest_px=128 * len(frames)), title
    )


def moving(frames: Iterable[np.ndarray], fps: float, title: str) -> dg.MarkdownMetadataValue:
    """The animation itself, made small."""
    return picture(thumbnail_gif(lambda: frames, fps=fps), title)


def bullet_list(items: Sequence[str]) -> dg.MarkdownMetadataValue:
    """Lines of text as a list."""
    return dg.MetadataValue.md("\n".join(f"- {item}" for item in items))
