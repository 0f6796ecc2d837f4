"""What several walks in one command save: the CPU of `render A B C D` over that of four commands.

    python benchmarks/several_walks.py [--model embedded-fast] [--frames 12] [--rounds 1]

Four walks that share no frame, each an interpolation of its own. "known": in a project that has
rendered before, so how many frames go through the model at once is settled; as every day. "new":
in an empty one. Seconds of the processor, user and system, of the commands and all that they start.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WALKS = ("cat", "apple", "castle", "sunflower")
WALK = """
kind: interpolation
prompts: [a {name}, a butterfly in a meadow]
frames: {frames}
seed: {seed}
model: {model}
"""
SETTLING = 120
"""Frames after which a project knows its batches."""


def project(folder: Path, model: str, frames: int) -> Path:
    """A data folder with the four walks, and one more, of other frames."""
    (folder / "walks").mkdir(parents=True)
    for seed, name in enumerate((*WALKS, "boat")):
        count = frames if name in WALKS else SETTLING
        text = WALK.format(name=name, seed=seed, frames=count, model=model)
        (folder / "walks" / f"{name}.yaml").write_text(text)
    return folder


def render(data: Path, *walks: str) -> float:
    """CPU seconds of the command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [Path(sys.executable).with_name("latent-assets"), "render", *walks],
        env={**os.environ, "LATENT_ASSETS_DATA": str(data)},
        check=True,
        capture_output=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def compare(title: str, project: Path, rounds: int) -> None:
    """Both ways, each in a copy of the project."""
    for number in range(rounds):
        apart, together = (project.with_name(f"{title}-{number}-{way}") for way in ("four", "one"))
        for copy in (apart, together):
            shutil.copytree(project, copy)
        four = [render(apart, walk) for walk in WALKS]
        one = render(together, *WALKS)
        each = " + ".join(f"{seconds:.1f}" for seconds in four)
        further = (one - four[0]) / (len(WALKS) - 1)
        print(
            f"{title}: one command {one:.1f}, four {each} = {sum(four):.1f} CPU s:"
            f" {one / sum(four):.2f}; a further walk {further:.1f}",
            flush=True,
        )


def main() -> None:
    """Compare in a project that knows its batches and in a new one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="embedded-fast")
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        known, new = (
            project(Path(folder) / name, options.model, options.frames) for name in ("known", "new")
        )
        render(known, "boat")
        compare("known", known, options.rounds)
        compare("new", new, options.rounds)


if __name__ == "__main__":
    main()
