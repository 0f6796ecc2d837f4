"""Commands on walk files: validate, list, plan, new, schema."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from latent_assets.catalogue import Catalogue, Listed
from latent_assets.cli import completing
from latent_assets.cli.common import (
    STDIN,
    STDIN_NAME,
    AsJson,
    DraftOption,
    FramesOption,
    ModelOption,
    WalkArgument,
    emit,
    emit_foreign,
    err,
    open_studio,
    out,
    read_piped,
    specify,
    warn,
)
from latent_assets.errors import InvalidWalkError, UsageError, WalkProblem
from latent_assets.foreign import printable
from latent_assets.progress import duration
from latent_assets.store import claims
from latent_assets.store.atomic import write_bytes
from latent_assets.store.failures import explaining
from latent_assets.studio import Studio
from latent_assets.walks.advice import advice
from latent_assets.walks.library import WalkLibrary
from latent_assets.walks.loading import WALK_SUFFIXES, check_name, load_walk, walk_files
from latent_assets.walks.schema import json_schema
from latent_assets.walks.templates import TEMPLATES, walk_template

_COLUMNS = ("walk", "kind", "model", "frames", "cached")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(validate)
    app.command("list")(list_walks)
    app.command()(plan)
    app.command()(new)
    app.command()(schema)


def validate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Walks, by name or file, or - ; default: all of the project.",
            autocompletion=completing.own_walks,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check walk files, and report everything that is wrong in them."""
    studio = open_studio()
    library = WalkLibrary(studio.settings.walks_dir)
    if files:
        checked = [library.paths().get(str(file), file) for file in files]
    else:
        checked = walk_files(library.folder)
    problems: list[WalkProblem] = []
    warnings: list[str] = []
    for file in checked:
        wrong, advised = _look(studio, file)
        problems += wrong
        warnings += [f"{printable(str(file))}: {each}" for each in advised]
    if not files:
        told = {problem.file for problem in problems}
        problems += [problem for problem in library.unused() if problem.file not in told]
    if as_json:
        errors = [problem.as_dict() for problem in problems]
        emit({"ok": not problems, "errors": errors, "warnings": warnings})
        raise typer.Exit(2 if problems else 0)
    warn(tuple(warnings))
    if problems:
        for problem in problems:
            err.print(str(problem), markup=False, style="red")
    elif not checked:
        out.print(_no_walks(library), markup=False)
    else:
        count = len(checked)
        out.print(f"{count} walk file{' is' if count == 1 else 's are'} in order")
    raise typer.Exit(2 if problems else 0)


def _look(studio: Studio, file: Path) -> tuple[list[WalkProblem], tuple[str, ...]]:
    """What is wrong with a walk file, and what its writer may not have meant."""
    try:
        if str(file) == STDIN:
            spec = studio.specify(STDIN_NAME, read_piped())
        else:
            check_name(file.stem)
            spec = studio.specify(str(file), load_walk(file))
        studio.read_prompts(spec)
    except InvalidWalkError as error:
        return error.problems, ()
    except UsageError as error:
        what = f"{error.problem}. {error.cure}".strip()
        return [WalkProblem(printable(str(file)), "file", what)], ()
    return [], advice(spec.walk)


def list_walks(as_json: AsJson = False) -> None:
    """The project's walks, and how much of each is rendered."""
    studio = open_studio()
    catalogue = Catalogue(studio)
    library, walks = catalogue.library, catalogue.read()
    stored = catalogue.stored(walks.values())
    rows = [_row(walk, stored[name]) for name, walk in walks.items()]
    for problem in library.unused():
        err.print(f"[yellow]warning:[/] {escape(str(problem))}")
    if as_json:
        emit({"walks": rows})
    elif rows:
        _print_table(rows)
        _tell_downloads(studio, rows)
    else:
        out.print(_no_walks(library), markup=False)


def _no_walks(library: WalkLibrary) -> str:
    return (
        f"No walks in {library.folder}. To begin: latent-assets new NAME, or latent-assets init"
        " for a folder with the walks that come with the project."
    )


def _row(walk: Listed, cached: int) -> dict[str, Any]:
    if walk.problem:
        return {"walk": walk.name, "error": walk.problem}
    return {
        "walk": walk.name,
        "kind": walk.walk["kind"],
        "model": walk.model,
        "frames": len(walk.keys),
        "cached": cached,
        "description": walk.walk["description"],
    }


def _print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """However narrow the terminal: a name that is cut could not be copied into a command."""
    header = dict(zip(_COLUMNS, _COLUMNS, strict=True))
    lines = (header, *rows)
    widths = {c: max(len(str(line.get(c, ""))) for line in lines) for c in _COLUMNS}
    for line in lines:
        if "error" in line:
            name = str(line["walk"]).ljust(widths["walk"])
            out.print(f"{name}  [red]wrong: see latent-assets validate[/]")
        else:
            text = "  ".join(str(line[c]).ljust(widths[c]) for c in _COLUMNS).rstrip()
            out.print(text, style="bold" if line is header else None)


def _tell_downloads(studio: Studio, rows: Sequence[Mapping[str, Any]]) -> None:
    """Which of the models that frames are missing of have to be downloaded first."""
    missing = (r["model"] for r in rows if "error" not in r and r["cached"] < r["frames"])
    for model in dict.fromkeys(missing):
        if notice := studio.download_notice(model):
            err.print(f"[yellow]note:[/] {model}: {notice}")


def plan(
    walk: WalkArgument,
    model: ModelOption = None,
    frames: FramesOption = None,
    draft: DraftOption = False,
    as_json: AsJson = False,
) -> None:
    """What rendering a walk would take, without loading a model."""
    studio = open_studio()
    spec, library = specify(studio, walk, model, frames, draft)
    for file in library.extra:
        claims.check(studio.settings.claims_dir, spec.name, file)
    planned = studio.plan(spec)
    if as_json:
        emit(
            {
                "walk": planned.walk,
                "model": planned.model,
                "frames": planned.frames,
                "num_steps": spec.walk.num_steps,
                "cached": planned.cached,
                "to_render": planned.to_render,
                "exact": planned.exact,
                "pilots": planned.pilots,
                "to_upscale": planned.to_upscale,
                "estimate_s": planned.estimate_s,
                "warnings": list(planned.warnings),
            }
        )
        return
    warn(planned.warnings)
    of_steps = f", a draft in {spec.walk.num_steps} steps" if draft else ""
    out.print(f"[bold]{planned.walk}[/] with {planned.model}: {planned.frames} frames{of_steps}")
    if planned.exact:
        out.print(f"  cached     {planned.cached}")
        out.print(f"  to render  {planned.to_render}")
    else:
        out.print(f"  cached     {planned.cached} pilots, whose pictures say where frames stand")
        out.print(
            f"  to render  {planned.pilots} pilots; with the frames {planned.to_render} at most"
        )
    if planned.to_upscale:
        out.print(f"  to upscale {planned.to_upscale}")
    most = "" if planned.exact or planned.estimate_s is None else " at most"
    out.print(f"  estimate   {duration(planned.estimate_s)}{most}")


def new(
    name: Annotated[str, typer.Argument(help="The name of the walk.")],
    kind: Annotated[
        str,
        typer.Option(help=f"One of: {', '.join(TEMPLATES)}.", autocompletion=completing.kinds),
    ] = "interpolation",
    as_json: AsJson = False,
) -> None:
    """Write a walk file to begin with, all its fields explained."""
    if kind not in TEMPLATES:
        raise UsageError(
            f"there is no kind {kind!r}", f"It must be one of: {', '.join(TEMPLATES)}."
        )
    folder = open_studio().settings.walks_dir
    check_name(name)
    for suffix in WALK_SUFFIXES:
        if (folder / f"{name}{suffix}").exists():
            raise UsageError(
                f"there is a walk {name} already", f"Edit {folder / name}{suffix}, or take another."
            )
    path = folder / f"{name}.yaml"
    if not (folder / "schema.json").exists():
        _write_schema(folder / "schema.json")
    _write(path, walk_template(kind))
    if as_json:
        emit({"walk": name, "file": str(path)})
    else:
        out.print(f"Wrote {path}\nNext: latent-assets plan {name}", markup=False)


def schema(
    write: Annotated[
        bool, typer.Option("--write", help="Write it to walks/schema.json, for editors.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The JSON Schema of walk files; it is JSON with and without --json."""
    if not write:
        emit_foreign(json_schema())
        return
    path = open_studio().settings.walks_dir / "schema.json"
    _write_schema(path)
    if as_json:
        emit({"file": str(path)})
    else:
        out.print(f"Wrote {path}", markup=False)


def _write_schema(path: Path) -> None:
    _write(path, json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")


def _write(path: Path, text: str) -> None:
    with explaining("write", path):
        write_bytes(path, text.encode())
