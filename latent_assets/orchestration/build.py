"""The asset graph over a studio: everything that Dagster is to know, put together."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import dagster as dg

from latent_assets.orchestration.assets import spec_assets
from latent_assets.orchestration.automation import (
    RETRY_WHOLE_RUNS,
    render_job,
    schedules,
    walk_file_asset,
)
from latent_assets.orchestration.changed_walks import changed_walks_sensor
from latent_assets.orchestration.checks import frame_checks
from latent_assets.orchestration.frames import frames_asset
from latent_assets.orchestration.here import Here
from latent_assets.orchestration.instance import show_life, watch
from latent_assets.orchestration.io import NativeIOManager
from latent_assets.orchestration.lastruns import word_left
from latent_assets.orchestration.memory import Memory
from latent_assets.orchestration.motion_checks import motion_checks
from latent_assets.orchestration.outputs import output_assets
from latent_assets.orchestration.page import page_asset
from latent_assets.orchestration.progress import Onlooker
from latent_assets.orchestration.stopping import cancelled_if_asked
from latent_assets.orchestration.unevaluated import no_check_left_open
from latent_assets.orchestration.upscaled import upscaled_frames_asset
from latent_assets.studio import Studio
from latent_assets.walks.library import WalkLibrary


def build_defs(
    studio: Studio,
    *,
    library: WalkLibrary | None = None,
    onlooker: Onlooker = Onlooker(),  # noqa: B008 - it is frozen
    key_prefix: Sequence[str] = (),
    values: Path | None = None,
) -> dg.Definitions:
    """The asset graph over a studio: the seam where tests, projects and the command line come in.

    library: the walks; default: the project's. The command line gives one that holds to its own
    reading of the walk that it renders. key_prefix: of its assets, and of the names of all else;
    so it can be merged with the definitions of others, and with another such graph. values: the
    folder of the values between assets; default: in DAGSTER_HOME of the data folder.
    Walk names are static partitions, read now: a new file needs "Reload definitions"
    (docs/decisions/0004-static-walk-partitions.md).
    """
    if library is None:
        library = WalkLibrary(studio.settings.walks_dir)
    storage = values or studio.settings.dagster_home / "storage"
    here = Here(
        tuple(key_prefix),
        {
            "studio": studio,
            "library": library,
            "onlooker": onlooker,
            "memory": Memory(storage / "memory"),
        },
    )
    names = library.names()
    partitions = dg.StaticPartitionsDefinition(names)
    assets = [
        *spec_assets(here, partitions),
        frames_asset(here, partitions),
        upscaled_frames_asset(here, partitions),
        *output_assets(here, partitions),
        page_asset(here, partitions),
    ]
    job = render_job(here, partitions, assets)
    return dg.Definitions(
        assets=[walk_file_asset(here, partitions), *assets],
        asset_checks=[*frame_checks(here, partitions), *motion_checks(here, partitions)],
        jobs=[job],
        schedules=schedules(here, library.valid(), job),
        sensors=[changed_walks_sensor(here, names, job)],
        resources={here.life: _living(here, studio), here.values: NativeIOManager(storage)},
    )


def _living(here: Here, studio: Studio) -> dg.ResourceDefinition:
    """The studio; the process that uses it in a run shows that it lives."""

    @dg.resource(description="Models and stores, opened from the settings.")
    def studio_of_run(context: dg.InitResourceContext) -> Iterator[Studio]:
        if context.run is None or context.instance is None:
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
