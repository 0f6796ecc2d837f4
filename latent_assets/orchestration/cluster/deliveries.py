"""A step that is delivered again: whether it is to be begun, and what became of whoever had it."""

import os
from collections.abc import Callable
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventType
from dagster._core.execution.plan.handle import StepHandle
from dagster._core.execution.plan.objects import StepFailureData, StepRetryData
from dagster._core.storage.dagster_run import DagsterRun
from dagster._utils.error import SerializableErrorInfo

MOST_DEATHS = 3
"""So many workers may die of a step, then it has failed."""
_OF_STEPS = {
    DagsterEventType.STEP_WORKER_STARTED,
    DagsterEventType.STEP_SUCCESS,
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.STEP_UP_FOR_RETRY,
}
_DIED = "died, or was not heard of for a while"
_ENDED = {DagsterEventType.STEP_SUCCESS.value, DagsterEventType.STEP_FAILURE.value}


def is_to_begin(
    instance: dg.DagsterInstance,
    run: DagsterRun,
    order: dict[str, Any],
    say: Callable[[str], None],
) -> bool:
    """Whether a step that comes again is to be begun; says in the run what became of it, if not."""
    step = order["step"]
    starts = returns = deaths = 0
    for entry in instance.all_logs(run.run_id, of_type=_OF_STEPS):
        event = entry.dagster_event
        if event is None or event.step_key != step:
            continue
        if event.event_type_value in _ENDED:
            say(f"leaves {step} alone: it is done")
            return False
        if event.event_type_value == DagsterEventType.STEP_WORKER_STARTED.value:
            starts += 1
        else:
            returns, starts = returns + 1, 0
            deaths += event.step_retry_data.error is not None and _DIED in (
                event.step_retry_data.error.message
            )
    if returns >= order["attempt"]:
        return False  # it was sent anew since
    if not starts:
        return True
    if deaths + 1 >= MOST_DEATHS:
        why = f"{MOST_DEATHS} workers died of the step {step} one after another"
        cure = (
            "It may need more memory than they have: try a smaller batch_size, look into the log of"
            " the worker and into the system's (`dmesg`). What was rendered is in the store."
        )
        say(f"gives {step} up: {why}")
        report(instance, run, step, _failure(f"{why}\n  {cure}"))
    else:
        say(f"reports that a worker died of {step}; it is tried again")
        report(instance, run, step, returned(f"the worker that had the step {_DIED}"))
    return False


def returned(why: str) -> tuple[DagsterEventType, Any]:
    """The step is tried again."""
    error = SerializableErrorInfo(why, [], None)
    return DagsterEventType.STEP_UP_FOR_RETRY, StepRetryData(error=error, seconds_to_wait=None)


def _failure(why: str) -> tuple[DagsterEventType, Any]:
    error = SerializableErrorInfo(why, [], None)
    return DagsterEventType.STEP_FAILURE, StepFailureData(error=error, user_failure_data=None)


def report(
    instance: dg.DagsterInstance,
    run: DagsterRun,
    step: str,
    what: tuple[DagsterEventType, Any],
) -> None:
    """Note in the run what became of a step."""
    kind, data = what
    event = DagsterEvent(
        kind.value,
        job_name=run.job_name,
        step_handle=StepHandle.parse_from_key(step),
        message=data.error.message,
        event_specific_data=data,
        pid=os.getpid(),
        step_key=step,
    )
    instance.report_dagster_event(event, run_id=run.run_id)
