"""The command `sample`: pictures of one prompt, from several seeds, on a sheet."""

import re
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from latent_assets import interrupts, places
from latent_assets.api import walks
from latent_assets.api.rendering import Rendered, render_walk
from latent_assets.cli.common import AsJson, ModelOption, emit, open_studio, out, warn
from latent_assets.errors import UsageError
from latent_assets.media import SHEET_FRAMES, contact_sheet
from latent_assets.progress import bar_of, duration
from latent_assets.rendering import Manners
from latent_assets.shown import record_of, still
from latent_assets.studio import Studio

CELL_PX = 256
NAME = "sample"
_RANGE = re.compile(r"([0-9]{1,20})(?:-([0-9]{1,20}))?")
_SLUG_CHARACTERS = 60
_ENDINGS = (".png", ".jpg")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(sample)


def sample(  # noqa: PLR0917 - one for each option
    prompt: Annotated[str, typer.Argument(help="What the pictures show.")],
    seeds: Annotated[str, typer.Option(help="A picture for each: 0-8, or 3, or 0-3,7,12.")] = "0-8",
    model: ModelOption = None,
    guidance_scale: Annotated[float | None, typer.Option(help="As in walk files.")] = None,
    num_steps: Annotated[int | None, typer.Option(help="As in walk files.")] = None,
    sampler: Annotated[str | None, typer.Option(help="As in walk files.")] = None,
    spacing: Annotated[str | None, typer.Option(help="As in walk files.")] = None,
    size: Annotated[int | None, typer.Option(help="As in walk files.")] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="As in walk files.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="The file, .png or .jpg.", dir_okay=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Pictures of one prompt from several seeds, on a sheet: frames that walks then find."""
    started = time.perf_counter()
    studio, chosen = open_studio(), parse_seeds(seeds)
    fields = {
        "model": model,
        "guidance_scale": guidance_scale,
        "num_steps": num_steps,
        "sampler": sampler,
        "spacing": spacing,
        "size": size,
        "negative_prompt": negative_prompt,
    }
    walk = seeds_walk(prompt, chosen, {k: v for k, v in fields.items() if v is not None})
    spec = studio.specify(NAME, walk.fields)
    file = _file(studio, output, prompt, seeds)
    plan = studio.plan(spec)
    warn(plan.warnings)
    with bar_of(spec, plan) as bar:
        done = render_walk(studio, spec, bar, Manners(batch=interrupts.deferred))
    _write(studio, done, prompt, chosen, file)
    result = {
        "prompt": prompt,
        "model": spec.rendering.model,
        "seeds": chosen,
        "keys": done.frames.keys[: len(chosen)],
        "rendered": done.rendered,
        "reused": len(chosen) - done.rendered,
        "seconds": round(time.perf_counter() - started, 2),
        "outputs": [str(file)],
        "warnings": list(plan.warnings),
    }
    if as_json:
        emit(result)
        return
    counts = f"{result['rendered']} rendered, {result['reused']} reused"
    out.print(
        f"{len(chosen)} pictures, {counts}, {duration(result['seconds'])}\n  {file}", markup=False
    )


def parse_seeds(text: str) -> list[int]:
    """0-3,7 -> [0, 1, 2, 3, 7]. Raises UsageError."""
    found: list[int] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            raise UsageError(
                f"--seeds is {text!r}", "Give whole numbers and ranges of them: 0-8, or 0-3,7."
            )
        if len(found) + last - first >= SHEET_FRAMES:
            raise UsageError(f"--seeds asks for more than {SHEET_FRAMES} pictures", "Ask for less.")
        found += range(first, last + 1)
    return list(dict.fromkeys(found))


def seeds_walk(prompt: str, seeds: list[int], fields: dict[str, Any]) -> walks.Walk:
    """A walk whose frames are the prompt's pictures from these seeds: each stands on a keyframe.

    Walks have two frames or more: of one seed it is twice the same.
    """
    each = seeds if len(seeds) > 1 else seeds * 2
    keyframes = [{"prompt": prompt, "seed": seed} for seed in each]
    return walks.interpolation(keyframes=keyframes, frames=len(each), name=NAME, **fields)


def _file(studio: Studio, output: Path | None, prompt: str, seeds: str) -> Path:
    if output is None:
        slug = re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-")[:_SLUG_CHARACTERS]
        numbers = re.sub(r"[^0-9]+", "-", seeds).strip("-")[:_SLUG_CHARACTERS]
        return studio.settings.outputs_dir / "samples" / f"{slug or NAME}-{numbers}.png"
    file = places.folder(str(output), "--output")
    if file.suffix not in _ENDINGS:
        raise UsageError(f"--output is {file.name}", "Let its name end in .png or .jpg.")
    return file


def _write(studio: Studio, done: Rendered, prompt: str, seeds: list[int], file: Path) -> None:
    record = record_of(studio, done.spec, done.frames.keys, done.frames.digests)
    signer = studio.credentials
    sheet = contact_sheet(
        done.frames.at(range(len(seeds))),
        [f"seed {seed}" for seed in seeds],
        title=f"{prompt}: {done.spec.rendering.model}",
        cell_px=CELL_PX,
    )
    still(file, lambda: sheet)(provenance=record, seal=signer and signer.seal)
