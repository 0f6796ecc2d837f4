"""After a run of the web UI was killed or stopped in mid-walk: its buttons, and the retries.

A real `dagster dev`, asked over HTTP as the pages ask it. See tests/graph/test_reexecution.py for
what Dagster does there.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import fake_project
import pytest
from commands import Command
from fakes import fake_studio
from PIL import Image

from latent_assets.orchestration.build import build_defs
from latent_assets.orchestration.instance import open_instance
from latent_assets.settings import Settings
from latent_assets.walks.loading import load_walk

pytestmark = [pytest.mark.slow, pytest.mark.web]

TESTS = Path(fake_project.__file__).parent
FRAMES = 12
WALK = "kind: interpolation\nprompts: [{}]\nframes: 12\nchunk_size: 2\nbatch_size: 1\n"
WALKS = {"job": "a, b", "assets": "c, d", "button": "e, f", "stopped": "g, h", "ended": "i, j"}
DONE = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)

LAUNCH = """mutation($executionParams: ExecutionParams!) {
  launchPipelineExecution(executionParams: $executionParams) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}"""
# The mutation of the button "Re-execute from failure", taken from the pages of dagster-webserver.
REEXECUTE = """mutation($reexecutionParams: ReexecutionParams) {
  launchPipelineReexecution(reexecutionParams: $reexecutionParams) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}"""
# That of "Terminate", without "Force termination immediately".
TERMINATE = """mutation($runId: String!) {
  terminateRun(runId: $runId) {
    __typename ... on TerminateRunFailure { message } ... on PythonError { message }
  }
}"""


@dataclass(frozen=True)
class Web:
    """A running `dagster dev`, and its records."""

    url: str
    process: int
    data: Path
    instance: dg.DagsterInstance

    def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"{self.url}/graphql", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer
        return answer["data"]

    def launch(self, walk: str, selector: dict, tags: dict[str, str] | None = None) -> str:
        location = {
            "repositoryLocationName": "fake_workspace.py",
            "repositoryName": "__repository__",
        }
        tags = {"dagster/partition": walk, **(tags or {})}
        listed = [{"key": key, "value": value} for key, value in tags.items()]
        params = {
            "selector": {**location, **selector},
            "mode": "default",
            "executionMetadata": {"tags": listed},
        }
        launched = self.ask(LAUNCH, executionParams=params)["launchPipelineExecution"]
        return launched["run"]["runId"]

    def materialize_all(self, walk: str, tags: dict[str, str] | None = None) -> str:
        """As the button "Materialize all" does: a run of the assets, not of our job."""
        job = build_defs(fake_studio(self.data)).resolve_job_def("render_walk")
        selection = [{"path": key.path} for key in job.asset_layer.executable_asset_keys]
        return self.launch(walk, {"pipelineName": "__ASSET_JOB", "assetSelection": selection}, tags)

    def reexecute_from_failure(self, run_id: str) -> str:
        params = {"parentRunId": run_id, "strategy": "FROM_FAILURE"}
        launched = self.ask(REEXECUTE, reexecutionParams=params)["launchPipelineReexecution"]
        return launched["run"]["runId"]

    def terminate(self, run_id: str) -> None:
        answer = self.ask(TERMINATE, runId=run_id)["terminateRun"]
        assert answer["__typename"] == "TerminateRunSuccess", answer

    def pid(self, run_id: str) -> int:
        """Of the process that the run is."""
        for entry in self.instance.all_logs(run_id):
            if found := re.match(r"Executing steps in process \(pid: (\d+)\)", entry.user_message):
                return int(found[1])
        raise AssertionError(f"{run_id} has no process yet")

    def status_at_end(self, run_id: str) -> dg.DagsterRunStatus:
        def ended() -> dg.DagsterRunStatus | None:
            run = self.instance.get_run_by_id(run_id)
            return run.status if run is not None and run.status in DONE else None

        return wait_for(ended, f"the end of {run_id}")

    def is_canceling(self, run_id: str) -> bool:
        run = self.instance.get_run_by_id(run_id)
        return run is not None and run.status is dg.DagsterRunStatus.CANCELING

    def retry_of(self, run_id: str) -> dg.DagsterRun:
        """The run that the daemon starts by itself."""

        def retried() -> dg.DagsterRun | None:
            tags = {"dagster/parent_run_id": run_id}
            runs = self.instance.get_runs(dg.RunsFilter(tags=tags))
            return next((run for run in runs if "dagster/retry_number" in run.tags), None)

        return wait_for(retried, f"a retry of {run_id}")

    def failure(self, run_id: str) -> str:
        """What the pages show of the step that failed."""
        for entry in self.instance.all_logs(run_id):
            event = entry.dagster_event
            if event is not None and event.is_step_failure:
                told = event.step_failure_data.user_failure_data
                return "" if told is None else str(told.description)
        return ""


def wait_for(look: Callable[[], Any], what: str, within_s: float = 240) -> Any:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if (found := look()) is not None:
            return found
        time.sleep(0.3)
    raise AssertionError(f"{what} did not come")


@pytest.fixture(scope="module")
def web(tmp_path_factory) -> Iterator[Web]:
    with opened(tmp_path_factory.mktemp("web") / "data") as web:
        yield web


@contextlib.contextmanager
def opened(data: Path) -> Iterator[Web]:
    (data / "walks").mkdir(parents=True)
    for name, prompts in WALKS.items():
        (data / "walks" / f"{name}.yaml").write_text(WALK.format(prompts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")  # put back in the end
        with open_instance(Settings(data=data)) as instance, dagster_dev(data) as (url, process):
            yield Web(url, process, data, instance)


@contextlib.contextmanager
def dagster_dev(data: Path) -> Iterator[tuple[str, int]]:
    """Its address, and the process group of all its processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    paths = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH", "")]))
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LATENT_ASSETS_")}
    environment = {
        **kept,
        "LATENT_ASSETS_DATA": str(data),
        "DAGSTER_HOME": str(Settings(data=data).dagster_home),
        "PYTHONPATH": paths,
    }
    command = [sys.executable, "-m", "dagster", "dev", "-f", str(TESTS / "fake_workspace.py")]
    log = data.parent / f"{data.name}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "-h", "127.0.0.1", "-p", str(port)],
            env=environment, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool | None:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/server_info"):
            return True
        return None

    try:
        wait_for(answers, f"dagster dev ({log})")
        yield url, process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def stored(web: Web, walk: str) -> int:
    studio = fake_studio(web.data)
    spec = studio.specify(walk, load_walk(web.data / "walks" / f"{walk}.yaml"))
    keys = {recipe.key for recipe in spec.recipes()}
    return len(keys) - len(studio.frames.check(keys))


def assert_complete(web: Web, walk: str) -> None:
    assert stored(web, walk) == FRAMES
    with Image.open(web.data / "outputs" / walk / f"{walk}.gif") as film:
        assert film.n_frames == FRAMES


def assert_made_whole_by_a_retry(web: Web, walk: str, killed: str) -> None:
    assert web.status_at_end(killed) is dg.DagsterRunStatus.FAILURE
    retry = web.retry_of(killed)
    assert web.status_at_end(retry.run_id) is dg.DagsterRunStatus.SUCCESS
    assert_complete(web, walk)


def kill_in_mid_walk(web: Web, after: int) -> None:
    """The next run is killed when it has rendered so many frames in its process."""
    (web.data / "kill-at").write_text(str(after))


def test_a_killed_run_of_the_job_is_made_whole_by_the_daemon(web):
    kill_in_mid_walk(web, 7)
    killed = web.launch("job", {"pipelineName": "render_walk"})
    assert_made_whole_by_a_retry(web, "job", killed)


def test_so_is_a_killed_run_that_was_started_from_the_assets(web):
    """It comes without our tag that asks for all steps to be done again."""
    kill_in_mid_walk(web, 3)
    killed = web.materialize_all("assets")
    assert_made_whole_by_a_retry(web, "assets", killed)


def test_the_button_from_failure_never_ends_in_a_short_walk(web):
    kill_in_mid_walk(web, 3)
    killed = web.materialize_all("button", {"dagster/max_retries": "0"})
    assert web.status_at_end(killed) is dg.DagsterRunStatus.FAILURE
    assert stored(web, "button") == 3
    again = web.reexecute_from_failure(killed)
    if web.status_at_end(again) is dg.DagsterRunStatus.SUCCESS:
        assert_complete(web, "button")
    else:
        told = web.failure(again)
        assert "of the walk's 12 frames are not in the store" in told
        assert "Materialize the walk again" in told
        assert not (web.data / "outputs" / "button").exists()
    whole = web.materialize_all("button")
    assert web.status_at_end(whole) is dg.DagsterRunStatus.SUCCESS
    assert_complete(web, "button")


@pytest.mark.parametrize("way", ["terminate", "SIGTERM"])
def test_a_run_that_is_stopped_stops_when_its_batch_is_stored_and_stays_so(web, way):
    (web.data / "hold-at").write_text("3")
    held = web.data / "held"
    walk = {"terminate": "stopped", "SIGTERM": "ended"}[way]
    run_id = web.launch(walk, {"pipelineName": "render_walk"})
    wait_for(lambda: held.exists() or None, "the fourth batch")
    if way == "terminate":
        web.terminate(run_id)
    else:
        os.kill(web.pid(run_id), signal.SIGTERM)
    wait_for(lambda: web.is_canceling(run_id) or None, "word that it is to stop")
    held.unlink()
    assert web.status_at_end(run_id) is dg.DagsterRunStatus.CANCELED
    assert stored(web, walk) == 4  # the batch that was held, and none more
    again = web.launch(walk, {"pipelineName": "render_walk"})
    assert web.status_at_end(again) is dg.DagsterRunStatus.SUCCESS
    assert_complete(web, walk)


def test_after_all_of_dagster_was_killed_a_render_goes_on_at_once(tmp_path):
    """Nobody is left to tell Dagster that the run is dead; it held the place in the pool."""
    with opened(tmp_path / "data") as web:
        (web.data / "wait-at").write_text("5")
        killed = web.launch("job", {"pipelineName": "render_walk"})
        wait_for(lambda: stored(web, "job") == 5 or None, "the fifth frame")
        os.killpg(web.process, signal.SIGKILL)
        run = web.instance.get_run_by_id(killed)
        assert run is not None
        assert run.status is dg.DagsterRunStatus.STARTED
        answer = Command(web.data, "render", "job", "--json").answer()
        assert (answer.code, answer.json["rendered"]) == (0, FRAMES - 5), answer.err
        assert web.status_at_end(killed) is dg.DagsterRunStatus.FAILURE
        assert_complete(web, "job")
