"""A cluster on real servers of loopback, and what is measured of it."""

import itertools
import os
import shutil
import time
from pathlib import Path

import psutil
import sqlalchemy
from cluster_servers import Cluster, Postgres, Redis, end

from latent_assets.orchestration.instance import open_instance
from latent_assets.settings import Settings

AT_ONCE = 3
CHUNK = "frames.render_chunk["


class Deployment:
    """Redis, PostgreSQL, workers and runs."""

    def __init__(self, folder: Path) -> None:
        self.redis, self.database = Redis(folder / "redis"), Postgres(Path(f"{folder}-pg"))
        self.redis.start()
        self.database.start()
        url = self.database.url.replace("postgresql:", "postgresql+psycopg2:")
        self.cluster = Cluster(folder / "data", self.redis, {"LATENT_ASSETS_DATABASE": url})
        self.settings = Settings.from_environment(self.cluster.variables({}))
        self.engine = sqlalchemy.create_engine(url)
        self.walks = 0

    def ask(self, question: str) -> float:
        """A number from PostgreSQL."""
        with self.engine.connect() as connection:
            return float(connection.execute(sqlalchemy.text(question)).scalar() or 0)

    def bytes_of_records(self) -> float:
        """What Dagster's records take on the disk."""
        return self.ask("select pg_database_size(current_database())")

    def workers(self, *names: str, **more: str) -> None:
        """Start them, and wait until they take steps."""
        for name in names:
            self.cluster.worker(name, "gpu", "cpu", wait=False, **more)
        for name in names:
            self.cluster.wait_for(name, "ready")

    def leave(self) -> None:
        """Ends the workers."""
        for process in self.cluster.workers.values():
            end(process)
        self.cluster.workers.clear()

    def cpu_of_workers(self) -> float:
        """CPU seconds of the workers and their children so far."""
        spent = 0.0
        for process in self.cluster.workers.values():
            parent = psutil.Process(process.pid)
            for each in (parent, *parent.children(recursive=True)):
                spent += sum(each.cpu_times()[:2])
        return spent

    def run_all(self, names: list[str]) -> list[float]:
        """A run for each walk, a few at a time. Returns the CPU seconds of each overseer."""
        spent, waiting, running = [], list(names), []
        while waiting or running:
            while waiting and len(running) < AT_ONCE:
                name = waiting.pop(0)
                running.append((name, self.cluster.render(name)))
            for name, process in list(running):
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    process.returncode = os.waitstatus_to_exitcode(status)
                    assert process.returncode == 0, self.cluster.log(f"run-{name}")[-2000:]
                    spent.append(usage.ru_utime + usage.ru_stime)
                    running.remove((name, process))
            time.sleep(0.2)
        return spent

    def chunks(self, run_id: str | None = None) -> list[tuple[str, float, float]]:
        """(worker, taken, done) of each chunk, in epoch seconds, in order."""
        found = []
        with open_instance(self.settings) as instance:
            for run in instance.get_runs():
                if run_id is not None and run.run_id != run_id:
                    continue
                began: dict[str, tuple[str, float]] = {}
                for entry in instance.all_logs(run.run_id):
                    event = entry.dagster_event
                    if event is None or not (event.step_key or "").startswith(CHUNK):
                        continue
                    if event.event_type_value == "STEP_WORKER_STARTED":
                        worker = event.engine_event_data.metadata["worker"].value
                        began[str(event.step_key)] = (str(worker), entry.timestamp)
                    elif event.is_step_success:
                        found.append((*began[str(event.step_key)], entry.timestamp))
        return sorted(found, key=lambda each: each[1])

    def close(self) -> None:
        """Ends all."""
        self.cluster.close()
        self.engine.dispose()
        self.redis.stop()
        self.database.stop()
        shutil.rmtree(self.database.folder, ignore_errors=True)
        Path(f"{self.database.folder}-password").unlink(missing_ok=True)


def gaps(chunks: list[tuple[str, float, float]]) -> list[float]:
    """Seconds between the end of a chunk and the beginning of the same worker's next one."""
    found = []
    for worker in {worker for worker, _, _ in chunks}:
        its = [(taken, done) for name, taken, done in chunks if name == worker]
        found += [after[0] - before[1] for before, after in itertools.pairwise(its)]
    return found
