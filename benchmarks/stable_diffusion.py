"""Stable Diffusion 1 on this machine: KerasCV's generate_image, this project, other runtimes.

    python benchmarks/stable_diffusion.py [--other-python PATH [--others eager compiled openvino]]
                                          [--write docs/benchmarks.md]

The real architecture with random weights and one thread, TensorFlow and torch in a process each
(some 20 GB together). The contenders take turns (one call each, then the next round), so that a
busy machine disturbs all alike; what counts are the medians of the ratios within a round, of CPU
seconds. `--other-python` names an interpreter that has torch, diffusers and what `--others` needs.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import textwrap
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
MARK = "<!-- measured by benchmarks/stable_diffusion.py -->"
GFLOP_PER_GUIDED_STEP = {128: 92.0, 256: 360.0, 512: 1607.0}
"""Of one picture: counted from the architecture (two evaluations)."""
BATCH = 3
COLUMNS = 100
CASES = {128: (3, 3), 256: (2, 2)}
"""Size in pixels: denoising steps in a call, rounds."""
TITLES = {
    "keras_cv": "keras-cv",
    "ours": "ours",
    "steps": "ours, steps alone",
    "eager": "diffusers, torch eager",
    "compiled": "diffusers, torch.compile",
    "openvino": "diffusers, OpenVINO",
}
"""What a worker can run, and its name in the table."""
WHOLE = ("keras_cv", "ours")
"""Those that render whole pictures; the others take guided steps alone."""
EQUAL_DISTANCE = {
    "keras_cv": {"steps": 25},
    "ours": {"steps": 15, "sampler": "dpm++2m", "spacing": "karras"},
}
"""Calls that come equally near the limit of many steps (`samplers.py`)."""
EQUAL_DISTANCE_PX = 128


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


def measure(size: int, contenders: dict[str, Contender]) -> dict:
    """Seconds of every contender and round: {run: [CPU seconds per frame and step]}."""
    steps, rounds = CASES[size]
    seconds = {run: [] for run in contenders}
    peaks = []
    for number in range(rounds + 1):
        peak = contenders["ours"].ask(run="gemm")
        log(f"{size} px, round {number}, GEMM: {peak}")
        for run, worker in contenders.items():
            answer = worker.ask(run=run, size=size, batch=BATCH, steps=steps)
            log(f"{size} px, round {number}, {run}: {answer}")
            if number > 0:  # the first round traces and warms up
                seconds[run].append(answer["cpu"] / BATCH / steps)
        if number > 0:
            peaks.append(peak["gflops"])
    return {"seconds": seconds, "gemm": statistics.median(peaks)}


def rows(size: int, result: dict) -> list[str]:
    """Markdown rows of one size. Who renders is compared with ours, who only steps with that."""
    seconds, gflop = result["seconds"], GFLOP_PER_GUIDED_STEP[size]
    lines = []
    for run, values in seconds.items():
        base = seconds["ours" if run in WHOLE else "steps"]
        ratio = statistics.median(v / b for v, b in zip(values, base, strict=True))
        share = "" if run in WHOLE else f"{gflop / statistics.median(values) / result['gemm']:.0%}"
        lines.append(
            f"| {size} | {TITLES[run]} | {statistics.median(values):.2f} | {ratio:.2f} | {share} |"
        )
    lines.append(f"| {size} | GEMM 2048³: {result['gemm']:.1f} GFLOP/s | | | 100% |")
    return lines


def measure_equal_distance(worker: Contender) -> str:
    """One call of each way to equally good pictures; a sentence with the ratio."""
    seconds = {}
    for run, options in EQUAL_DISTANCE.items():
        answer = worker.ask(run=run, size=EQUAL_DISTANCE_PX, batch=BATCH, **options)
        log(f"equal distance, {run} {options}: {answer}")
        seconds[run] = answer["cpu"] / BATCH
    ratio = seconds["keras_cv"] / seconds["ours"]
    return (
        f"At equal distance, {EQUAL_DISTANCE_PX} px, batch {BATCH}: 25 DDIM steps of"
        f" `generate_image` take {seconds['keras_cv']:.1f} CPU s a frame, 15 steps of ours"
        f" (dpm++2m, karras) {seconds['ours']:.1f}: **{ratio:.2f} times** as fast."
    )


def report(results: dict, equal_distance: str, versions: dict) -> str:
    """The whole section for the docs."""
    cases = "; ".join(
        f"{CASES[size][0]} steps in a call and {CASES[size][1]} rounds at {size} px"
        for size in results
    )
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    machine = (
        f"Machine: {platform.machine()}, {cpu_name()}, one thread each; Python"
        f" {platform.python_version()}; {libraries}. Batch {BATCH}, guidance 7.5, DDIM; {cases},"
        " after one to warm up."
    )
    head = [
        textwrap.fill(machine, COLUMNS),
        "",
        "| px | contender | CPU s per frame and step | ours is faster by | of GEMM peak |",
        "| ---: | --- | ---: | ---: | ---: |",
    ]
    body = [line for size, result in results.items() for line in rows(size, result)]
    closing = textwrap.fill(equal_distance, COLUMNS)
    return "\n".join([*head, *body, "", closing]).rstrip()


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
    parser.add_argument(
        "--others", nargs="+", default=["eager"], choices=["eager", "compiled", "openvino"]
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256], choices=list(CASES))
    parser.add_argument("--write", type=Path, help="page to write the result into")
    arguments = parser.parse_args()
    ours = Contender("TensorFlow", sys.executable, "worker_tensorflow.py")
    contenders = {"keras_cv": ours, "ours": ours, "steps": ours}
    versions = ours.ask(run="versions")
    if arguments.other_python:
        others = arguments.others
        torch = Contender("torch", arguments.other_python, "worker_torch.py", *others)
        contenders |= dict.fromkeys(others, torch)
        versions |= torch.ask(run="versions")
    log(str(versions))
    results, equal_distance = {}, ""
    for size in arguments.sizes:
        results[size] = measure(size, contenders)
        log("\n".join(rows(size, results[size])))
        if size == EQUAL_DISTANCE_PX:  # at once, while its functions are traced
            equal_distance = measure_equal_distance(ours)
    text = report(results, equal_distance, versions)
    for worker in set(contenders.values()):
        worker.close()
    print(text)
    if arguments.write:
        write(arguments.write, text)


if __name__ == "__main__":
    main()
