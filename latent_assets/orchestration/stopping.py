"""A run that is asked to stop: it is cancelled, when the batch that it renders is stored.

A retry policy of Dagster would try an interruption again, with the in-process executor, and the
run could not be stopped (Dagster issue 15026). So attempts are counted inside the step.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from threading import Lock
from typing import Any

import dagster as dg
from dagster._core.events import RunFailureReason
from dagster._core.storage.tags import GRPC_INFO_TAG, RUN_FAILURE_REASON_TAG, WILL_RETRY_TAG
from dagster._core.utils import make_new_run_id
from dagster._utils import interrupts as dagsters
from dagster._utils.interrupts import check_captured_interrupt

from latent_assets import interrupts
from latent_assets.errors import LatentAssetsError
from latent_assets.orchestration.employment import employment

DELAYS_S = (2.0, 4.0)
"""Before the second attempt, and before the third."""
_ENDED_BY_NO_STEP = (None, RunFailureReason.UNEXPECTED_TERMINATION.value)
"""Dagster's reasons for the failure of a run whose process was stopped."""
_LAUNCHED = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_asking = Lock()


def let_dagster_consider() -> None:
    """From now on, Dagster's handlers of signals do not raise where a lock is handed over.

    It holds one while it writes an event, and would wait for it for ever to write the next. Twice
    is as good as once. A Dagster that sets its handlers otherwise goes on doing so.
    """
    module: Any = dagsters
    set_handler = getattr(module, "_replace_interrupt_signal", None)
    if set_handler is None or hasattr(set_handler, "considers"):
        return

    def consider(handler: Any) -> None:
        set_handler(interrupts.considerate(handler))

    consider.considers = set_handler  # type: ignore[attr-defined]
    module._replace_interrupt_signal = consider  # noqa: SLF001 - there is no other way in


@contextmanager
def finished_batch() -> Iterator[None]:
    """What is computed in the block is finished and stored before an interrupt is heeded."""
    employment().before_batch()
    try:
        with interrupts.deferred():
            yield
    except KeyboardInterrupt:
        raise dg.DagsterExecutionInterruptedError from None


def persistently(work: Callable[[], object], tell: Callable[[str], None]) -> None:
    """Carry the work out, up to three times; not again what a user has to mend, or stopped."""
    for number, delay_s in enumerate((*DELAYS_S, None), 1):
        try:
            work()
        except Exception as error:
            if interrupts.asked() is not None:  # an import may have made a RuntimeError of it
                raise dg.DagsterExecutionInterruptedError from None
            if isinstance(error, LatentAssetsError) or delay_s is None:
                raise
            tell(f"attempt {number} failed, the next is in {delay_s:.0f} s: {error!r}")
            time.sleep(delay_s)
        else:
            return


@contextmanager
def cancelled_if_asked(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Whoever stops the process stops the run in the block: it is cancelled, not failed.

    Else Dagster would take it for a fault, and its daemon would begin it anew.
    """
    let_dagster_consider()
    with interrupts.hearing(), interrupts.telling(lambda _number: cancel(instance, run_id)):
        if check_captured_interrupt():  # Dagster keeps what came before, and will heed it
            cancel(instance, run_id)
        try:
            yield
        finally:
            if interrupts.asked() is not None:
                cancel(instance, run_id)


def cancel(instance: dg.DagsterInstance, run_id: str) -> None:
    """Tell Dagster that the run ends because somebody wants it to. No failure is raised."""
    with _asking, suppress(Exception):
        run = instance.get_run_by_id(run_id)
        ending = run is None or run.is_finished or run.status is dg.DagsterRunStatus.CANCELING
        if run is not None and not ending:
            instance.report_run_canceling(run)


@contextmanager
def whole_run(instance: dg.DagsterInstance) -> Iterator[str]:
    """The id of a run that the block is to execute; it is over when the block is left.

    An interrupt may come before Dagster heeds any, before the run has resources that tell of it,
    or after. Raises KeyboardInterrupt.
    """
    let_dagster_consider()
    run_id = make_new_run_id()
    try:
        with interrupts.telling(lambda _number: cancel(instance, run_id)):
            yield run_id
    except dg.DagsterExecutionInterruptedError:
        raise KeyboardInterrupt from None
    finally:
        if interrupts.asked() is not None:
            with _asking:  # whoever is just telling it must not have the last word
                _close(instance, run_id)


def close_ended(instance: dg.DagsterInstance, server: str, since: float) -> None:
    """The runs that a code server had under way when it was ended, by a person: cancelled.

    server: its socket. since: when it was ended, seconds since 1970. All its processes are gone.
    One that was just starting left no word, or Dagster took its end for a fault.
    """
    unfinished = dg.RunsFilter(statuses=_LAUNCHED)
    moment = datetime.fromtimestamp(since, tz=timezone.utc)
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=moment)
    for run in [*instance.get_runs(unfinished), *instance.get_runs(failed)]:
        launched = json.loads(run.tags.get(GRPC_INFO_TAG, "{}"))
        if launched.get("socket") == server:
            _close(instance, run.run_id)


def _close(instance: dg.DagsterInstance, run_id: str) -> None:
    """The interrupted run is cancelled, also where Dagster took the interrupt for a fault."""
    run = instance.get_run_by_id(run_id)
    if run is None:
        return
    taken_for_a_fault = (
        run.status is dg.DagsterRunStatus.FAILURE
        and run.tags.get(RUN_FAILURE_REASON_TAG) in _ENDED_BY_NO_STEP
    )
    if taken_for_a_fault:
        instance.add_run_tags(run_id, {WILL_RETRY_TAG: "false"})
    if taken_for_a_fault or not run.is_finished:
        instance.report_run_canceled(run, "This run was interrupted.")
