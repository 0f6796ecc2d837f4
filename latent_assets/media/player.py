"""A web page that plays a walk: one file, nothing loaded from anywhere else."""

from __future__ import annotations

import base64
import html
import io
import json
import os
from fractions import Fraction
from importlib import resources
from pathlib import Path

from PIL import Image

from latent_assets.media.frames import Frames, ImageArray, check_frames
from latent_assets.media.xmp import MADE_BY_A_MODEL
from latent_assets.store.parallel import in_order

_THREADS = os.cpu_count() or 1
_FRAMES_MARK = "<!--frames-->"


def write_player(
    frames: Frames,
    path: Path,
    *,
    fps: Fraction,
    loop: bool,
    text: str | None,
    there_and_back: bool = False,
) -> int:
    """Writes the page and returns the number of frames.

    frames: each once; there_and_back: whether the page begins by playing them so.

    The frames are embedded as WebP, one each, so that scrubbing is exact. The page asks the
    network for nothing (its Content-Security-Policy forbids it).
    """
    template = resources.files("latent_assets.media").joinpath("player.html")
    page = template.read_text(encoding="utf-8")
    settings = {"fps": float(fps), "loop": loop, "there_and_back": there_and_back}
    page = page.replace("<!--title-->", html.escape(_title(text)))
    page = page.replace("/*settings*/{}", _in_script(json.dumps(settings)))
    page = page.replace("<!--provenance-->", _record(text))
    page = page.replace("</head>", f"{_mark(text)}</head>", 1)
    before, after = page.split(_FRAMES_MARK)
    number = 0
    with path.open("w", encoding="utf-8") as file:
        file.write(before)
        for number, data in enumerate(in_order(_encoded, check_frames(frames), _THREADS), start=1):  # noqa: B007 - the count
            file.write(f'<script type="text/plain" class="frame">{data}</script>\n')
        file.write(after)
    return number


def _encoded(picture: ImageArray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "WEBP", quality=90, method=4)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _in_script(text: str) -> str:
    """JSON that cannot end the script element it stands in; JSON reads it back unchanged."""
    return text.replace("<", "\\u003c")


def _record(text: str | None) -> str:
    if text is None:
        return ""
    return f'<script type="application/json" id="provenance">{_in_script(text)}</script>'


def _mark(text: str | None) -> str:
    """A page has no place for XMP; this is at least readable by a machine."""
    source = MADE_BY_A_MODEL.rpartition("/")[2]
    return "" if text is None else f'<meta name="digitalSourceType" content="{source}">\n'


def _title(text: str | None) -> str:
    """The walk's name, if the record tells it."""
    walk = json.loads(text).get("walk") if text else None
    name = walk.get("name") if isinstance(walk, dict) else None
    return str(name) if name else "A walk through latent space"
