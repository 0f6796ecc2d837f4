"""Whoever stops a render cancels its run, however early; Dagster does not begin it anew."""

import json
import os
import signal
import threading
import time

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.events import DagsterEvent
from dagster._core.storage.tags import GRPC_INFO_TAG, WILL_RETRY_TAG
from dagster._core.test_utils import create_run_for_test
from handed_over import interrupted

from latent_assets import interrupts
from latent_assets.orchestration import stopping
from latent_assets.orchestration.automation import RETRY_WHOLE_RUNS
from latent_assets.orchestration.one_process import one_process


@dg.op(required_resource_keys={"first"})
def nothing() -> None:
    pass


def job_of(first: dg.ResourceDefinition) -> dg.JobDefinition:
    @dg.job(resource_defs={"first": first})
    def render() -> None:
        nothing()

    return render


@dg.resource
def stopped(_context: dg.InitResourceContext) -> None:
    """The signal comes while Dagster makes resources ready, ours not yet among them."""
    os.kill(os.getpid(), signal.SIGINT)


@dg.resource
def broken(_context: dg.InitResourceContext) -> None:
    raise RuntimeError("it is broken")


def test_a_run_that_is_stopped_before_it_has_its_resources_is_cancelled(instance, monkeypatch):
    monkeypatch.setattr(stopping, "cancel", lambda *_: None)  # its thread comes too late
    with interrupts.hearing(), stopping.whole_run(instance) as run_id:
        job_of(stopped).execute_in_process(
            instance=instance, run_id=run_id, tags=RETRY_WHOLE_RUNS, raise_on_error=False
        )
    run = instance.get_run_by_id(run_id)
    assert run.status is dg.DagsterRunStatus.CANCELED
    assert run.tags.get(WILL_RETRY_TAG) != "true"


def test_a_run_that_failed_before_it_was_stopped_stays_failed(instance):
    with (  # noqa: PT012 - the block is it
        interrupts.hearing(),
        pytest.raises(KeyboardInterrupt),
        stopping.whole_run(instance) as run_id,
    ):
        job_of(broken).execute_in_process(instance=instance, run_id=run_id, raise_on_error=False)
        signal.raise_signal(signal.SIGINT)
    assert instance.get_run_by_id(run_id).status is dg.DagsterRunStatus.FAILURE


@dg.op
def bare() -> None:
    pass


@dg.job(executor_def=one_process)
def launched() -> None:
    """As Dagster's pages launch it: in a process of its own, by its own executor."""
    bare()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_launched_run_that_is_stopped_in_its_first_moment_is_cancelled(
    instance, monkeypatch, number
):
    """Between Dagster's beginning and the first word of our resources."""
    start = DagsterEvent.job_start

    def stopped_at_once(context):
        os.kill(os.getpid(), number)
        return start(context)

    monkeypatch.setattr(DagsterEvent, "job_start", stopped_at_once)
    job = ReconstructableJob.for_module(__name__, "launched")
    result = dg.execute_job(job, instance, tags=RETRY_WHOLE_RUNS)
    run = instance.get_run_by_id(result.run_id)
    assert run.status is dg.DagsterRunStatus.CANCELED
    assert run.tags.get(WILL_RETRY_TAG) != "true"


@dg.op
def telling(context: dg.OpExecutionContext) -> None:
    context.log.info("a signal comes while this is written")
    time.sleep(60)


@dg.job
def told() -> None:
    telling()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_while_dagster_writes_leaves_its_database_open(
    instance, monkeypatch, number
):
    """Else it waits for its own lock without end to write that the step was interrupted."""
    storage = instance.event_log_storage
    connect, store = storage._connect, storage.store_event
    coming, left_locked = [], []

    def connected():
        if storage._db_lock.acquire(timeout=20):
            storage._db_lock.release()
        else:
            left_locked.append(True)
            storage._db_lock = threading.Lock()
        return interrupted(connect(), coming.pop()) if coming else connect()

    def stored(event):
        if event.user_message.startswith("a signal comes"):
            coming.append(number)
        store(event)

    monkeypatch.setattr(storage, "_connect", connected)
    monkeypatch.setattr(storage, "store_event", stored)
    with interrupts.hearing(), stopping.whole_run(instance) as run_id:
        told.execute_in_process(instance=instance, run_id=run_id, raise_on_error=False)
        assert interrupts.asked() == number
    assert left_locked == []
    assert instance.get_run_by_id(run_id).status is dg.DagsterRunStatus.CANCELED


def launch(instance, server, status):
    tags = {**RETRY_WHOLE_RUNS, GRPC_INFO_TAG: json.dumps({"host": "here", "socket": server})}
    return create_run_for_test(instance, job_name="render", status=status, tags=tags)


def test_with_the_pages_end_their_runs_alone(instance):
    status = dg.DagsterRunStatus
    waiting = launch(instance, "/ours", status.NOT_STARTED)
    of_others = launch(instance, "/theirs", status.STARTED)
    failed = launch(instance, "/ours", status.STARTED)
    instance.report_run_failed(failed)
    since = time.time() + 0.001
    time.sleep(0.01)
    starting = launch(instance, "/ours", status.STARTING)
    rendering = launch(instance, "/ours", status.STARTED)
    fault = launch(instance, "/ours", status.STARTED)
    instance.report_run_failed(fault)  # as Dagster does where a process was ended
    stopping.close_ended(instance, "/ours", since)
    found = {
        name: instance.get_run_by_id(run.run_id).status.value
        for name, run in locals().items()
        if isinstance(run, dg.DagsterRun)
    }
    assert found == {
        "waiting": "NOT_STARTED",
        "of_others": "STARTED",
        "failed": "FAILURE",
        "starting": "CANCELED",
        "rendering": "CANCELED",
        "fault": "CANCELED",
    }
    assert instance.get_run_by_id(fault.run_id).tags[WILL_RETRY_TAG] == "false"
