"""What loading a checkpoint costs, against KerasCV's h5 files: time, and memory at the peak.

    python benchmarks/loading.py MODEL.safetensors [FOLDER]

MODEL.safetensors: any checkpoint of Stable Diffusion 1.x in one file (float16 as a rule). FOLDER is
where the same weights are written as KerasCV's three h5 files (4 GB; default: a temporary folder).
Each way runs in a process of its own, in turns, with the files in the page cache. Times are CPU
seconds: a machine that is busy otherwise does not count. Of the memory at the peak, what the
process held before (Python, TensorFlow and KerasCV, imported) is told apart: loading adds the rest.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 2
GIGABYTE = 1e9


def load(folder: Path, name: str) -> dict[str, float]:
    """Load a model by name in this process."""
    from latent_assets.diffusion.checkpoints import networks
    from latent_assets.diffusion.registry import WeightsSource, find_checkpoint
    from latent_assets.diffusion.tensorflow_runtime import prepare_device
    from latent_assets.models import ModelLibrary

    prepare_device()
    import keras_cv  # noqa: F401 - its import is no part of loading

    checkpoint = find_checkpoint(name, WeightsSource(folder, library=ModelLibrary(folder)))
    imported = _peak()
    before = time.process_time()
    models = networks.load(checkpoint, "float32")
    seconds = time.process_time() - before
    built = (models.text_encoder, models.denoiser, models.decoder)
    return {
        "cpu_s": seconds,
        "imported_gb": imported,
        "peak_gb": _peak(),
        "weights_gb": sum(4 * network.count_params() for network in built) / GIGABYTE,
    }


def _peak() -> float:
    """Memory that this process has held at once, gigabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIGABYTE


def write_h5(folder: Path, name: str, out: Path) -> None:
    """The same weights as today's Keras saves them."""
    from latent_assets.diffusion.checkpoints import networks
    from latent_assets.diffusion.registry import WeightsSource, find_checkpoint
    from latent_assets.models import ModelLibrary

    checkpoint = find_checkpoint(name, WeightsSource(folder, library=ModelLibrary(folder)))
    models = networks.load(checkpoint, "float32")
    out.mkdir(parents=True, exist_ok=True)
    models.text_encoder.save_weights(out / "text_encoder.weights.h5")
    models.denoiser.save_weights(out / "diffusion_model.weights.h5")
    models.decoder.save_weights(out / "decoder.weights.h5")


def _in_process(*arguments: str) -> dict[str, float]:
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def main(file: Path, folder: Path) -> None:
    """Both ways in turns, and the figures."""
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "single.safetensors"
    if not link.exists():
        link.symlink_to(file.resolve())
    if not (folder / "h5" / "decoder.weights.h5").exists():
        _in_process("--write", str(folder))
    best: dict[str, dict[str, float]] = {}
    for _ in range(ROUNDS):
        for name in ("single", "h5"):
            found = _in_process("--load", str(folder), name)
            if name not in best or found["cpu_s"] < best[name]["cpu_s"]:
                best[name] = found
    single, h5 = best["single"], best["h5"]
    print(f"weights in float32: {single['weights_gb']:.2f} GB")
    for title, row in (("one .safetensors file", single), ("three h5 files", h5)):
        added = row["peak_gb"] - row["imported_gb"] - row["weights_gb"]
        print(
            f"{title:22} {row['cpu_s']:6.1f} CPU s  {row['peak_gb']:5.2f} GB at the peak, of which"
            f" {row['imported_gb']:.2f} before loading and {added:.2f} over the weights"
        )
    print(f"time: {single['cpu_s'] / h5['cpu_s']:.2f} of the h5 files' (wanted: at most 1.2)")
    added = single["peak_gb"] - single["imported_gb"] - single["weights_gb"]
    print(f"peak: loading holds {added:.2f} GB beside the weights (wanted: at most 1)")


if __name__ == "__main__":
    if sys.argv[1] == "--load":
        print(json.dumps(load(Path(sys.argv[2]), sys.argv[3])))
    elif sys.argv[1] == "--write":
        write_h5(Path(sys.argv[2]), "single", Path(sys.argv[2]) / "h5")
        print(json.dumps({}))
    elif sys.argv[2:]:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(sys.argv[1]), Path(temporary))
