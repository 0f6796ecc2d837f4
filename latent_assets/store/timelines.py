"""Timelines by key: where the frames of walks of perceptual pace stand, as small JSON files."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from latent_assets.digests import digest_of
from latent_assets.store.objects import open_objects

if TYPE_CHECKING:
    import os

FOLDER = "timelines"
logger = logging.getLogger(__name__)


class TimelineStore:
    """JSON documents by key (64 hex digits). What a document means is not known here."""

    def __init__(self, root: str | os.PathLike[str], **options: Any) -> None:
        self.objects = open_objects(root, **options)

    def write(self, key: str, document: dict[str, Any]) -> dict[str, Any]:
        """Stores the document, unless there is one: who comes second gets what is there."""
        sealed = {"key": key, "digest": digest_of(document), "timeline": document}
        if self.objects.write(_name(key), json.dumps(sealed).encode(), replace=False):
            return document
        found = self.read(key)
        if found is None:
            self.objects.write(_name(key), json.dumps(sealed).encode())
            return document
        return found

    def read(self, key: str) -> dict[str, Any] | None:
        """The document; None if there is none, or if it is damaged: it is found anew then."""
        try:
            data = self.objects.read(_name(key))
        except FileNotFoundError:
            return None
        try:
            sealed = json.loads(data)
            document = sealed["timeline"]
            if sealed["key"] == key and sealed["digest"] == digest_of(document):
                return document
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        logger.warning("timeline %s in %s is damaged; it is found anew", key, self.objects.root)
        return None


def _name(key: str) -> str:
    return f"{FOLDER}/{key[:2]}/{key}.json"
