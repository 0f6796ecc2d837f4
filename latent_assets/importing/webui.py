"""What AUTOMATIC1111's webui writes into a picture: prompt, negative prompt, settings.

    a cat in a hat
    Negative prompt: blurry
    Steps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 42, Size: 512x768, Model: dreamy

Of one picture the noise goes once round a circle; of several, the walk goes from each to the next.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from latent_assets.importing.draft import Draft, ImportFailedError, real, whole

FORM = "the text in a picture of AUTOMATIC1111's webui"
_NEGATIVE = "Negative prompt:"
_SETTINGS = re.compile(r"^Steps: *[0-9]+ *,", re.MULTILINE)
_ENTRY = re.compile(r'(?:^|,)[ \t]*([A-Za-z][^:,"]*):[ \t]*("(?:[^"\\]|\\.)*"|[^,]*)(?=,|$)')
_SIZE = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_FRAMES_FOR_ONE = 48
_FRAMES_BETWEEN = 24
_USED = {
    "Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Size", "Model", "Model hash",
    "Version",
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """What one picture says."""

    prompt: str
    negative: str
    settings: dict[str, str]


def is_parameters(text: str) -> bool:
    """Whether this is such a text."""
    return _SETTINGS.search(text) is not None


def read_parameters(text: str) -> Picture:
    """The three parts of the text. Raises ImportFailedError."""
    starts = list(_SETTINGS.finditer(text))
    if not starts:
        raise ImportFailedError("there is no line `Steps: ..., Sampler: ...` in it")
    prompts, settings = text[: starts[-1].start()], text[starts[-1].start() :]
    prompt, _, negative = prompts.partition(_NEGATIVE)
    entries = _ENTRY.findall(settings.partition("\n")[0])
    said = {name.strip(): value.strip() for name, value in entries}
    return Picture(prompt.strip(), negative.strip(), said)


def from_pictures(pictures: Sequence[Picture], frames: int | None) -> Draft:
    """frames: of the walk; default: 48 for one picture, 24 from each to the next."""
    draft = Draft(FORM)
    first = pictures[0]
    if len(pictures) == 1:
        count = frames or _FRAMES_FOR_ONE
        prompt = draft.clean(first.prompt)[0]
        draft.document |= {"kind": "noise_loop", "prompt": prompt, "frames": count}
        draft.set_seed(first.settings.get("Seed"))
        prompts = [prompt]
    else:
        prompts = [draft.clean(each.prompt)[0] for each in pictures]
        draft.document |= {
            "kind": "interpolation",
            "keyframes": [
                {"prompt": prompt, **_seed(each)}
                for prompt, each in zip(prompts, pictures, strict=True)
            ],
            "frames": frames or _FRAMES_BETWEEN * (len(pictures) - 1) + 1,
        }
    if first.negative:
        draft.document["negative_prompt"] = draft.clean(first.negative)[0]
    draft.set_syntax(prompts)
    _set_numbers(first, draft)
    for each in pictures:
        _leave_out(each, first, draft)
    draft.leave_out(
        "the picture itself: noise is drawn otherwise here, so the same seed gives another picture"
    )
    return draft


def _seed(picture: Picture) -> dict[str, int]:
    number = whole(picture.settings.get("Seed", ""))
    return {} if number is None or number < 0 else {"seed": number}


def _set_numbers(picture: Picture, draft: Draft) -> None:
    said = picture.settings
    if (steps := whole(said.get("Steps"))) is not None:
        draft.document["num_steps"] = steps
    if (scale := real(said.get("CFG scale"))) is not None:
        draft.document["guidance_scale"] = scale
    if "Sampler" in said:
        draft.set_sampler(said["Sampler"], said.get("Schedule type", ""))
    if size := _SIZE.fullmatch(said.get("Size", "")):
        draft.set_size(size[1], size[2])


def _leave_out(picture: Picture, first: Picture, draft: Draft) -> None:
    if model := picture.settings.get("Model"):
        draft.leave_out(
            f'the model "{model}": name one of yours under `model` (latent-assets docs checkpoints)'
        )
    if picture.negative != first.negative:
        draft.leave_out(
            f'the negative prompt "{picture.negative}": a walk has one, here that of the first'
        )
    draft.leave_out_names(picture.settings.keys() - _USED)
