"""Whoever stops a render cancels its run, however early; Dagster does not begin it anew."""

import os
import signal

import dagster as dg
import pytest
from dagster._core.storage.tags import WILL_RETRY_TAG

from latent_assets import interrupts
from latent_assets.orchestration import stopping
from latent_assets.orchestration.automation import RETRY_WHOLE_RUNS


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
