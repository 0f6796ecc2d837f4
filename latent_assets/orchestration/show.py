"""What a person wants to see of an asset: pictures and figures as Dagster metadata."""

from collections.abc import Sequence

import dagster as dg
import numpy as np

from latent_assets.media import evenly, thumbnail_jpeg
from latent_assets.store import FrameStore

STRIP_FRAMES = 6
"""Pictures in a preview of frames."""


def picture(data_url: str, title: str) -> dg.MarkdownMetadataValue:
    """A picture that the web UI shows behind "Show Markdown"."""
    return dg.MetadataValue.md(f"![{title}]({data_url})")


def strip(store: FrameStore, keys: Sequence[str]) -> str:
    """A few frames, evenly spread, side by side in one small picture: a data URL."""
    frames = [store.read(keys[place]).pixels for place in evenly(len(keys), STRIP_FRAMES)]
    return thumbnail_jpeg(np.concatenate(frames, axis=1), longest_px=128 * len(frames))


def does_not_apply(why: str) -> dg.Output[dict]:
    """Nothing to make here, and no failure: the walk is complete without it."""
    return dg.Output(
        {"paths": [], "does not apply": why},
        metadata={"does not apply": why},
        data_version=dg.DataVersion("does not apply"),
    )


def bullet_list(items: Sequence[str]) -> dg.MarkdownMetadataValue:
    """Lines of text as a list."""
    return dg.MetadataValue.md("\n".join(f"- {item}" for item in items))
