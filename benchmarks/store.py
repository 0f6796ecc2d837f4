"""How fast a store of many small frames answers: `python benchmarks/store.py [--frames 100000]`.

Bars: `stats` within 5 s, the plan of a 1,000-frame walk within 0.5 s, at 100,000 frames on a local
disk. A plan is all that `latent-assets plan` does after start-up: read the walk file, describe the
model, make the keys, ask the store, read the prompts. The files are hard links to 64 real frames,
so that making them takes seconds: the questions asked look at names, sizes and times only.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from latent_assets.settings import Settings
from latent_assets.store import FrameStore, Receipt, environment, pixel_digest
from latent_assets.store.receipts import utc_now
from latent_assets.store.retention import Policy, plan_removal, stats
from latent_assets.studio import Plan, Studio
from latent_assets.walks.library import WalkLibrary

WALKS = {
    "lerp": """kind: interpolation
prompts: [a red apple, a yellow banana, a green pear, a strawberry]
frames: 1000
""",
    "keyframes": """kind: interpolation
keyframes:
  - {prompt: a castle at night, ease: ease-in-out}
  - {prompt: a castle in the snow, at: 1/3, seed: 5, ease: ease-in-out}
  - {prompt: a volcano, ease: ease-in}
frames: 1000
method: slerp
seed: 3
""",
    "orbit": """kind: prompt_walk
prompt: an owl in a forest
direction: orbit
step_size: 0.05
frames: 1000
noise: loop
""",
}


def key_of(number: int) -> str:
    """A key like any other."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def frame(number: int) -> tuple[str, np.ndarray, Receipt]:
    """A frame of 128 px, about as hard to compress as a drawing."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 256, (16, 16, 3), np.uint8)
    pixels = np.ascontiguousarray(coarse.repeat(8, 0).repeat(8, 1))
    pixels ^= rng.integers(0, 8, pixels.shape, np.uint8)
    key = key_of(number)
    return (
        key,
        pixels,
        Receipt(
            key, {"seed": number}, pixel_digest(pixels), environment(), (key,), 0, 0.1, utc_now()
        ),
    )


def fill(store: FrameStore, keys: Sequence[str]) -> None:
    """64 real frames, and links to them under all the keys."""
    for number in range(64):
        store.write(*frame(number))
    for place, key in enumerate(keys):
        target = Path(store.objects.root, store.name(key))
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(Path(store.objects.root, store.name(key_of(place % 64))), target)


def plan(data: Path, name: str) -> Plan:
    """What `latent-assets plan` does after start-up."""
    studio = Studio.open(Settings(data=data))
    return studio.plan(studio.specify(name, WalkLibrary(studio.settings.walks_dir).load(name)))


def write_walks(data: Path) -> list[str]:
    """The walk files. Returns the keys of the first half of the frames of each."""
    folder = data / "walks"
    folder.mkdir()
    keys = []
    for name, text in WALKS.items():
        (folder / f"{name}.yaml").write_text(text)
        missing = plan(data, name).missing
        keys += missing[: len(missing) // 2]
    return keys


def timed(name: str, work, bar_s: float | None = None) -> bool:
    """Print how long the work takes; whether it meets its bar."""
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    met = bar_s is None or seconds <= bar_s
    bar = "" if bar_s is None else f"  (bar {bar_s} s: {'met' if met else 'MISSED'})"
    print(f"{name:42} {seconds:8.3f} s{bar}")
    return met


def main() -> int:
    """Run all; 1 if a bar was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--folder", help="where to make the store (default: a temporary folder)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        data = Path(folder)
        store = FrameStore(Settings(data=data).store_url)
        keys = write_walks(data)
        keys += [key_of(number) for number in range(64, options.frames - len(keys))]
        timed(f"make a store of {options.frames} frames", lambda: fill(store, keys))
        asked = [key_of(n) for n in range(options.frames - 500, options.frames + 500)]
        met = [
            timed("stats", lambda: print(stats(store.objects).as_dict()), 5.0),
            *(
                timed(f"plan, 1,000 frames, half stored: {name}", partial(plan, data, name), 0.5)
                for name in WALKS
            ),
            timed("contains, 1,000 keys", lambda: store.contains(asked)),
            timed("plan of a collection", lambda: plan_removal(store.objects, Policy(max_bytes=0))),
            timed("all keys", lambda: list(store.keys())),
        ]
        new = [frame(number) for number in range(options.frames, options.frames + 200)]
        timed("write_many, 200 frames of 128 px, synced", lambda: store.write_many(new))
        timed(
            "read_many, 200 frames, digests checked",
            lambda: [0 for _ in store.read_many([key for key, _, _ in new])],
        )
        timed("read_receipt, 200 frames", lambda: [store.read_receipt(k) for k, _, _ in new])
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
