"""The prompt_config.json of stable-diffusion-videos: prompts, their seeds, steps between them.

There the steps between two prompts count both ends, so a prompt in the middle is drawn twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from latent_assets.importing.draft import Draft, ImportFailedError, real, whole

FORM = "a prompt_config.json of stable-diffusion-videos"
_USED = {
    "prompts", "seeds", "num_interpolation_steps", "fps", "num_inference_steps", "guidance_scale",
    "height", "width", "negative_prompt", "scheduler", "batch_size", "upsample",
    "audio_filepath", "audio_start_sec", "eta",
}  # fmt: skip
_MOST_BATCH = 64


def is_config(document: Mapping[str, Any]) -> bool:
    """Whether this is such a file."""
    return isinstance(document.get("prompts"), list) and "num_interpolation_steps" in document


def from_config(config: Mapping[str, Any], frames: int | None) -> Draft:
    """Keyframes with seeds in their places. frames: in place of its own number."""
    draft = Draft(FORM)
    prompts = [draft.clean(str(prompt))[0] for prompt in config["prompts"]]
    steps = _steps(config["num_interpolation_steps"], len(prompts))
    places = list(accumulate((each - 1 for each in steps), initial=0))
    seeds = config.get("seeds")
    seeds = (
        seeds if isinstance(seeds, list) and len(seeds) == len(prompts) else [None] * len(prompts)
    )
    draft.document |= {
        "kind": "interpolation",
        "keyframes": [
            {"prompt": prompt, "at": f"{at}/{places[-1]}", **_seed(seed)}
            for prompt, at, seed in zip(prompts, places, seeds, strict=True)
        ],
        "frames": frames or places[-1] + 1,
    }
    if frames is None and len(prompts) > 2:  # noqa: PLR2004
        draft.leave_out(
            f"the second picture of each prompt between the first and the last: {places[-1] + 1}"
            f" frames in place of {sum(steps)}"
        )
    _set_numbers(config, draft)
    _leave_out(config, draft)
    return draft


def _steps(steps: object, prompts: int) -> list[int]:
    """Frames from each prompt to the next, both included."""
    numbers = steps if isinstance(steps, list) else [steps] * (prompts - 1)
    found = [whole(each) for each in numbers]
    counts = [each for each in found if each is not None and each > 1]
    if prompts < 2 or len(counts) != prompts - 1 or len(found) != prompts - 1:  # noqa: PLR2004
        raise ImportFailedError(
            f"{prompts} prompts need {max(prompts - 1, 1)} numbers in num_interpolation_steps,"
            " each at least 2"
        )
    return counts


def _seed(seed: object) -> dict[str, int]:
    number = whole(seed)
    return {} if number is None or number < 0 else {"seed": number}


def _set_numbers(config: Mapping[str, Any], draft: Draft) -> None:
    document = draft.document
    negative = config.get("negative_prompt")
    if isinstance(negative, str) and negative.strip():
        document["negative_prompt"] = " ".join(negative.split())
    if (steps := whole(config.get("num_inference_steps"))) is not None:
        document["num_steps"] = steps
    if (scale := real(config.get("guidance_scale"))) is not None:
        document["guidance_scale"] = scale
    if (batch := whole(config.get("batch_size"))) is not None and 0 < batch <= _MOST_BATCH:
        document["batch_size"] = batch
    scheduler = config.get("scheduler")
    name = scheduler.get("_class_name") if isinstance(scheduler, dict) else scheduler
    if isinstance(name, str):
        draft.set_sampler(name)
    draft.set_size(config.get("width"), config.get("height"))
    output: dict[str, Any] = {"formats": ["mp4"]}
    if (fps := real(config.get("fps"))) is not None:
        output["fps"] = fps
    if config.get("upsample") is True:
        output["upscale"] = 4
        draft.leave_out("Real-ESRGAN, by which it is enlarged: our network in its place, 4 times")
    document["output"] = output


def _leave_out(config: Mapping[str, Any], draft: Draft) -> None:
    if config.get("audio_filepath"):
        draft.leave_out("the sound, and that the walk goes faster where it is loud")
    if real(config.get("eta")):
        draft.leave_out(f"eta {config['eta']}, noise that is added on the way")
    draft.leave_out_names(config.keys() - _USED)
