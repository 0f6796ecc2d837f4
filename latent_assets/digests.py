"""The digest of a document: what keys, versions and notes are made of."""

from __future__ import annotations

import hashlib
import json

_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def digest_of(document: object) -> str:
    """Hex sha256 of a JSON document in canonical form: sorted keys, no spaces, UTF-8.

    Raises ValueError for a number that is not finite, which JSON has no word for.
    """
    return digest_of_text(canonical(document))


def digest_of_text(text: str) -> str:
    """Hex sha256 of a document that is in canonical form already."""
    return hashlib.sha256(text.encode()).hexdigest()


def canonical(document: object) -> str:
    """The canonical form itself. Raises ValueError as `digest_of`."""
    return _CANONICAL.encode(document)
