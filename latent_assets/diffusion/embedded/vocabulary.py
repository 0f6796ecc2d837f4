"""Words: how the embedded model reads a prompt. Pure numpy, no TensorFlow.

A prompt is cut into words. A word that the model was trained on is taken as it is, one that has
a trained neighbour (by phrase in `aliases`, by word stem, or by the cosine of its vector) is read
as that neighbour, and the rest is unknown: it is left out, and told. Words that say nothing about
a picture ("a", "of", "beautiful") are left out in silence.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors import safe_open

from latent_assets.diffusion.embedded.weights import (
    WEIGHTS_FILE,
    WORD_VECTORS,
    default_directory,
)
from latent_assets.errors import ModelError
from latent_assets.prompt_syntax import parse

VOCABULARY_FILE = "vocabulary.json"
PADDING = 0
MAX_TOKENS = 16
NEAR = 0.52
"""Least cosine at which a word that was never trained is read as a trained one."""

_SILENT_WORDS = """
a an the of some my your his her its our their this that these those very is are be at to for and or
in on by with from near next style picture pictures photo photograph image images photography
photorealistic realistic beautiful lovely nice cute pretty high quality detailed highly resolution
hd 4k 8k dslr art artwork artistic artist famous great best one
two like as it there front middle still life close up view shot under over through into above behind
beside between standing sitting
"""
SILENT = frozenset(_SILENT_WORDS.split())
SHORTEST_STEM = 3
POSSESSIVE = re.compile(r"'s\b")


@dataclass(frozen=True)
class PromptReading:
    """How a prompt is read. known: (word, the trained word it is used as); unknown: left out."""

    text: str
    known: tuple[tuple[str, str], ...]
    unknown: tuple[str, ...]
    dropped: tuple[str, ...] = ()
    """Known words beyond the number of tokens that a context holds."""

    @property
    def used(self) -> tuple[str, ...]:
        """The trained words, in order, each once: the tokens."""
        return tuple(dict.fromkeys(used_as for _, used_as in self.known))

    def warnings(self) -> tuple[str, ...]:
        """What a person should know of this reading."""
        found = []
        if not self.known:
            words = f" ({', '.join(self.unknown)})" if self.unknown else ""
            found.append(
                f"nothing in {self.text!r} is known to the embedded model{words};"
                " `latent-assets vocabulary` lists what it can draw"
            )
        elif self.unknown:
            found.append(
                f"in {self.text!r} the embedded model does not know {', '.join(self.unknown)};"
                " `latent-assets vocabulary` lists what it can draw"
            )
        if self.dropped:
            dropped = ", ".join(self.dropped)
            found.append(
                f"{self.text!r} has more than {MAX_TOKENS} words that the embedded model knows:"
                f" left out are {dropped}"
            )
        return tuple(found)


def words_of(text: str) -> list[str]:
    """Lower-case words without accents, possessives and punctuation."""
    return [_plain(word) for word in _written_words(text)]


def _written_words(text: str) -> list[str]:
    """The words of any script as they are written, in small letters; each emoji is one.

    A letter's marks belong to it (in Hindi, vowels are marks): else a word would fall into pieces.
    """
    words: list[str] = []
    inside = False
    folded = unicodedata.normalize("NFC", text.lower()).replace("\u2019", "'")
    for character in POSSESSIVE.sub("", folded):
        kind = unicodedata.category(character)
        if character.isalnum() or (inside and kind.startswith("M")):
            if inside:
                words[-1] += character
            else:
                words.append(character)
            inside = True
            continue
        inside = False
        if kind == "So":
            words.append(character)
    return words


def _plain(word: str) -> str:
    """Without accents and ligatures, as words are known."""
    apart = unicodedata.normalize("NFKD", word)
    return "".join(character for character in apart if not unicodedata.combining(character))


def stems(word: str) -> Iterator[str]:
    """The word, and what is left of it without an English ending."""
    yield word
    for ending, replacement in (("ies", "y"), ("es", ""), ("s", ""), ("ing", ""), ("ed", "")):
        if word.endswith(ending) and len(word) - len(ending) >= SHORTEST_STEM:
            yield word.removesuffix(ending) + replacement


class Vocabulary:
    """Words with their vectors; token i stands for words[i], token 0 for padding.

    vectors: (V, 128); trained: the words that captions are made of; aliases: a phrase -> the
    trained words that it is read as (none: it is silent).
    """

    def __init__(
        self,
        words: Sequence[str],
        vectors: np.ndarray,
        trained: Sequence[str],
        aliases: Mapping[str, Sequence[str]],
        concepts: Mapping[str, Sequence[str]],
    ) -> None:
        self._index = {word: index for index, word in enumerate(words)}
        self._trained = [word for word in trained if word in self._index]
        self._trained_set = frozenset(self._trained)
        self._aliases = {tuple(words_of(phrase)): tuple(to) for phrase, to in aliases.items()}
        self._longest_alias = max((len(phrase) for phrase in self._aliases), default=1)
        self._concepts = {group: tuple(names) for group, names in concepts.items()}
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        self._directions = (vectors / np.maximum(norms, 1e-6)).astype(np.float32)
        self._trained_rows = np.array([self._index[word] for word in self._trained], np.int64)

    @classmethod
    def load(cls, directory: Path | None = None) -> Vocabulary:
        """Read the vocabulary that lies beside the weights."""
        directory = directory or default_directory()
        if not (directory / VOCABULARY_FILE).is_file():
            raise ModelError(
                "the embedded model's vocabulary is not there:"
                f" {directory / VOCABULARY_FILE} does not exist"
            )
        text = (directory / VOCABULARY_FILE).read_text(encoding="utf-8")
        with safe_open(directory / WEIGHTS_FILE, framework="numpy") as file:
            vectors = file.get_tensor(WORD_VECTORS).astype(np.float32)
        return cls(vectors=vectors, **json.loads(text))

    def __len__(self) -> int:
        return len(self._index)

    def known_words(self) -> dict[str, tuple[str, ...]]:
        """What the model was taught, by kind: `things`, `scenes`, `colours`, `styles`."""
        return dict(self._concepts)

    def nearest(self, word: str) -> str | None:
        """The trained word for any word, or None if there is none near enough."""
        for stem in stems(word):
            if stem in self._trained_set:
                return stem
        row = next((self._index[stem] for stem in stems(word) if stem in self._index), None)
        if row is None or not self._trained:
            return None
        likeness = self._directions[self._trained_rows] @ self._directions[row]
        best = int(np.argmax(likeness))
        return self._trained[best] if likeness[best] >= NEAR else None

    def read(self, text: str) -> PromptReading:
        """Read a prompt."""
        return _reading(text, *self._look(text))

    def read_weighted(self, prompt: str) -> tuple[PromptReading, dict[str, float]]:
        """Read a weighted prompt: also the weight of each trained word that it uses.

        Of a word that is written twice the larger one. Raises PromptSyntaxError.
        """
        parts = [part for block in parse(prompt) for part in block]
        known: list[tuple[str, str]] = []
        unknown: list[str] = []
        weights: dict[str, float] = {}
        for text, weight in parts:
            found, not_found = self._look(text)
            known += found
            unknown += not_found
            for _, word in found:
                weights[word] = max(float(weight), weights.get(word, 0.0))
        return _reading(" ".join(text for text, _ in parts), known, unknown), weights

    def _look(self, text: str) -> tuple[list[tuple[str, str]], list[str]]:
        """(word, the trained word it is used as) of those that are known, and the others."""
        known: list[tuple[str, str]] = []
        unknown: list[str] = []
        written = _written_words(text)
        words = [_plain(word) for word in written]
        position = 0
        while position < len(words):
            alias = self._alias_at(words, position)
            if alias is not None:
                length, used = alias
                phrase = " ".join(words[position : position + length])
                known += [(phrase, word) for word in used]
                position += length
                continue
            self._read_word(written[position], words[position], known, unknown)
            position += 1
        return known, unknown

    def _alias_at(self, words: list[str], position: int) -> tuple[int, tuple[str, ...]] | None:
        """The longest alias that starts here: (its number of words, what it is read as)."""
        for length in range(self._longest_alias, 0, -1):
            phrase = tuple(words[position : position + length])
            if len(phrase) == length and phrase in self._aliases:
                return length, self._aliases[phrase]
        return None

    def _read_word(
        self, written: str, word: str, known: list[tuple[str, str]], unknown: list[str]
    ) -> None:
        if word in self._trained_set:
            known.append((word, word))
        elif word not in SILENT:
            used_as = self.nearest(word)
            if used_as is None:
                unknown.append(written)
            else:
                known.append((word, used_as))

    def tokens(self, text: str) -> np.ndarray:
        """(16,) int32, padded with 0."""
        return self.tokens_of(self.read(text).used)

    def tokens_of(self, words: Sequence[str]) -> np.ndarray:
        """At most 16 trained words -> (16,) int32, padded with 0."""
        ids = [self._index[word] for word in words]
        return np.array(ids + [PADDING] * (MAX_TOKENS - len(ids)), np.int32)


def _reading(text: str, known: list[tuple[str, str]], unknown: list[str]) -> PromptReading:
    used = dict.fromkeys(used_as for _, used_as in known)  # a repeated word takes no room
    kept = set(list(used)[:MAX_TOKENS])
    return PromptReading(
        text,
        tuple(pair for pair in known if pair[1] in kept),
        tuple(unknown),
        tuple(word for word, used_as in known if used_as not in kept),
    )


@lru_cache(maxsize=1)
def default_vocabulary() -> Vocabulary:
    """The vocabulary that comes with the project."""
    return Vocabulary.load()


def describe_prompt(text: str) -> PromptReading:
    """How the embedded model reads a prompt; loads no model."""
    return default_vocabulary().read(text)
