"""Deforum's settings: prompts by frame, a camera that moves, each frame begun from the one before.

A walk has the prompts. It has no camera, and its frames stand for themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latent_assets.importing.draft import Draft, ImportFailedError, real, whole
from latent_assets.importing.schedules import numbered, steady

FORM = "Deforum's settings"
_MARKS = {"animation_mode", "animation_prompts", "max_frames", "seed_behavior"}
_CAMERA = {
    "angle": 0,
    "zoom": 1,
    "translation_x": 0,
    "translation_y": 0,
    "translation_z": 0,
    "rotation_3d_x": 0,
    "rotation_3d_y": 0,
    "rotation_3d_z": 0,
}
"""Its settings, and where each of them does not move it."""
_SAME_NOISE = "fixed"
_FRAMES_FOR_THEMSELVES = {"none", "interpolation"}
_SWITCHES = {
    "use_init": "the picture that it begins from",
    "use_mask": "the mask",
    "add_soundtrack": "the sound",
    "r_upscale_video": "the enlarging (here: output.upscale)",
    "restore_faces": "the restoring of faces",
    "tiling": "pictures that tile",
    "use_looper": "the guiding pictures",
    "enable_subseed_scheduling": "the second seeds",
}
_USED = {
    "prompts", "animation_prompts", "animation_prompts_positive", "positive_prompts",
    "animation_prompts_negative", "negative_prompts", "max_frames", "seed", "seed_behavior",
    "animation_mode", "steps", "steps_schedule", "scale", "cfg_scale_schedule", "sampler", "W", "H",
    "fps", "strength", "strength_schedule", "sd_model_name", "sd_model_hash", "diffusion_cadence",
}  # fmt: skip


def is_deforum(document: Mapping[str, Any]) -> bool:
    """Whether these are Deforum's settings, or those of them that somebody wrote down."""
    shortened = isinstance(document.get("prompts"), dict) and "max_frames" in document
    return shortened or len(_MARKS & document.keys()) > 1


def from_settings(settings: Mapping[str, Any], frames: int | None) -> Draft:
    """frames: in place of its own number."""
    draft = Draft(FORM)
    count = frames or whole(settings.get("max_frames"))
    prompts = settings.get("prompts") or settings.get("animation_prompts")
    if not isinstance(prompts, dict) or count is None:
        raise ImportFailedError(
            "Deforum's settings without prompts by frame, or without max_frames"
        )
    before = _text(settings, "animation_prompts_positive", "positive_prompts")
    around = {
        at: f"{before} {text}" if isinstance(text, str) else text for at, text in prompts.items()
    }
    negative = _text(settings, "animation_prompts_negative", "negative_prompts")
    draft.set_prompts(numbered(around, count, draft), count, draft.clean(negative)[0])
    _set_numbers(settings, draft)
    _set_noise(settings, draft)
    _leave_out(settings, draft)
    return draft


def _set_numbers(settings: Mapping[str, Any], draft: Draft) -> None:
    document = draft.document
    steps = whole(settings.get("steps") or steady(settings.get("steps_schedule"), "steps", draft))
    if steps is not None:
        document["num_steps"] = steps
    scale = real(
        settings.get("scale")
        or steady(settings.get("cfg_scale_schedule"), "the guidance scale", draft)
    )
    if scale is not None:
        document["guidance_scale"] = scale
    if isinstance(settings.get("sampler"), str):
        draft.set_sampler(settings["sampler"])
    draft.set_size(settings.get("W"), settings.get("H"))
    if (fps := real(settings.get("fps"))) is not None:
        document["output"] = {"formats": ["mp4"], "fps": fps}


def _set_noise(settings: Mapping[str, Any], draft: Draft) -> None:
    draft.set_seed(settings.get("seed"))
    behaviour = str(settings.get("seed_behavior", _SAME_NOISE))
    if behaviour == _SAME_NOISE or draft.document["kind"] != "interpolation":
        return
    if not _each_from_the_one_before(settings):
        draft.document["noise"] = "varying"
        draft.leave_out(f"which seed each frame has ({behaviour}): each has noise of its own here")
    else:
        draft.leave_out(
            f"the seed that changes from frame to frame ({behaviour}): the noise stays the same,"
            " which holds frames together here as the one before did there"
        )


def _each_from_the_one_before(settings: Mapping[str, Any]) -> bool:
    """Where no mode is named, a strength by frames says that there is one."""
    if (mode := settings.get("animation_mode")) is None:
        return "strength_schedule" in settings
    return str(mode).lower() not in _FRAMES_FOR_THEMSELVES


def _leave_out(settings: Mapping[str, Any], draft: Draft) -> None:
    moving = [
        name
        for name, still in _CAMERA.items()
        if (value := steady(settings.get(name), name, Draft(FORM))) is not None
        and (real(value) != still or str(settings[name]).count(":") > 1)
    ]
    if moving:
        draft.leave_out(f"the moving camera ({', '.join(moving)})")
    if _each_from_the_one_before(settings):
        draft.leave_out(
            "that each frame begins from the one before (strength, cadence, coherence of colours):"
            " here each stands for itself"
        )
    for name, what in _SWITCHES.items():
        if settings.get(name) is True:
            draft.leave_out(what)
    if isinstance(model := settings.get("sd_model_name"), str):
        draft.leave_out(
            f'the model "{model}": name one of yours under `model` (latent-assets docs checkpoints)'
        )
    draft.leave_out_names(settings.keys() - _USED - _CAMERA.keys() - _SWITCHES.keys())


def _text(settings: Mapping[str, Any], *names: str) -> str:
    found = (settings.get(name) for name in names)
    return next((text for text in found if isinstance(text, str) and text.strip()), "")
