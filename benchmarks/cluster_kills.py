"""Random kills of workers, daemon, broker and database: what is lost, and what hangs.

    PYTHONPATH=tests python benchmarks/cluster_kills.py [--kills 20] [--walks 8] [--seed 1]

A real Redis and PostgreSQL, Dagster's daemon, which starts the runs of all walks from its queue,
and three workers on a fake model that sleeps a second a frame. What is killed (kill -9) is started
again after 5 s, as systemd or Kubernetes would; nothing else is done to it. Redis comes back empty.
Prints each kill, the seconds from the kill of a worker to the moment when its chunk is taken again,
and in the end what became of every run and frame. Ends with 1 if a frame is missing or a run hangs.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from cluster_servers import Cluster, Postgres, Redis, end
from fakes import fake_studio

from latent_assets.orchestration.instance import open_instance
from latent_assets.settings import Settings
from latent_assets.walks.library import WalkLibrary

KINDS = ("worker",) * 6 + ("child",) * 5 + ("redis",) * 4 + ("daemon",) * 3 + ("postgres",) * 2
BACK_S = 5.0
WORKERS = ("one", "two", "three")
FRAMES, CHUNK = 48, 8
LONGEST_S = 120.0


def _step_of(line: str) -> str:
    """`STEP of WALK (run ID)` of a worker's line."""
    return line.partition(": takes ")[2]


class Trial:
    """A cluster, and what was done to it."""

    def __init__(self, folder: Path, database: Postgres, redis: Redis, seed: int) -> None:
        url = database.url.replace("postgresql:", "postgresql+psycopg2:")
        self.cluster = Cluster(folder, redis, {"LATENT_ASSETS_DATABASE": url})
        self.cluster.environment["SECONDS_A_FRAME"] = "1"
        self.cluster.environment["DAGSTER_HOME"] = str(folder / "dagster-cluster")
        self.database, self.redis, self.random = database, redis, random.Random(seed)
        self.daemon: subprocess.Popen | None = None
        self.reruns: list[float] = []
        self.later: list[float] = []
        """Of chunks whose overseer was killed too."""
        self.began = time.monotonic()
        self.settings = Settings.from_environment(self.cluster.variables({}))

    def say(self, what: str) -> None:
        """A line, with the time."""
        print(f"{time.monotonic() - self.began:6.1f} s  {what}", flush=True)

    def start_daemon(self) -> None:
        """Which starts runs from the queue."""
        program = str(Path(sys.executable).with_name("dagster-daemon"))
        self.daemon = self.cluster.start([program, "run", "-m", "fake_cluster"], "daemon", {})

    def queue_walks(self, count: int) -> None:
        """Their runs wait for the daemon."""
        for number in range(count):
            # Other frames in each: the walks share none.
            self.cluster.walk(f"walk-{number}", frames=FRAMES, chunk_size=CHUNK, seed=number)
        # Not as one backfill: a run of a backfill whose runs are all queued is not begun anew.
        program = str(Path(sys.executable).with_name("dagster"))
        command = [program, "job", "launch", "-m", "fake_cluster", "-j", "render_walk", "--tags"]
        queued = []
        for number in range(count):
            tags = json.dumps({"dagster/partition": f"walk-{number}"})
            queued.append(self.cluster.start([*command, tags], "launch", {}))
        assert all(each.wait(600) == 0 for each in queued), self.cluster.log("launch")[-2000:]

    def taken(self) -> Counter:
        """How often each chunk was taken, `STEP of WALK`."""
        return Counter(
            _step_of(line)
            for name in WORKERS
            for line in self.cluster.log(name).splitlines()
            if ": takes " in line
        )

    def at_work(self, name: str) -> str:
        """The chunk that a worker has in hand; empty if none."""
        took = ""
        for line in self.cluster.log(name).splitlines():
            if ": takes " in line:
                took = _step_of(line)
            elif took.partition(" (run ")[0] in line or line.endswith(": ready"):
                took = ""
        return took if took.startswith("frames.render_chunk") else ""

    def is_taken_again(self, step: str, before: Counter) -> bool:
        """By the same run, or by the one that took its place."""
        chunk, now = step.partition(" (run ")[0], self.taken()
        return any(
            count > before[name] for name, count in now.items() if name.startswith(f"{chunk} (run ")
        )

    def busy(self) -> list[str]:
        """The workers that have a chunk in hand; waits a while until there is one."""
        until = time.monotonic() + LONGEST_S
        while time.monotonic() < until:
            if found := [name for name in WORKERS if self.at_work(name)]:
                return found
            time.sleep(0.2)
        return []

    def kill(self, kind: str) -> None:
        """One of `KINDS`; it is started again."""
        if kind in {"worker", "child"}:
            self.kill_worker(kind)
        elif kind == "redis":
            self.say("Redis, which comes back empty")
            self.redis.stop(signal.SIGKILL)
            time.sleep(BACK_S)
            self.redis.start()
        elif kind == "postgres":
            self.say("PostgreSQL, at once")
            self.database.stop()
            time.sleep(BACK_S)
            self.database.start()
        else:
            assert self.daemon is not None
            self.say("the daemon, with the processes that oversee its runs")
            end(self.daemon, signal.SIGKILL)
            time.sleep(BACK_S)
            self.start_daemon()

    def kill_worker(self, kind: str) -> None:
        """A busy one, if there is any; waits until its chunk is taken again."""
        busy = self.busy()
        name = self.random.choice(busy or list(WORKERS))
        step, before = self.at_work(name), self.taken()
        process = self.cluster.workers[name]
        if kind == "child":
            children = subprocess.run(
                ["ps", "-o", "pid=,args=", "--ppid", str(process.pid)],
                capture_output=True,
                text=True,
                check=False,
            ).stdout
            for line in children.splitlines():
                if "tracker" not in line:
                    with suppress(ProcessLookupError):
                        os.kill(int(line.split()[0]), signal.SIGKILL)
        else:
            end(process, signal.SIGKILL)
        killed = time.monotonic()
        self.say(f"{'the child of ' if kind == 'child' else ''}worker {name}, at {step or 'rest'}")
        while time.monotonic() - killed < LONGEST_S:
            if process.poll() is not None and time.monotonic() - killed > BACK_S:
                process = self.cluster.worker(name, "gpu", "cpu", wait=False)
            if not step or self.is_taken_again(step, before):
                break
            time.sleep(0.1)
        if step:
            took, same = time.monotonic() - killed, self.taken()[step] > before[step]
            (self.reruns if same else self.later).append(took)
            how = "again" if same else "by the next run, the overseer was gone too, or not at all,"
            self.say(f"  {step} is taken {how} after {took:.1f} s")
        if process.poll() is not None:
            self.cluster.worker(name, "gpu", "cpu", wait=False)

    def wait_for_runs(self, deadline_s: float) -> Counter:
        """States of the runs when all have ended, or at the deadline."""
        until = time.monotonic() + deadline_s
        states: Counter = Counter()
        while time.monotonic() < until:
            with open_instance(self.settings) as instance:
                runs = instance.get_runs()
                states = Counter(run.status.value for run in runs)
                if all(run.is_finished for run in runs) and not self.is_to_be_retried(runs):
                    break
            time.sleep(5)
        return states

    @staticmethod
    def is_to_be_retried(runs: list) -> bool:
        """Whether the daemon is still to begin a run anew."""
        retried = {run.parent_run_id for run in runs}
        return any(
            run.tags.get("dagster/will_retry") == "true" and run.run_id not in retried
            for run in runs
        )

    def missing(self) -> int:
        """Frames of all walks that are not in the store."""
        studio, absent = fake_studio(self.settings.data, settings=self.settings), 0
        library = WalkLibrary(self.settings.walks_dir)
        for name in library.names():
            walk = library.load(name)
            keys = [recipe.key for recipe in studio.specify(name, walk).recipes()]
            absent += len(set(keys)) - len(studio.frames.contains(keys))
        return absent

    def close(self) -> None:
        """Ends all processes."""
        if self.daemon is not None:
            end(self.daemon, signal.SIGKILL)
        self.cluster.close()


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--walks", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=8.0, help="between kills, in the mean")
    parser.add_argument("--deadline", type=float, default=900.0, help="for the runs, afterwards")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` ignores it
    folder = Path(tempfile.mkdtemp(prefix="latent-assets-kills-"))
    redis = Redis(folder / "redis")
    database = Postgres(folder.with_name(folder.name + "-pg"))
    redis.start()
    database.start()
    trial = Trial(folder / "data", database, redis, chosen.seed)
    try:
        for name in WORKERS:
            trial.cluster.worker(name, "gpu", "cpu", wait=False)
        for name in WORKERS:
            trial.cluster.wait_for(name, "ready")
        trial.start_daemon()
        trial.queue_walks(chosen.walks)
        trial.say(f"{chosen.walks} walks of {FRAMES} frames are queued")
        while not any(map(trial.at_work, WORKERS)):
            time.sleep(0.5)
        kinds = list(KINDS)
        trial.random.shuffle(kinds)
        for number in range(chosen.kills):
            time.sleep(trial.random.uniform(0.5, 1.5) * chosen.pause)
            print(f"kill {number + 1}: ", end="")
            trial.kill(kinds[number % len(kinds)])
        states = trial.wait_for_runs(chosen.deadline)
        hung = sum(states[state] for state in states if state not in {"SUCCESS", "FAILURE"})
        missing = trial.missing()
        reruns = sorted(trial.reruns)
        trial.say(f"runs: {dict(states)}; that did not end: {hung}; frames missing: {missing}")
        if reruns:
            middle = reruns[len(reruns) // 2]
            print(
                f"chunk taken again after kill -9: median {middle:.1f} s, most {reruns[-1]:.1f} s"
            )
        return 1 if hung or missing else 0
    finally:
        trial.close()
        redis.stop()
        database.stop()
        print(f"logs: {trial.cluster.data}")
        shutil.rmtree(database.folder, ignore_errors=True)
        database.folder.with_name(database.folder.name + "-password").unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
