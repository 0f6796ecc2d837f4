"""Stable Diffusion 1 on this machine: KerasCV's generate_image, this project, other runtimes.

    python benchmarks/stable_diffusion.py [--other-python PATH] [--write docs/benchmarks.md]

Each contender is a process of its own with the real architecture, random weights and one
thread. They take turns (one call each, then the next round), so that a busy machine disturbs all
alike; what counts are the medians of the ratios within a round, of CPU seconds. `--other-python`
names an interpreter that has torch, diffusers and, if it is to be measured, openvino.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
MARK = "<!-- measured by benchmarks/stable_diffusion.py -->"
GFLOP_PER_GUIDED_STEP = {128: 92.0, 256: 360.0, 512: 1607.0}
"""Of one picture: counted from the architecture (two evaluations)."""
BATCH = 3
CASES = {128: (3, 3), 256: (2, 2)}
"""Size in pixels: denoising steps in a call, rounds."""


class Contender:
    """A worker process; `ask` has it do one thing and returns its answer."""

    def __init__(self, name: str, python: str, script: str, *arguments: str) -> None:
        self.name = name
        one_thread = {
            "OMP_NUM_THREADS": "1",
            "TF_NUM_INTRAOP_THREADS": "1",
            "TF_NUM_INTEROP_THREADS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONPATH": str(ROOT),
        }
        self.process = subprocess.Popen(
            [python, str(HERE / script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **one_thread},
        )

    def ask(self, **request: object) -> dict:
        """One request, one answer, both JSON on a line."""
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with code {self.process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        """Let it end."""
        self.process.stdin.close()
        self.process.wait()


def measure(size: int, contenders: dict) -> dict:
    """Seconds of every contender and round: {name: [CPU seconds per frame and step]}."""
    steps, rounds = CASES[size]
    seconds = {name: [] for name in contenders}
    peaks = []
    for number in range(rounds + 1):
        peak = contenders["ours"].ask(run="gemm")
        log(f"{size} px, round {number}, GEMM: {peak}")
        for name, worker in contenders.items():
            run = name if name in ("keras-cv", "ours") else "steps"
            answer = worker.ask(run=run, size=size, batch=BATCH, steps=steps)
            log(f"{size} px, round {number}, {name}: {answer}")
            if number > 0:  # the first round traces and warms up
                seconds[name].append(answer["cpu"] / BATCH / steps)
        if number > 0:
            peaks.append(peak["gflops"])
    return {"seconds": seconds, "gemm": statistics.median(peaks)}


def rows(size: int, result: dict) -> list[str]:
    """Markdown rows of one size. Who renders is compared with ours, who only steps with that."""
    seconds, gflop = result["seconds"], GFLOP_PER_GUIDED_STEP[size]
    lines = []
    for name, values in seconds.items():
        whole = name in ("keras-cv", "ours")
        base = seconds["ours" if whole else "ours, steps alone"]
        ratio = statistics.median(v / b for v, b in zip(values, base, strict=True))
        share = "" if whole else f"{gflop / statistics.median(values) / result['gemm']:.0%}"
        lines.append(
            f"| {size} | {name} | {statistics.median(values):.2f} | {ratio:.2f} | {share} |"
        )
    lines.append(f"| {size} | GEMM 2048³: {result['gemm']:.1f} GFLOP/s | | | 100% |")
    return lines


def report(results: dict, versions: dict) -> str:
    """The whole section for the docs."""
    head = [
        f"Machine: {platform.processor() or platform.machine()}, {cpu_name()}, one thread;"
        f" Python {platform.python_version()}; "
        + ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
        + f". Batch {BATCH}, guidance 7.5, DDIM; (steps in a call, rounds) by size: {CASES}.",
        "",
        "| px | contender | CPU s per frame and step | ours is faster by | of GEMM peak |",
        "| ---: | --- | ---: | ---: | ---: |",
    ]
    return "\n".join(
        head + [line for size, result in results.items() for line in rows(size, result)]
    )


def cpu_name() -> str:
    """As the kernel tells it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))


def log(text: str) -> None:
    """Progress, apart from the result."""
    print(text, file=sys.stderr, flush=True)


def write(path: Path, text: str) -> None:
    """Put the section between the two marks of a page."""
    before, _, after = path.read_text(encoding="utf-8").split(MARK)
    path.write_text(f"{before}{MARK}\n{text}\n{MARK}{after}", encoding="utf-8")


def main() -> None:
    """Start the contenders, let them take turns, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--other-python", help="an interpreter with torch and diffusers")
    parser.add_argument("--openvino", action="store_true", help="measure OpenVINO too")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--write", type=Path, help="page to write the result into")
    arguments = parser.parse_args()
    ours = Contender("ours", sys.executable, "worker_tensorflow.py")
    contenders = {"keras-cv": ours, "ours": ours, "ours, steps alone": ours}
    if arguments.other_python:
        python = arguments.other_python
        contenders["diffusers, torch eager"] = Contender(
            "torch", python, "worker_torch.py", "eager"
        )
        if arguments.openvino:
            contenders["OpenVINO"] = Contender("openvino", python, "worker_torch.py", "openvino")
    versions = {}
    for worker in contenders.values():
        versions |= worker.ask(run="versions")
    log(str(versions))
    results = {}
    for size in arguments.sizes:
        results[size] = measure(size, contenders)
        log("\n".join(rows(size, results[size])))
    for worker in set(contenders.values()):
        worker.close()
    text = report(results, versions)
    print(text)
    if arguments.write:
        write(arguments.write, text)


if __name__ == "__main__":
    main()
