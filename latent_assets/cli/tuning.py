"""The command `tune-sampler`."""

import time
from typing import Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from latent_assets import interrupts, tuning
from latent_assets.cli.common import AsJson, ModelName, emit, err, open_studio, out
from latent_assets.errors import StoppedError
from latent_assets.models.tuned import TunedSampler
from latent_assets.progress import duration
from latent_assets.studio import Studio
from latent_assets.walks.route import exact


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("tune-sampler")(tune_sampler)


def tune_sampler(
    model: ModelName,
    steps: Annotated[int, typer.Option(help="Evaluations of the denoiser: 6 to 12 pay.")],
    guidance_scale: Annotated[
        float,
        typer.Option(
            min=0, max=50, help="Of the walks that it is for; each scale has its own table."
        ),
    ] = 7.5,
    size: Annotated[
        int | None,
        typer.Option(help="Pixels of a side of the pictures to fit to; default: the model's."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fit a sampler of few steps to a model, and write it beside the model."""
    started = time.perf_counter()
    studio, scale = open_studio(), exact(guidance_scale)
    info = studio.describe_model(model)
    request = tuning.request_for(info, steps, scale, None if size is None else (size, size))
    studio.tuned_samplers.check(model)
    if notice := studio.download_notice(model):
        err.print(notice)
    fitted = _fit(studio, request)
    path = studio.tuned_samplers.add(model, fitted)
    seconds = round(time.perf_counter() - started, 1)
    if as_json:
        emit(_document(request, fitted, str(path), seconds))
    else:
        _print(request, fitted, str(path), seconds)


def _fit(studio: Studio, request: tuning.Request) -> TunedSampler:
    """With a bar, or where that is no terminal a line for each part. Nothing is written yet."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    terminal = err.is_terminal
    total = tuning.FULL.evaluations(request.num_steps)
    with Progress(
        *columns, TimeRemainingColumn(), console=err, transient=True, disable=not terminal
    ) as bar:
        task = bar.add_task("loading", total=total)

        def stage(words: str) -> None:
            bar.update(task, description=words)
            if not terminal:
                err.print(f"{request.model}: {words}", markup=False)

        try:
            return tuning.tune(studio, request, stage, lambda made: bar.advance(task, made))
        except BaseException as error:
            if not interrupts.is_behind(error):
                raise
            raise StoppedError(
                "interrupted: no table was written", "Tuning begins anew when it is asked again."
            ) from None


def _document(
    request: tuning.Request, fitted: TunedSampler, file: str, seconds: float
) -> dict[str, Any]:
    return {
        "model": request.model,
        "file": file,
        "table": fitted.digest,
        "num_steps": request.num_steps,
        "guidance_scale": float(request.guidance_scale),
        "timesteps": fitted.timesteps,
        "distances": fitted.distances,
        "seconds": seconds,
    }


def _print(request: tuning.Request, fitted: TunedSampler, file: str, seconds: float) -> None:
    scale, steps = float(request.guidance_scale), request.num_steps
    lines = [
        f"{request.model}: {steps} steps at guidance scale {scale:g}, in {duration(seconds)}",
        f"  timesteps {' '.join(map(str, fitted.timesteps))}",
        "  distance to the limit, on prompts that it was not fitted to:",
        *(f"    {value:.3f}  {name}" for name, value in fitted.distances.items()),
        f"  written to {file}",
        f"In a walk: `sampler: tuned`, `num_steps: {steps}`, `guidance_scale: {scale:g}`.",
    ]
    if fitted.distances["tuned"] > fitted.distances[tuning.COMPARED_NAME]:
        lines.append("It is farther from the limit than DDIM with 25 steps: take more steps.")
    out.print("\n".join(lines), markup=False)
