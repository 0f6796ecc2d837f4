"""The walk files as an asset, the job that renders a walk, and its schedule.

A schedule is off until a person switches it on in the web UI.
"""

from collections.abc import Sequence

import dagster as dg
from dagster._core.definitions.external_asset import create_external_asset_from_source_asset
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from latent_assets.orchestration.here import Here
from latent_assets.orchestration.observing import observations
from latent_assets.studio import Studio
from latent_assets.walks.library import WalkLibrary
from latent_assets.walks.schema import Walk

RETRY_WHOLE_RUNS = {"dagster/retry_strategy": "ALL_STEPS"}
"""Redoing is free, the frames are in the store; retrying from failure can lose chunks."""


def walk_file_asset(here: Here, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """The walk files, observed: their data version is the digest of their meaning."""
    key = here.key("walk_file")

    @dg.observable_source_asset(
        key=key,
        required_resource_keys={here.life},
        partitions_def=partitions,
        group_name="plan",
        description="The walk files. Observe them to see what has changed, and what is stale.",
    )
    @here.filled
    def walk_file(
        context: dg.AssetExecutionContext,
        studio: dg.ResourceParam[Studio],
        library: dg.ResourceParam[WalkLibrary],
    ) -> dg.DataVersionsByPartition:
        for observation in observations(context.instance, studio, library.valid(), key):
            context.log_event(observation)
        return dg.DataVersionsByPartition({})  # Dagster's own notes would have no metadata

    # As definitions do it too; a definition like all others can be given attributes and merged.
    return create_external_asset_from_source_asset(walk_file)


def render_job(
    here: Here,
    partitions: dg.PartitionsDefinition,
    assets: Sequence[dg.AssetsDefinition],
    executor: dg.ExecutorDefinition,
) -> UnresolvedAssetJobDefinition:
    """Everything of one walk, and nothing else."""
    return dg.define_asset_job(
        here.name("render_walk"),
        selection=dg.AssetSelection.assets(*(key for each in assets for key in each.keys)),
        executor_def=executor,
        partitions_def=partitions,
        tags=RETRY_WHOLE_RUNS,
        description="Render one walk, from its file to its outputs.",
    )


def schedules(here: Here, walks: dict[str, Walk], job: UnresolvedAssetJobDefinition) -> list:
    """One schedule per walk whose file asks for it."""
    return [
        _schedule(here, name, walk, job)
        for name, walk in walks.items()
        if walk.schedule is not None
    ]


def schedule_name(walk: str) -> str:
    """The schedule's name, which Dagster wants without dashes: different for different walks."""
    return "walk_" + walk.replace("_", "__").replace("-", "_")


def _schedule(
    here: Here, name: str, walk: Walk, job: UnresolvedAssetJobDefinition
) -> dg.ScheduleDefinition:
    assert walk.schedule is not None

    @dg.schedule(
        name=here.name(schedule_name(name)),
        job=job,
        cron_schedule=walk.schedule.cron,
        execution_timezone=walk.schedule.timezone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=(
            f"Renders what is missing of the walk {name}, and makes its files anew if they would"
            " come out otherwise. A walk that is whole costs seconds."
        ),
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        planned = context.scheduled_execution_time.isoformat()
        return dg.RunRequest(partition_key=name, run_key=f"{name} {planned}", tags=RETRY_WHOLE_RUNS)

    return nightly
