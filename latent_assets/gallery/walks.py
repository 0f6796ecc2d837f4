"""What a server shows of each walk, made from a look at the disk and from the store."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException

from latent_assets.catalogue import Listed
from latent_assets.digests import digest_of
from latent_assets.errors import LatentAssetsError
from latent_assets.gallery import versions
from latent_assets.gallery.album import Album
from latent_assets.gallery.cards import Card, Look, Shelf
from latent_assets.gallery.pages import WalkPage
from latent_assets.gallery.pictures import Pictures
from latent_assets.gallery.portrait import Frames, details, played, portrait
from latent_assets.gallery.reading import file_text, keyframes
from latent_assets.studio import Studio


class Walks:
    """The walks of a studio by name. Raises HTTPException (404) for a name that none has."""

    def __init__(self, studio: Studio, album: Album, pictures: Pictures) -> None:
        self.shelf = Shelf(studio)
        self._studio = studio
        self._album = album
        self._pictures = pictures

    def card(self, name: str) -> Card:
        """The walk at a glance."""
        return self._find(name)[1]

    def page(self, name: str) -> WalkPage:
        """What its page shows beside the frames."""
        listed, card, look = self._find(name)
        others = [
            other
            for other in look.cards.values()
            if other.name != name and other.stored and other.kind != "grid"
        ]
        return WalkPage(
            card=card,
            text=file_text(listed.path),
            downloads=self.finished(name),
            pictures=self.pictures(name),
            versions=self.earlier(name),
            variants=self.variants(name),
            others=sorted(others, key=lambda other: other.name),
            keyframes=() if card.problem else keyframes(listed.spec),
        )

    def portrait(self, name: str) -> dict[str, Any]:
        """Frame by frame."""
        listed, card, look = self._settled(name)
        shown = self._album.shown(listed.spec, listed.keys, look.stored)
        there = Frames(listed.keys, shown, look.stored)
        return portrait(listed.spec, card, there, self.earlier(name))

    def details(self, name: str) -> dict[str, Any]:
        """What takes a look into each frame."""
        listed, _, look = self._settled(name)
        keys = listed.keys
        try:
            distances = self._pictures.distances(keys, look.stored)
        except LatentAssetsError:  # a frame was collected, or set aside, this moment
            distances = [None] * max(len(keys) - 1, 0)
        return details(self._studio.frames, keys, look.stored, distances)

    def preview(self, name: str) -> bytes | None:
        """Its film in small, of the frames that are there; None if none is.

        Of a walk whose file has changed since, none may be: it is of those it had then.
        """
        listed, card, look = self._settled(name)
        shown = self._album.shown(listed.spec, listed.keys, look.stored)
        film = played(listed.spec, Frames(listed.keys, shown, look.stored))
        film = film or self._had(name)
        looks = f"{card.looks}-{digest_of(film)[:8]}"
        return self._pictures.preview(name, looks, film) if film else None

    def _had(self, name: str) -> list[str]:
        """The frames of its finished files, if they are all in the store."""
        folder = self._studio.settings.outputs_dir / name
        return list(versions.played_last(folder, self._studio.frames.contains))

    def poster(self, name: str) -> bytes | None:
        """Its first frame in small; None if none is there."""
        listed, _, look = self._settled(name)
        first = next((key for key in listed.keys if key in look.stored), None)
        if first is None:
            return None
        (shown,) = self._album.shown(listed.spec, [first], look.stored)
        return self._pictures.poster(shown)

    def newest(self, name: str, look: Look) -> str | None:
        """The key of the frame that a walk which is rendered has come to."""
        there = [key for key in look.walks[name].keys if key in look.stored]
        return there[-1] if there else None

    def text(self, name: str) -> str:
        """The walk file."""
        return file_text(self._find(name)[0].path)

    def finished(self, name: str) -> list[versions.File]:
        """The files to download."""
        self._find(name)
        return versions.finished(self._studio.settings.outputs_dir / name)

    def variants(self, name: str) -> list[versions.Variant]:
        """What was tried beside its own files, newest first."""
        self._find(name)
        return versions.variants(self._studio.settings.outputs_dir / name)

    def pictures(self, name: str) -> versions.Folder | None:
        """Its frames as numbered pictures."""
        self._find(name)
        return versions.pictures(self._studio.settings.outputs_dir / name)

    def earlier(self, name: str) -> list[versions.Version]:
        """The kept versions of its files, newest first."""
        self._find(name)
        folder = self._studio.settings.outputs_dir / name
        return versions.earlier(folder, self._studio.frames.contains)

    def _find(self, name: str) -> tuple[Listed, Card, Look]:
        look = self.shelf.look()
        if name not in look.cards:
            raise HTTPException(404, "There is no walk of this name.")
        return look.walks[name], look.cards[name], look

    def _settled(self, name: str) -> tuple[Listed, Card, Look]:
        found = self._find(name)
        if found[1].problem:
            raise HTTPException(404, "The file of this walk is wrong: it has no frames.")
        return found
