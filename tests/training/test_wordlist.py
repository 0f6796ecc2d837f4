"""The word table: what is kept, and that a model in numpy is the one that it says it is."""

from __future__ import annotations

import numpy as np

from latent_assets.training.aliases import ALIASES
from latent_assets.training.minilm import LAYERS, MiniLM
from latent_assets.training.wordlist import reduced, trained_words, useful


def test_words_near_no_caption_word_are_left_out():
    vectors = np.zeros((4, 128), np.float32)
    vectors[1, 0] = vectors[2, 1] = 1
    vectors[3, :2] = (1, 0.2)
    words, kept = useful(["[PAD]", "dog", "parliament", "puppyish"], vectors)
    assert words == ["[PAD]", "dog", "puppyish"]
    np.testing.assert_array_equal(kept, vectors[[0, 1, 3]])


def test_reduced_vectors_keep_the_distances_that_matter():
    rng = np.random.default_rng(0)
    plane = rng.standard_normal((300, 100)) @ rng.standard_normal((100, 384))
    small = reduced(plane, 20)
    assert small.shape == (300, 128)
    assert abs(small.std() - 1) < 1e-5
    large = np.linalg.norm(plane[0] - plane[1:], axis=1)
    ratio = np.linalg.norm(small[0] - small[1:], axis=1) / large
    assert ratio.std() / ratio.mean() < 1e-3


def test_every_alias_is_read_as_trained_words():
    trained = set(trained_words())
    for phrase, words in ALIASES.items():
        assert set(words) <= trained, phrase


def tiny_model() -> MiniLM:
    """MiniLM's form with a width of 12 and random weights."""
    rng = np.random.default_rng(3)
    model = MiniLM.__new__(MiniLM)
    model.vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "wind", "##mill", "##s", "cat"]
    model._index = {piece: index for index, piece in enumerate(model.vocabulary)}

    def dense(name, out, inner):
        weight, bias = rng.standard_normal((out, inner)), rng.standard_normal(out)
        return {f"{name}.weight": weight.astype("f4"), f"{name}.bias": bias.astype("f4")}

    def norm(name):
        return {f"{name}.weight": np.ones(12, "f4"), f"{name}.bias": np.zeros(12, "f4")}

    weights = norm("embeddings.LayerNorm")
    for table, rows in (("word", 8), ("position", 16), ("token_type", 2)):
        weights[f"embeddings.{table}_embeddings.weight"] = rng.standard_normal((rows, 12))
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            weights |= dense(f"{name}.attention.{part}", 12, 12)
        weights |= norm(f"{name}.attention.output.LayerNorm") | norm(f"{name}.output.LayerNorm")
        weights |= dense(f"{name}.intermediate.dense", 48, 12)
        weights |= dense(f"{name}.output.dense", 12, 48)
    model._weights = {name: array.astype("f4") for name, array in weights.items()}
    return model


def test_words_are_cut_into_the_longest_known_pieces():
    model = tiny_model()
    cut = [[model.vocabulary[p] for p in model.pieces(w)] for w in ("windmills", "cat", "dog")]
    assert cut == [
        ["[CLS]", "wind", "##mill", "##s", "[SEP]"],
        ["[CLS]", "cat", "[SEP]"],
        ["[CLS]", "[UNK]", "[SEP]"],
    ]


def test_an_embedding_does_not_depend_on_its_neighbours_in_the_batch():
    model = tiny_model()
    together = model.embed(["cat", "windmills"])
    np.testing.assert_allclose(together[0], model.embed(["cat"])[0], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
