"""A walk file that comes together out of another program's, and what has no place in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from latent_assets.errors import UsageError
from latent_assets.foreign import printable
from latent_assets.prompt_syntax import PromptSyntaxError, parse
from latent_assets.walks.fields import Sampler

_LORA = re.compile(r"<(?:lora|lyco|hypernet):[^<>]*>", re.IGNORECASE)
_COMPUTED_WEIGHT = re.compile(r"\(([^()`]*):\s*`[^`]*`\s*\)")
_COMPUTED = re.compile(r"(?::\s*)?`[^`]*`")
_NEGATIVE = re.compile(r"\s--neg\b\s*")
_WEIGHTED = re.compile(r"[()\[\]]|\bBREAK\b")
_OTHER_NAMES = {
    "dpmpp2m": "dpm++2m",
    "dpmsolvermultistep": "dpm++2m",
    "kdpmpp2m": "dpm++2m",
    "keuler": "euler",
    "eulerdiscrete": "euler",
}
_NEAREST = (("euler", "euler"), ("dpm", "dpm++2m"))
_KARRAS = "karras"
_AND_MORE = "and more of the like"
_DEFAULT_SAMPLER = "ddim"
_MOST_NAMES = 30
_MOST_TOLD = 100


class ImportFailedError(UsageError):
    """A file that holds nothing that a walk could be made of."""


@dataclass
class Draft:
    """The fields of a walk file, and sentences about what could not be carried over."""

    form: str
    """Whose file it was, for people."""
    document: dict[str, Any] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def leave_out(self, sentence: str) -> None:
        """Told once, however often it comes; behind a hundred only that there are more."""
        sentence = printable(sentence)
        if len(self.left_out) < _MOST_TOLD:
            if sentence not in self.left_out:
                self.left_out.append(sentence)
        elif self.left_out[-1] != _AND_MORE:
            self.left_out.append(_AND_MORE)

    def leave_out_names(self, names: Iterable[str]) -> None:
        """Settings that mean nothing here."""
        listed = sorted(names)
        if listed:
            more = f" and {len(listed) - _MOST_NAMES} more" if len(listed) > _MOST_NAMES else ""
            self.leave_out(f"without a meaning here: {', '.join(listed[:_MOST_NAMES])}{more}")

    def set_prompts(self, prompts: Mapping[int, str], frames: int, negative: str = "") -> None:
        """Prompts by the frame on which they stand, in a walk of so many frames."""
        cleaned = {at: self.clean(text) for at, text in sorted(prompts.items())}
        late = [at for at in cleaned if at >= frames]
        for at in late:
            self.leave_out(f"the prompt of frame {at}, behind the last of {frames} frames")
            del cleaned[at]
        if not cleaned:
            raise ImportFailedError("there is no prompt in it")
        self._set_negative([negative, *(each for _, each in cleaned.values())])
        texts = {at: text for at, (text, _) in cleaned.items()}
        if len(texts) == 1:
            self.document |= {"kind": "noise_loop", "prompt": next(iter(texts.values()))}
            self.leave_out(
                "there is one prompt, so the walk does not go from prompt to prompt: the noise"
                " goes once round a circle in its place"
            )
        else:
            self.document |= {"kind": "interpolation", **_by_frame(texts, frames)}
        self.document["frames"] = frames
        self.set_syntax(texts.values())

    def clean(self, prompt: str) -> tuple[str, str]:
        """(The prompt without what no walk can say, its negative part behind `--neg`)."""
        for lora in _LORA.findall(prompt):
            self.leave_out(
                f"{lora}: name the LoRA in a model file of yours, under `loras`"
                " (latent-assets docs checkpoints)"
            )
        text = _LORA.sub(" ", prompt)
        for computed in _COMPUTED.findall(text):
            self.leave_out(f"the weight {computed.lstrip(': ')}, which changes from frame to frame")
        text = _COMPUTED.sub("", _COMPUTED_WEIGHT.sub(r"\1", text))
        wanted, *unwanted = _NEGATIVE.split(f" {text}")
        return " ".join(wanted.split()), " ".join(" ".join(unwanted).split())

    def _set_negative(self, negatives: Iterable[str]) -> None:
        different = [each for each in dict.fromkeys(negatives) if each]
        if different:
            self.document["negative_prompt"] = different[0]
        for other in different[1:]:
            self.leave_out(f'the negative prompt "{other}": a walk has one, here the first')

    def set_syntax(self, prompts: Iterable[str]) -> None:
        """Brackets mean weights there; here if the walk says so."""
        texts = [*prompts, self.document.get("negative_prompt", "")]
        if not any(map(_WEIGHTED.search, texts)):
            return
        try:
            for text in texts:
                parse(text)
        except PromptSyntaxError as error:
            self.leave_out(f"weights of words, all are read as text: {error}")
        else:
            self.document["prompt_syntax"] = "weighted"

    def set_sampler(self, name: str, schedule: str = "") -> None:
        """Ours of the same name, or else the nearest; of Karras's spacing if either says so."""
        plain = _plain(name)
        if _KARRAS in plain or _KARRAS in schedule.lower():
            plain = plain.replace(_KARRAS, "")
            self.document["spacing"] = _KARRAS
        known = {_plain(each): each for each in get_args(Sampler)}
        ours = known.get(plain) or known.get(_plain(_OTHER_NAMES.get(plain, "")))
        if ours is None:
            ours = next((own for start, own in _NEAREST if start in plain), _DEFAULT_SAMPLER)
            self.leave_out(f'the sampler "{name}", which is not here: {ours} in its place')
        self.document["sampler"] = ours

    def set_seed(self, seed: object) -> None:
        """The number; -1 is any seed there."""
        number = whole(seed)
        if number is None or number < 0:
            self.leave_out("the seed, drawn anew there each time: 0 in its place")
            number = 0
        self.document["seed"] = number

    def set_size(self, width: object, height: object) -> None:
        """In pixels, if both are numbers."""
        sides = whole(height), whole(width)
        if None not in sides:
            self.document["size"] = list(sides)


def _by_frame(texts: Mapping[int, str], frames: int) -> dict[str, Any]:
    """As a map from frames to prompts, as these programs write them themselves."""
    if max(texts) > 1:
        return {"prompts": dict(texts)}
    # Where no number is larger, 0 and 1 would be the first and the last frame.
    return {
        "keyframes": [
            *({"prompt": text, "at": f"{at}/{frames - 1}"} for at, text in texts.items()),
            *([{"prompt": texts[1], "at": "1/1"}] if frames > 2 else []),  # noqa: PLR2004
        ]
    }


def _plain(name: str) -> str:
    return re.sub(r"scheduler$|[^a-z0-9+]", "", name.lower())


def whole(value: object) -> int | None:
    """The whole number that a value of another program means: 7, 7.0 or "7"."""
    number = real(value)
    return int(number) if number is not None and number == int(number) else None


def real(value: object) -> float | None:
    """The number that a value of another program means: 7.5 or "7.5"."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, int):
        return value  # of any size, exactly
    try:
        number = float(value)
    except ValueError:
        return None
    return number if abs(number) < 2**53 else None
