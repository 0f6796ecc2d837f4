"""Prompt schedules: a prompt for each of some frames, as FizzNodes has them, and Deforum.

    "0": "a cat",
    "24": "a dog --neg blurry",
    "max_f-1": "a (bird:1.2)"

Written as the inside of a JSON object, often with a comma too many.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from latent_assets.importing.draft import Draft, ImportFailedError, whole

FORM = "a prompt schedule"
_STRING = r'"(?:[^"\\]|\\.)*"'
_ENTRY = re.compile(rf"({_STRING}|[0-9]+)\s*:\s*({_STRING})\s*,?\s*", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_COMPUTED = re.compile(r"max_f(?:\s*([-+*/])\s*([0-9]{1,6}(?:\.[0-9]{1,6})?))?")
_VALUE = re.compile(r"(?<![0-9])([0-9]{1,9})\s*:\s*\(([^()]*)\)")
_ESCAPED = {"n": "\n", "t": "\t"}


def is_schedule(text: str) -> bool:
    """Whether this is a list of frames and prompts, and nothing else."""
    return bool(_entries(text))


def from_text(text: str, frames: int | None) -> Draft:
    """frames: how many there are; default: as far as the last prompt."""
    return from_prompts(_entries(text), frames)


def from_prompts(
    prompts: Mapping[str, str],
    frames: int | None,
    *,
    before: str = "",
    after: str = "",
    form: str = FORM,
) -> Draft:
    """before, after: what stands around each of the prompts."""
    draft = Draft(form)
    around = {at: " ".join(filter(None, (before, text, after))) for at, text in prompts.items()}
    if frames is None:
        last = [number for each in around if (number := whole(each)) is not None]
        frames = max(*last, 1) + 1 if len(last) > 1 else None
        if frames is None or len(last) < len(around):
            raise ImportFailedError(
                "the schedule does not say how many frames there are",
                "Say it: latent-assets import FILE --frames N.",
            )
        draft.leave_out(f"how many frames there are: {frames}, up to the last prompt")
    draft.set_prompts(numbered(around, frames, draft), frames)
    return draft


def numbered(prompts: Mapping[str, Any], frames: int, draft: Draft) -> dict[int, str]:
    """By frames that are numbers: `max_f-1` is the last one."""
    found: dict[int, str] = {}
    for at, text in prompts.items():
        number = _frame(str(at), frames)
        if number is None or not isinstance(text, str):
            draft.leave_out(f'the prompt at "{at}", which is no number of a frame')
        else:
            found[number] = text
    return found


def _frame(at: str, frames: int) -> int | None:
    number = whole(at.strip())
    if number is not None:
        return number if number >= 0 else None
    computed = _COMPUTED.fullmatch(at.strip())
    if computed is None:
        return None
    value, by = Fraction(frames), Fraction(computed[2] or 0)
    match computed[1]:
        case "-":
            value -= by
        case "+":
            value += by
        case "*":
            value *= by
        case "/":
            value = value / by if by else value
    return max(int(value), 0)


def _entries(text: str) -> dict[str, str]:
    """By what stands before the colon; empty if anything else stands there."""
    inner = text.strip().removeprefix("{").removesuffix("}").strip()
    found: dict[str, str] = {}
    end = 0
    while entry := _ENTRY.match(inner, end):
        found[_unquoted(entry[1])] = _unquoted(entry[2])
        end = entry.end()
    return found if end == len(inner) else {}


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), text[1:-1])


def steady(schedule: object, name: str, draft: Draft) -> str | None:
    """The value of `0: (7.5)`; of one that changes the first, which is told; None without one."""
    if schedule is None or not isinstance(schedule, str):
        return None if schedule is None else str(schedule)
    values = [found[2].strip() for found in _VALUE.finditer(schedule)]
    if len(values) > 1:
        draft.leave_out(f"{name} changes there; here it stays at {values[0]}")
    return values[0] if values else schedule.strip()


# --- in a workflow of ComfyUI -----------------------------------------------------------------


def nodes(workflow: object) -> list[Mapping[str, Any]]:
    """The inputs of the nodes that hold a schedule, of a workflow in the form for the API."""
    if not isinstance(workflow, dict):
        return []
    return [
        node["inputs"]
        for node in workflow.values()
        if isinstance(node, dict)
        and "PromptSchedule" in str(node.get("class_type"))
        and isinstance(node.get("inputs"), dict)
        and isinstance(node["inputs"].get("text"), str)
    ]


def from_node(inputs: Mapping[str, Any], frames: int | None) -> Draft:
    """What the node itself says; the rest of a workflow is not read."""
    said = whole(inputs.get("max_frames"))
    around = {
        "before": inputs["pre_text"] if isinstance(inputs.get("pre_text"), str) else "",
        "after": inputs["app_text"] if isinstance(inputs.get("app_text"), str) else "",
    }
    entries = _entries(inputs["text"])
    if not entries:
        raise ImportFailedError("its prompt schedule cannot be read")
    draft = from_prompts(entries, frames or said, form=f"{FORM} in a workflow", **around)
    draft.leave_out("the other nodes of the workflow: sampler, steps, guidance, size, model")
    return draft
