"""A real `latent-assets ui` in a process of its own, asked as its pages ask it and as others do."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent
JSON = {"Content-Type": "application/json"}
LOCATION = {"repositoryLocationName": "latent-assets", "repositoryName": "__repository__"}
LAUNCH = """mutation($executionParams: ExecutionParams!) {
  launchPipelineExecution(executionParams: $executionParams) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}"""


@dataclass
class Ui:
    """A running `latent-assets ui`."""

    port: int
    data: Path
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def request(
        self,
        method: str,
        path: str,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """As it is given: no header is added but Host, where none is named."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        given = dict(headers or {})
        connection.putrequest(method, path, skip_host="Host" in given, skip_accept_encoding=True)
        if body is not None:
            given["Content-Length"] = str(len(body.encode()))
        for name, value in given.items():
            connection.putheader(name, value)
        connection.endheaders(None if body is None else body.encode())
        answer = connection.getresponse()
        try:
            return answer.status, answer.read()
        finally:
            connection.close()

    def ask(self, query: str, **variables: Any) -> Any:
        """GraphQL, as the pages ask it."""
        body = json.dumps({"query": query, "variables": variables})
        origin = {"Origin": self.url, "Sec-Fetch-Site": "same-origin"}
        status, text = self.request("POST", "/graphql", body, {**JSON, **origin})
        answer = json.loads(text)
        assert status == 200, answer
        assert "errors" not in answer, answer
        return answer["data"]

    def runs(self) -> list[dict[str, Any]]:
        """All runs, the newest first: id, status, walk, who asked for it."""
        found = self.ask(
            "{ runsOrError { ... on Runs { results { runId status tags { key value } } } } }"
        )["runsOrError"]["results"]
        return [
            {
                "id": each["runId"],
                "status": each["status"],
                **{tag["key"].rpartition("/")[2]: tag["value"] for tag in each["tags"]},
            }
            for each in found
        ]

    def render(self, walk: str) -> str:
        """Launch the job of one walk."""
        params = {
            "selector": {**LOCATION, "pipelineName": "render_walk"},
            "mode": "default",
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": walk}]},
        }
        return self.ask(LAUNCH, executionParams=params)["launchPipelineExecution"]["run"]["runId"]

    def wait_for_run(self, run_id: str) -> str:
        """Its status, when it is over."""

        def over() -> str | None:
            found = {each["id"]: each["status"] for each in self.runs()}
            status = found.get(run_id, "")
            return status if status in {"SUCCESS", "FAILURE", "CANCELED"} else None

        return wait_for(over, f"the end of {run_id}")

    def descendants(self) -> list[int]:
        """The processes that this one started, and those that they did, group by group."""
        parents: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
        found, todo = [], [self.process.pid]
        while todo:
            todo += (children := parents.get(todo.pop(), []))
            found += children
        return found


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return False


def wait_for(look: Callable[[], Any], what: str, within_s: float = 240) -> Any:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.3)
    raise AssertionError(f"{what} did not come")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def opened(data: Path, *arguments: str, cwd: Path | None = None) -> Iterator[Ui]:
    """The command on fake models, when its pages are there; ended with the block."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LATENT_ASSETS_")}
    paths = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH", "")]))
    environment = {**kept, "LATENT_ASSETS_DATA": str(data), "PYTHONPATH": paths}
    port, log = free_port(), data.parent / f"{data.name}.log"
    command = [sys.executable, str(TESTS / "fake_ui.py"), "ui", "--port", str(port), "--no-open"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *arguments],
            env=environment, stdout=output, stderr=output, cwd=cwd, start_new_session=True,
        )  # fmt: skip
    ui = Ui(port, data, process, log)

    def up() -> bool:
        assert process.poll() is None, log.read_text()
        with suppress(OSError, http.client.HTTPException):
            return ui.request("GET", "/server_info")[0] in {200, 401}
        return False

    try:
        wait_for(up, f"the web UI ({log})")
        yield ui
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
