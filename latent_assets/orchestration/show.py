"""What a person wants to see of an asset: pictures and figures as Dagster metadata."""

import re
from collections.abc import Sequence

import dagster as dg
import numpy as np

from latent_assets.gallery import GALLERY_PATH
from latent_assets.media import evenly, thumbnail
from latent_assets.store import FrameStore
from latent_assets.studio import WalkSpec

STRIP_FRAMES = 6
"""Pictures in a preview of frames."""
_LINES = 12
_CHARACTERS = 100
_SENTENCE = 400
BREAK = "<!-- -->"
_ADDRESS = re.compile(r"(?<=http)(?=s?\\:)|(?<=www)(?=\\\.)|(?<=\S)(?=\\@)", re.IGNORECASE)
"""Where escaped text would be an address of the web, or of mail: the web UI makes links of those
after it has undone the escapes. A comment there is not shown, nor copied. Never where a line
begins: the rest of that line would be HTML."""


def page(spec: WalkSpec, looks: str) -> dict[str, dg.MarkdownMetadataValue]:
    """A link to the walk's page in the gallery, and its film, which the web UI shows by itself.

    Nothing of a run that differs from the file: the gallery shows walks as their files say.

    Addresses without a host lead to the server that shows them, whatever its name and port are
    today. looks: a digest of the frames. Under 1,000 characters the web UI hides nothing.
    """
    if spec.variant:
        return {}
    walk = spec.name
    address = f"{GALLERY_PATH}/{walk}/"
    film = f"![{walk}]({address}preview.webp?v={looks[:16]})"
    return {"page": dg.MetadataValue.md(f"[Open the page of {walk}]({address})\n\n{film}")}


def picture(data_url: str, title: str) -> dg.MarkdownMetadataValue:
    """A picture that the web UI shows behind "Show Markdown", also where no gallery is served."""
    return dg.MetadataValue.md(f"![{escaped(title)}]({data_url})")


def strip(store: FrameStore, keys: Sequence[str]) -> str:
    """A few frames, evenly spread, side by side in one small picture: a data URL."""
    frames = [store.read(keys[place]).pixels for place in evenly(len(keys), STRIP_FRAMES)]
    return thumbnail(np.concatenate(frames, axis=1), longest_px=128 * len(frames))


def variant(spec: WalkSpec) -> dict[str, str]:
    """Where a run publishes that does not do what the walk's file says."""
    if not spec.variant:
        return {}
    return {"published as": f"{spec.published}, beside the files of {spec.name}"}


def does_not_apply(why: str) -> dg.Output[dict]:
    """Nothing to make here, and no failure: the walk is complete without it."""
    return dg.Output(
        {"paths": [], "does not apply": why},
        metadata={"does not apply": why},
        data_version=dg.DataVersion("does not apply"),
    )


def bullet_list(items: Sequence[str], *, escape: bool = True) -> dg.MarkdownMetadataValue:
    """Lines of text as a list; of many the first ones: Dagster keeps each line three times.

    escape: False for lines that are Markdown.
    """
    lines = [escaped(_short(item)) if escape else item for item in items[:_LINES]]
    if len(items) > _LINES:
        lines.append(f"and {len(items) - _LINES} more")
    return dg.MetadataValue.md("\n".join(f"- {line}" for line in lines))


def sentences(items: Sequence[str]) -> dg.MarkdownMetadataValue:
    """What is to be said, as a list: of a long one the middle is left out, a prompt that it quotes.

    Its point stands at the end.
    """
    return bullet_list([escaped(_ends(item)) for item in items], escape=False)


def escaped(text: str) -> str:
    """The text as Markdown that shows it: no picture, link or element of a prompt is one.

    Of one line. https://spec.commonmark.org/0.31.2/#backslash-escapes
    """
    marked = re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))
    return re.sub(_ADDRESS, BREAK, marked)


def plain(markdown: str) -> str:
    """The text that was `escaped`."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown.replace(BREAK, ""))


def _short(text: str) -> str:
    return text if len(text) <= _CHARACTERS else f"{text[: _CHARACTERS - 1]}…"


def _ends(text: str) -> str:
    if len(text) <= _SENTENCE:
        return text
    return f"{text[: _CHARACTERS - 1]} … {text[_CHARACTERS - _SENTENCE :]}"
