r"""Prompts as people of this field write them: `(word:1.3)`, `(word)`, `[word]`, BREAK.

The grammar is that of AUTOMATIC1111's stable-diffusion-webui, the most used program of its kind:
`(x:w)` weighs x by w, `(x)` by 1.1, `[x]` by 1/1.1; brackets nest, weights multiply; `\(` is a
bracket that is meant; BREAK begins another 75 tokens. Unlike there, a bracket without its other
half is refused, and weights are exact: 1.3 is 13/10.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

PromptSyntax = Literal["text", "weighted"]
TEXT: PromptSyntax = "text"
WEIGHTED: PromptSyntax = "weighted"

Part = tuple[str, Fraction]
"""Words, and their weight."""
Block = tuple[Part, ...]
"""What stands between two BREAK; never empty, but for the only block of an empty prompt."""

MAX_WEIGHT = 10
MAX_DEPTH = 10
_UP = Fraction(11, 10)
_FACTORS = {"(": _UP, "[": 1 / _UP}
_CLOSING = {"(": ")", "[": "]"}
_NUMBER = r"[0-9]{1,60}/[0-9]{0,59}[1-9][0-9]{0,59}|[0-9]{1,6}(?:\.[0-9]{0,6})?|\.[0-9]{1,6}"
_TOKEN = re.compile(
    rf"(?P<escaped>\\[()\[\]\\])|(?P<weight>:\s*(?P<number>{_NUMBER})\s*\))"
    r"|(?P<wrong>:\s*[-+.0-9][^()\[\]:\s\\]*\s*\))|(?P<bracket>[()\[\]])|(?P<text>[^\\()\[\]:]+|[\\:])"
)
_BREAK = re.compile(r"\bBREAK\b")
_ESCAPED = re.compile(r"([()\[\]\\])")


class PromptSyntaxError(ValueError):
    """What is wrong with a weighted prompt, as the rest of a sentence about it."""


def parse(prompt: str) -> tuple[Block, ...]:
    """The blocks of a weighted prompt, at least one. Raises PromptSyntaxError."""
    return _blocks(_pieces(prompt))


@lru_cache(maxsize=4096)
def canonical(prompt: str) -> str:
    """The same prompt in the one way in which recipes have it, weights as exact fractions.

    `parse` reads the same of it. Raises PromptSyntaxError.
    """
    return " BREAK ".join(" ".join(map(_written, block)) for block in parse(prompt))


def read_plainly(prompt: str, syntax: PromptSyntax) -> str:
    """A prompt as recipes have it: its text, or if it is weighted its one way of writing."""
    return canonical(prompt) if syntax == WEIGHTED else prompt


def _written(part: Part) -> str:
    text, weight = part
    escaped = _ESCAPED.sub(r"\\\1", text)
    return escaped if weight == 1 else f"({escaped}:{weight})"


@dataclass
class _Piece:
    text: str
    weight: Fraction = Fraction(1)
    escaped: bool = False


def _pieces(prompt: str) -> list[_Piece]:
    reader = _Reader()
    for token in _TOKEN.finditer(prompt):
        reader.read(token)
    reader.close()
    return reader.pieces


class _Reader:
    """Goes through a prompt, token by token."""

    def __init__(self) -> None:
        self.pieces: list[_Piece] = []
        self.opened: list[tuple[str, int]] = []
        """Each open bracket, and the number of the first piece in it."""

    def read(self, token: re.Match[str]) -> None:
        text = token[0]
        if token["escaped"]:
            self.pieces.append(_Piece(text[1:], escaped=True))
        elif token["text"]:
            self.pieces.append(_Piece(text))
        elif token["bracket"] and text in _FACTORS:
            self._open(text)
        elif token["bracket"]:
            self._shut(text, None)
        elif token["wrong"]:
            raise PromptSyntaxError(
                f"{text!r} is no weight; write a number from 0 to {MAX_WEIGHT}: (word:1.3)"
            )
        else:
            self._shut(")", Fraction(token["number"]))

    def _open(self, bracket: str) -> None:
        self.opened.append((bracket, len(self.pieces)))
        if len(self.opened) > MAX_DEPTH:
            raise PromptSyntaxError(f"more than {MAX_DEPTH} brackets stand inside each other")

    def _shut(self, sign: str, factor: Fraction | None) -> None:
        if not self.opened or _CLOSING[self.opened[-1][0]] != sign:
            raise PromptSyntaxError(f"a {sign} closes nothing; for the sign itself write \\{sign}")
        bracket, start = self.opened.pop()
        for piece in self.pieces[start:]:
            piece.weight *= _FACTORS[bracket] if factor is None else factor

    def close(self) -> None:
        if self.opened:
            bracket = self.opened[-1][0]
            raise PromptSyntaxError(
                f"a {bracket} is not closed; for the sign itself write \\{bracket}"
            )
        for piece in self.pieces:
            if piece.weight > MAX_WEIGHT:
                raise PromptSyntaxError(
                    f"{piece.text.strip()!r} has the weight {float(piece.weight):g},"
                    f" the most is {MAX_WEIGHT}"
                )


def _blocks(pieces: list[_Piece]) -> tuple[Block, ...]:
    blocks: list[list[Part]] = [[]]
    for piece in pieces:
        texts = [piece.text] if piece.escaped else _BREAK.split(piece.text)
        for number, text in enumerate(texts):
            if number:
                blocks.append([])
            _append(blocks[-1], text, piece.weight)
    tidy = (tuple((" ".join(text.split()), weight) for text, weight in block) for block in blocks)
    filled = tuple(block for block in (_said(block) for block in tidy) if block)
    return filled or ((("", Fraction(1)),),)


def _append(block: list[Part], text: str, weight: Fraction) -> None:
    """Joined to what stands before it, if that has the same weight; spaces have any."""
    if block and (block[-1][1] == weight or not text.strip()):
        block[-1] = (block[-1][0] + text, block[-1][1])
    elif text:
        block.append((text, weight))


def _said(block: Block) -> Block:
    return tuple(part for part in block if part[0])


# --- what looks as if it were written for another program -----------------------------------------

_LORA = re.compile(r"<(?:lora|lyco|hypernet):[^<>]*>", re.IGNORECASE)
_SWITCHED = re.compile(
    r"\[[^\[\]]*\|[^\[\]]*\]|\[[^\[\]:]*:[^\[\]:]*:\s*[0-9.]+\s*\]|\[[^\[\]:]+::\s*[0-9.]+\s*\]"
)
_WEIGHED = re.compile(r"(?<!\\)\([^()]*:\s*[0-9.]+\s*\)|(?<!\\)\(\([^()]*\)+")
_AND = re.compile(r"(?<=\S) AND (?=\S)")


def foreign(prompt: str, syntax: PromptSyntax) -> tuple[str, ...]:
    """Sentences about what the prompt holds that other programs read otherwise than it is read.

    Plain text is read as it stands; in a weighted prompt only what no weight is.
    """
    found: list[str] = []
    if lora := _LORA.search(prompt):
        found.append(f"{lora[0]!r} is read as text: LoRAs are named in the model's file (`loras`)")
    if switched := _SWITCHED.search(prompt):
        read = "as text" if syntax == TEXT else "as text of a smaller weight"
        found.append(
            f"{switched[0]!r} is read {read}: prompts do not switch between steps here; for two"
            " prompts write an interpolation"
        )
    plain = prompt.upper() != prompt
    if plain and (both := _AND.search(prompt)):
        around = _around(prompt, both.start(), both.end())
        found.append(f"{around!r} is read as one prompt, AND as a word: prompts are not combined")
    if syntax == WEIGHTED:
        return tuple(found)
    if weighed := _WEIGHED.search(prompt):
        found.append(
            f"{weighed[0]!r} is read as text, not as a weight; for weights write"
            " `prompt_syntax: weighted`"
        )
    if plain and (broken := _BREAK.search(prompt)):
        around = _around(prompt, broken.start(), broken.end())
        found.append(
            f"{around!r} is read as text, BREAK as a word; for parts of 75 tokens write"
            " `prompt_syntax: weighted`"
        )
    return tuple(found)


_SHOWN = 16


def _around(prompt: str, start: int, end: int) -> str:
    return prompt[max(start - _SHOWN, 0) : end + _SHOWN].strip()
