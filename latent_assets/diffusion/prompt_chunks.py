"""Weighted and long prompts for a text encoder of 77 tokens: chunks of 75, each encoded alone.

As in AUTOMATIC1111's stable-diffusion-webui (its emphasis "Original"): with z the encodings
(77, D) of a chunk and w the weight of each token (1 for the markers and the padding),

    z' = w z * mean(z) / mean(w z)

the mean over all of the chunk's numbers. Chunks stand one after the other, (77 k, D); what a prompt
is short of others is filled up with the encoding of the empty prompt. Two things are simpler than
there: a chunk is filled to the 75th token, whether or not a comma stands before it, and an empty
block between two BREAK is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from latent_assets.diffusion import tokenizer
from latent_assets.diffusion.protocol import FloatArray
from latent_assets.prompt_syntax import parse

CHUNK = tokenizer.MAX_TOKENS - tokenizer.MARKERS

Encode = Callable[[Sequence[int]], FloatArray]
"""77 ids -> (77, D) float32."""


@dataclass
class Chunk:
    """At most 75 tokens of a prompt, without the markers, and the weight of each."""

    ids: list[int] = field(default_factory=list)
    weights: list[Fraction] = field(default_factory=list)

    def marked(self) -> list[int]:
        """The ids between their markers; not yet 77."""
        return [tokenizer.START_OF_TEXT, *self.ids, tokenizer.END_OF_TEXT]


def chunks_of(prompt: str, names: Mapping[str, Sequence[int]] | None = None) -> list[Chunk]:
    """The chunks of a weighted prompt, at least one. Raises PromptSyntaxError.

    names: see `tokenizer.encode`; the vectors of one name stay together.
    """
    chunks: list[Chunk] = []
    for block in parse(prompt):
        chunks.append(Chunk())
        for text, weight in block:
            for together in _units(tokenizer.encode(text, names)[1:-1], names or {}):
                if len(chunks[-1].ids) + len(together) > CHUNK:
                    chunks.append(Chunk())
                chunks[-1].ids += together
                chunks[-1].weights += [weight] * len(together)
    return chunks


def encode(
    prompt: str,
    count: int,
    encode_ids: Encode,
    pad: Callable[[list[int]], list[int]],
    names: Mapping[str, Sequence[int]] | None = None,
) -> FloatArray:
    """A weighted prompt -> (77 count, D) float32; pad: fills ids up to 77.

    Raises PromptSyntaxError, and ValueError if the prompt has more chunks.
    """
    chunks = chunks_of(prompt, names)
    if len(chunks) > count:
        raise ValueError(f"a prompt of {len(chunks)} chunks in a walk of {count}")
    encoded = [_weighed(encode_ids(pad(chunk.marked())), chunk.weights) for chunk in chunks]
    if len(chunks) < count:
        encoded += [encode_ids(pad(Chunk().marked()))] * (count - len(chunks))
    return np.concatenate(encoded)


def _weighed(encoding: FloatArray, weights: Sequence[Fraction]) -> FloatArray:
    """The module's formula; the same array where every weight is 1."""
    if all(weight == 1 for weight in weights):
        return encoding
    factors = np.ones((len(encoding), 1))
    factors[1 : 1 + len(weights), 0] = [float(weight) for weight in weights]
    exact = encoding.astype(np.float64)
    weighed = factors * exact
    after = weighed.mean()
    return (weighed * (exact.mean() / after if after else 1.0)).astype(np.float32)


def _units(ids: Sequence[int], names: Mapping[str, Sequence[int]]) -> Iterator[list[int]]:
    """Token by token; the vectors that one name stands for are one."""
    lengths = {each[0]: len(each) for each in names.values()}
    place = 0
    while place < len(ids):
        length = lengths.get(ids[place], 1)
        yield list(ids[place : place + length])
        place += length
