"""Terminate runs of a real `latent-assets ui` at random moments, and see that nothing is lost.

    python scripts/terminate_at_random.py FOLDER [--moments 20] [--frames 24] [--seed 10]

FOLDER must not exist. Each moment has a walk of its own on the embedded model's fast edition. Its
run is launched over GraphQL, as the pages do, and terminated when its process has used so much
processor time: at a random share of what a whole run uses, so that the moments fall into all
stages. Then each walk is rendered by the command, in FOLDER/data and in FOLDER/undisturbed, which
nobody terminated. Said for each moment: the stage, the frames stored before and after, the
processor time from the request to the end, in seconds and less that of one batch. Exit code 1 if a
run was not CANCELED (or had ended before), a frame was lost, or a file is another. Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

WALK = """\
kind: interpolation
prompts: [a cat on the beach, a red balloon]
frames: {frames}
seed: {seed}
chunk_size: 8
batch_size: 2
model: embedded-fast
output: {{formats: [gif, mp4], ping_pong: true, upscale: 2}}
"""
LAUNCH = """mutation($executionParams: ExecutionParams!) {
  launchPipelineExecution(executionParams: $executionParams) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}"""
TERMINATE = """mutation($runId: String!) {
  terminateRun(runId: $runId) {
    __typename ... on TerminateRunFailure { message } ... on PythonError { message }
  }
}"""
LOOK = """query($runId: ID!) {
  runOrError(runId: $runId) { ... on Run { status } }
  logsForRun(runId: $runId, limit: 2000) {
    ... on EventConnection { events { __typename ... on MessageEvent { message stepKey } } }
  }
}"""
COMMAND = "from latent_assets.cli import main; main()"
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
STARTED = re.compile(r"Started process for run \(pid: (\d+)\)")
WITHIN_S = 900
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Web:
    """A running `latent-assets ui`, asked as its pages ask it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, query: str, **variables: Any) -> Any:
        """The answer's data."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        kind = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._url}/graphql", body, kind)
        with urllib.request.urlopen(request, timeout=120) as response:
            return json.load(response)["data"]

    def launch(self, walk: str) -> str:
        """The run's id."""
        params = {
            "selector": {
                "repositoryLocationName": "latent-assets",
                "repositoryName": "__repository__",
                "pipelineName": "render_walk",
            },
            "mode": "default",
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": walk}]},
        }
        answer = self.ask(LAUNCH, executionParams=params)["launchPipelineExecution"]
        return answer["run"]["runId"]

    def terminate(self, run_id: str) -> str:
        """What it says."""
        return self.ask(TERMINATE, runId=run_id)["terminateRun"]["__typename"]

    def look(self, run_id: str) -> tuple[str, list[dict[str, Any]]]:
        """Its status and its events."""
        found = self.ask(LOOK, runId=run_id)
        return found["runOrError"]["status"], found["logsForRun"]["events"]


def wait_for(look: Callable[[], Any], poll_s: float = 0.05) -> Any:
    """What it finds. Raises TimeoutError."""
    end = time.monotonic() + WITHIN_S
    while time.monotonic() < end:
        if (found := look()) is not None:
            return found
        time.sleep(poll_s)
    raise TimeoutError


def cpu_s(pid: int) -> float | None:
    """The processor time of a process; None once it is over."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else (int(fields[11]) + int(fields[12])) * TICK_S


def environment(data: Path) -> dict[str, str]:
    """Of a process on this data folder."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LATENT_ASSETS_")}
    return {**kept, "LATENT_ASSETS_DATA": str(data)}


@contextlib.contextmanager
def served(data: Path) -> Iterator[Web]:
    """`latent-assets ui`, until the end of the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", COMMAND]
    with (data.parent / "ui.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "ui", "--no-open", "--port", str(port)],
            env=environment(data), stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            wait_for(lambda: "http://127.0.0.1" in (data.parent / "ui.log").read_text() or None)
            yield Web(f"http://127.0.0.1:{port}")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def stored(data: Path, walk: str) -> set[str]:
    """The keys of its frames that are in the store."""
    from latent_assets.settings import Settings
    from latent_assets.studio import Studio
    from latent_assets.walks.loading import load_walk

    studio = Studio.open(Settings(data=data))
    spec = studio.specify(walk, load_walk(data / "walks" / f"{walk}.yaml"))
    keys = {recipe.key for recipe in spec.recipes()}
    return keys - set(studio.frames.check(keys))


def started(web: Web, run_id: str) -> int | None:
    """The process of a run, once it is there; 0 if it ended without one."""
    status, events = web.look(run_id)
    found = next((f for e in events if (f := STARTED.search(e["message"]))), None)
    return int(found[1]) if found else 0 if status in ENDED else None


def stage(events: list[dict[str, Any]]) -> str:
    """The step that began last."""
    steps = [e["stepKey"] for e in events if e["__typename"] == "ExecutionStepStartEvent"]
    return str(steps[-1]) if steps else "before the first step"


def until_over(pid: int, least: float = float("inf")) -> float:
    """Wait until a process has used so much, or is over; what it had used when last seen."""
    used = 0.0

    def look() -> bool | None:
        nonlocal used
        now = cpu_s(pid)
        used = used if now is None else now
        return True if now is None or now >= least else None

    wait_for(look, 0.01)
    return used


def terminated(web: Web, run_id: str) -> str:
    """What Dagster says; a run that is starting cannot be terminated yet, so it is asked again."""

    def ask() -> str | None:
        said = web.terminate(run_id)
        starting = said == "TerminateRunFailure" and web.look(run_id)[0] not in ENDED
        return None if starting else said

    return wait_for(ask, 0.5)


def disturb(web: Web, data: Path, walk: str, after_s: float) -> dict[str, Any]:
    """Launch the walk's run, terminate it when it has used so much, and see what becomes of it."""
    run_id = web.launch(walk)
    pid = wait_for(lambda: started(web, run_id)) if after_s > 0 else 0
    before = until_over(pid, after_s) if pid else 0.0
    _status, events = web.look(run_id)
    frames, asked_at = stored(data, walk), time.monotonic()
    before = (cpu_s(pid) if pid else None) or before
    said = terminated(web, run_id)
    used = max(0.0, until_over(pid) - before) if pid else 0.0
    process_s = time.monotonic() - asked_at
    status = wait_for(lambda: ((s := web.look(run_id)[0]) in ENDED and s) or None)
    after = stored(data, walk)
    return {
        "walk": walk,
        "after_s": round(before, 2),
        "stage": stage(events),
        "said": said,
        "status": status,
        "stored": [len(frames), len(after)],
        "kept": frames <= after,
        "cpu_s": round(used, 2),
        "wall_s": round(process_s, 1),
        "left": [str(path) for path in (data / "outputs").rglob(".tmp-*")],
    }


def render(data: Path, walk: str) -> dict[str, Any]:
    """The walk by the command: what it says."""
    answer = subprocess.run(
        [sys.executable, "-c", COMMAND, "render", walk, "--json"],
        env=environment(data), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(answer.stdout)


def files(data: Path, walk: str) -> dict[str, bytes]:
    """But those that tell each frame's seconds."""
    return {
        path.name: path.read_bytes()
        for path in (data / "outputs" / walk).rglob("*")
        if path.is_file() and path.name not in {"details.js", "page.json", "index.html"}
    }


def judge(row: dict[str, Any], again: dict[str, Any], frames: int, same: bool) -> bool:
    """Whether all held that must; fills in what was found."""
    row["next"] = [again["rendered"], again["reused"]]
    row["equal"] = same
    status_right = row["status"] == "CANCELED" or row["said"] != "TerminateRunSuccess"
    status_right |= row["status"] == "SUCCESS" and row["stored"][1] == frames
    whole = row["next"] == [frames - row["stored"][1], row["stored"][1]]
    return bool(status_right and row["kept"] and whole and same and not row["left"])


def main() -> None:
    """See the module's head."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--seed", type=int, default=10)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    walks = [f"moment-{number:02}" for number in range(asked.moments)]
    datas = [asked.folder / name for name in ("data", "undisturbed")]
    for data in datas:
        (data / "walks").mkdir(parents=True)
        for seed, walk in enumerate(["usual", *walks]):
            text = WALK.format(frames=asked.frames, seed=seed)
            (data / "walks" / f"{walk}.yaml").write_text(text)
    data, undisturbed = datas
    rows = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the UI ends too
    with served(data) as web:
        run_id = web.launch("usual")
        usual_s = until_over(wait_for(lambda: started(web, run_id)))
        print(f"a whole run: {web.look(run_id)[0]}, {usual_s:.1f} s of processor time", flush=True)
        for number, walk in enumerate(walks):
            # A stratified choice: no stage is left out by chance. The first waits in the queue.
            share = (number + chance.random()) / asked.moments
            rows.append(disturb(web, data, walk, share * usual_s if number else 0))
            print(json.dumps(rows[-1]), flush=True)
    good = []
    for walk, row in zip(walks, rows, strict=True):
        again, expected = render(data, walk), render(undisturbed, walk)
        assert expected["rendered"] == asked.frames
        good.append(judge(row, again, asked.frames, files(data, walk) == files(undisturbed, walk)))
        print("good" if good[-1] else "WRONG", json.dumps(row), flush=True)
    print(f"{sum(good)} of {len(good)} good")
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
