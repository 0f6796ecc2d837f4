"""Workers, a real Redis and PostgreSQL: every frame is there in the end, and no run hangs."""

import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest

pytest.importorskip("celery")
from cluster_servers import PASSWORD, Cluster, Postgres, Redis, end, wait_until
from s3_server import s3_server

CUT_S = 20.0
pytestmark = [
    pytest.mark.slow,
    pytest.mark.cluster,
    pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed"),
]


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    server = Redis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def database():
    if Postgres.programs() is None:
        pytest.skip("PostgreSQL is not installed")
    # Debian's user postgres must be able to enter the folder: pytest's own are private.
    server = Postgres(Path(tempfile.gettempdir()) / f"latent-assets-pg-{os.getpid()}")
    server.start()
    yield server
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)
    server.folder.with_name(server.folder.name + "-password").unlink()


@pytest.fixture
def cluster(tmp_path, redis, database):
    cluster = Cluster(tmp_path / "data", redis, {"LATENT_ASSETS_DATABASE": database.url})
    yield cluster
    cluster.close()


def gif(cluster, walk="walk"):
    return cluster.data / "outputs" / walk / f"{walk}.gif"


def test_chunks_go_to_gpu_workers_and_a_killed_one_costs_no_frame(cluster):
    cluster.walk(queue="gpu-b", frames=16)
    busy = {"SECONDS_A_FRAME": "1.5"}
    first = cluster.worker("first", "gpu", "gpu-b", wait=False, **busy)
    cluster.worker("cheap", "cpu")
    cluster.wait_for("first", "ready")
    assert cluster.problems() == []
    run = cluster.render()
    cluster.wait_for("first", "takes frames.render_chunk")
    cluster.worker("second", "gpu-b")
    end(first, signal.SIGKILL)
    result = cluster.result(run)
    assert result["success"], result
    assert result["frames"] == 16
    assert any("died" in why for why in result["returned"])
    assert gif(cluster).is_file()
    assert "render_chunk" not in cluster.log("cheap")
    assert "reports that a worker died" in cluster.log("second")
    assert PASSWORD not in "".join(map(cluster.log, ["first", "second", "cheap", "run-walk"]))
    values = cluster.data / "store" / "values"
    assert not list((values / "runs").rglob("*.json"))
    assert (values / "assets" / "frames" / "walk.json").is_file()


def test_a_run_whose_queue_nobody_serves_says_so_and_goes_on_when_somebody_does(cluster):
    cluster.walk(queue="gpu-b", frames=4)
    cluster.worker("others", "gpu", "cpu")
    run = cluster.render()
    cluster.wait_for("run-walk", "no worker takes steps from the queue gpu-b")
    assert "latent-assets worker --queue gpu-b" in cluster.log("run-walk")
    cluster.worker("late", "gpu-b")
    result = cluster.result(run)
    assert result["success"], result
    assert "the queue cpu" not in cluster.log("run-walk")


def test_redis_that_lost_everything_and_a_database_that_restarted_cost_no_frame(cluster, database):
    cluster.walk()
    cluster.worker("all", "gpu", "cpu", SECONDS_A_FRAME="1")
    run = cluster.render()
    cluster.wait_for("all", "takes frames.render_chunk")
    cluster.redis.lose_everything()
    cluster.wait_for("all", "takes frames.render_chunk", times=2)
    database.restart()
    result = cluster.result(run)
    assert result["success"], result
    assert result["frames"] == 12


def test_a_chunk_that_always_kills_its_worker_ends_in_an_error(cluster):
    cluster.walk(frames=4)
    deadly = cluster.data / "kill-always"
    cluster.worker("all", "gpu", "cpu", KILL_FILE=str(deadly))
    deadly.touch()
    result = cluster.result(cluster.render())
    assert not result["success"]
    assert any("3 workers died of the step" in why for why in result["why"])


def test_a_worker_with_other_weights_refuses_and_one_that_leaves_gives_back(cluster):
    cluster.walk(frames=8)
    cluster.worker("wrong", "gpu", FAKE_WEIGHTS="others", wait=False)
    leaving = cluster.worker("leaving", "cpu", "gpu", SECONDS_A_FRAME="1", wait=False)
    cluster.wait_for("wrong", "ready")
    cluster.wait_for("leaving", "ready")
    (problem,) = cluster.problems(LATENT_ASSETS_PRECISION="mixed_float16")[:1]
    assert "another precision: float32" in problem
    run = cluster.render()
    cluster.wait_for("wrong", "refuses the step")
    cluster.wait_for("leaving", "takes frames.render_chunk")
    leaving.send_signal(signal.SIGTERM)
    cluster.wait_for("leaving", "left")
    assert leaving.wait(30) == 0
    cluster.worker("last", "cpu", "gpu")
    result = cluster.result(run)
    assert result["success"], result
    assert "has done frames.render_chunk" not in cluster.log("wrong")
    assert not any("died" in why for why in result["returned"])
    assert len(result["returned"]) >= 2  # by the one that refused, and by the one that left


def test_an_overseer_that_is_killed_leaves_a_run_that_is_ended_and_rendered_again(cluster):
    cluster.walk()
    cluster.worker("all", "gpu", "cpu", SECONDS_A_FRAME="1")
    run = cluster.render()
    cluster.wait_for("all", "has done frames.render_chunk")
    end(run, signal.SIGKILL)
    result = cluster.result(cluster.render())
    assert result["success"], result
    assert result["frames"] == 12
    assert gif(cluster).is_file()


@pytest.fixture
def bucket(cluster, request):
    """A server of S3 with a bucket of the test's own, the store of the cluster."""
    with s3_server() as server:
        name = f"walks-{abs(hash(request.node.name))}"
        server.make_bucket(name)
        cluster.environment |= {
            "LATENT_ASSETS_STORE": f"s3://{name}/frames",
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        cluster.walk(frames=6, chunk_size=3)
        yield server


def test_an_object_store_that_gives_no_answer_for_20_s_costs_no_frame(cluster, bucket):
    cluster.worker("all", "gpu", "cpu", SECONDS_A_FRAME="1")
    run = cluster.render()
    cluster.wait_for("all", "takes frames.render_chunk")
    bucket.troubles.is_cut = True
    began, refused = time.monotonic(), bucket.troubles.refused
    wait_until(lambda: time.monotonic() - began > CUT_S, "the cut is over")
    bucket.troubles.is_cut = False
    assert bucket.troubles.refused > refused
    result = cluster.result(run)
    assert result["success"], result
    assert result["frames"] == 6
    assert not (cluster.data / "store").exists()


def test_an_object_store_that_takes_200_ms_for_each_answer_costs_no_frame(cluster, bucket):
    bucket.troubles.latency_s = 0.2
    cluster.worker("all", "gpu", "cpu")
    result = cluster.result(cluster.render())
    assert result["success"], result
    assert result["frames"] == 6
    assert result["returned"] == []
