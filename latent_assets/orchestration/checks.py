"""What must hold of a finished walk, as asset checks on its partition."""

from typing import Any

import dagster as dg

from latent_assets.orchestration import show
from latent_assets.orchestration.failures import told
from latent_assets.orchestration.here import Here
from latent_assets.orchestration.memory import Memory
from latent_assets.orchestration.motion_checks import figures_of
from latent_assets.orchestration.timeline import paced
from latent_assets.studio import Studio, WalkSpec
from latent_assets.walks.advice import advice, lengths_that_meet_all, missed_keyframes
from latent_assets.walks.library import names_of
from latent_assets.walks.points import Blend
from latent_assets.walks.recipes import FrameRecipe
from latent_assets.walks.route import (
    FramePoint,
    prompt_frames,
    route,
)

SHOWN = 8
"""So many numbers of frames are told."""


def frame_checks(here: Here, partitions: dg.PartitionsDefinition) -> list[dg.AssetChecksDefinition]:
    """Checks on `frames`: complete, visible, moving, on its prompts."""
    common: dict[str, Any] = {"asset": "frames", "partitions_def": partitions}

    @here.check(**common, description="Every frame is stored and reads back undamaged.")
    def frames_complete(
        walk_spec: dict, timeline: dict, frames: dict, studio: dg.ResourceParam[Studio]
    ) -> dg.AssetCheckResult:
        spec = paced(walk_spec, timeline)
        keys = [recipe.key for recipe in spec.recipes()]
        with told():
            wrong = studio.frames.check(dict.fromkeys(keys))
        listed = keys == frames["keys"]
        damage = f"{len(wrong)} of {len(keys)} frames are missing or damaged"
        told_of = damage if wrong else "the list of frames is not the one of the plan"
        return dg.AssetCheckResult(
            passed=not wrong and listed,
            description=None if listed and not wrong else told_of,
            metadata={
                "frames": len(keys),
                "as planned": listed,
                "wrong": names_of([error.problem for error in wrong.values()][:10]),
            },
        )

    @here.check(**common, description="No frame is black or of one colour.")
    def frames_show_something(
        walk_spec: dict,
        frames: dict,
        studio: dg.ResourceParam[Studio],
        memory: dg.ResourceParam[Memory],
    ) -> dg.AssetCheckResult:
        faults = figures_of(studio, memory, walk_spec, frames)["faults"]
        empty = sorted({*faults["black"], *faults["constant"]})
        return dg.AssetCheckResult(
            passed=not empty,
            severity=dg.AssetCheckSeverity.ERROR,
            description=f"black or of one colour: frames {_some(empty)}" if empty else None,
            metadata={"black": str(faults["black"]), "constant": str(faults["constant"])},
        )

    @here.check(**common, description="No frame repeats the one before it, as planned.")
    def frames_move(
        walk_spec: dict,
        frames: dict,
        studio: dg.ResourceParam[Studio],
        memory: dg.ResourceParam[Memory],
    ) -> dg.AssetCheckResult:
        keys = frames["keys"]
        # Two keyframes of one prompt are meant to be equal: only a frame that should differ counts.
        repeated = [
            place
            for place in figures_of(studio, memory, walk_spec, frames)["faults"]["repeated"]
            if keys[place] != keys[place - 1]
        ]
        return dg.AssetCheckResult(
            passed=not repeated,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"like the one before: frames {_some(repeated)}" if repeated else None,
            metadata={"repeated": str(repeated)},
        )

    @here.check(**common, description="A frame shows each prompt as it looks alone.")
    def keyframes_reached(walk_spec: dict, timeline: dict, frames: dict) -> dg.AssetCheckResult:
        spec = paced(walk_spec, timeline)
        reached = prompt_frames(spec.walk)
        if not reached:
            return dg.AssetCheckResult(passed=True, metadata={"does not apply": "one prompt"})
        points = route(spec.walk)
        wrong = _not_as_alone(spec, points, reached, frames["keys"])
        missed = missed_keyframes(spec.walk)
        metadata = {"keyframes": len(reached), "wrong": str(wrong)}
        if missed:
            metadata["prompts between two frames"] = names_of([prompt for prompt, _ in missed])
            lengths = lengths_that_meet_all(spec.walk)
            none = "none; give the keyframes other places (`at`)"
            metadata["numbers of frames that meet all"] = lengths or none
        # A prompt between two frames is how the walk was written; another picture is a defect.
        severity = dg.AssetCheckSeverity.ERROR if wrong else dg.AssetCheckSeverity.WARN
        return dg.AssetCheckResult(
            passed=not wrong and not missed,
            severity=severity,
            description=f"not their prompts' pictures: frames {_some(wrong)}"
            if wrong
            else next(map(show.escaped, advice(spec.walk)), None),  # it quotes prompts
            metadata=metadata,
        )

    return [frames_complete, frames_show_something, frames_move, keyframes_reached]


def _not_as_alone(
    spec: WalkSpec,
    points: list[FramePoint],
    reached: list[tuple[str, int | None]],
    keys: list[str],
) -> list[int]:
    """Frames that stand on a prompt without being the picture that the prompt alone gives.

    By their keys: one key is one recipe, and so one stored picture.
    """
    wrong = []
    for prompt, frame in reached:
        if frame is not None:
            noise, scale = points[frame].noise, points[frame].guidance_scale
            alone = FrameRecipe(spec.rendering, Blend.at(spec.walk.read(prompt)), noise, scale)
            if keys[frame : frame + 1] != [alone.key]:
                wrong.append(frame)
    return wrong


def _some(places: list[int]) -> str:
    """Numbers of frames for a sentence."""
    more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
    return ", ".join(map(str, places[:SHOWN])) + more
