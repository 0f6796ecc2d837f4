"""A step that is delivered again: whether it is to be begun, and what became of whoever had it."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventType
from dagster._core.execution.plan.handle import StepHandle
from dagster._core.execution.plan.objects import StepFailureData, StepRetryData
from dagster._core.storage.dagster_run import DagsterRun
from dagster._utils.error import SerializableErrorInfo

from latent_assets.orchestration.progress import says_progress

MOST_DEATHS = 3
"""So many workers may die of a step before any has stored a frame of it, then it has failed."""
_DIED = "died, or was not heard of for a while"
_ENDED = {DagsterEventType.STEP_SUCCESS.value, DagsterEventType.STEP_FAILURE.value}


@dataclass
class _Past:
    """What became of a step so far, by its events in order."""

    returns: int = 0
    deaths: int = 0
    is_begun: bool = False
    """Whether somebody had it whose end is not noted."""
    went_on: bool = False
    """Whether that one stored frames."""

    @property
    def deaths_with_this_one(self) -> int:
        """If whoever has it now is dead: so many in a row died of it without getting on."""
        return 0 if self.went_on else self.deaths + 1

    def heed(self, event: DagsterEvent | None, message: str) -> None:
        """The next event of the step, or what it said."""
        if event is None:
            self.went_on |= says_progress(message)
        elif event.event_type_value == DagsterEventType.STEP_WORKER_STARTED.value:
            self.is_begun, self.went_on = True, False
        elif event.event_type_value == DagsterEventType.STEP_UP_FOR_RETRY.value:
            error = event.step_retry_data.error
            if error is not None and _DIED in error.message:
                self.deaths = self.deaths_with_this_one
            self.returns, self.is_begun = self.returns + 1, False


def is_to_begin(
    instance: dg.DagsterInstance,
    run: DagsterRun,
    order: dict[str, Any],
    say: Callable[[str], None],
) -> bool:
    """Whether a step that comes again is to be begun; says in the run what became of it, if not."""
    step = order["step"]
    past = _Past()
    for entry in instance.all_logs(run.run_id):
        if entry.step_key != step:
            continue
        event = entry.dagster_event
        if event is not None and event.event_type_value in _ENDED:
            say(f"leaves {step} alone: it is done")
            return False
        past.heed(event, entry.user_message)
    if past.returns >= order["attempt"]:
        return False  # it was sent anew since
    if not past.is_begun:
        return True
    if past.deaths_with_this_one >= MOST_DEATHS:
        why = f"{MOST_DEATHS} workers died of the step {step} one after another, without a frame"
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
