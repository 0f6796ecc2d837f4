"""What happens by itself: watching the walk files, rendering what changed, and schedules.

All of it is off until a person switches it on in the web UI.
"""

import json

import dagster as dg
from dagster import AutomationCondition as When
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from latent_assets.digests import digest_of
from latent_assets.walks.library import WalkLibrary, names_of
from latent_assets.walks.schema import WALK_ADAPTER, Walk

RETRY_WHOLE_RUNS = {"dagster/retry_strategy": "ALL_STEPS"}
"""Redoing is free, the frames are in the store; retrying from failure can lose chunks."""

WALK_FILE = dg.AssetKey("walk_file")
WALK_SPEC = dg.AssetKey("walk_spec")


def when_changed(asset: dg.AssetKey) -> When:
    """Render a walk once when its file's meaning, or our code, has changed; then be quiet.

    Dagster's own `since_last_handled` would call a change of the file settled by any new
    `walk_spec`: a file edited while its walk is rendered would be forgotten. So for `walk_spec`,
    which reads the file, a change is settled by a request that was made *after* it was seen
    (`newly_requested` tells of the tick before). What follows from `walk_spec` changes by its own
    runs too, and is settled by them.
    """
    changed = When.any_deps_match(When.data_version_changed())
    trigger = changed | When.missing().newly_true() | When.code_version_changed()
    settled = (
        When.newly_requested() & ~changed
        if asset == WALK_SPEC
        else When.newly_requested() | When.newly_updated()
    )
    due = trigger.since(settled | When.initial_evaluation())
    with_what_it_needs = When.any_deps_match(When.will_be_requested())
    blocked = When.any_deps_missing() | When.any_deps_in_progress() | When.in_progress()
    return ((due | with_what_it_needs) & ~blocked).with_label("when the walk changed")


def walk_version(walk: Walk) -> str:
    """Digest of what a walk file means: spacing, comments and order of fields do not count."""
    return digest_of(WALK_ADAPTER.dump_python(walk, mode="json"))[:16]


def walk_file_asset(partitions: dg.PartitionsDefinition) -> dg.SourceAsset:
    """The walk files, observed: their data version is the digest of their meaning."""

    @dg.observable_source_asset(
        name="walk_file",
        partitions_def=partitions,
        group_name="plan",
        description="The walk files. Observe them to see which walks are stale.",
    )
    def walk_file(library: dg.ResourceParam[WalkLibrary]) -> dg.DataVersionsByPartition:
        return dg.DataVersionsByPartition(
            {name: walk_version(walk) for name, walk in library.valid().items()}
        )

    return walk_file


def render_job(partitions: dg.PartitionsDefinition) -> UnresolvedAssetJobDefinition:
    """Everything of one walk."""
    return dg.define_asset_job(
        "render_walk",
        selection=dg.AssetSelection.all(),
        partitions_def=partitions,
        tags=RETRY_WHOLE_RUNS,
        description="Render one walk, from its file to its outputs.",
    )


def watch_sensor(known: list[str]) -> dg.SensorDefinition:
    """Reads the walk files every half minute and notes which have changed."""

    @dg.sensor(
        name="watch_walk_files",
        minimum_interval_seconds=30,
        description="Notes changed walk files, so that the automation renders exactly those.",
    )
    def watch_walk_files(
        context: dg.SensorEvaluationContext, library: dg.ResourceParam[WalkLibrary]
    ) -> dg.SensorResult:
        before: dict = _cursor(context.cursor)
        walks = library.valid()
        now = {name: walk_version(walk) for name, walk in walks.items()}
        for problem in library.problems():
            context.log.warning("%s; this walk is left out until its file is mended", problem)
        new = sorted(name for name in library.names() if name not in known)
        gone = sorted(name for name in known if name not in library.names())
        if new or gone:
            context.log.warning(
                "Walk files have come (%s) or gone (%s). Press Reload definitions"
                " (Deployment, Code locations) to see them.",
                names_of(new),
                names_of(gone),
            )
        changed = [name for name in now if name in known and before.get(name) != now[name]]
        return dg.SensorResult(
            asset_events=[
                dg.AssetObservation(
                    asset_key=WALK_FILE,
                    partition=name,
                    tags={"dagster/data_version": now[name]},
                )
                for name in changed
            ],
            cursor=json.dumps(now, sort_keys=True),
        )

    return watch_walk_files


def schedules(walks: dict[str, Walk], job: UnresolvedAssetJobDefinition) -> list:
    """One schedule per walk whose file asks for it."""
    return [_schedule(name, walk, job) for name, walk in walks.items() if walk.schedule is not None]


def schedule_name(walk: str) -> str:
    """The schedule's name, which Dagster wants without dashes: different for different walks."""
    return "walk_" + walk.replace("_", "__").replace("-", "_")


def _schedule(name: str, walk: Walk, job: UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
    assert walk.schedule is not None

    @dg.schedule(
        name=schedule_name(name),
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


def _cursor(text: str | None) -> dict:
    return json.loads(text) if text else {}
