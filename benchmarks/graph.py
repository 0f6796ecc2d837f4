"""What the asset graph costs: over the bare render loop, and over a Dagster run that does nothing.

    python benchmarks/graph.py [--frames 60] [--repeats 3]

Renders an embedded walk to a GIF through the graph and, with the same batches, through
`render_frames` and `write_animation` alone, in one process with the model warm, in turn; then runs
the finished walk again, and as many partitioned assets that do nothing. The graph makes previews,
figures, a contact sheet, five checks and the walk's page besides: they count as its cost. Prints
medians and ratios of CPU seconds of this process, threads and all: what others do on the machine
falls out of them.
"""

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import dagster as dg

from latent_assets.media import write_animation
from latent_assets.orchestration.build import build_defs
from latent_assets.orchestration.instance import open_instance
from latent_assets.orchestration.io import NativeIOManager
from latent_assets.rendering import render_frames
from latent_assets.settings import Settings
from latent_assets.store import FrameStore
from latent_assets.studio import Studio
from latent_assets.walks.loading import parse_walk

WALK = """
kind: interpolation
prompts: [a cat, a dog]
frames: {frames}
batch_size: 6
chunk_size: 30
seed: {seed}
model: embedded
"""
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def through_the_graph(studio: Studio, text: str, instance: dg.DagsterInstance) -> tuple[float, int]:
    """CPU seconds of one materialization of every asset; and the number of its steps."""
    (studio.settings.walks_dir / "walk.yaml").write_text(text)
    job = build_defs(studio).resolve_job_def("render_walk")
    started = time.process_time()
    result = job.execute_in_process(instance=instance, partition_key="walk", run_config=QUIET)
    steps = sum(event.event_type_value == "STEP_SUCCESS" for event in result.all_events)
    return time.process_time() - started, steps


def bare_loop(studio: Studio, text: str, store: Path) -> float:
    """CPU seconds from the walk's text to its GIF, without Dagster."""
    studio = replace(studio, frames=FrameStore(store))
    started = time.process_time()
    spec = studio.specify("walk", parse_walk(text, "walk.yaml"))
    recipes = spec.recipes()
    render_frames(studio, recipes, batch_size=6)
    keys = [recipe.key for recipe in recipes]
    write_animation(
        lambda: (frame.pixels for frame in studio.frames.read_many(keys)),
        store / "walk.gif",
        format="gif",
        fps=10,
    )
    return time.process_time() - started


def empty_run(studio: Studio, instance: dg.DagsterInstance, steps: int) -> float:
    """CPU seconds of a Dagster run of as many partitioned assets in a row, of one number."""
    walks = dg.StaticPartitionsDefinition(["walk"])

    def nothing(index: int) -> dg.AssetsDefinition:
        upstream = {"before": dg.AssetIn(f"empty_{index - 1}")} if index else {}

        @dg.asset(name=f"empty_{index}", ins=upstream, partitions_def=walks)
        def empty(**_before: int) -> int:
            return index

        return empty

    defs = dg.Definitions(
        assets=[nothing(index) for index in range(steps)],
        jobs=[dg.define_asset_job("empty")],
        resources={"io_manager": NativeIOManager(studio.settings.dagster_home / "empty")},
        executor=dg.in_process_executor,
    )
    job = defs.resolve_job_def("empty")
    started = time.process_time()
    job.execute_in_process(instance=instance, partition_key="walk", run_config=QUIET)
    return time.process_time() - started


def main() -> None:
    """Measure in turn, print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        settings = Settings(data=data)
        (data / "walks").mkdir()
        studio = Studio.open(settings)
        bare, graph, again, empty = [], [], [], []
        with open_instance(settings) as instance:
            warm = WALK.format(frames=12, seed=999)
            bare_loop(studio, warm, data / "warm")
            for repeat in range(arguments.repeats):
                text = WALK.format(frames=arguments.frames, seed=repeat)
                bare.append(bare_loop(studio, text, data / f"bare-{repeat}"))
                seconds, steps = through_the_graph(studio, text, instance)
                graph.append(seconds)
                again.append(through_the_graph(studio, text, instance)[0])
                empty.append(empty_run(studio, instance, steps))
    ratios = [g / b for g, b in zip(graph, bare, strict=True)]
    extra = [a - e for a, e in zip(again, empty, strict=True)]
    median = statistics.median
    figures = {
        "frames": arguments.frames,
        "bare_loop_s": round(median(bare), 2),
        "graph_s": round(median(graph), 2),
        "graph_over_bare": round(median(ratios), 3),
        "again_s": round(median(again), 2),
        "empty_run_s": round(median(empty), 2),
        "steps": steps,
        "again_minus_empty_s": round(median(extra), 2),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
