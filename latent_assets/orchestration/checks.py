"""What must hold of a finished walk, as asset checks on its partition."""

import dagster as dg
import numpy as np

from latent_assets.orchestration.failures import told
from latent_assets.orchestration.memory import Memory
from latent_assets.orchestration.outputs import measured
from latent_assets.rendering import encode_prompts
from latent_assets.studio import Studio, WalkSpec
from latent_assets.walks.library import names_of
from latent_assets.walks.points import Blend
from latent_assets.walks.recipes import FrameRecipe
from latent_assets.walks.route import is_closed, keyframe_frames, route

FRAMES = dg.AssetKey("frames")
LARGEST_SEAM = 3.0
"""A loop's seam may be this many usual steps long; more is seen as a jump."""


def frame_checks(partitions: dg.PartitionsDefinition) -> list[dg.AssetChecksDefinition]:
    """Checks on `frames`: complete, visible, moving, on its prompts, closed."""
    common = {
        "asset": FRAMES,
        "partitions_def": partitions,
        "additional_ins": {"walk_spec": dg.AssetIn("walk_spec")},
    }

    @dg.asset_check(**common, description="Every frame is stored and reads back undamaged.")
    def frames_complete(
        walk_spec: dict, frames: dict, studio: dg.ResourceParam[Studio]
    ) -> dg.AssetCheckResult:
        spec = WalkSpec.from_json(walk_spec)
        keys = [recipe.key for recipe in spec.recipes()]
        with told():
            wrong = studio.frames.check(dict.fromkeys(keys))
        listed = keys == frames["keys"]
        return dg.AssetCheckResult(
            passed=not wrong and listed,
            metadata={
                "frames": len(keys),
                "as planned": listed,
                "wrong": names_of(list(wrong.values())[:10]),
            },
        )

    @dg.asset_check(**common, description="No frame is black or of one colour.")
    def frames_show_something(
        walk_spec: dict,
        frames: dict,
        studio: dg.ResourceParam[Studio],
        memory: dg.ResourceParam[Memory],
    ) -> dg.AssetCheckResult:
        faults = _figures(studio, memory, walk_spec, frames)["faults"]
        return dg.AssetCheckResult(
            passed=not faults["black"] and not faults["constant"],
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={"black": str(faults["black"]), "constant": str(faults["constant"])},
        )

    @dg.asset_check(**common, description="No frame repeats the one before it, as planned.")
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
            for place in _figures(studio, memory, walk_spec, frames)["faults"]["repeated"]
            if keys[place] != keys[place - 1]
        ]
        return dg.AssetCheckResult(
            passed=not repeated,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"repeated": str(repeated)},
        )

    @dg.asset_check(**common, description="A frame on a prompt is that prompt's own picture.")
    def keyframes_reached(
        walk_spec: dict,
        frames: dict,
        studio: dg.ResourceParam[Studio],
    ) -> dg.AssetCheckResult:
        spec = WalkSpec.from_json(walk_spec)
        points, keyframes = route(spec.walk), keyframe_frames(spec.walk)
        with told():
            encoded = encode_prompts(studio, spec.rendering, spec.prompts)
        encodings = dict(zip(spec.prompts, encoded, strict=True))
        wrong = []
        for place, prompt in keyframes.items():
            alone = FrameRecipe(
                spec.rendering,
                Blend.at(prompt),
                points[place].noise,
                points[place].guidance_scale,
            )
            reached = np.array_equal(points[place].context.evaluate(encodings), encodings[prompt])
            if alone.key != frames["keys"][place] or not reached:
                wrong.append(place)
        missed = [p for p in spec.prompts[:-1] if p not in keyframes.values()]
        return dg.AssetCheckResult(
            passed=not wrong,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={
                "keyframes": len(keyframes),
                "wrong": str(wrong),
                "prompts between two frames": names_of(missed),
            },
        )

    @dg.asset_check(**common, description="The last frame of a loop leads on to its first.")
    def loop_closed(
        walk_spec: dict,
        frames: dict,
        studio: dg.ResourceParam[Studio],
        memory: dg.ResourceParam[Memory],
    ) -> dg.AssetCheckResult:
        rms = _figures(studio, memory, walk_spec, frames)["smoothness"]["rms"]
        ratio = rms["seam_ratio"]
        if ratio is None:
            return dg.AssetCheckResult(passed=True, metadata={"does not apply": "no loop"})
        return dg.AssetCheckResult(
            passed=0 < ratio <= LARGEST_SEAM,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"seam ratio": ratio, "ideal": 1.0, "at most": LARGEST_SEAM},
        )

    return [frames_complete, frames_show_something, frames_move, keyframes_reached, loop_closed]


def _figures(studio: Studio, memory: Memory, walk_spec: dict, frames: dict) -> dict:
    closed = is_closed(WalkSpec.from_json(walk_spec).walk)
    with told():
        return measured(studio, memory, frames, closed=closed)
