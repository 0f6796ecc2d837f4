"""What a cluster knows by itself: settings, broker, values, and what became of a step."""

import json
import time

import dagster as dg
import numpy as np
import pytest

pytest.importorskip("celery")
from dagster._core.events import DagsterEvent, DagsterEventType, EngineEventData
from dagster._core.events.log import EventLogEntry
from dagster._core.execution.plan.handle import StepHandle
from dagster._core.execution.plan.objects import StepSuccessData
from typer.testing import CliRunner

from latent_assets.cli.app import app
from latent_assets.errors import LatentAssetsError, UsageError
from latent_assets.orchestration.cluster import deliveries
from latent_assets.orchestration.cluster.app import (
    LEASE_S,
    RENEWAL_S,
    check_broker,
    priority_of,
    told_of_broker,
)
from latent_assets.orchestration.cluster.deliveries import is_to_begin, report, returned
from latent_assets.orchestration.cluster.handler import wished_priority
from latent_assets.orchestration.cluster.seen import Seen
from latent_assets.orchestration.cluster.values import StoreIOManager
from latent_assets.orchestration.instance import open_instance
from latent_assets.orchestration.progress import Pace, RunPage
from latent_assets.places import without_password
from latent_assets.settings import Settings
from latent_assets.store.objects import open_objects

STEP = "frames.render_chunk[part_1_of_2]"


def test_more_priority_comes_sooner_and_a_lease_is_renewed_in_time():
    assert [priority_of(each) for each in (-5, -1, 0, 1, 2, 9)] == [9, 9, 6, 3, 0, 0]
    assert LEASE_S > 3 * RENEWAL_S


def test_a_step_that_is_tried_again_goes_before_those_that_wait():
    first, again = (wished_priority({"dagster/priority": "1"}, attempt) for attempt in (1, 2))
    assert (first, again) == (1, 2)
    assert priority_of(wished_priority({}, 2)) < priority_of(wished_priority({}, 1))
    assert wished_priority({"dagster/priority": "soon"}, 1) == 0


def test_no_password_is_told():
    assert without_password("redis://:secret@host:6379/0") == "redis://host:6379/0"
    assert without_password("redis://host/0") == "redis://host/0"


def test_a_broker_that_is_not_there_is_told_in_words_without_its_password():
    settings = Settings(executor="celery", broker="redis://:secret@127.0.0.1:1/0")
    with pytest.raises(
        LatentAssetsError, match=r"redis://127\.0\.0\.1:1/0 does not answer"
    ) as told:
        check_broker(settings)
    assert "secret" not in str(told.value)
    assert "secret" not in repr(settings)


def test_a_database_that_is_not_there_is_told_in_words_without_its_password(tmp_path, monkeypatch):
    import dagster_postgres.utils as dagsters  # noqa: PLC0415

    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("LATENT_ASSETS_DATABASE", "")
    monkeypatch.setattr(dagsters.time, "sleep", lambda _seconds: None)
    url = "postgresql+psycopg2://me:secret@127.0.0.1:1/db"
    settings = Settings(data=tmp_path, database=url)
    with (
        pytest.raises(LatentAssetsError, match=r"127\.0\.0\.1:1/db does not answer") as told,
        open_instance(settings),
    ):
        pass
    assert "secret" not in str(told.value)
    assert "secret" not in (settings.dagster_home / "dagster.yaml").read_text()


@pytest.fixture
def run():
    with dg.DagsterInstance.ephemeral() as instance:
        job = dg.GraphDefinition(name="nothing").to_job()
        yield instance, instance.create_run_for_job(job)


def begin(run):
    instance, its = run
    started = DagsterEvent(
        DagsterEventType.STEP_WORKER_STARTED.value,
        job_name=its.job_name,
        step_key=STEP,
        event_specific_data=EngineEventData(),
    )
    instance.report_dagster_event(started, run_id=its.run_id)


def asked_again(run, attempt, said):
    instance, its = run
    return is_to_begin(instance, its, {"step": STEP, "attempt": attempt}, said.append)


def test_a_step_that_nobody_began_is_begun_and_three_deaths_are_a_failure(run):
    instance, its = run
    said = []
    assert asked_again(run, 1, said)
    for attempt in (1, 2):
        begin(run)
        assert not asked_again(run, attempt, said)
        assert "a worker died" in said[-1]
        assert not asked_again(run, attempt, said)  # noted already
        assert asked_again(run, attempt + 1, said)
    begin(run)
    assert not asked_again(run, 3, said)
    assert "3 workers died of the step" in said[-1]
    logs = instance.all_logs(its.run_id, of_type=DagsterEventType.STEP_FAILURE)
    assert len(logs) == 1
    assert "smaller batch_size" in logs[0].dagster_event.step_failure_data.error.message
    assert not asked_again(run, 4, said)


def test_deaths_of_a_step_that_gets_on_are_no_failure(run):
    instance, its = run
    page = RunPage(48, tell=lambda line: note(instance, its, line), pace=Pace())
    said = []
    for attempt in range(1, 2 * deliveries.MOST_DEATHS):
        begin(run)
        if attempt != deliveries.MOST_DEATHS:  # one that stored nothing
            page.on_frames(["a"], True)
            page._told_at = None
        assert not asked_again(run, attempt, said)
        assert "a worker died" in said[-1]
    assert asked_again(run, 2 * deliveries.MOST_DEATHS, said)


def note(instance, run, line):
    """As a step's `context.log.info`."""
    entry = EventLogEntry(
        error_info=None,
        level=20,
        user_message=line,
        run_id=run.run_id,
        timestamp=time.time(),
        step_key=STEP,
        job_name=run.job_name,
    )
    instance.handle_new_event(entry)


def test_a_step_that_was_given_back_counts_no_death(run):
    said = []
    for attempt in range(1, deliveries.MOST_DEATHS + 2):
        begin(run)
        report(*run, STEP, returned("the worker was asked to leave"))
        assert asked_again(run, attempt + 1, said)
    assert said == []


def an_end(kind, data):
    return DagsterEvent(
        kind.value,
        job_name="render_walk",
        step_handle=StepHandle.parse_from_key(STEP),
        step_key=STEP,
        event_specific_data=data,
    )


def test_a_step_that_two_workers_carried_out_ends_once():
    launches = {STEP: 1}
    seen = Seen(lambda step: launches[step])
    retry, done = (
        an_end(*returned("died")),
        an_end(DagsterEventType.STEP_SUCCESS, StepSuccessData(duration_ms=1.0)),
    )
    assert seen.is_news(retry)
    assert not seen.is_news(done)  # by the one that was taken for dead
    launches[STEP] = 2
    assert seen.is_news(done)
    assert not seen.is_news(done)
    assert not seen.is_news(retry)


@pytest.mark.parametrize("value", [{"a": [1, None]}, np.arange(6, dtype=np.float32).reshape(2, 3)])
def test_values_go_through_the_store_and_back(tmp_path, value):
    objects = open_objects(tmp_path)
    manager = StoreIOManager(objects)

    @dg.asset(io_manager_key="values")
    def made():
        return value

    @dg.asset(io_manager_key="values")
    def read(made):
        np.testing.assert_array_equal(made, value)
        return {}

    resources = {"values": manager}
    assert dg.materialize([made, read], resources=resources).success
    (file,) = (tmp_path / "values" / "assets").glob("made*")
    file.write_bytes(b"\x00")
    told = dg.materialize([made, read], resources=resources, selection=[read], raise_on_error=False)
    failure = next(event for event in told.all_events if event.is_step_failure)
    assert "is damaged" in json.dumps(failure.step_failure_data.user_failure_data.description)
    file.unlink()
    told = dg.materialize([made, read], resources=resources, selection=[read], raise_on_error=False)
    assert not told.success


def test_a_run_that_came_to_a_good_end_leaves_no_values_between_its_steps(tmp_path):
    manager = StoreIOManager(open_objects(tmp_path))
    for run_id in ("one", "other"):
        manager.objects.write(f"values/runs/{run_id}/step/result.json", b"{}")
    manager.forget("one")
    assert [entry.name for entry in manager.objects.entries("values")] == [
        "values/runs/other/step/result.json"
    ]


def test_a_cluster_is_chosen_by_settings_alone_and_what_is_wrong_is_told():
    def read(**variables):
        return Settings.from_environment(
            {f"LATENT_ASSETS_{name}": value for name, value in variables.items()}
        )

    chosen = read(
        EXECUTOR="celery", BROKER="redis://host/0", DATABASE="postgresql://me:secret@host/db"
    )
    assert (chosen.patience, chosen.dagster_home.name) == (120, "dagster-cluster")
    assert chosen.database == "postgresql+psycopg2://me:secret@host/db"
    assert "secret" not in repr(chosen)
    assert Settings.from_environment(chosen.to_environment()) == chosen
    with pytest.raises(UsageError, match="BROKER is not set"):
        read(EXECUTOR="celery")
    with pytest.raises(UsageError, match="EXECUTOR is 'ray'"):
        read(EXECUTOR="ray")
    for wrong in ("amqp://me:secret@host", "me:secret@host"):
        with pytest.raises(UsageError, match="BROKER begins with") as told:
            read(EXECUTOR="celery", BROKER=wrong)
        assert "secret" not in str(told.value)
    with pytest.raises(UsageError, match="DATABASE begins with 'mysql'"):
        read(DATABASE="mysql://host/db")
    for torn in ("u:se/cret@host/db", "u:se#cret@host/db", "u:12?cret@h/db", "u:cret@x@h/db"):
        with pytest.raises(UsageError, match="a password that tears it apart") as told:
            read(DATABASE=f"postgresql://{torn}")
        assert "cret" not in str(told.value)
    for torn in ("host:", "host:six/0", "[::1/0"):
        with pytest.raises(UsageError, match="has a port that is no number"):
            read(EXECUTOR="celery", BROKER=f"redis://{torn}")
    for right in ("u:a%2Fb%40c@[::1]:5/db?sslmode=require", "/db?host=/run/postgresql", "host"):
        assert right in read(DATABASE=f"postgresql://{right}").database


def test_without_configuration_no_worker_is_known():
    plain = Settings()
    assert (plain.executor, plain.patience, plain.dagster_home.name) == ("in_process", 0, "dagster")


@pytest.fixture
def worker(monkeypatch, tmp_path):
    """The command, up to where it would connect: returns what was said, or raises."""
    from latent_assets.orchestration.cluster import worker as room  # noqa: PLC0415

    def worker(*arguments, smi=None):
        monkeypatch.setenv("LATENT_ASSETS_DATA", str(tmp_path))
        monkeypatch.setenv("LATENT_ASSETS_EXECUTOR", "celery")
        monkeypatch.setenv("LATENT_ASSETS_BROKER", "redis://:secret@host/0")
        monkeypatch.setenv("PATH", str(tmp_path))
        if smi is not None:
            program = tmp_path / "nvidia-smi"
            program.write_text(f"#!/bin/sh\necho '{smi}'\n")
            program.chmod(0o755)
        monkeypatch.setattr(room, "run_worker", lambda *_all, **_named: 0)
        result = CliRunner().invoke(app, ["worker", *arguments])
        if isinstance(result.exception, UsageError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return worker


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--queue", "GPU 0"], "--queue is 'GPU 0'"),
        (["--queue", ""], "--queue is ''"),
        (["--gpu", "banana"], "--gpu is 'banana'"),
        (["--gpu", ""], "--gpu is ''"),
        (["--name", "a b@c"], "--name is 'a b@c'"),
        (["--gpu", "7"], "there is no GPU 7 here: nvidia-smi shows 0, 1"),
        (["--gpu", "GPU-ff"], "there is no GPU GPU-ff here"),
    ],
)
def test_what_is_wrong_with_a_workers_options_is_one_sentence(worker, arguments, words):
    smi = "GPU 0: A (UUID: GPU-aa-1)\nGPU 1: B (UUID: GPU-bb-2)\n  MIG 1g (UUID: MIG-cc-3)"
    with pytest.raises(UsageError, match=words):
        worker(*arguments, smi=smi)
    for right in ("0", "0,1", "GPU-bb", "MIG-cc-3"):
        assert f"GPU {right}," in worker("--gpu", right, smi=smi)


def test_a_gpu_without_a_driver_is_said_to_be_none(worker):
    assert "there is no NVIDIA driver here" in worker("--gpu", "0")
    assert "secret" not in worker()


@pytest.mark.parametrize(
    ("why", "words"), [("WRONGPASS invalid username-password pair", "PASSWORD@"), ("-", "Start")]
)
def test_a_broker_that_lets_nobody_in_is_not_one_that_is_away(why, words):
    settings = Settings(executor="celery", broker="redis://:secret@host/0")
    with pytest.raises(LatentAssetsError, match=words), told_of_broker(settings):
        raise OSError(why)
