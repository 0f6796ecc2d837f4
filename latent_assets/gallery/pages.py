"""The pages as text: templates filled with what is shown, everything in them escaped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

from latent_assets.digests import digest_of
from latent_assets.gallery.cards import KINDS, Card
from latent_assets.gallery.versions import File, Folder, Variant, Version

FILES = "site.files"
"""The folder of what pages share. No walk can have this name: a dot is not allowed in one."""
_HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class Where:
    """How the pages of one kind are linked."""

    live: bool
    """Whether a server fills them while frames come."""
    root: str
    """From a walk's page to the folder of `FILES`, with a slash at its end, or nothing."""
    index: str | None
    """From a walk's page to the index; None if there is none."""
    files: str = "files/"
    """From a walk's page to its finished files."""
    earlier: str = "earlier/"
    """And to their earlier versions."""
    packs: bool = True
    """Whether a folder of pictures can be downloaded in one."""
    dagster: str | None = None
    """Where Dagster's pages are; None if nowhere."""


@dataclass(frozen=True)
class WalkPage:
    """What a walk's page shows beside its frames."""

    card: Card
    text: str
    """The walk file."""
    downloads: Sequence[File]
    pictures: Folder | None
    """Its frames as numbered pictures."""
    versions: Sequence[Version]
    variants: Sequence[Variant]
    """What was tried beside its own files."""
    others: Sequence[Card]
    """What it can be compared with."""
    keyframes: Sequence[tuple[str, int]]
    """The prompts on the way, and the number of the frame next to each."""


def index_page(cards: Sequence[Card], where: Where, trouble: str = "") -> str:
    """The page of all walks."""
    ordered = sorted(cards, key=lambda card: (-card.rendered, card.name))
    return _template("index.html").render(
        cards=ordered, where=where, root="", trouble=trouble, stamp=stamp()
    )


def walk_page(page: WalkPage, where: Where) -> str:
    """The page of one walk."""
    return _template("walk.html").render(
        page=page, card=page.card, where=where, root=where.root, stamp=stamp()
    )


def message_page(title: str, text: str, where: Where) -> str:
    """A page that says why there is no other."""
    return _template("message.html").render(
        title=title, text=text, where=where, root=where.root, stamp=stamp()
    )


def script(kind: str, name: str, document: Mapping[str, Any]) -> str:
    """A script that hands a document to the page; a page from a file can load nothing else."""
    said = json.dumps(document, ensure_ascii=True, separators=(",", ":"))
    return f'gallery.take("{kind}","{name}",{said});\n'


@lru_cache(maxsize=1)
def assets() -> dict[str, bytes]:
    """Styles and scripts, by their names."""
    return {
        each.name: each.read_bytes()
        for each in sorted((_HERE / "static").iterdir())
        if each.name.endswith((".css", ".js", ".svg"))
    }


@lru_cache(maxsize=1)
def stamp() -> str:
    """The version of styles, scripts and templates: browsers do not take older ones for these."""
    templates = [each.read_text() for each in sorted((_HERE / "templates").iterdir())]
    return digest_of([templates, {name: data.decode() for name, data in assets().items()}])[:12]


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"bytes": _bytes, "day": _day, "iso": _iso}
    environment.globals |= {"policy": POLICY, "shared": FILES, "kinds": KINDS}
    return environment


def _template(name: str) -> jinja2.Template:
    return _environment().get_template(name)


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:  # noqa: PLR2004
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"  # noqa: PLR2004
        count /= 1000
    return f"{count:.1f} GB"


def _time(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(epoch_s, timezone.utc)


def _day(epoch_s: float) -> str:
    return _time(epoch_s).strftime("%Y-%m-%d %H:%M UTC")


def _iso(epoch_s: float) -> str:
    return _time(epoch_s).strftime("%Y-%m-%dT%H:%M:%SZ")
