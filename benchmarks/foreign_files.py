"""How the time to read a file of anybody goes with its size: 1, 2 and 4 MB of the worst.

    PYTHONPATH=tests python benchmarks/foreign_files.py

For each kind of flood (`tests/floods.py`): what `inspect` reads, what `verify` reads before it
decodes, and, for walk files of 64, 128 and 256 KiB, which is the most they may have, what
`validate` reads. CPU milliseconds, the best of five; *grows* is the last over the first, which is
4 where time goes in proportion to the size.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from floods import FLOODS, WALK_FLOODS, flood

from latent_assets.errors import LatentAssetsError
from latent_assets.media import inspect_file
from latent_assets.media.census import census
from latent_assets.walks.loading import load_walk

MEGABYTE, KIBIBYTE = 1_000_000, 1024
ROUNDS = 5
ENDINGS = {"gif": ".gif", "png": ".apng", "webp": ".webp", "mp4": ".mp4", "avif": ".avif"}


def cpu_ms(read: Callable[[], object]) -> float:
    """Of one reading, whatever comes of it."""
    found = []
    for _ in range(ROUNDS):
        started = time.process_time()
        with contextlib.suppress(LatentAssetsError, ValueError, OSError):
            read()
        found.append(1000 * (time.process_time() - started))
    return min(found)


def row(name: str, read: Callable[[Path], object], path: Path, contents: list[bytes]) -> str:
    """A line of the table."""
    took = []
    for content in contents:
        path.write_bytes(content)
        took.append(cpu_ms(lambda: read(path)))
    figures = " | ".join(f"{each:.2f}" for each in took)
    return f"| {name} | {figures} | {took[-1] / max(took[0], 0.01):.1f} |"


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        print("| `inspect` | 1 MB | 2 MB | 4 MB | grows |\n| --- | ---: | ---: | ---: | ---: |")
        for name, parts in FLOODS.items():
            contents = [flood(parts, n * MEGABYTE) for n in (1, 2, 4)]
            print(row(name, inspect_file, Path(folder) / "flood", contents))
        print("\n| `verify` | 1 MB | 2 MB | 4 MB | grows |\n| --- | ---: | ---: | ---: | ---: |")
        for name, parts in FLOODS.items():
            if (ending := ENDINGS.get(name.split()[0])) is not None:
                contents = [flood(parts, n * MEGABYTE) for n in (1, 2, 4)]
                path = Path(folder) / f"flood{ending}"
                print(row(name, lambda each: census(each, 10_000_000), path, contents))
        print("\n| `validate` | 64 KiB | 128 | 256 | grows |\n| --- | ---: | ---: | ---: | ---: |")
        for name, parts in WALK_FLOODS.items():
            contents = [flood(parts, n * KIBIBYTE)[: n * KIBIBYTE] for n in (64, 128, 256)]
            print(row(name, load_walk, Path(folder) / "flood.yaml", contents))


if __name__ == "__main__":
    main()
