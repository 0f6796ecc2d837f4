"""What a worker does with a step that it took from a queue."""

import importlib
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.events import DagsterEvent, DagsterEventType, EngineEventData
from dagster._core.execution.api import create_execution_plan, execute_plan_iterator
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.execution.retries import RetryMode
from dagster._core.origin import JobPythonOrigin
from dagster._core.storage.dagster_run import DagsterRun, DagsterRunStatus
from dagster._core.storage.tags import PARTITION_NAME_TAG
from dagster._serdes import deserialize_value
from dagster._utils.hosted_user_process import recon_job_from_origin

from latent_assets.orchestration.cluster.deliveries import is_to_begin, report, returned
from latent_assets.orchestration.employment import (
    Employment,
    GivenBackError,
    employ,
    ordered_walks,
)

REST_S = 20.0
"""So long a worker that refused a step takes none: others are to get it."""
LOOK_S = 2.0
"""A run that is stopped is noticed so soon, between two batches."""
_STOPPED = {DagsterRunStatus.CANCELING, DagsterRunStatus.CANCELED, DagsterRunStatus.FAILURE}


@dataclass
class Worker:
    """A worker's process, from its first step to its last."""

    name: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")
    is_leaving: Callable[[], bool] = lambda: False
    say: Callable[[str], None] = lambda _line: None
    run: str = ""
    """Of the step that is carried out."""
    refused: str = ""
    """Why the step is given back, if it does not suit this worker."""
    instance: dg.DagsterInstance | None = None
    _looked_at: float = 0.0

    def begin(self) -> dg.DagsterInstance:
        """Called before each step: opens Dagster's records once, and works for the cluster."""
        if self.instance is None:
            self.instance = dg.DagsterInstance.get()
            employ(Employment(True, self.before_batch, self.refuse))
        return self.instance

    def before_batch(self) -> None:
        """See `Employment`."""
        if self.is_leaving():
            raise GivenBackError(f"the worker {self.name} was asked to leave")
        now = time.monotonic()
        if self.instance is not None and now - self._looked_at > LOOK_S:
            self._looked_at = now
            run = self.instance.get_run_by_id(self.run)
            if run is None or run.status in _STOPPED:
                raise dg.DagsterExecutionInterruptedError

    def refuse(self, why: str) -> None:
        """See `Employment`."""
        self.refused = why

    def rest(self) -> None:
        """After a refusal."""
        self.say(f"refuses the step, and takes none for {REST_S:.0f} s: {self.refused}")
        self.refused = ""
        until = time.monotonic() + REST_S
        while time.monotonic() < until and not self.is_leaving():
            time.sleep(0.2)


_worker = Worker()


def be(worker: Worker) -> None:
    """This process is that worker."""
    global _worker  # noqa: PLW0603 - one process, one worker
    _worker = worker


def carry_out(order: dict[str, Any], *, again: bool) -> None:
    """Carry out a step, unless it is over. again: it may be that somebody had it before."""
    worker = _worker
    instance = worker.begin()
    run, step = instance.get_run_by_id(order["run"]), order["step"]
    if run is None or run.is_finished or run.status in _STOPPED:
        worker.say(f"leaves {step} alone: its run is over")
        return
    if again and not is_to_begin(instance, run, order, worker.say):
        return
    if worker.is_leaving():
        report(instance, run, step, returned(f"the worker {worker.name} was asked to leave"))
        return
    _begin(worker, instance, run, step)
    worker.run, began = run.run_id, time.monotonic()
    walk = run.tags.get("dagster/partition", "a walk")
    worker.say(f"takes {step} of {walk} (run {run.run_id[:8]})")
    ended = _execute(instance, run, order)
    worker.say(f"{ended} {step} of {walk} after {time.monotonic() - began:.1f} s")
    if worker.refused:
        worker.rest()


def _begin(worker: Worker, instance: dg.DagsterInstance, run: DagsterRun, step: str) -> None:
    event = DagsterEvent(
        DagsterEventType.STEP_WORKER_STARTED.value,
        job_name=run.job_name,
        message=f"The worker {worker.name} takes the step {step}.",
        event_specific_data=EngineEventData(
            metadata={"worker": dg.MetadataValue.text(worker.name)}, marker_end="step_process_start"
        ),
        pid=os.getpid(),
        step_key=step,
    )
    instance.report_dagster_event(event, run_id=run.run_id)


def _execute(instance: dg.DagsterInstance, run: DagsterRun, order: dict[str, Any]) -> str:
    """Returns what became of it, in a word."""
    job = _job_of(run).get_subset(
        op_selection=run.resolved_op_selection,
        asset_selection=run.asset_selection,
        asset_check_selection=run.asset_check_selection,
    )
    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    config = {**run.run_config, **quiet}
    plan = create_execution_plan(
        job,
        run_config=config,
        step_keys_to_execute=[order["step"]],
        known_state=deserialize_value(order["known_state"], KnownExecutionState),
    )
    ended = "stops"
    try:
        for event in execute_plan_iterator(
            plan, job, run, instance, run_config=config, retry_mode=RetryMode.DEFERRED
        ):
            if event.is_step_success:
                ended = "has done"
            elif event.is_step_failure:
                ended = "failed in"
            elif event.is_step_up_for_retry:
                ended = "gives back"
    except (KeyboardInterrupt, dg.DagsterExecutionInterruptedError):
        return "stops"
    return ended


def _job_of(run: DagsterRun) -> ReconstructableJob:
    """The run's job, from definitions that know its walk: a worker may be older than its file."""
    origin, walk = run.job_code_origin, run.tags.get(PARTITION_NAME_TAG)
    assert isinstance(origin, JobPythonOrigin)
    job = recon_job_from_origin(origin)
    partitions = job.get_definition().partitions_def
    if walk is not None and partitions is not None and walk not in partitions.get_partition_keys():
        ordered_walks.add(walk)
        pointer = origin.get_repo_pointer()
        assert isinstance(pointer, ModuleCodePointer)
        importlib.reload(importlib.import_module(pointer.module))
        ReconstructableJob.get_definition.cache_clear()
        ReconstructableJob.get_repository_definition.cache_clear()
    return job
