"""Checks that a failed run did not come to.

Dagster shows each of them as failed in red, of no walk and without a word, also where the frames of
an earlier run stand as they did. So the run says itself what became of them: a warning on the
walk's own partition.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import dagster as dg

from latent_assets import interrupts
from latent_assets.orchestration import show
from latent_assets.orchestration.failures import words_of

_PARTITION = "dagster/partition"
_TOLD = {
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
}


@contextmanager
def no_check_left_open(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[None]:
    """Around the steps of a run. A trouble with the word is not the run's."""
    try:
        yield
    finally:
        if interrupts.asked() is None:  # of a run that was stopped, Dagster says so itself
            with suppress(Exception):
                _close(instance, run, why=None)


def close_checks(instance: dg.DagsterInstance, run: dg.DagsterRun, why: str) -> None:
    """Of a run that failed otherwise than by a step. why: a sentence."""
    with suppress(Exception):
        _close(instance, run, why)


def _close(instance: dg.DagsterInstance, run: dg.DagsterRun, why: str | None) -> None:
    open_checks: dict[dg.AssetCheckKey, None] = {}
    for entry in instance.all_logs(run.run_id, of_type=_TOLD):
        event = entry.dagster_event
        assert event is not None
        if event.event_type == dg.DagsterEventType.STEP_FAILURE:
            why = why or words_of(event)
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED:
            open_checks[event.asset_check_planned_data.asset_check_key] = None
        else:
            open_checks.pop(event.asset_check_evaluation_data.asset_check_key, None)
    if why is not None:
        for key in open_checks:
            _tell(instance, run, key, why)


def _tell(
    instance: dg.DagsterInstance, run: dg.DagsterRun, key: dg.AssetCheckKey, why: str
) -> None:
    told = f"Not looked at, since the run ended before. {show.escaped(why)}"  # it may quote a file
    evaluation = dg.AssetCheckEvaluation(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=False,
        metadata={},
        severity=dg.AssetCheckSeverity.WARN,
        description=told,
        partition=run.tags.get(_PARTITION),
    )
    event = dg.DagsterEvent(
        event_type_value=dg.DagsterEventType.ASSET_CHECK_EVALUATION.value,
        job_name=run.job_name,
        message=f"Check {key.name}: not looked at.",
        event_specific_data=evaluation,
    )
    instance.report_dagster_event(event, run.run_id)
