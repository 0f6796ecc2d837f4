"""Commands on what was rendered: verify, inspect."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from latent_assets.cli import completing, films
from latent_assets.cli.common import AsJson, emit, emit_foreign, err, open_studio, out, specify
from latent_assets.errors import FinishedFileError, UsageError
from latent_assets.foreign import is_there, printable
from latent_assets.media import Provenance, inspect_file
from latent_assets.rendering import engine_environment, render_again
from latent_assets.store.atomic import write_bytes
from latent_assets.store.failures import explaining
from latent_assets.verification import Recipe, Verdict, VerificationReport, choose, verify
from latent_assets.walks.loading import WALK_SUFFIXES
from latent_assets.walks.recipes import FrameRecipe
from latent_assets.walks.schema import Walk
from latent_assets.walks.yaml_text import dump


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("verify")(verify_frames)
    app.command()(inspect)


def verify_frames(
    target: Annotated[
        str,
        typer.Argument(
            help="A walk, or a finished file (GIF, MP4, PNG ...).", autocompletion=completing.walks
        ),
    ],
    sample: Annotated[
        int | None, typer.Option(min=1, help="Only so many frames, evenly spread.")
    ] = None,
    alone: Annotated[
        bool,
        typer.Option("--alone", help="Each frame alone, not in the batch of its receipt."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Render frames again, and say whether they come out the same, and if not, why."""
    studio = open_studio()
    path = Path(target)
    digests: dict[str, str] = {}
    film: tuple[Provenance, Walk, films.Finish] | None = None
    # No walk has a dot in its name: what has another ending is meant as a finished file.
    if path.suffix not in WALK_SUFFIXES and (path.suffix or is_there(target)):
        record = read_record(path)
        keys = list(record.frame_keys)
        digests = dict(zip(record.frame_keys, record.frame_digests, strict=True))
        walk = films.walk_of(record, path)
        film = record, walk, films.finishing(studio, walk, record)
        model = studio.model_with(str(record.model["name"]), str(record.model["weights_digest"]))
        recipes: dict[str, Recipe] = {}
    else:
        spec = studio.paced(specify(studio, target)[0])
        keys = [recipe.key for recipe in spec.recipes()]
        model = spec.rendering.model
        recipes = {recipe.key: recipe.as_dict() for recipe in spec.recipes()}
    chosen = choose(keys, sample)
    if not studio.frames.contains(chosen):
        raise UsageError(
            f"none of the frames of {target}, as {model} with the weights that are here renders"
            " them, is in the store",
            "Render the walk first. If the weights have changed since, put the old ones back; or"
            " verify a finished file, which says what it was rendered with.",
        )
    with _progress() as progress:
        bar = progress.add_task("rendering again", total=len(chosen))
        report = verify(
            studio.frames,
            chosen,
            lambda batch: render_again(
                studio, [FrameRecipe.from_dict(each, model) for each in batch]
            ),
            now=engine_environment(studio.load_engine(model)),
            recipes=recipes,
            digests=digests,
            alone=alone,
            on_frame=lambda _verdict: progress.advance(bar),
        )
    finding = films.compare_film(studio, path, *film, chosen) if film else None
    ok = report.ok and (finding is None or finding.good)
    if as_json:
        found = films.as_json(finding)
        emit({"target": target, **report.as_dict(), "ok": ok, **found})
    else:
        _print(target, keys, report)
        if film:
            films.print_finding(finding, len(films.play_of(film[0], film[1])))
    raise typer.Exit(0 if ok else 1)


def _progress() -> Progress:
    """On a terminal; elsewhere all that it would leave is an empty line."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("frames"),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )


def _print(target: str, keys: Sequence[str], report: VerificationReport) -> None:
    """The counts; unless all is well, the frames by what came out and why."""
    counts = ", ".join(f"{count} {outcome}" for outcome, count in report.counts().items())
    out.print(f"[bold]{escape(printable(target))}[/]: {counts}")
    groups: dict[tuple[str, tuple[str, ...]], list[Verdict]] = {}
    for verdict in report.verdicts:
        groups.setdefault((verdict.outcome, verdict.why), []).append(verdict)
    if list(groups) in ([], [("identical", ())]):
        return
    places = {key: place for place, key in reversed(list(enumerate(keys)))}
    for (outcome, why), verdicts in groups.items():
        numbers = films.numbers([places[verdict.key] for verdict in verdicts], len(report.verdicts))
        although = ", although" if outcome == "identical" and why else ""
        out.print(f"  {numbers}: {outcome}{_how_far(verdicts)}{although}", markup=False)
        for reason in why:
            out.print(f"    {printable(reason)}", markup=False)


def _how_far(verdicts: Sequence[Verdict]) -> str:
    """In words, how much of the pictures differs, and by how much."""
    most = max((verdict.max_difference or 0 for verdict in verdicts), default=0)
    changed = max((verdict.changed or 0.0 for verdict in verdicts), default=0.0)
    if not most:
        return ""
    levels = "1 level" if most == 1 else f"up to {most} levels"
    return f"; up to {100 * changed:.2g} % of the values differ, by {levels} of 255"


def inspect(
    file: Annotated[Path, typer.Argument(help="A GIF, WebP, MP4, PNG, APNG, AVIF or HTML file.")],
    walk_file: Annotated[
        Path | None, typer.Option(help="Write a walk file that renders it again.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Where a file comes from: its walk, model and frames."""
    record = read_record(file)
    if walk_file is not None:
        _write_new(walk_file, walk_text(record))
        err.print(f"Wrote {walk_file}", markup=False)
    if as_json:
        emit_foreign(record.as_dict())
        return
    name = escape(printable(str(record.walk.get("name"))))
    out.print(f"[bold]{name}[/], {len(record.frame_keys)} frames")
    out.print(f"  model    {printable(_model(record))}", markup=False)
    out.print(f"  project  latent-assets {printable(record.project_version)}", markup=False)
    out.print(f"  root     {record.root}")
    out.print(walk_text(record), markup=False, end="")


def _model(record: Provenance) -> str:
    """The model in words; a record of an earlier version names no size."""
    model = record.model
    words = [str(model["name"])]
    if isinstance(size := model.get("size"), list) and len(size) == 2:  # noqa: PLR2004
        words.append(f"{size[1]}x{size[0]} px")
    words.append(f"weights {str(model['weights_digest'])[:16]}")
    if "precision" in model:
        words.append(str(model["precision"]))
    return ", ".join(words)


def _write_new(file: Path, text: str) -> None:
    """Whole, and never over a file; a folder that is not there is a slip, so none is made."""
    with explaining("write", file):
        if not file.parent.is_dir():
            raise UsageError(f"there is no folder {file.parent}", "Make it, or name another.")
        if not write_bytes(file, text.encode(), replace=False):
            raise UsageError(f"{file} exists already", "Choose a new name.")


def read_record(file: Path) -> Provenance:
    """The record in a finished file. Raises FinishedFileError if it is none of ours.

    A file comes from anywhere: its digests may match their root and all else be missing.
    """
    record = inspect_file(file)
    whole = all(
        isinstance(record.model.get(each), str) for each in ("name", "weights_digest")
    ) and len(record.frame_keys) == len(record.frame_digests)
    if not whole:
        raise FinishedFileError(f"the record in {file} is not whole", "Another program wrote it.")
    return record


def walk_text(record: Provenance) -> str:
    """A walk file with what the record says, the model that rendered it named."""
    walk = {key: value for key, value in record.walk.items() if value is not None}
    walk.pop("name", None)
    walk["model"] = record.model["name"]
    return dump(walk)
