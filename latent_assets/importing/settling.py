"""From a draft to a walk: what does not fit in a walk file is left out, and told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from latent_assets.errors import InvalidWalkError, WalkProblem
from latent_assets.foreign import printable
from latent_assets.importing.draft import Draft, ImportFailedError
from latent_assets.walks.loading import parse_walk
from latent_assets.walks.schema import Walk
from latent_assets.walks.yaml_text import dump

_CAN_GO = {
    "batch_size", "guidance_scale", "negative_prompt", "num_steps", "output", "sampler", "size",
    "spacing",
}  # fmt: skip
"""Fields that have a default: without them a walk is still that walk."""
_WHAT_TO_DO = re.compile("[;:] leave (it|`[a-z_]*`) out$")
"""What the problem says to do was just done."""


def settle(draft: Draft, check: Callable[[Walk], object]) -> str:
    """The text of a walk file with the draft's fields, what was left out in its head.

    check: raises InvalidWalkError for what the model can't do. Fields of no use are taken out of
    the draft; the kind comes first. Raises ImportFailedError for what no walk can be without.
    """
    draft.document = {"kind": draft.document["kind"], **draft.document}
    while True:
        try:
            check(parse_walk(dump(draft.document), "walk"))
        except InvalidWalkError as error:
            _take_out(draft, error.problems)
        else:
            text = _head(draft) + dump(draft.document)
            check(parse_walk(text, "walk"))
            return text


def _take_out(draft: Draft, problems: Iterable[WalkProblem]) -> None:
    for problem in problems:
        field, _, inner = problem.field.partition(".")
        if field not in _CAN_GO or field not in draft.document:
            raise ImportFailedError(f"its walk would be wrong: {problem.field}: {problem.message}")
        value = draft.document[field]
        if isinstance(value, dict) and inner in value:
            value = value.pop(inner)
        else:
            del draft.document[field]
        draft.leave_out(f"{problem.field} {value}: {_WHAT_TO_DO.sub('', problem.message)}")


def _head(draft: Draft) -> str:
    """Comments; a sentence is one line, since what cannot be seen in it is written out."""
    lines = [f"From {draft.form}, by `latent-assets import`."]
    if draft.left_out:
        lines += ["Not carried over:", *(f"- {each}" for each in draft.left_out)]
    return "".join(f"# {printable(line)}\n" for line in lines)
