"""Whether a finished walk moves as its file asks, as asset checks that may block what follows."""

from collections.abc import Mapping
from statistics import median
from typing import Any

import dagster as dg

from latent_assets.orchestration.failures import told
from latent_assets.orchestration.here import Here
from latent_assets.orchestration.memory import Memory
from latent_assets.orchestration.outputs import measured
from latent_assets.orchestration.timeline import jump_in_words
from latent_assets.studio import Studio, WalkSpec
from latent_assets.walks.pilots import Timeline
from latent_assets.walks.route import is_closed
from latent_assets.walks.schema import Checks

_NAMED = 3
"""So many steps are named."""


def motion_checks(
    here: Here, partitions: dg.PartitionsDefinition
) -> list[dg.AssetChecksDefinition]:
    """Checks on `frames` whose limits a walk file sets: its steps, and the seam of a loop."""
    common: dict[str, Any] = {
        "asset": "frames",
        "partitions_def": partitions,
        "blocking": True,  # where the file asks for it; a warning blocks nothing
    }

    @here.check(
        **common,
        description="No step is much longer than the others, as the file's `checks` say.",
    )
    def steps_even(
        walk_spec: dict,
        timeline: dict,
        frames: dict,
        studio: dg.ResourceParam[Studio],
        memory: dg.ResourceParam[Memory],
    ) -> dg.AssetCheckResult:
        spec = WalkSpec.from_json(walk_spec)
        found = figures_of(studio, memory, walk_spec, frames)["smoothness"]["features"]
        wrong = uneven(spec.walk.checks, found, spec.walk.kind == "grid")
        jumps = Timeline.from_dict(timeline).jumps if "axes" in timeline else []
        return _motion_result(
            spec,
            [*wrong, *(jump_in_words(jump) for jump in jumps if wrong)],
            {
                "CV": found["cv"],
                "largest step / median step": found["max_over_median"],
                "1 - Gini": found["evenness"],
            },
        )

    @here.check(
        **common,
        description="The last frame of a loop leads on to its first.",
    )
    def loop_closed(
        walk_spec: dict,
        frames: dict,
        studio: dg.ResourceParam[Studio],
        memory: dg.ResourceParam[Memory],
    ) -> dg.AssetCheckResult:
        spec = WalkSpec.from_json(walk_spec)
        found = figures_of(studio, memory, walk_spec, frames)["smoothness"]["features"]
        ratio = found["seam_ratio"]
        if ratio is None:
            return dg.AssetCheckResult(passed=True, metadata={"does not apply": "no loop"})
        most, last = spec.walk.checks.seam_ratio, len(frames["keys"]) - 1
        wrong = []
        if not ratio:
            wrong = [f"frame 0 repeats frame {last}, the last of the loop"]
        elif ratio > most:
            seam = f"the loop jumps from frame {last} to frame 0, by {ratio:.1f} usual steps"
            wrong = [f"{seam}; checks.seam_ratio is {most:g}"]
        return _motion_result(spec, wrong, {"seam ratio": ratio, "ideal": 1.0, "at most": most})

    return [steps_even, loop_closed]


def uneven(limits: Checks, found: Mapping[str, Any], grid: bool) -> list[str]:
    """What is wrong with a walk's steps, in words; a grid has no order in which to go."""
    steps, wrong = found["adjacent"], []
    if grid or not steps:
        return []
    if limits.max_over_median is not None and found["max_over_median"] > limits.max_over_median:
        usual = median(steps)
        long = sorted(
            (i for i, step in enumerate(steps) if step > limits.max_over_median * usual),
            key=lambda i: -steps[i],
        )
        told = ", ".join(
            f"from frame {i} to {i + 1} by {steps[i] / usual if usual else 1e9:.1f}"
            for i in long[:_NAMED]
        )
        more = f" and at {len(long) - _NAMED} places more" if len(long) > _NAMED else ""
        wrong.append(
            f"the walk jumps {told}{more} usual steps;"
            f" checks.max_over_median is {limits.max_over_median:g}"
        )
    if limits.cv is not None and found["cv"] > limits.cv:
        longest = steps.index(max(steps))
        wrong.append(
            f"the steps are uneven: their CV is {found['cv']:.2f}, checks.cv is {limits.cv:g};"
            f" the longest is from frame {longest} to {longest + 1}"
        )
    return wrong


def _motion_result(
    spec: WalkSpec, wrong: list[str], metadata: dict[str, Any]
) -> dg.AssetCheckResult:
    """Passed if nothing is wrong; else an error that blocks, or a warning, as the file says."""
    blocks = spec.walk.checks.on_failure == "block"
    return dg.AssetCheckResult(
        passed=not wrong,
        severity=dg.AssetCheckSeverity.ERROR if blocks else dg.AssetCheckSeverity.WARN,
        description="; ".join(wrong) or None,
        metadata=metadata,
    )


def figures_of(studio: Studio, memory: Memory, walk_spec: dict, frames: dict) -> dict:
    """What was measured on the walk's frames; see `measured`."""
    closed = is_closed(WalkSpec.from_json(walk_spec).walk)
    with told():
        return measured(studio, memory, frames, closed=closed)
