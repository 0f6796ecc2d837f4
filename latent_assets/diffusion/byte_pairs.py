"""CLIP's byte pairs: from the words of a text to ids, and back.

A word's bytes are joined two by two, the pairs that were most frequent in the training texts first
(Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units"). The pairs are in
`clip_merges.txt.gz`, from OpenAI's CLIP (MIT, `clip_merges.LICENSE`): of its list those that CLIP
uses, one a line, the most frequent first. An id is the place in: the 256 bytes; the bytes as ends
of words; the pairs.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import regex

MERGES = Path(__file__).with_name("clip_merges.txt.gz")
_END = "</w>"
# Markers, endings after an apostrophe, letters, each digit alone, the rest. `regex` is what KerasCV
# reads texts with: both have one idea of what a letter is.
_WORDS = regex.compile(
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+",
    regex.IGNORECASE,
)
_MARKERS = ("<|startoftext|>", "<|endoftext|>")
_MOST_REMEMBERED = 4096


def words(text: str) -> list[str]:
    """The words, markers and runs of signs of a text in lower case; white space parts them."""
    return _WORDS.findall(text)


def joined(text: str) -> str:
    """The text with its white space joined, none around it."""
    return regex.sub(r"\s+", " ", text).strip()


class BytePairs:
    """The vocabulary, ready for use. Reading it takes some 50 ms: `byte_pairs` keeps it."""

    def __init__(self, merges: Iterable[tuple[str, str]]) -> None:
        self._letters = _letters()
        self._bytes = {letter: byte for byte, letter in self._letters.items()}
        merges = list(merges)
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        single = list(self._letters.values())
        pieces = [*single, *(f"{letter}{_END}" for letter in single), *map("".join, merges)]
        self._pieces = [*pieces, *_MARKERS]
        self._ids = {piece: number for number, piece in enumerate(self._pieces)}
        self._encode_word = lru_cache(_MOST_REMEMBERED)(self._ids_of_word)

    def encode(self, text: str) -> list[int]:
        """The ids of a text in lower case."""
        return [number for word in words(text) for number in self._encode_word(word)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids, a space behind each word; halves of a character as U+FFFD."""
        pieces = "".join(self._pieces[number] for number in ids)
        spoken = pieces.replace(_END, "\N{NULL}")
        content = bytes(0x20 if c == "\N{NULL}" else self._bytes[c] for c in spoken)
        return content.decode(errors="replace")

    def _ids_of_word(self, word: str) -> tuple[int, ...]:
        if word in _MARKERS:
            return (self._ids[word],)
        *rest, last = (self._letters[byte] for byte in word.encode())
        pieces = [*rest, last + _END]
        while len(pieces) > 1:
            pair = min(pairwise(pieces), key=self._rank)
            if pair not in self._ranks:
                break
            pieces = _merged(pieces, pair)
        return tuple(self._ids[piece] for piece in pieces)

    def _rank(self, pair: tuple[str, str]) -> int:
        return self._ranks.get(pair, len(self._ranks))


@lru_cache(maxsize=1)
def byte_pairs() -> BytePairs:
    """That of CLIP."""
    with gzip.open(MERGES, "rt", encoding="utf-8") as file:
        pairs = [line.split() for line in file]
    return BytePairs((first, second) for first, second in pairs)


def _merged(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    """Wherever the two stand side by side, from the left, one piece."""
    merged: list[str] = []
    for piece in pieces:
        if merged and (merged[-1], piece) == pair:
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged


def _letters() -> dict[int, str]:
    """A visible letter for each byte: itself if it is one in Latin-1, else one from U+0100 on.

    In the order of the ids.
    """
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in visible]
    return {
        **{byte: chr(byte) for byte in visible},
        **{byte: chr(0x100 + place) for place, byte in enumerate(others)},
    }
