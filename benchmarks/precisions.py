"""Every precision with and without XLA on Stable Diffusion 1: does it work, and at what price?

    python benchmarks/precisions.py [--size 128] [--batch 2]

Each setting is a process of its own with the same random weights, prompts and noise: two guided
steps and the decoding, twice; the second call is timed. Memory is the process's peak.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

STEPS = 2
SCALE = 7.5
PROMPTS = ("a watercolor painting of a dog", "a bowl of fruit", "the eiffel tower", "a cat")
SETTINGS = [
    (precision, jit)
    for jit in (False, True)
    for precision in ("float32", "mixed_float16", "mixed_bfloat16")
]


def measure(precision: str, jit: bool, size: int, batch: int, picture: str) -> dict:
    """In the child: seconds, memory, and the pictures (kept in the file `picture`)."""
    from latent_assets.diffusion import keras_cv_models
    from latent_assets.diffusion.faults import find_faults
    from latent_assets.diffusion.protocol import EngineOptions
    from latent_assets.diffusion.schedule import sampling_schedule
    from latent_assets.diffusion.stable_diffusion import STABLE_DIFFUSION_1
    from latent_assets.diffusion.tensorflow_engine import TensorFlowEngine

    info = STABLE_DIFFUSION_1.info(STABLE_DIFFUSION_1.random_digest(0))
    networks = keras_cv_models.load_random(STABLE_DIFFUSION_1, 0, precision)
    loading = peak_memory()
    engine = TensorFlowEngine(info, networks, EngineOptions(precision, jit_compile=jit))
    context = engine.encode_text(PROMPTS[:batch])
    unconditional = engine.encode_text([""])[0]
    shape = (batch, *info.latent_shape((size, size)))
    noise = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    schedule = sampling_schedule("ddim", STEPS)

    def render() -> tuple[np.ndarray, np.ndarray]:
        scale = np.full(batch, SCALE, np.float32)
        latents = engine.sample(noise, context, unconditional, scale, schedule)
        return latents, engine.decode(latents)

    first = time.process_time()
    render()
    first = time.process_time() - first
    second = time.process_time()
    latents, pictures = render()
    second = time.process_time() - second
    np.save(picture, pictures)
    faults = [str(fault) for fault in find_faults(latents, pictures)]
    return {
        "first": first,
        "second": second,
        "loading": loading,
        "peak": peak_memory(),
        "faults": faults,
    }


def peak_memory() -> float:
    """The most memory this process had so far, in GB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e9


def in_child(setting: tuple[str, bool], arguments: argparse.Namespace, picture: str) -> dict:
    """`measure` in a new process."""
    precision, jit = setting
    request = [precision, jit, arguments.size, arguments.batch, picture]
    code = f"import json, sys, precisions as p; print(json.dumps(p.measure(*{request!r})))"
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here), str(here.parent)])
    environment = {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"}
    child = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    if child.returncode:
        return {"error": child.stderr.strip().splitlines()[-1]}
    return json.loads(child.stdout.splitlines()[-1])


def row(setting: tuple[str, bool], found: dict, base: dict, levels: np.ndarray) -> str:
    """One line of the Markdown table."""
    name = f"| {setting[0]} | {'on' if setting[1] else 'off'} |"
    if "error" in found:
        return f"{name} {found['error']} | | | | |"
    return (
        f"{name} {found['second'] / base['second']:.2f} | {found['first']:.0f} s"
        f" | {found['loading']:.1f} GB | {found['peak']:.1f} GB"
        f" | {', '.join(found['faults']) or f'{levels.mean():.2f}, at most {levels.max()}'} |"
    )


def main() -> None:
    """One setting after the other, and the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--folder", default="/tmp", help="for the pictures")
    arguments = parser.parse_args()
    print(
        "| precision | XLA | CPU time | first call | loading | peak"
        " | levels off float32 (mean, largest) |"
    )
    print("| --- | --- | ---: | ---: | ---: | ---: | --- |")
    base, original = {}, np.zeros(0)
    for setting in SETTINGS:
        picture = str(Path(arguments.folder) / "precision-{}-{}.npy".format(*setting))
        found = in_child(setting, arguments, picture)
        if not base:
            base, original = found, np.load(picture).astype(int)
        levels = (
            np.zeros(0) if "error" in found else np.abs(np.load(picture).astype(int) - original)
        )
        print(row(setting, found, base, levels), flush=True)


if __name__ == "__main__":
    main()
