"""The same pages as a static site: relative links, no server, unchanged walks left as they are.

A site has an index and a folder for each walk; `write_page` alone makes a folder that stands by
itself. What pages share lies in `site.files`, frames there under their keys.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latent_assets.catalogue import Listed
from latent_assets.digests import digest_of
from latent_assets.errors import LatentAssetsError, UsageError
from latent_assets.gallery import pages, versions
from latent_assets.gallery.album import Album
from latent_assets.gallery.cards import Card, Shelf
from latent_assets.gallery.pages import FILES, WalkPage, Where
from latent_assets.gallery.pictures import PREVIEW_PX, Pictures, preview, webp
from latent_assets.gallery.portrait import Frames, details, played, portrait
from latent_assets.gallery.reading import keyframes, text_of
from latent_assets.store.atomic import replacing, write_bytes
from latent_assets.store.failures import explaining
from latent_assets.store.parallel import in_order
from latent_assets.studio import Studio

MANIFEST = "page.json"
"""What a walk's page was made from, and the frames that it shows."""
PAGE = Where(live=False, root="", index=None, files="../", earlier="../earlier/", packs=False)
"""A page in a walk's own folder of finished files, `outputs/NAME/page/`."""
SITE = Where(live=False, root="../", index="../", files="files/", earlier="earlier/")
THREADS = min(8, (os.cpu_count() or 1) + 2)
_FRAME = re.compile(r"[0-9a-f]{64}\.webp")


@dataclass(frozen=True)
class Written:
    """What `write_site` did."""

    written: tuple[str, ...]
    """Walks whose pages were made."""
    unchanged: tuple[str, ...]
    left_out: tuple[str, ...]
    """Walks of which no frame is rendered, or whose file is wrong."""


@dataclass(frozen=True)
class Source:
    """A walk to be shown."""

    listed: Listed
    card: Card
    stored: frozenset[str]
    distances: Sequence[float | None] | None = None
    """Of its frames, if they are known already."""


def write_site(studio: Studio, folder: Path) -> Written:
    """Write the index and a page for each walk that has frames. Raises StoreError, UsageError."""
    _check_folder(folder)
    look = Shelf(studio).look()
    if look.trouble:
        raise LatentAssetsError("the frame store cannot be looked at", look.trouble)
    shown = {n: c for n, c in look.cards.items() if c.stored and not c.problem}
    written, unchanged = [], []
    with explaining("write", folder):
        _write_assets(folder)
        for name, card in shown.items():
            source = Source(look.walks[name], card, look.stored)
            others = [each for each in shown.values() if each.name != name and each.kind != "grid"]
            done = write_page(studio, source, folder / name, folder, SITE, others)
            (written if done else unchanged).append(name)
        _put(folder / "index.html", pages.index_page(list(shown.values()), SITE).encode())
        _tidy(folder, set(shown))
    left_out = tuple(sorted(look.cards.keys() - shown.keys()))
    return Written(tuple(written), tuple(unchanged), left_out)


def write_own_page(studio: Studio, source: Source) -> Path:
    """Write the page of one walk among its finished files; returns it. Raises StoreError."""
    folder = studio.settings.outputs_dir / source.card.name / "page"
    with explaining("write", folder):
        _write_assets(folder)
        if write_page(studio, source, folder, folder, PAGE, ()):
            _tidy(folder, set())
    return folder / "index.html"


def write_page(
    studio: Studio, source: Source, folder: Path, root: Path, where: Where, others: Sequence[Card]
) -> bool:
    """Write one walk's page to `folder`, its frames to `root`. Whether anything was to do."""
    card, listed = source.card, source.listed
    outputs = studio.settings.outputs_dir / card.name
    contains = studio.frames.contains
    page = WalkPage(
        card=card,
        text=text_of(listed.path, listed.spec),
        downloads=versions.finished(outputs),
        pictures=versions.pictures(outputs),
        versions=versions.earlier(outputs, contains),
        variants=(),  # what was only tried is not shown to others
        others=sorted(others, key=lambda other: other.name),
        keyframes=keyframes(listed.spec),
    )
    album, keys = Album(studio), listed.keys
    frames = Frames(keys, album.shown(listed.spec, keys, source.stored), source.stored)
    made_from = _made_from(page, listed, frames)
    if _manifest(folder).get("from") == made_from and (folder / "index.html").is_file():
        return False
    known = source.distances
    if known is None:
        known = Pictures(album, studio.settings.cache_dir).distances(keys, source.stored)
    earlier = [key for version in page.versions for key in version.keys]
    shown = list(dict.fromkeys([*frames.there, *earlier]))
    _write_frames(album, shown, root)
    told = portrait(listed.spec, card, frames, page.versions)
    more = details(studio.frames, keys, source.stored, known)
    _put(folder / "walk.js", pages.script("walk", card.name, told).encode())
    _put(folder / "details.js", pages.script("details", card.name, more).encode())
    if where.index is not None:
        film = played(listed.spec, frames)
        _put(folder / "preview.webp", preview(album, film))
        _put(folder / "poster.webp", webp(album.read(film[0]).pixels, longest_px=PREVIEW_PX))
        _copy(page.downloads, folder / "files")
        if page.pictures is not None:
            _put(folder / "files" / page.pictures.name, page.pictures.packed())
        _copy([version.file for version in page.versions], folder / "earlier")
    _put(folder / "index.html", pages.walk_page(page, where).encode())
    _put(folder / MANIFEST, json.dumps({"from": made_from, "frames": shown}).encode())
    return True


def _made_from(page: WalkPage, listed: Listed, frames: Frames) -> str:
    card = page.card
    folder = [] if page.pictures is None else [page.pictures]
    files = [*page.downloads, *folder, *(version.file for version in page.versions)]
    return digest_of(
        [
            pages.stamp(),
            card.looks,
            listed.packed.hex(),
            frames.there,
            dict(listed.document),
            page.text,
            [card.changed, card.failure, list(card.failed_checks), card.rendered],
            [[file.name, file.size, file.modified] for file in files],
            [len(version.keys) for version in page.versions],
            [other.name for other in page.others],
        ]
    )


def _write_frames(album: Album, keys: Sequence[str], root: Path) -> None:
    """Write those that are not there."""
    folder = root / FILES / "frames"
    paths = {key: folder / f"{key}.webp" for key in keys}
    missing = [key for key in keys if not paths[key].exists()]

    def write(key: str) -> None:
        write_bytes(paths[key], webp(album.read(key).pixels), replace=False)

    for _ in in_order(write, missing, THREADS):
        pass


def _write_assets(root: Path) -> None:
    for name, data in pages.assets().items():
        _put(root / FILES / "static" / name, data)


def _put(path: Path, data: bytes) -> None:
    """The file, unless it is there already with this content."""
    try:
        if path.stat().st_size == len(data) and path.read_bytes() == data:
            return
    except OSError:
        pass
    write_bytes(path, data)


def _copy(files: Iterable[versions.File], folder: Path) -> None:
    """The files with their dates, and no others."""
    names = set()
    for file in files:
        names.add(file.name)
        copy = folder / file.name
        if copy.exists() and copy.stat().st_mtime == file.modified:
            continue
        with replacing(copy) as temporary:
            shutil.copy2(file.path, temporary)
    for old in folder.glob("*") if folder.is_dir() else ():
        if old.name not in names:
            old.unlink(missing_ok=True)


def _tidy(root: Path, walks: set[str]) -> None:
    """Remove what an earlier writing left: pages of walks that are gone, frames that none shows."""
    for manifest in root.glob(f"*/{MANIFEST}"):
        if manifest.parent.name not in walks:
            shutil.rmtree(manifest.parent)
    shown = {key for manifest in _manifests(root) for key in manifest.get("frames", ())}
    for path in (root / FILES / "frames").glob("*.webp"):
        if _FRAME.fullmatch(path.name) and path.stem not in shown:
            path.unlink(missing_ok=True)


def _manifests(root: Path) -> Iterator[dict[str, Any]]:
    yield _manifest(root)
    for path in root.glob(f"*/{MANIFEST}"):
        yield _manifest(path.parent)


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        document = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _check_folder(folder: Path) -> None:
    """A site goes into a folder of its own: what else lies there is not to be published."""
    with explaining("read", folder):
        if folder.is_dir() and any(folder.iterdir()) and not (folder / FILES).is_dir():
            raise UsageError(
                f"{folder} is not empty, and no site that this command wrote",
                "Name a new folder, or an empty one.",
            )
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder} is a file", "Name a folder for the site.")
