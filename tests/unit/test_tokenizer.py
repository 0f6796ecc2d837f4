"""Token ids are KerasCV's, and a prompt that is too long is refused in words that help."""

from __future__ import annotations

import gzip
import importlib.util
import os
import random
import string
import unicodedata
from pathlib import Path

import pytest

from latent_assets.diffusion import byte_pairs, tokenizer
from latent_assets.errors import ModelError

_SEOUL = (18541, 372)
# (text, ids between the markers), recorded from keras-cv 0.9.0's SimpleTokenizer with OpenAI's
# bpe_simple_vocab_16e6.txt.gz.
RECORDED = (
    (
        "A watercolor painting of a Golden Retriever at the beach",
        [320, 14211, 3086, 539, 320, 3878, 28394, 536, 518, 2117],
    ),
    (
        "A still life DSLR photo of a bowl of fruit",
        [320, 1170, 970, 33740, 1125, 539, 320, 3814, 539, 5190],
    ),
    (
        "The eiffel tower in the style of starry night",
        [518, 29720, 4730, 530, 518, 1844, 539, 30963, 930],
    ),
    (
        "An architectural sketch of a skyscraper",
        [550, 15360, 5269, 539, 320, 3075, 11187, 1284],
    ),
    ("", []),
    ("the cat's   whiskers\n we'll see", [518, 2368, 568, 6024, 2880, 649, 1342, 862]),
    ("caf&#233; &amp;amp; cr&egrave;me", [15304, 261, 1075, 12138, 614]),
    ("a <|endoftext|> b", [320, 49407, 321]),
    (
        "\U0001f469\u200d\U0001f680\U0001f680 \U0001f44d\U0001f3fd",
        [26304, 22400, 13542, 43722],
    ),
    ("\u6771\u4eac\u30bf\u30ef\u30fc", [48338, 21078, 105, 34941, 2429, 107, 30391]),
    (
        "\u0130stanbul \u043a\u0440\u0430\u0441\u043d\u0430\u044f \uc11c\uc6b8",
        [
            328,
            16384,
            11231,
            27152,
            16370,
            16912,
            23669,
            22705,
            16912,
            141,
            493,
            15074,
            250,
            *_SEOUL,
        ],
    ),
    ("a\x1cb", [320, 472, 321]),
    # Where the tokenizer that we had before gave another id.
    ("it'\u017f a \u017fun", [585, 6, 129, 379, 320, 129, 123, 2271]),
)


@pytest.mark.parametrize(("text", "ids"), RECORDED, ids=[repr(text)[:25] for text, _ in RECORDED])
def test_ids_are_those_recorded_from_kerascv(text, ids):
    assert tokenizer.encode(text) == [49406, *ids, 49407]


def test_padding_fills_with_the_end_marker_as_kerascv_does():
    padded = tokenizer.pad(tokenizer.encode("a cat"))
    assert padded == [49406, 320, 2368] + [49407] * 74


def test_a_prompt_that_just_fits_is_taken():
    ids = tokenizer.encode("cat " * 75)
    assert tokenizer.pad(ids) == ids
    assert len(ids) == 77


def test_a_prompt_that_is_too_long_says_how_many_tokens_and_where_it_would_be_cut():
    text = " ".join(["cat"] * 73 + ["red", "apple", "green", "pear"])
    with pytest.raises(ModelError) as caught:
        tokenizer.pad(tokenizer.encode(text))
    assert "77 tokens" in caught.value.problem
    assert "reads 75" in caught.value.problem
    assert 'cat red apple", before "green pear"' in caught.value.problem
    assert 'the prompt "cat cat' in caught.value.problem
    assert "LATENT_ASSETS_TRUNCATE=on" in caught.value.cure


def test_truncation_keeps_the_first_75_tokens_and_the_end_marker():
    text = " ".join(["cat"] * 74 + ["red", "apple"])
    assert tokenizer.pad(tokenizer.encode(text), truncate=True) == [
        *tokenizer.encode(" ".join(["cat"] * 74 + ["red"]))
    ]


def _vocabulary() -> Path | None:
    """OpenAI's vocabulary: named by an environment variable, or in the open_clip_torch wheel."""
    if named := os.environ.get("CLIP_VOCABULARY"):
        return Path(named)
    spec = importlib.util.find_spec("open_clip")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).with_name("bpe_simple_vocab_16e6.txt.gz")
    return path if path.is_file() else None


@pytest.fixture(scope="module")
def kerascv_tokenizer():
    path = _vocabulary()
    if path is None:
        pytest.skip("needs the vocabulary: pip install --no-deps open_clip_torch")
    from keras_cv.src.models.stable_diffusion.clip_tokenizer import SimpleTokenizer

    return SimpleTokenizer(str(path))


@pytest.mark.engine
def test_5000_random_ascii_prompts_get_the_same_ids(kerascv_tokenizer):
    chance = random.Random(0)
    texts = [
        "".join(chance.choices(string.printable, k=chance.randint(1, 60))) for _ in range(5000)
    ]
    assert [t for t in texts if kerascv_tokenizer.encode(t) != tokenizer.encode(t)] == []


@pytest.mark.engine
def test_other_scripts_and_emoji_get_the_same_ids(kerascv_tokenizer):
    chance = random.Random(1)
    blocks = [(0x20, 0x17E), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0xE7F), (0x3040, 0x30FF)]
    blocks += [(0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0x1F300, 0x1FAFF), (0x2000, 0x2BFF)]

    def text():
        letters = [
            chr(chance.randint(*chance.choice(blocks))) for _ in range(chance.randint(1, 25))
        ]
        # Code points without a meaning yet are told apart by the age of the Unicode tables.
        return "".join(letter for letter in letters if unicodedata.category(letter) != "Cn")

    texts = [text() for _ in range(3000)]
    assert [t for t in texts if kerascv_tokenizer.encode(t) != tokenizer.encode(t)] == []


@pytest.mark.engine
def test_any_code_points_get_the_same_ids_assigned_or_not(kerascv_tokenizer):
    chance = random.Random(2)

    def text():
        letters = (chance.randint(0x20, 0x2FFFF) for _ in range(chance.randint(1, 25)))
        return "".join(chr(each) for each in letters if not 0xD800 <= each <= 0xDFFF)

    texts = [text() for _ in range(6000)]
    assert [t for t in texts if kerascv_tokenizer.encode(t) != tokenizer.encode(t)] == []
    for each in texts[:500]:
        ids = tokenizer.encode(each)[1:-1]
        assert byte_pairs.byte_pairs().decode(ids) == kerascv_tokenizer.decode(ids)


@pytest.mark.engine
@pytest.mark.parametrize("apostrophe", ["'", "\u2019", "' ", "''", "a'", "1'"])
def test_a_long_s_after_an_apostrophe_is_read_as_kerascv_reads_it(kerascv_tokenizer, apostrophe):
    for after in ("\u017f", "\u017fun", "S", "\u017f\u017f"):
        text = apostrophe + after
        assert tokenizer.encode(text) == kerascv_tokenizer.encode(text)


def test_our_pairs_are_those_of_openais_file_that_clip_uses():
    path = _vocabulary()
    if path is None:
        pytest.skip("needs the vocabulary: pip install --no-deps open_clip_torch")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        theirs = file.read().split("\n")[1 : 49152 - 256 - 2 + 1]
    with gzip.open(byte_pairs.MERGES, "rt", encoding="utf-8") as file:
        assert file.read().splitlines() == theirs


def test_every_id_has_a_piece_of_its_own_and_reads_back():
    pairs = byte_pairs.byte_pairs()
    pieces = [pairs.decode([number]) for number in (0, 255, 320, 2368, 49405, 49406, 49407)]
    assert pieces[2:] == ["a ", "cat ", "jekyll ", "<|startoftext|>", "<|endoftext|>"]
    assert len(pairs._ids) == len(pairs._pieces) == 49408


@pytest.mark.engine
@pytest.mark.parametrize(
    "before", ["", "a ", "cat", "3", "!!", "<", "_", "'s", "\u00e9", "\U0001f389"]
)
def test_markers_in_the_text_are_read_as_kerascv_reads_them(kerascv_tokenizer, before):
    for marker in ("<|endoftext|>", "<|STARTOFTEXT|> cat", "<|endoftext|><|startoftext|>!"):
        text = before + marker
        assert tokenizer.encode(text) == kerascv_tokenizer.encode(text)
