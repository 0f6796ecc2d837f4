"""What many walks, many workers and many frames cost.

    PYTHONPATH=tests python benchmarks/scale.py [plan] [drain] [two] [queries] [s3] [--walks 200]

- plan: a thousand walks of 150 frames, planned against an empty store.
- drain: walks of 20 frames on a fake model, by two workers, a few runs at a time: CPU seconds of a
  run's overseer and of a step, and what a walk adds to PostgreSQL.
- two: one walk in chunks of 20 s, asleep, by one worker and by two; the gaps between chunks.
- queries: what Dagster's pages ask, with the records of `drain` copied to a thousand runs.
- s3: a walk of 1,000 frames planned against 100,000 in an object store that answers after 20 ms.

Redis and PostgreSQL are real; S3 is `presence.py`, since moto takes 4 ms of CPU for each answer.
CPU seconds are of the processes themselves; wall seconds depend on what else the machine does.
"""

import argparse
import hashlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy
from cluster_servers import answers, end, free_port, wait_until
from deployment import AT_ONCE, Deployment, gaps
from fakes import fake_studio

from latent_assets.orchestration.instance import open_instance
from latent_assets.settings import Settings
from latent_assets.walks.schema import WALK_ADAPTER

PARTS = ("plan", "drain", "two", "queries", "s3")
COPIED_RUNS = 1_000
S3_LATENCY_S = 0.02


def plan(count: int = 1_000) -> None:
    """CPU seconds of planning so many walks of 150 frames."""
    with tempfile.TemporaryDirectory() as folder:
        studio = fake_studio(Path(folder))
        started = time.process_time()
        for number in range(count):
            walk = {"kind": "interpolation", "prompts": ["a cat", "a dog"], "frames": 150}
            spec = studio.specify(f"walk-{number}", WALK_ADAPTER.validate_python(walk))
            assert studio.plan(spec).to_render == 150  # noqa: PLR2004
        spent = time.process_time() - started
    print(
        f"plan: {count} walks of 150 frames: {spent:.1f} CPU s, {1e3 * spent / count:.1f} ms a walk"
    )


def drain(deployment: Deployment, walks: int, frames: int) -> None:
    """So many walks by two workers."""
    names = [f"walk-{number}" for number in range(walks)]
    for number, name in enumerate(names):
        deployment.cluster.walk(name, frames=frames, chunk_size=frames // 4, seed=number)
    deployment.workers("one", "two")
    deployment.run_all(names[:1])  # tables, definitions: warm
    before, cpu, began = (
        deployment.bytes_of_records(),
        deployment.cpu_of_workers(),
        time.monotonic(),
    )
    overseers = deployment.run_all(names[1:])
    wall, cpu = time.monotonic() - began, deployment.cpu_of_workers() - cpu
    steps = deployment.ask(
        "select count(*) from event_logs where dagster_event_type='STEP_SUCCESS'"
    )
    steps *= (walks - 1) / walks
    events = deployment.ask("select count(*) from event_logs") / walks
    size = (deployment.bytes_of_records() - before) / (walks - 1)
    deployment.walks = walks
    deployment.leave()
    count = walks - 1
    print(f"drain: {count} walks of {frames} frames, {AT_ONCE} at a time: {wall:.0f} s of wall,")
    print(f"  {60 * count / wall:.1f} walks a minute")
    print(f"  overseer {statistics.median(overseers):.1f} CPU s a run, its start included")
    print(f"  workers {cpu / count:.1f} CPU s a run of {steps / count:.0f} steps,", end=" ")
    print(f"{cpu / steps:.2f} a step")
    print(f"  PostgreSQL {size / 1024:.0f} kB and {events:.0f} events a walk")


def two(deployment: Deployment, seconds: float, count: int) -> None:
    """One walk in so many chunks of so many seconds, by one worker and by two."""
    spans = {}
    for workers in (("one",), ("one", "two")):
        name = f"long-{len(workers)}"
        each = {"SECONDS_A_FRAME": str(seconds / 10)}
        deployment.cluster.walk(name, frames=10 * count, chunk_size=10, seed=len(workers))
        deployment.workers(*workers, **each)
        run = deployment.cluster.render(name)
        result = deployment.cluster.result(run, name, deadline_s=60 + 4 * seconds * count)
        assert result["success"], result
        chunks = deployment.chunks(result["run"])
        spans[len(workers)] = max(done for *_, done in chunks) - chunks[0][1]
        between = gaps(chunks)
        deployment.leave()
        print(f"two: {len(workers)} worker(s), {count} chunks of {seconds:.0f} s asleep:", end=" ")
        print(f"{spans[len(workers)]:.1f} s; gaps between chunks: median", end=" ")
        print(f"{statistics.median(between):.2f} s, most {max(between):.2f}")
    print(f"  two workers are {spans[1] / spans[2]:.2f} times as fast as one")


def queries(deployment: Deployment) -> None:
    """What Dagster's pages ask, with the records there are copied to a thousand runs."""
    import dagster as dg

    engine = deployment.engine
    runs = deployment.ask("select count(*) from runs")
    copies = max(0, round(COPIED_RUNS / runs) - 1)
    with engine.begin() as connection:

        def columns(table: str) -> list[str]:
            rows = connection.execute(
                sqlalchemy.text(
                    "select column_name from information_schema.columns where table_name=:table"
                    " and column_name <> 'id' and is_generated = 'NEVER'"
                ),
                {"table": table},
            )
            return [row[0] for row in rows]

        new_run = "md5(t.run_id || n)::uuid::text"
        chosen = {
            "run_id": new_run,
            "partition": "t.partition || '-' || n",
            "event": f"replace(t.event, t.run_id, {new_run})",
            "run_body": f"replace(t.run_body, t.run_id, {new_run})",
        }
        for table in ("runs", "run_tags", "event_logs"):
            copy = f"create temp table old_{table} as select * from {table}"
            connection.execute(sqlalchemy.text(copy))
            names = columns(table)
            values = ", ".join(chosen.get(name, f't."{name}"') for name in names)
            listed = ", ".join(f'"{name}"' for name in names)
            insert = (
                f"insert into {table} ({listed}) select {values} from old_{table} t,"
                f" generate_series(1, {copies}) n"
            )
            connection.execute(sqlalchemy.text(insert))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sqlalchemy.text("analyze"))
    events = deployment.ask("select count(*) from event_logs")
    total = deployment.ask("select count(*) from runs")
    size = deployment.bytes_of_records()
    print(f"queries: {total:.0f} runs, {events:.0f} events, {size / 2**20:.0f} MiB of PostgreSQL")
    with open_instance(deployment.settings) as instance:
        last = instance.get_runs(limit=1)[0].run_id
        frames = dg.AssetKey("frames")
        asked: dict[str, Callable[[], object]] = {
            "list of runs, a page of 25": lambda: instance.get_run_records(limit=25),
            "runs that go on": lambda: instance.get_runs_count(
                dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
            ),
            "page of a run, its events": lambda: instance.get_records_for_run(last, limit=1_000),
            "page of an asset, its last 50": lambda: instance.fetch_materializations(frames, 50),
            "partitions of an asset": lambda: instance.get_materialized_partitions(frames),
            "all assets, their last records": instance.get_asset_records,
        }
        for name, ask in asked.items():
            took = []
            for _ in range(5):
                started = time.perf_counter()
                ask()
                took.append(time.perf_counter() - started)
            print(f"  {name}: {1e3 * statistics.median(took):.0f} ms")


@contextmanager
def presence(keys: list[str]) -> Iterator[str]:
    """An S3 that only knows whether a frame is one of these. Yields its URL."""
    port = free_port()
    script = Path(__file__).with_name("presence.py")
    command = [sys.executable, str(script), str(port), str(S3_LATENCY_S)]
    server = subprocess.Popen(command, start_new_session=True, stdin=subprocess.PIPE, text=True)
    assert server.stdin is not None
    server.stdin.write("\n".join(f"frames/frames/{key[:2]}/{key}.png" for key in keys))
    server.stdin.close()
    try:
        wait_until(lambda: answers(port), "the server listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        end(server)


def s3(stored: int = 100_000, asked: int = 1_000) -> None:
    """Plan a walk that has every second frame in an object store."""
    walk = {"kind": "interpolation", "prompts": ["a cat", "a dog"], "frames": asked}
    with tempfile.TemporaryDirectory() as folder:
        spec = fake_studio(Path(folder)).specify("walk", WALK_ADAPTER.validate_python(walk))
        there = [recipe.key for recipe in spec.recipes()][::2]
        others = range(stored - len(there))
        keys = [*there, *(hashlib.sha256(str(each).encode()).hexdigest() for each in others)]
        with presence(keys) as url:
            os.environ |= {"AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "us-east-1"}
            os.environ |= {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
            settings = Settings(data=Path(folder), store="s3://walks/frames")
            studio = fake_studio(Path(folder), settings=settings)
            studio.frames.contains(there[:1])  # connected
            for _ in range(3):
                wall, cpu = time.perf_counter(), time.process_time()
                planned = studio.plan(spec)
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                assert planned.cached == len(there)
                print(f"s3: a walk of {asked} frames planned against {stored} stored:", end=" ")
                print(f"{cpu:.2f} CPU s, {wall:.2f} s of wall")


def main() -> None:
    """Runs the parts that were asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=PARTS, help=", ".join(PARTS))
    parser.add_argument("--walks", type=int, default=200, help="of drain")
    parser.add_argument("--frames", type=int, default=20, help="of each")
    parser.add_argument("--seconds", type=float, default=20.0, help="of a chunk of two")
    parser.add_argument("--chunks", type=int, default=8, help="of two")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` ignores it
    if "plan" in chosen.parts:
        plan()
    if "s3" in chosen.parts:
        s3()
    if not {"drain", "two", "queries"} & set(chosen.parts):
        return
    folder = Path(tempfile.mkdtemp(prefix="latent-assets-scale-"))
    deployment = Deployment(folder)
    try:
        if {"drain", "queries"} & set(chosen.parts):
            drain(deployment, chosen.walks, chosen.frames)
        if "two" in chosen.parts:
            two(deployment, chosen.seconds, chosen.chunks)
        if "queries" in chosen.parts:
            queries(deployment)
    finally:
        deployment.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
