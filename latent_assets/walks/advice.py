"""What a walk does that its writer may not have meant; it is rendered all the same."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from latent_assets.foreign import printable
from latent_assets.prompt_syntax import foreign
from latent_assets.walks.route import lengths_on_every_prompt, prompt_places
from latent_assets.walks.schema import GuidanceSweep, Interpolation, Walk, prompt_fields

_TOLD = 3
_LONGEST = 40


def advice(walk: Walk) -> tuple[str, ...]:
    """Sentences for people, each of one thing."""
    return (*_foreign_prompts(walk), *_no_guidance(walk), *_missed(walk))


def _no_guidance(walk: Walk) -> tuple[str, ...]:
    if getattr(walk, "guidance_scale", None) != 0:
        return ()
    told = "at `guidance_scale: 0` the prompt is not looked at"
    return (f"{told}; other programs write 0 where 1 is meant, which switches guidance off",)


def _foreign_prompts(walk: Walk) -> tuple[str, ...]:
    """What was written for another program."""
    fields = {**prompt_fields(walk), "negative_prompt": walk.negative_prompt}
    sentences = (
        printable(sentence)
        for prompt in dict.fromkeys(fields.values())
        for sentence in foreign(prompt, walk.prompt_syntax)
    )
    return tuple(dict.fromkeys(sentences))


def _missed(walk: Walk) -> tuple[str, ...]:
    if not isinstance(walk, GuidanceSweep) and walk.waits_for_places:
        return ()
    missed = missed_keyframes(walk)
    if not missed:
        return ()
    told = [
        f"{_short(prompt)} (between frames {floor(place)} and {ceil(place)})"
        for prompt, place in missed[:_TOLD]
    ]
    more = f" and {len(missed) - _TOLD} more" if len(missed) > _TOLD else ""
    lengths = lengths_that_meet_all(walk)
    cure = f"{lengths} frames meet all" if lengths else "give them other places (`at`)"
    keyframes = "the keyframe" if len(missed) == 1 else "the keyframes"
    return (f"no frame stands on {keyframes} {', '.join(told)}{more}: {cure}",)


def missed_keyframes(walk: Walk) -> list[tuple[str, Fraction]]:
    """The prompts of keyframes that no frame stands on, and their places, counted in frames.

    Between two keyframes of one prompt every frame shows it.
    """
    stand = prompt_places(walk)
    missed = []
    for index, (prompt, place) in enumerate(stand):
        if place.denominator == 1:
            continue
        before, after = stand[index - 1], stand[(index + 1) % len(stand)]
        if prompt == before[0] and before[1] <= floor(place):
            continue
        if prompt == after[0] and after[1] >= ceil(place):
            continue
        missed.append((prompt, place))
    return missed


def lengths_that_meet_all(walk: Walk) -> str:
    """The next numbers of frames with which one stands on every keyframe; empty if there is none.

    The corners of a grid are always met.
    """
    if not isinstance(walk, Interpolation):
        return ""
    return " or ".join(map(str, lengths_on_every_prompt(walk)))


def _short(prompt: str) -> str:
    text = printable(prompt)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
