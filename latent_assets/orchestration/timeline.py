"""The timeline: where the frames of a walk stand, for walks whose pace the pictures decide."""

from collections.abc import Sequence
from statistics import fmean, median, pstdev
from typing import Any

import dagster as dg

from latent_assets.digests import digest_of
from latent_assets.errors import LatentAssetsError
from latent_assets.orchestration import show
from latent_assets.orchestration.early import look_of
from latent_assets.orchestration.employment import ON_A_GPU, check_suits, given_back
from latent_assets.orchestration.failures import told
from latent_assets.orchestration.here import Here
from latent_assets.orchestration.pool import manners_of
from latent_assets.orchestration.progress import Onlooker
from latent_assets.orchestration.stopping import persistently
from latent_assets.pacing import make_timeline
from latent_assets.rendering import RenderResult
from latent_assets.studio import Studio, WalkSpec
from latent_assets.studio import key_of_timeline as key_of
from latent_assets.walks.pace import Jump
from latent_assets.walks.pilots import Timeline
from latent_assets.walks.route import is_closed


def paced(walk_spec: dict, timeline: dict) -> WalkSpec:
    """The walk with its frames where the timeline says. Fails for another walk's timeline."""
    spec = WalkSpec.from_json(walk_spec)
    if not spec.has_timeline:
        return spec
    if timeline.get("key") != key_of(spec):
        with told():
            raise LatentAssetsError(
                f"the timeline of {spec.name} is that of an earlier version of the walk",
                "Materialize timeline again, or the whole walk.",
            )
    found = Timeline.from_dict(timeline)
    return spec.at(found.places(loop=is_closed(spec.walk)))


def timeline_asset(here: Here, common: dict[str, Any]) -> dg.AssetsDefinition:
    """The asset `timeline`. common: what all assets of a walk share."""

    @here.asset(
        **common,
        group_name="plan",
        kinds={"tensorflow", "json"},
        op_tags=ON_A_GPU,
        description="Where the frames stand, if the walk's `pace` asks for even steps to the eye.",
    )
    def timeline(
        context: dg.AssetExecutionContext,
        walk_spec: dict,
        studio: dg.ResourceParam[Studio],
        onlooker: dg.ResourceParam[Onlooker],
    ) -> dg.Output[dict]:
        spec = WalkSpec.from_json(walk_spec)
        if not spec.has_timeline:
            given = spec.walk.pace == "perceptual"
            why = "the file says where the frames stand" if given else "the walk's pace is uniform"
            return show.does_not_apply(why)
        done = RenderResult()
        found: Timeline | None = None
        step = context.op_execution_context
        early = look_of(step.run_id, studio, spec)

        def on_frames(keys: Sequence[str], rendered: bool) -> None:
            onlooker.on_frames(keys, rendered)
            early.on_frames(step, "timeline", rendered)

        def attempt() -> None:
            nonlocal found
            found = make_timeline(
                studio,
                spec,
                on_frames=on_frames,
                on_asked=early.look.expect,
                manners=manners_of(step, onlooker),
                result=done,
            )

        with given_back(step), told():
            check_suits(step, studio, spec.rendering)
            persistently(attempt, context.log.warning)
        assert found is not None
        there = spec.at(found.places(loop=is_closed(spec.walk)))
        keys = [recipe.key for recipe in there.recipes()]
        onlooker.on_places(keys)
        early.look.settle(keys)
        for problem in done.damaged:
            context.log.warning(problem)
        for jump in found.jumps:
            context.log.warning(jump_in_words(jump))
        document = {**found.as_dict(), "key": key_of(spec), "rendered": done.rendered}
        return dg.Output(
            document,
            metadata=_shown(found, done),
            data_version=dg.DataVersion(digest_of(found.as_dict())[:16]),
        )

    return timeline


def jump_in_words(jump: Jump) -> str:
    """Where the model itself jumps."""
    return (
        f"between {float(jump.start):.4f} and {float(jump.end):.4f} of the way the picture jumps,"
        f" by {jump.steps:.1f} usual steps"
    )


def _shown(found: Timeline, done: RenderResult) -> dict:
    steps = [step for axis in found.axes for step in axis.distances]
    usual, mean = median(steps), fmean(steps)
    shown: dict = {
        "pilots": found.pilots,
        "pilots rendered now": done.rendered,
        "seconds": round(done.seconds, 2),
        "CV (early features)": pstdev(steps) / mean if mean else 0.0,
        "largest step / median step": max(steps) / usual if usual else 1.0,
        "places": dg.MetadataValue.json(
            [[round(float(place), 5) for place in axis.places] for axis in found.axes]
        ),
    }
    if found.jumps:
        shown["jumps"] = show.bullet_list([jump_in_words(jump) for jump in found.jumps])
    return shown
