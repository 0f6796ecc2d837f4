"""How prompts are read: nothing that a person writes may be lost without a word."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent_assets.diffusion.embedded.vocabulary import (
    MAX_TOKENS,
    Vocabulary,
    default_vocabulary,
    describe_prompt,
    words_of,
)

WORDS = ["[PAD]", "dog", "cat", "beach", "red", "bush", "puppyish", "teapot", "kitty"]
VECTORS = np.array(
    [
        [0, 0, 0],
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
        [-1, 0, 0],
        [0, 0, -1],
        [2, 0.5, 0],
        [0, -1, 0],
        [0.1, 3, 0],
    ],
    np.float32,
)


def plain(word: str) -> str:
    """Without the marks that accents are, for words whose marks are letters too."""
    apart = unicodedata.normalize("NFKD", word)
    return "".join(each for each in apart if not unicodedata.combining(each))


@pytest.fixture
def vocabulary():
    return Vocabulary(
        WORDS,
        VECTORS,
        trained=["dog", "cat", "beach", "red", "bush"],
        aliases={"golden retriever": ["dog"], "seaside dog": ["dog", "beach"], "hot air": []},
        concepts={"things": ["dog", "cat"]},
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A Dog's ball", ["a", "dog", "ball"]),
        ("a cat's", ["a", "cat"]),
        ("the dog\u2019s, the cat's: 'sunny'", ["the", "dog", "the", "cat", "sunny"]),
        ("  Café—crème!  ", ["cafe", "creme"]),
        ("", []),
        ("🐶", ["🐶"]),
        ("a cat 🐶👍🏽 собака", ["a", "cat", "🐶", "👍", "собака"]),
        ("smørrebrød", ["smørrebrød"]),
        ("हिन्दी 森の猫", [plain("हिन्दी"), "森の猫"]),
        ("\ufb01sh \uff43at", ["fish", "cat"]),
        ("ice-cream 3D", ["ice", "cream", "3d"]),
    ],
)
def test_words_are_cut_at_everything_that_is_no_letter_or_digit(text, words):
    assert words_of(text) == words


def test_a_trained_word_is_read_as_itself(vocabulary):
    reading = vocabulary.read("a dog at the BEACH")
    assert reading.known == (("dog", "dog"), ("beach", "beach"))
    assert reading.unknown == ()
    assert reading.warnings() == ()


def test_plurals_are_read_as_their_singular_unless_they_are_words_themselves(vocabulary):
    assert vocabulary.read("dogs and bushes").known == (("dogs", "dog"), ("bushes", "bush"))
    assert vocabulary.read("bush").used == ("bush",)


def test_a_word_near_a_trained_one_is_read_as_that(vocabulary):
    assert vocabulary.read("puppyish kitty").known == (("puppyish", "dog"), ("kitty", "cat"))


def test_a_word_near_nothing_is_unknown_and_told(vocabulary):
    reading = vocabulary.read("a teapot and a dog")
    assert reading.unknown == ("teapot",)
    (warning,) = reading.warnings()
    assert "teapot" in warning
    assert "latent-assets vocabulary" in warning


def test_the_longest_alias_wins_and_may_stand_for_several_words(vocabulary):
    assert vocabulary.read("Golden Retriever").known == (("golden retriever", "dog"),)
    assert vocabulary.read("seaside dog").used == ("dog", "beach")
    assert vocabulary.read("hot air").known == ()


def test_a_prompt_in_which_nothing_is_known_is_told_with_all_its_words(vocabulary):
    reading = vocabulary.read("xyzzy plugh")
    assert reading.known == ()
    (warning,) = reading.warnings()
    assert "xyzzy, plugh" in warning
    assert "nothing in 'xyzzy plugh'" in warning


def test_an_empty_prompt_is_all_padding_and_told(vocabulary):
    assert not vocabulary.tokens("").any()
    assert vocabulary.read("").warnings()


def test_a_repeated_word_is_one_token(vocabulary):
    assert vocabulary.tokens("dog dog puppyish cat").tolist() == [1, 2] + [0] * 14


def test_what_does_not_fit_into_a_context_is_told():
    words = ["[PAD]", *(f"w{number}" for number in range(20))]
    crowded = Vocabulary(words, np.eye(21, dtype=np.float32), words[1:], {}, {})
    reading = crowded.read(" ".join(words[1:]))
    assert len(reading.known) == MAX_TOKENS
    assert reading.dropped == ("w16", "w17", "w18", "w19")
    assert "w16" in reading.warnings()[0]
    assert (crowded.tokens(" ".join(words[1:])) > 0).all()


def test_words_that_are_repeated_leave_room_for_others(vocabulary):
    reading = vocabulary.read("dog " * MAX_TOKENS + "cat")
    assert reading.used == ("dog", "cat")
    assert reading.dropped == ()


@given(st.text(max_size=80))
def test_any_text_has_sixteen_valid_tokens(text):
    vocabulary = default_vocabulary()
    tokens = vocabulary.tokens(text)
    assert tokens.shape == (MAX_TOKENS,)
    assert tokens.dtype == np.int32
    assert ((tokens >= 0) & (tokens < len(vocabulary))).all()
    count = int((tokens > 0).sum())
    assert (tokens[:count] > 0).all()


@pytest.mark.parametrize(
    ("prompt", "used"),
    [
        ("A watercolor painting of a Golden Retriever at the beach", {"dog", "beach", "painting"}),
        ("An architectural sketch of a skyscraper", {"sketch", "skyscraper"}),
        ("A still life DSLR photo of a bowl of fruit", {"bowl", "fruit"}),
        ("The eiffel tower in the style of starry night", {"tower", "painting", "night"}),
        (
            "An oil paintings of cows in a field next to a windmill in Holland",
            {"cow", "painting", "windmill", "field"},
        ),
        ("a kitty on a crimson background", {"cat", "red", "background"}),
        ("a leopard, a hot dog and a feline", {"lion", "hotdog", "cat"}),
        ("a tiny cat on the left", {"tiny", "cat", "left"}),
    ],
)
def test_prompts_as_people_write_them(prompt, used):
    reading = describe_prompt(prompt)
    assert used <= set(reading.used)
    assert reading.unknown == ()


def test_every_thing_that_the_model_claims_to_know_is_read_as_itself():
    vocabulary = default_vocabulary()
    known = vocabulary.known_words()
    assert len(known["things"]) >= 250
    for name in known["things"]:
        assert vocabulary.read(name).used == tuple(words_of(name.replace(" of ", " ")))
    for group in ("scenes", "colours", "styles", "sizes and places"):
        for phrase in known[group]:
            assert vocabulary.read(phrase).known, phrase
            assert not vocabulary.read(phrase).unknown, phrase


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("a cat 🐶 собачий лес", ("🐶", "собачий", "лес")),
        ("a cat with smørrebrød", ("smørrebrød",)),
        ("a dog in हिन्दी", ("हिन्दी",)),
        ("a dog → 森の猫", ("森の猫",)),
    ],
)
def test_every_word_that_is_left_out_is_named_whole_in_any_script(vocabulary, text, unknown):
    reading = vocabulary.read(text)
    assert reading.unknown == unknown
    assert all(word in " ".join(reading.warnings()) for word in unknown)
    assert reading.used in {("cat",), ("dog",)}
