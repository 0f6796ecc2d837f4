"""Weighted prompts: what the brackets mean, and what looks as if it were for another program."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent_assets.prompt_syntax import (
    TEXT,
    WEIGHTED,
    PromptSyntaxError,
    canonical,
    foreign,
    parse,
)

W = Fraction(11, 10)
READ = {
    "a cat": [[("a cat", 1)]],
    "": [[("", 1)]],
    "a (red:1.3) cat": [[("a", 1), ("red", Fraction(13, 10)), ("cat", 1)]],
    "(red) [cat]": [[("red", W), ("cat", 1 / W)]],
    "((red))": [[("red", W * W)]],
    "(a [b] (c:2):0.5)": [
        [("a", Fraction(1, 2)), ("b", Fraction(1, 2) / W), ("c", 1)],
    ],
    "(red:13/10)": [[("red", Fraction(13, 10))]],
    "(red : .5 )": [[("red", Fraction(1, 2))]],
    r"a \(red:1.3\) cat \\ \[x\]": [[(r"a (red:1.3) cat \ [x]", 1)]],
    "ratio 4:3": [[("ratio 4:3", 1)]],
    "(note: red)": [[("note: red", W)]],
    "a BREAK b": [[("a", 1)], [("b", 1)]],
    "(a BREAK b:2) c": [[("a", 2)], [("b", 2), ("c", 1)]],
    "BREAK a BREAK BREAK": [[("a", 1)]],
    "a BREAKFAST break": [[("a BREAKFAST break", 1)]],
    "(a:1) b": [[("a b", 1)]],
}


@pytest.mark.parametrize("prompt", READ)
def test_brackets_are_read_as_in_the_common_tool(prompt):
    assert [list(block) for block in parse(prompt)] == READ[prompt]


@pytest.mark.parametrize("prompt", READ)
def test_a_recipe_has_one_way_of_writing_with_exact_weights(prompt):
    assert parse(canonical(prompt)) == parse(prompt)
    assert canonical(canonical(prompt)) == canonical(prompt)


def test_a_weight_is_the_fraction_that_was_written():
    assert canonical("a ((red:1.3)) cat") == "a (red:143/100) cat"
    assert canonical("[x]") == "(x:10/11)"
    assert canonical(r"\(x\)") == r"\(x\)"


PIECES = ["a", "b ", "(", ")", "[", "]", ":", "1", ".5", "\\", "BREAK", " "]
PROMPTS = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)


@given(PROMPTS)
def test_whatever_is_read_is_read_again_alike(prompt):
    try:
        read = parse(prompt)
    except PromptSyntaxError:
        return
    assert parse(canonical(prompt)) == read


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a (cat", r"a ( is not closed; for the sign itself write \("),
        ("a cat]", r"a ] closes nothing; for the sign itself write \]"),
        ("(a cat]", "a ] closes nothing"),
        ("a :1.3) cat", "a ) closes nothing"),
        ("[a cat:1.3)", "a ) closes nothing"),
        ("(cat:1,3)", "':1,3)' is no weight; write a number from 0 to 10: (word:1.3)"),
        ("(cat:-1)", "':-1)' is no weight"),
        ("(cat:11)", "'cat' has the weight 11, the most is 10"),
        ("((cat:9):9)", "'cat' has the weight 81"),
        ("(" * 11 + "a" + ")" * 11, "more than 10 brackets"),
    ],
)
def test_what_is_not_well_written_is_told(prompt, words):
    with pytest.raises(PromptSyntaxError) as refused:
        parse(prompt)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("prompt", "shown", "cure"),
    [
        ("a (castle:1.3) on a hill", "'(castle:1.3)' is read as text", "prompt_syntax: weighted"),
        ("a ((castle))", "'((castle))' is read as text", "prompt_syntax: weighted"),
        ("a [cat|dog] here", "'[cat|dog]' is read as text", "interpolation"),
        ("a [cat:dog:0.5] here", "'[cat:dog:0.5]' is read as text", "interpolation"),
        ("a cat BREAK a dog", "'a cat BREAK a dog' is read as text", "prompt_syntax: weighted"),
        ("a cat <lora:ink:0.7>", "'<lora:ink:0.7>' is read as text", "`loras`"),
        ("a cat AND a dog", "'a cat AND a dog' is read as one prompt", "not combined"),
    ],
)
def test_what_was_written_for_another_program_is_told(prompt, shown, cure):
    (sentence,) = foreign(prompt, TEXT)
    assert sentence.startswith(shown)
    assert cure in sentence


@pytest.mark.parametrize(
    "prompt", ["a cat (sitting)", "a cat [1]", "CATS AND DOGS", "4:3", "breaking and, entering", ""]
)
def test_plain_prompts_are_not_suspected(prompt):
    assert foreign(prompt, TEXT) == ()


def test_of_a_weighted_prompt_only_what_is_no_weight_is_told():
    assert foreign("a (cat:1.3) BREAK ((dog))", WEIGHTED) == ()
    assert len(foreign("[cat|dog] <lora:x:1> here AND there", WEIGHTED)) == 3
