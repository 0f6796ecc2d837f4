"""Builds the vocabulary: the words of the captions, and common words that are near one of them.

A word's vector is MiniLM's (see `minilm`), 384 numbers reduced to 128 by principal components, in
which a caption word counts three times, scaled to unit variance. Words that are near no caption
word are left out again: they would never be read as one.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from latent_assets.diffusion.embedded.nets import WORD_WIDTH
from latent_assets.diffusion.embedded.vocabulary import SILENT, VOCABULARY_FILE, words_of
from latent_assets.diffusion.embedded.weights import WEIGHTS_FILE, WORD_VECTORS, write_weights
from latent_assets.training.aliases import ALIASES
from latent_assets.training.captions import COLOURS, PLACES, SCENES, SIZES, every_caption_word
from latent_assets.training.concepts import CONCEPTS
from latent_assets.training.minilm import MiniLM

PADDING = "[PAD]"
KEPT_FROM = 0.5
"""Least cosine to a caption word for a word to be kept; a little less than `vocabulary.NEAR`."""
FIRST_COMMON, COMMON_WORDS = 1996, 9000
"""MiniLM's sub-words are sorted by frequency from here on; how many of them are looked at."""
CAPTION_WORD_WEIGHT = 3


def words_directory(work: Path, model: Path) -> Path:
    """Where the words of a training are: rebuilt in `work`, or else those of the exported model."""
    rebuilt = work / "words"
    return rebuilt if (rebuilt / WEIGHTS_FILE).is_file() else model


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
            "sizes and places": [*SIZES, *PLACES],
            "styles": ["painting", "sketch"],
        },
    }


def missing_words(all_words: list[str]) -> list[str]:
    """Caption words that have no vector."""
    return sorted(set(trained_words()) - set(all_words))


def build(wheel: Path, folder: Path) -> int:
    """Write words and vectors into `folder`, as a model directory without networks."""
    model = MiniLM(wheel)
    trained = trained_words()
    known = {*trained, *SILENT}
    common = [word for word in model.vocabulary[FIRST_COMMON:] if re.fullmatch(r"[a-z]{3,}", word)]
    common = [word for word in common if word not in known][:COMMON_WORDS]
    vectors = reduced(model.embed([*trained, *common]), len(trained))
    padding = np.zeros((1, WORD_WIDTH), np.float32)
    words, table = useful([PADDING, *trained, *common], np.concatenate([padding, vectors]))
    write_weights(folder, {WORD_VECTORS: table})
    document = json.dumps(vocabulary_document(words))
    (folder / VOCABULARY_FILE).write_text(document + "\n", encoding="utf-8")
    return len(words)


def reduced(vectors: np.ndarray, trained: int) -> np.ndarray:
    """(N, 384) -> (N, 128): principal components, unit variance; the first `trained` weigh more."""
    centred = vectors - vectors.mean(axis=0)
    weighted = np.repeat(centred[:trained], CAPTION_WORD_WEIGHT, axis=0)
    _, _, axes = np.linalg.svd(np.concatenate([weighted, centred[trained:]]), full_matrices=False)
    small = centred @ axes[:WORD_WIDTH].T
    return (small / small.std()).astype(np.float32)


def useful(words: list[str], vectors: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Leave out the words whose nearest caption word is too far to be read as it."""
    trained = frozenset(trained_words())
    norms = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    directions = vectors / norms
    rows = [row for row, word in enumerate(words) if word in trained]
    nearest = (directions @ directions[rows].T).max(axis=1)
    keep = [row for row in range(len(words)) if row == 0 or nearest[row] >= KEPT_FROM]
    return [words[row] for row in keep], vectors[keep]
