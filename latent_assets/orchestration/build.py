"""The asset graph over a studio: everything that Dagster is to know, put together."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import dagster as dg

from latent_assets.errors import UsageError
from latent_assets.orchestration.assets import spec_assets
from latent_assets.orchestration.automation import (
    RETRY_WHOLE_RUNS,
    render_job,
    schedules,
    walk_file_asset,
)
from latent_assets.orchestration.changed_documents import changed_documents_sensor
from latent_assets.orchestration.changed_walks import changed_walks_sensor
from latent_assets.orchestration.checks import frame_checks
from latent_assets.orchestration.employment import ordered_walks
from latent_assets.orchestration.frames import frames_asset
from latent_assets.orchestration.here import Here
from latent_assets.orchestration.instance import show_life, watch
from latent_assets.orchestration.io import NativeIOManager
from latent_assets.orchestration.lastruns import word_left
from latent_assets.orchestration.memory import Memory
from latent_assets.orchestration.motion_checks import motion_checks
from latent_assets.orchestration.one_process import one_process
from latent_assets.orchestration.outputs import output_assets
from latent_assets.orchestration.page import page_asset
from latent_assets.orchestration.progress import Onlooker
from latent_assets.orchestration.stopping import cancelled_if_asked
from latent_assets.orchestration.unevaluated import no_check_left_open
from latent_assets.orchestration.upscaled import upscaled_frames_asset
from latent_assets.settings import CELERY, Settings
from latent_assets.store.objects import open_objects
from latent_assets.studio import Studio
from latent_assets.walks.library import WalkLibrary


def build_defs(
    studio: Studio,
    *,
    library: WalkLibrary | None = None,
    onlooker: Onlooker = Onlooker(),  # noqa: B008 - it is frozen
    key_prefix: Sequence[str] = (),
    values: Path | None = None,
    source: dg.AssetsDefinition | dg.AssetSpec | None = None,
) -> dg.Definitions:
    """The asset graph over a studio: the seam where tests, projects and the command line come in.

    library: the walks; default: the project's. The command line gives one that holds to its own
    reading of the walk that it renders. key_prefix: of its assets, and of the names of all else;
    so it can be merged with the definitions of others, and with another such graph. values: the
    folder of the values between assets; default: in DAGSTER_HOME of the data folder. source: an
    asset of walk documents, in place of walk files; each of its partitions is a walk of that name,
    a dict with the fields of a walk file, or its text. Raises UsageError if it has none.
    Walk names are static partitions, read now: a new file needs "Reload definitions"
    (docs/decisions/0004-static-walk-partitions.md).
    """
    library = library or WalkLibrary(studio.settings.walks_dir)
    storage = values or studio.settings.dagster_home / "storage"
    here = Here(
        tuple(key_prefix),
        {
            "studio": studio,
            "library": library,
            "onlooker": onlooker,
            "memory": Memory(storage / "memory"),
        },
        None if source is None else source.key,
    )
    names = sorted({*library.names(), *ordered_walks})
    partitions = dg.StaticPartitionsDefinition(names) if source is None else _partitions(source)
    assets = [
        *spec_assets(here, partitions),
        frames_asset(here, partitions),
        upscaled_frames_asset(here, partitions),
        *output_assets(here, partitions),
        page_asset(here, partitions),
    ]
    executor = executor_of(studio.settings, here)
    job = render_job(here, partitions, assets, executor)
    if source is None:
        assets = [walk_file_asset(here, partitions), *assets]
        sensor = changed_walks_sensor(here, names, job)
        timed = schedules(here, library.valid(), job)
    else:
        sensor, timed = changed_documents_sensor(here, source.key, partitions, job), []
    return dg.Definitions(
        assets=assets,
        asset_checks=[*frame_checks(here, partitions), *motion_checks(here, partitions)],
        jobs=[job],
        schedules=timed,
        sensors=[sensor],
        resources={
            here.life: _living(here, studio),
            here.values: _values(studio.settings, storage),
        },
    )


def _partitions(source: dg.AssetsDefinition | dg.AssetSpec) -> dg.PartitionsDefinition:
    if source.partitions_def is None:
        raise UsageError(
            f"the asset {source.key.to_user_string()} has no partitions",
            "An asset of walk documents has one for each walk: give it a `partitions_def` of the"
            " walks' names, static, dynamic or of days.",
        )
    return source.partitions_def


def alone(defs: dg.Definitions, settings: Settings) -> dg.Definitions:
    """Walks that have a code location to themselves, as in the project's own web UI.

    All its runs, of whatever assets, are one process each, or steps of workers. Beside assets of
    somebody else that is not ours to say.
    """
    return dg.Definitions.merge(defs, dg.Definitions(executor=executor_of(settings, Here())))


def executor_of(settings: Settings, here: Here) -> dg.ExecutorDefinition:
    """One process for a run, so that the model is loaded once, not once per chunk; or workers."""
    if settings.executor != CELERY:
        return one_process
    from latent_assets.orchestration.cluster.executor import celery_executor  # noqa: PLC0415

    return celery_executor(settings, here)


def _values(settings: Settings, storage: Path) -> dg.IOManager:
    if settings.executor != CELERY:
        return NativeIOManager(storage)
    from latent_assets.orchestration.cluster.values import StoreIOManager  # noqa: PLC0415

    return StoreIOManager(open_objects(settings.store_url, patience_s=settings.patience))


def _living(here: Here, studio: Studio) -> dg.ResourceDefinition:
    """The studio; the process that uses it in a run shows that it lives."""

    @dg.resource(description="Models and stores, opened from the settings.")
    def studio_of_run(context: dg.InitResourceContext) -> Iterator[Studio]:
        # In a cluster the executor shows the run's life: a step's worker is not the run.
        in_cluster = studio.settings.executor == CELERY
        if context.run is None or context.instance is None or in_cluster:
            yield studio
            return
        home = studio.settings.dagster_home
        run_id = context.run.run_id
        show_life(home, run_id)
        # The web UI starts runs of its own that no tag of ours can reach before they begin.
        context.instance.add_run_tags(run_id, RETRY_WHOLE_RUNS)
        with (
            watch(context.instance, home),
            no_check_left_open(context.instance, context.run),
            word_left(
                context.instance, context.run, studio.settings.data, home, here.key("walk_spec")
            ),
            cancelled_if_asked(context.instance, run_id),
        ):
            yield studio

    return studio_of_run
