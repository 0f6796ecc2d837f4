"""The command `render`: the same assets as in the web UI, run in this process, walk by walk."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from latent_assets import interrupts, places
from latent_assets.cli import completing
from latent_assets.cli.common import (
    AsJson,
    DraftOption,
    FramesOption,
    ModelOption,
    emit,
    err,
    open_studio,
    out,
    warn,
)
from latent_assets.cli.many import Chosen, Result, choose, render_each
from latent_assets.cli.overseen import check_is_known, run_by_workers
from latent_assets.early_look import early_look_path, will_have_early_look
from latent_assets.errors import LatentAssetsError, UsageError
from latent_assets.progress import Bar, bar_of, duration
from latent_assets.settings import CELERY
from latent_assets.sharing import Part, render_part
from latent_assets.store import claims
from latent_assets.studio import Plan, Studio, WalkSpec, with_metadata, with_outputs
from latent_assets.walks.library import WalkLibrary

OUTPUTS = ("animation", "grid", "report", "page")
"""The assets that make files."""
UNMARKED = (
    "without metadata the files do not say that a model made them; where you publish them, that"
    " may be yours to say (latent-assets docs marks)"
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(render)


def render(
    walks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WALK]...",
            help="Walks, by name or file, or - for one from standard input.",
            autocompletion=completing.walks,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All walks of the project.")] = False,
    changed: Annotated[
        bool,
        typer.Option(
            "--changed",
            help="The walks that are not rendered, or no longer as their files say.",
        ),
    ] = False,
    model: ModelOption = None,
    frames: FramesOption = None,
    draft: DraftOption = False,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the finished files.", file_okay=False)
    ] = None,
    metadata: Annotated[
        bool | None,
        typer.Option(
            "--metadata/--no-metadata",
            help="Write the record of their origin into the files; default: the setting.",
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Render the I-th of N parts of the frames, and make no files: for farms that know"
            " nothing of each other. Render the walk afterwards without it.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Render walks. Frames that are in the store are not rendered again."""
    studio = open_studio()
    told = output is not None or metadata is not None
    part = None if shard is None else _part(shard, not told)
    overseen = part is None and studio.settings.executor == CELERY
    if output is not None:
        studio = with_outputs(studio, places.folder(str(output), "--output"))
    if metadata is not None:
        studio = with_metadata(studio, metadata)
    overrides = {"model": model, "frames": frames, "draft": draft}
    chosen = choose(studio, tuple(walks or ()), every=every, changed=changed)
    if not studio.settings.metadata and part is None:
        warn((UNMARKED,))

    def render_walk(walk: Chosen) -> Result:
        if overseen:
            check_is_known(walk.library, walk.name, told=told)
        return render_and_tell(studio, walk, overrides, part=part, as_json=as_json)

    if walks and len(chosen) == 1:
        result = render_walk(chosen[0])
        if as_json:
            emit(result.document)
        code = result.exit_code
    else:
        code = render_each(chosen, render_walk, as_json=as_json)
    if code:
        raise typer.Exit(code)


def render_and_tell(
    studio: Studio,
    walk: Chosen,
    overrides: Mapping[str, Any],
    *,
    part: Part | None = None,
    as_json: bool = False,
) -> Result:
    """Render a walk and say what it gave, with as_json only what is no part of the document."""
    if part is None:
        result = _render(studio, walk, overrides)
    else:
        result = _render_part(studio, walk, part, overrides)
    if not as_json:
        _print(result)
    _print_checks(result)
    return result


def _render(studio: Studio, walk: Chosen, overrides: Mapping[str, Any]) -> Result:
    started = time.perf_counter()
    spec, library = walk.specify(studio, **overrides)
    for file in library.extra:
        claims.claim(studio.settings.claims_dir, spec.name, file)
    spec = studio.paced(spec)
    plan = studio.plan(spec)
    warn(plan.warnings)
    if plan.to_render and will_have_early_look(plan.estimate_s):
        err.print(f"While it renders, see {early_look_path(studio, spec)}", markup=False)
    with bar_of(spec, plan) as bar:
        made = _run(studio, library, spec, plan, bar, overrides)
    return Result(
        spec.published,
        {
            "walk": spec.name,
            "frames": plan.frames,
            "rendered": made.rendered,
            "reused": plan.frames - made.rendered,
            "pilots": made.pilots,
            "seconds": round(time.perf_counter() - started, 2),
            "outputs": made.paths,
            "warnings": list(plan.warnings),
            "failed_checks": made.failed_checks,
        },
    )


def _part(shard: str, plain: bool) -> Part:
    """plain: whether nothing is said of the files."""
    if not plain:
        raise UsageError(
            "a part of a walk makes no files: --output and --metadata do not go with --shard",
            "Give them to the render that assembles the walk afterwards.",
        )
    return Part.read(shard)


def _render_part(studio: Studio, walk: Chosen, part: Part, overrides: Mapping[str, Any]) -> Result:
    started = time.perf_counter()
    spec, _ = walk.specify(studio, **overrides)
    plan = studio.plan(spec)
    warn(plan.warnings)
    with bar_of(spec, plan) as bar:
        made = render_part(studio, spec, part, on_places=bar.on_part, on_frames=bar.on_frames)
    for problem in made.done.damaged + made.pilots.damaged:
        err.print(f"[yellow]warning:[/] {escape(problem)}; it was rendered again")
    return Result(
        f"{spec.published}, part {part}",
        {
            "walk": spec.name,
            "shard": str(part),
            "frames": made.frames,
            "rendered": made.done.rendered,
            "reused": made.done.reused,
            "pilots": made.pilots.rendered,
            "seconds": round(time.perf_counter() - started, 2),
            "outputs": [],
            "warnings": list(plan.warnings),
            "failed_checks": [],
        },
    )


def _print_checks(result: Result) -> None:
    for check in result.document["failed_checks"]:
        if check["description"] not in result.document["warnings"]:
            style = "[red]failed:[/]" if check["severity"] == "ERROR" else "[yellow]warning:[/]"
            err.print(f"{style} {check['check']}: {escape(str(check['description']))}")


def _print(made: Result) -> None:
    result = made.document
    out.print(
        f"[bold]{made.published}[/]: {result['frames']} frames, {result['rendered']} rendered,"
        f" {result['reused']} reused, {duration(result['seconds'])}"
    )
    if result["pilots"]:
        out.print(f"  {result['pilots']} pilots rendered first, to find even places for the frames")
    for path in result["outputs"]:
        out.print(f"  {path}", markup=False)


@dataclass(frozen=True)
class Made:
    """What a run gave."""

    paths: list[str]
    """The finished files."""
    rendered: int
    """Frames rendered."""
    pilots: int
    """Pilots rendered before them."""
    failed_checks: list[dict[str, str]]
    """check, severity (WARN or ERROR) and description of each that failed."""


def _run(
    studio: Studio,
    library: WalkLibrary,
    spec: WalkSpec,
    plan: Plan,
    bar: Bar,
    overrides: Mapping[str, Any],
) -> Made:
    """Run the assets of the walk. overrides: what it does otherwise than the file says."""
    from latent_assets.orchestration.automation import RETRY_WHOLE_RUNS
    from latent_assets.orchestration.build import build_defs
    from latent_assets.orchestration.instance import open_instance
    from latent_assets.orchestration.progress import Onlooker
    from latent_assets.orchestration.quiet import without_raw_words
    from latent_assets.orchestration.stopping import whole_run

    config = {
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        "ops": {"walk_spec": {"config": {k: v for k, v in overrides.items() if v}}},
    }
    with (
        open_instance(studio.settings) as instance,
        whole_run(instance) as run_id,
        without_raw_words(),
    ):
        if studio.settings.executor == CELERY:
            result: Any = run_by_workers(studio, instance, spec, plan, bar, config, run_id)
        else:
            onlooker = Onlooker(bar.on_frames, bar.on_places, bar.on_upscaled, bar.on_waiting)
            defs = build_defs(studio, library=library, onlooker=onlooker)
            result = defs.resolve_job_def("render_walk").execute_in_process(
                run_config=config,
                instance=instance,
                partition_key=spec.name,
                tags=RETRY_WHOLE_RUNS,
                raise_on_error=False,
                run_id=run_id,
            )
        if not result.success:
            if interrupts.asked():
                raise KeyboardInterrupt
            raise LatentAssetsError.retold(
                f"{_why(result)}\n  What was rendered so far is in the store."
            )
        made = [result.asset_value(name)["paths"] for name in OUTPUTS]
        rendered = result.asset_value("frames")["rendered"]
        pilots = result.asset_value("timeline").get("rendered", 0)
        failed = _failed_checks(result)
    return Made([path for paths in made for path in paths], rendered, pilots, failed)


def _failed_checks(result: Any) -> list[dict[str, str]]:
    from latent_assets.orchestration.show import plain

    return [
        {
            "check": check.check_name,
            "severity": check.severity.name,
            "description": plain(check.description or "see its run in the web UI"),
        }
        for check in result.get_asset_check_evaluations()
        if not check.passed
    ]


def _why(result: Any) -> str:
    """The first failure of a run, in its own words."""
    from latent_assets.orchestration.failures import words_of, words_of_check

    for check in result.get_asset_check_evaluations():
        if told := words_of_check(check):
            return told
    for event in result.all_events:
        if event.is_step_failure:
            return words_of(event)
        if event.is_job_failure and event.job_failure_data.error is not None:
            return _innermost(event.job_failure_data.error)
    return "the run failed; see its log in the web UI (latent-assets ui)"


def _innermost(error: Any) -> str:
    """What went wrong before any step began, without Dagster's words around it."""
    while error.cause is not None:
        error = error.cause
    return str(error.message).strip().partition(": ")[2] or str(error.message)
