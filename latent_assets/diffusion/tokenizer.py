"""CLIP's tokenizer, offline: the ids that KerasCV's `SimpleTokenizer` gives.

The text is cleaned here, in KerasCV's order; `byte_pairs` has the vocabulary. TensorFlow is not
needed.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import groupby

from latent_assets.diffusion.byte_pairs import byte_pairs, joined
from latent_assets.errors import ModelError

MAX_TOKENS = 77
START_OF_TEXT = 49406
END_OF_TEXT = 49407
MARKERS = 2
"""Of the 77 tokens, the first and one after the text are markers."""

_CUT_CONTEXT = 40
"""Characters shown on either side of the place where a long prompt would be cut."""


def encode(text: str, names: Mapping[str, Sequence[int]] | None = None) -> list[int]:
    """Ids of the text, between the start and the end marker; of any length.

    HTML entities are unescaped twice and white space is joined, as in KerasCV (and CLIP). names:
    by a name in lower case, the ids that it stands for where it is a word of its own.
    """
    cleaned = joined(html.unescape(html.unescape(text)).strip()).lower()
    encoded = byte_pairs().encode
    if not names:
        return [START_OF_TEXT, *encoded(cleaned), END_OF_TEXT]
    ids: list[int] = []
    for place, piece in enumerate(_words(tuple(names)).split(cleaned)):
        ids.extend(encoded(piece) if place % 2 == 0 else names[piece])
    return [START_OF_TEXT, *ids, END_OF_TEXT]


@lru_cache(maxsize=64)
def _words(names: tuple[str, ...]) -> re.Pattern[str]:
    """One of the names as a word of its own; a longer one before one that it begins with."""
    inner = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(rf"(?<![\w-])({inner})(?![\w-])")


def pad(ids: list[int], truncate: bool = False, padding: int = END_OF_TEXT) -> list[int]:
    """Exactly 77 ids, filled up with the end marker as KerasCV does, or with another id.

    Raises ModelError for more than 77, unless `truncate`: then the first 75 of the text count.
    """
    if len(ids) <= MAX_TOKENS:
        return ids + [padding] * (MAX_TOKENS - len(ids))
    if truncate:
        return [*ids[: MAX_TOKENS - 1], END_OF_TEXT]
    raise ModelError(
        too_long(ids, "would be"),
        "Shorten it, write `prompt_syntax: weighted` in the walk to have it read in parts of"
        f" {MAX_TOKENS - MARKERS}, or set LATENT_ASSETS_TRUNCATE=on to have the rest ignored.",
    )


def too_long(ids: list[int], verb: str = "is") -> str:
    """What to say of a prompt of more than 77 tokens: how many, and where it `verb` cut."""
    begins = _head(_text(ids[1:-1]))
    kept = _text(ids[1 : MAX_TOKENS - 1])
    lost = _text(ids[MAX_TOKENS - 1 : -1])
    return (
        f'the prompt "{begins}" has {len(ids) - MARKERS} tokens, the model reads'
        f' {MAX_TOKENS - MARKERS}: it {verb} cut after "{_tail(kept)}", before "{_head(lost)}"'
    )


def _text(ids: Sequence[int]) -> str:
    """The words of the ids; a name of the model's own, which is no word, as a dot for each id."""
    parts = (
        byte_pairs().decode(group) if known else "." * len(list(group))
        for known, group in groupby(ids, lambda each: each <= END_OF_TEXT)
    )
    return "".join(parts).rstrip()


def _tail(text: str) -> str:
    return text if len(text) <= _CUT_CONTEXT else f"...{text[-_CUT_CONTEXT:]}"


def _head(text: str) -> str:
    return text if len(text) <= _CUT_CONTEXT else f"{text[:_CUT_CONTEXT]}..."
