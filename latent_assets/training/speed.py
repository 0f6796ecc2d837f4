"""What a walk costs: 60 frames through the engine in a process of its own, start-up included.

`python -m latent_assets.training.speed MODEL` (its folder) prints a line of JSON: seconds of the
processor, the peak of memory, and a digest of the frames' bytes.
"""

from __future__ import annotations

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from latent_assets.diffusion.registry import EMBEDDED, WeightsSource, load_engine
from latent_assets.diffusion.schedule import sampling_schedule
from latent_assets.training.sampling import GUIDANCE, STEPS, noise_for

FRAMES = 60
BATCH = 4


def measure(model: Path) -> dict[str, Any]:
    """Render 60 frames of a walk with guidance, in this process."""
    with tempfile.TemporaryDirectory() as models:
        # Engines find a model by its name; one in the making has its folder anywhere.
        (Path(models) / EMBEDDED).symlink_to(model.resolve(), target_is_directory=True)
        engine = load_engine(EMBEDDED, WeightsSource(Path(models)))
    first, last, nothing = engine.encode_text(["a cat", "a dog at the beach", ""])
    schedule = sampling_schedule("ddim", STEPS)
    digest = hashlib.sha256()
    for start in range(0, FRAMES, BATCH):
        shares = np.arange(start, start + BATCH, dtype=np.float32)[:, None, None] / (FRAMES - 1)
        context = first + shares * (last - first)
        scale = np.full(BATCH, GUIDANCE, np.float32)
        latents = engine.sample(noise_for([7] * BATCH), context, nothing, scale, schedule)
        digest.update(engine.decode(latents).tobytes())
    times = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "processor_seconds": round(times.ru_utime + times.ru_stime, 1),
        "peak_memory_mib": _peak_memory_mib(),
        "sha256": digest.hexdigest(),
    }


def _peak_memory_mib() -> int:
    """Peak of this process's resident memory.

    Not `getrusage`'s: that one is inherited from the process that started this one.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) // 1024


def measure_twice(model: Path) -> dict[str, Any]:
    """Two fresh processes: their cost (of the faster one), and whether their bytes agree."""
    command = [sys.executable, "-m", "latent_assets.training.speed", str(model)]
    runs = []
    for _ in range(2):
        start = time.monotonic()
        done = subprocess.run(  # noqa: S603 - this module itself
            command, capture_output=True, text=True, check=True
        )
        seconds = round(time.monotonic() - start, 1)
        runs.append({"seconds": seconds} | json.loads(done.stdout.splitlines()[-1]))
    same = runs[0].pop("sha256") == runs[1].pop("sha256")
    return {"sixty_frames": min(runs, key=lambda run: run["seconds"]), "same_bytes_twice": same}


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
