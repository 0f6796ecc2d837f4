"""Weighted and long prompts become chunks of 77 tokens, weighted by a formula written out here."""

from __future__ import annotations

import numpy as np
import pytest

from latent_assets.diffusion import prompt_chunks, tokenizer
from latent_assets.diffusion.embedded import Vocabulary
from latent_assets.diffusion.registry import WeightsSource, read_prompt
from latent_assets.diffusion.tokenizer import END_OF_TEXT, START_OF_TEXT
from latent_assets.shipped import SHIPPED_MODELS

A, CAT, DOG = 320, 2368, 1929


def encode_ids(ids):
    """Stands for a text encoder: each row of the token and of its whole chunk."""
    rows = [np.random.default_rng([each, sum(ids)]).normal(0.1, 1, 5) for each in ids]
    return np.array(rows, np.float32)


def encode(prompt, count=1, names=None):
    return prompt_chunks.encode(prompt, count, encode_ids, tokenizer.pad, names)


def ids_of(prompt, names=None):
    return [chunk.ids for chunk in prompt_chunks.chunks_of(prompt, names)]


def test_a_prompt_without_weights_is_encoded_as_the_text():
    plain = encode_ids(tokenizer.pad(tokenizer.encode("a cat")))
    assert encode("a cat").tobytes() == plain.tobytes()


def test_weights_multiply_the_tokens_and_the_mean_is_restored():
    plain = encode_ids(tokenizer.pad([START_OF_TEXT, A, CAT, DOG, END_OF_TEXT])).astype(float)
    expected = plain.copy()
    expected[2] *= 1.3
    expected[3] *= 10 / 11
    expected *= plain.mean() / expected.mean()
    assert np.allclose(encode("a (cat:1.3) [dog]"), expected, rtol=1e-6)


def test_more_than_75_tokens_fill_chunk_after_chunk():
    assert list(map(len, ids_of("cat " * 75))) == [75]
    assert list(map(len, ids_of("cat " * 160))) == [75, 75, 10]
    long = encode("cat " * 80 + "(dog:2)", 2)
    first = encode_ids([START_OF_TEXT, *[CAT] * 75, END_OF_TEXT])
    assert long.shape == (154, 5)
    assert long[:77].tobytes() == first.tobytes()
    assert not np.allclose(long[77:], encode_ids(tokenizer.pad([0, *[CAT] * 5, DOG])))


def test_break_begins_a_chunk():
    assert ids_of("a cat BREAK a dog") == [[A, CAT], [A, DOG]]


def test_shorter_prompts_are_filled_up_with_the_empty_one():
    filled = encode("a cat", 3)
    empty = encode_ids(tokenizer.pad([START_OF_TEXT, END_OF_TEXT]))
    assert filled[:77].tobytes() == encode("a cat").tobytes()
    assert filled[77:].tobytes() == np.concatenate([empty, empty]).tobytes()


def test_the_vectors_of_a_name_stay_together():
    names = {"style": [49408, 49409, 49410]}
    chunks = prompt_chunks.chunks_of("cat " * 73 + "(style:2) a", names)
    assert [len(chunk.ids) for chunk in chunks] == [73, 4]
    assert chunks[1].ids == [49408, 49409, 49410, A]
    assert chunks[1].weights == [2, 2, 2, 1]


def test_a_model_says_how_many_chunks_a_weighted_prompt_has(tmp_path):
    source = WeightsSource(tmp_path)
    read = read_prompt("stable-diffusion-1", source, "cat " * 90, syntax="weighted")
    assert (read.token_count, read.chunks, read.warnings) == (90, 2, ())


def test_the_embedded_model_reads_the_weight_of_each_word_and_needs_no_break():
    source = WeightsSource(SHIPPED_MODELS)
    read = read_prompt("embedded", source, "a (red:1.5) apple BREAK a pear", syntax="weighted")
    assert read.token_count == 3
    assert read.chunks == 1
    assert "BREAK says nothing" in read.warnings[0]


@pytest.mark.parametrize("prompt", ["(red:2) apple", "red (red:2) apple", "(red:2) [red] apple"])
def test_of_a_word_written_twice_the_larger_weight_counts(prompt):
    reading, weights = Vocabulary.load(SHIPPED_MODELS / "embedded").read_weighted(prompt)
    assert reading.used == ("red", "apple")
    assert weights == {"red": 2.0, "apple": 1.0}
