"""Leaves word of each run of a walk for those who show walks (`latent_assets.lastrun`)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg

from latent_assets import interrupts
from latent_assets.errors import StoreError
from latent_assets.lastrun import Check, LastRun, read_last_run, write_last_run
from latent_assets.orchestration.failures import words_of, words_of_check
from latent_assets.orchestration.instance import ALIVE
from latent_assets.orchestration.observing import RENDERED
from latent_assets.walks.schema import NAME_PATTERN

_TOLD = {
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
}
_PARTITION, _VERSION = "dagster/partition", "dagster/data_version"


@contextmanager
def word_left(
    instance: dg.DagsterInstance,
    run: dg.DagsterRun,
    data: Path,
    home: Path,
    walk_spec: dg.AssetKey,
) -> Iterator[None]:
    """Around the steps of a run. A trouble with the word is not the run's."""
    walk = run.tags.get(_PARTITION)
    if walk is None or not NAME_PATTERN.fullmatch(walk):  # a partition of any text, of others
        yield
        return
    before = read_last_run(data, walk)
    begun = LastRun(
        run=run.run_id,
        state="running",
        began=time.time(),
        spec=before.spec if before else "",
        checks=before.checks if before else (),
        lock=str(home / ALIVE / run.run_id),
    )
    # What is tried beside a walk says nothing of the walk.
    own = not _has_overrides(run, walk_spec)
    if own:
        with suppress(StoreError):
            write_last_run(data, walk, begun)
    try:
        yield
    finally:
        with suppress(Exception):  # of Dagster's database as of our file
            if own or _made_the_walks_own(instance, run, walk_spec):
                write_last_run(data, walk, _ended(instance, begun, walk_spec))


def _has_overrides(run: dg.DagsterRun, walk_spec: dg.AssetKey) -> bool:
    """Whether the run does something else than the walk file says."""
    ops = run.run_config.get("ops", {})
    config = ops.get(walk_spec.to_python_identifier(), {}).get("config") or {}
    return any(config.values())


def _made_the_walks_own(
    instance: dg.DagsterInstance, run: dg.DagsterRun, walk_spec: dg.AssetKey
) -> bool:
    """Whether what the run was asked for is what the file says after all."""
    made = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    events = [entry.dagster_event for entry in made]
    return any(
        RENDERED in (event.step_materialization_data.materialization.tags or {})
        for event in events
        if event is not None and event.asset_key == walk_spec
    )


def _ended(instance: dg.DagsterInstance, begun: LastRun, walk_spec: dg.AssetKey) -> LastRun:
    problem, spec = "", begun.spec
    checks = {check.name: check for check in begun.checks}
    for entry in instance.all_logs(begun.run, of_type=_TOLD):
        event = entry.dagster_event
        assert event is not None
        if event.event_type == dg.DagsterEventType.STEP_FAILURE:
            problem = problem or words_of(event)
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            found = event.asset_check_evaluation_data
            checks[found.check_name] = Check(found.check_name, found.passed)
            problem = problem or words_of_check(found) or ""
        elif event.asset_key == walk_spec:
            tags = event.step_materialization_data.materialization.tags or {}
            spec = tags.get(_VERSION, spec)
    return LastRun(
        run=begun.run,
        state="stopped" if interrupts.asked() is not None else "failed" if problem else "done",
        began=begun.began,
        ended=time.time(),
        problem=problem,
        spec=spec,
        checks=tuple(checks.values()),
    )
