"""What `doctor --cluster` says of all that can be wrong; real servers are in tests/cluster."""

import json
import logging

import pytest
from typer.testing import CliRunner

pytest.importorskip("celery")
from latent_assets.cli.app import app
from latent_assets.errors import UsageError
from latent_assets.orchestration.cluster import looking
from latent_assets.orchestration.cluster.looking import FINE, look, problems_of
from latent_assets.orchestration.trouble import in_words
from latent_assets.settings import Settings

SETTINGS = Settings(executor="celery", broker="redis://:secret@host:6379/0")
HERE = {
    "latent-assets": "1",
    "dagster": "1.13",
    "precision": "float32",
    "weights": {"embedded": "a", "mine": "b"},
    "records": "r",
}
WORKER = {**HERE, "queues": ["cpu", "gpu"], "busy": False, "store": "", "clock_s": 0.2}


def told(waiting=(), servers=(), **workers):
    found = {"broker": FINE, "database": FINE, "store": FINE, **dict(servers), "workers": workers}
    return problems_of(SETTINGS, found, dict(waiting), HERE)


def test_a_cluster_without_fault_is_told_of_none():
    assert told(one=WORKER, two={**WORKER, "queues": ["gpu"], "busy": True}) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"latent-assets": "2"}, "another version of latent-assets: 2, here it is 1"),
        ({"dagster": "1.12"}, "another version of Dagster: 1.12"),
        ({"precision": "mixed_float16"}, "another precision: mixed_float16"),
        ({"weights": {"embedded": "z", "mine": "b"}}, "other weights of embedded: z, here they"),
        ({"weights": {"embedded": "a"}}, "has no model mine"),
        ({"weights": {**HERE["weights"], "new": "c"}}, "a model new that is not here"),
        ({"records": "s"}, "another database"),
        ({"store": "s3://b is another store"}, "does not see what is stored here: s3://b is"),
        ({"clock_s": 60.0}, "a clock 60.0 s ahead of this one"),
        ({"clock_s": -4.0}, "a clock 4.0 s behind this one"),
    ],
)
def test_each_way_in_which_a_worker_differs_is_one_sentence(changed, words):
    (problem,) = told(one=WORKER, odd={**WORKER, **changed})
    assert problem.startswith("odd ")
    assert words in problem


def test_a_queue_that_nobody_serves_is_told_with_the_steps_that_wait_in_it():
    problems = told(waiting={"gpu-a100": 7}, one={**WORKER, "queues": ["gpu"]})
    assert [problem.partition(":")[0] for problem in problems] == [
        "no worker takes steps from the queue cpu",
        "no worker takes steps from the queue gpu-a100 (7 wait)",
    ]
    nobody = told()
    assert nobody[0] == "no worker answers at redis://host:6379/0"
    assert "latent-assets worker --queue gpu" in nobody[-1]


def test_a_worker_that_cannot_answer_and_a_server_that_does_not_are_told():
    assert told(one=WORKER, old={"error": "unknown control command"}) == [
        "old does not understand the question: unknown control command"
    ]
    assert told(servers={"broker": "the broker is away"}) == ["the broker is away"]


@pytest.mark.parametrize(
    ("sent", "at", "came", "clock"), [(10, 10.5, 11, 0), (10, 71, 11, 60.0), (10, 4, 11, -6.0)]
)
def test_a_clock_is_wrong_by_what_the_way_of_the_question_does_not_explain(sent, at, came, clock):
    said = looking._with_clock({"time": at, "busy": False}, sent, came)
    assert said == {"busy": False, "clock_s": clock}


def test_nothing_that_is_asked_of_a_dead_broker_is_left_in_the_store(tmp_path, monkeypatch):
    monkeypatch.setattr(looking, "records_of", lambda _settings: "r")
    settings = Settings(data=tmp_path, executor="celery", broker="redis://:secret@127.0.0.1:1/0")
    found = look(settings)
    assert (found["database"], found["store"]) == (FINE, FINE)
    assert found["problems"] == [found["broker"]]
    assert "does not answer" in found["broker"]
    assert "secret" not in json.dumps(found)
    assert not list((tmp_path / "store" / "values").iterdir())


def run(monkeypatch, tmp_path, *arguments, executor="celery", found=None):
    monkeypatch.setenv("LATENT_ASSETS_DATA", str(tmp_path))
    monkeypatch.setenv("LATENT_ASSETS_EXECUTOR", executor)
    monkeypatch.setenv("LATENT_ASSETS_BROKER", SETTINGS.broker)
    monkeypatch.setattr(looking, "look", lambda _settings: found)
    return CliRunner().invoke(app, ["doctor", "--cluster", *arguments])


def test_what_was_found_is_printed_for_people_and_for_programs(monkeypatch, tmp_path):
    found = {"broker": FINE, "database": FINE, "store": "cannot\n  write", "problems": []}
    found["workers"] = {"one@host": WORKER, "old@host": {"error": "?"}}
    fine = run(monkeypatch, tmp_path, found=found)
    assert fine.exit_code == 0, fine.output
    assert "redis://host:6379/0 answers" in fine.output
    assert "one@host: queues cpu, gpu; waits for work" in fine.output
    assert "secret" not in fine.output
    wrong = run(monkeypatch, tmp_path, found={**found, "problems": ["[bold] is\n  wrong"]})
    assert wrong.exit_code == 1
    assert "[bold] is\n            wrong" in wrong.output
    report = json.loads(run(monkeypatch, tmp_path, "--json", found=found).output)
    assert report["ok"] is True
    assert report["workers"]["one@host"]["queues"] == ["cpu", "gpu"]


def test_a_deployment_without_workers_has_none_to_ask(monkeypatch, tmp_path):
    result = run(monkeypatch, tmp_path, executor="in_process")
    assert isinstance(result.exception, UsageError)
    assert "this deployment has no workers" in str(result.exception)


def test_a_database_that_is_tried_again_is_one_line_without_password(tmp_path, caplog):
    with in_words(tmp_path, "postgresql+psycopg2://me:secret@host/db"):
        root = logging.getLogger()
        for _ in range(3):
            root.warning("Retrying failed database connection: %s", "a long story")
        root.warning("another word")
    assert caplog.messages == [
        "the database postgresql://host/db does not answer; asking again",
        "another word",
    ]
