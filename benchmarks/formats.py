"""How large each output format is, what encoding costs, and how near its pictures are.

    python benchmarks/formats.py [--model embedded] [--frames 60] [--work build/formats]

Renders a walk from a cat to a dog with an embedded model (a second call finds the frames in the
work directory), writes it in every format, reads the files back by Pillow, and MP4 by FFmpeg's
libraries. Prints a table: MB, CPU seconds of encoding (threads and all), and the mean over the
frames of PSNR in dB and of scikit-image's SSIM against the frames as rendered.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import av
import numpy as np
from PIL import Image, ImageSequence
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from latent_assets.media import write_animation
from latent_assets.rendering import render_frames
from latent_assets.settings import Settings
from latent_assets.studio import Studio
from latent_assets.walks.loading import parse_walk

ROOT = Path(__file__).resolve().parents[1]
FORMATS = ("gif", "webp", "mp4", "apng", "avif", "html")
WALK = "{{kind: interpolation, prompts: [a cat, a dog], frames: {frames}, seed: 7, model: {model}}}"


def rendered(work: Path, model: str, frames: int) -> list[np.ndarray]:
    """(N,) pictures (H, W, 3) uint8."""
    studio = Studio.open(Settings(data=work))
    spec = studio.specify("walk", parse_walk(WALK.format(frames=frames, model=model), "walk"))
    recipes = spec.recipes()
    render_frames(studio, recipes, batch_size=6)
    return [each.pixels for each in studio.frames.read_many([r.key for r in recipes])]


def shown(path: Path) -> Iterator[np.ndarray]:
    """The pictures of a finished file."""
    if path.suffix == ".mp4":
        with av.open(str(path)) as film:
            yield from (frame.to_ndarray(format="rgb24") for frame in film.decode(video=0))
    else:
        with Image.open(path) as film:
            yield from (np.asarray(f.convert("RGB")) for f in ImageSequence.Iterator(film))


def pillows_gif(frames: list[np.ndarray], path: Path) -> None:
    """As who has Pillow alone would write it."""
    first, *rest = map(Image.fromarray, frames)
    first.save(path, save_all=True, append_images=rest, duration=100, loop=0)


def line(name: str, path: Path, seconds: float, frames: list[np.ndarray]) -> str:
    """A line of the table."""
    said = f"| {name} | {path.stat().st_size / 1e6:.2f} | {seconds:.1f} |"
    if path.suffix == ".html":
        return f"{said} as webp | |"
    pairs = list(zip(frames, shown(path), strict=True))
    if all(np.array_equal(a, b) for a, b in pairs):
        return f"{said} lossless | 1 |"
    psnr = fmean(peak_signal_noise_ratio(a, b) for a, b in pairs)
    ssim = fmean(structural_similarity(a, b, channel_axis=2) for a, b in pairs)
    return f"{said} {psnr:.1f} | {f'{ssim:.3f}'.lstrip('0')} |"


def main() -> None:
    """Write every format, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "formats")
    arguments = parser.parse_args()
    frames = rendered(arguments.work, arguments.model, arguments.frames)
    print(f"{len(frames)} frames of {frames[0].shape[1]} x {frames[0].shape[0]} px")
    print("| format | MB | CPU s | PSNR | SSIM |\n|---|---|---|---|---|")
    for name in FORMATS:
        path = arguments.work / f"walk.{name}"
        began = time.process_time()
        write_animation(lambda: iter(frames), path, format=name, fps=10)
        print(line(name, path, time.process_time() - began, frames), flush=True)
        if name == "gif":
            path = arguments.work / "pillow.gif"
            began = time.process_time()
            pillows_gif(frames, path)
            seconds = time.process_time() - began
            print(line("*GIF by Pillow's own writer*", path, seconds, frames), flush=True)


if __name__ == "__main__":
    main()
