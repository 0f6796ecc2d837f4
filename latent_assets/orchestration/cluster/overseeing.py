"""A run overseen by this process, its steps carried out by workers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._core.execution.api import execute_run_iterator

from latent_assets.orchestration.automation import RETRY_WHOLE_RUNS

DEFINITIONS = "latent_assets.definitions"
JOB = "render_walk"


@dataclass(frozen=True)
class Overseen:
    """What became of a run; named as in Dagster's own results."""

    success: bool
    all_events: Sequence[dg.DagsterEvent]
    load: Callable[[str], Any]

    def get_asset_check_evaluations(self) -> list[dg.AssetCheckEvaluation]:
        """Of all its checks."""
        kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
        return [
            event.asset_check_evaluation_data
            for event in self.all_events
            if event.event_type == kind
        ]

    def asset_value(self, name: str) -> Any:
        """What an asset of the walk is now."""
        return self.load(name)


def oversee(
    instance: dg.DagsterInstance,
    walk: str,
    run_config: dict,
    *,
    run_id: str,
    on_event: Callable[[dg.DagsterEvent], None] = lambda _event: None,
    module: str = DEFINITIONS,
) -> Overseen:
    """Render a walk by the workers. module: of the definitions, which workers load too."""
    repository = ReconstructableRepository(ModuleCodePointer(module, "defs"))
    job = ReconstructableJob(repository, JOB)
    run = instance.create_run_for_job(
        job.get_definition(),
        run_id=run_id,
        run_config=run_config,
        tags={**RETRY_WHOLE_RUNS, "dagster/partition": walk},
        job_code_origin=job.get_python_origin(),
    )
    events = []
    for event in execute_run_iterator(job, run, instance):
        events.append(event)
        on_event(event)

    def load(name: str) -> Any:
        return repository.get_definition().load_asset_value(
            dg.AssetKey(name), instance=instance, partition_key=walk
        )

    ended = instance.get_run_by_id(run_id)
    success = ended is not None and ended.status is dg.DagsterRunStatus.SUCCESS
    return Overseen(success, events, load)
