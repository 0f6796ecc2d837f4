"""What a person wants to see of an asset: pictures and figures as Dagster metadata."""

import re
from collections.abc import Sequence

import dagster as dg
import numpy as np

from latent_assets.media import evenly, thumbnail_jpeg
from latent_assets.store import FrameStore

STRIP_FRAMES = 6
"""Pictures in a preview of frames."""


def picture(data_url: str, title: str) -> dg.MarkdownMetadataValue:
    """A picture that the web UI shows behind "Show Markdown"."""
    return dg.MetadataValue.md(f"![{escaped(title)}]({data_url})")


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


def bullet_list(items: Sequence[str], *, escape: bool = True) -> dg.MarkdownMetadataValue:
    """Lines of text as a list. escape: False for lines that are Markdown."""
    lines = map(escaped, items) if escape else items
    return dg.MetadataValue.md("\n".join(f"- {line}" for line in lines))


def escaped(text: str) -> str:
    """The text as Markdown that shows it: no picture, link or element of a prompt is one.

    Of one line. https://spec.commonmark.org/0.31.2/#backslash-escapes
    """
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))
