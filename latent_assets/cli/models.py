"""Commands on models: models, models check, models add, models schema."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from latent_assets.cli.common import AsJson, ModelName, emit, emit_foreign, err, open_studio, out
from latent_assets.diffusion import registry
from latent_assets.diffusion.checkpoints.models import Checkpoint
from latent_assets.errors import LatentAssetsError, UsageError
from latent_assets.models import BUILT_IN
from latent_assets.models.adding import add_model, describe_source
from latent_assets.models.documents import model_json_schema
from latent_assets.store.atomic import write_bytes
from latent_assets.store.failures import explaining
from latent_assets.studio import Studio, weights_source

_COLUMNS = ("model", "architecture", "predicts", "size", "weights", "licence")
_PREDICTS = {"epsilon": "noise", "v_prediction": "v"}

app = typer.Typer(
    help="The models that walks can be rendered with: built-in ones, and those in data/models.",
    invoke_without_command=True,
    no_args_is_help=False,
)


def register(main: typer.Typer) -> None:
    """Add the commands."""
    main.add_typer(app, name="models")
    app.command()(check)
    app.command()(add)
    app.command()(schema)


@app.callback()
def list_models(context: typer.Context, as_json: AsJson = False) -> None:
    """The models that walks can be rendered with: built-in ones, and those in data/models."""
    if context.invoked_subcommand is not None:
        return
    studio = open_studio()
    library = studio.settings.library
    rows = [_row(studio, name) for name in (*BUILT_IN, *library.names())]
    unused = library.unused()
    if as_json:
        told = [{"file": str(path), "why": why} for path, why in unused]
        emit({"models": rows, "unused": told})
        return
    _print_table(rows)
    for path, why in unused:
        err.print(f"[yellow]warning:[/] {escape(str(path))}: {why}")


def _row(studio: Studio, name: str) -> dict[str, Any]:
    try:
        info = studio.describe_model(name)
    except LatentAssetsError as error:
        return {"model": name, "complete": False, "why": _sentence(error)}
    notice = studio.download_notice(name)
    height, width = info.default_size
    return {
        "model": name,
        "complete": not notice,
        "title": info.title,
        "architecture": info.name_in_recipes or "built in",
        "predicts": _PREDICTS[info.prediction],
        "size": f"{width}x{height}",
        "weights": info.weights_digest,
        "licence": info.licence,
        **({"why": notice} if notice else {}),
    }


def _sentence(error: LatentAssetsError) -> str:
    return f"{error.problem}. {error.cure}".strip() if error.cure else str(error.problem)


def _print_table(rows: Sequence[dict[str, Any]]) -> None:
    shown = [{**row, "weights": str(row.get("weights", ""))[:12]} for row in rows]
    header = dict(zip(_COLUMNS, _COLUMNS, strict=True))
    lines = (header, *shown)
    widths = {c: max(len(str(line.get(c, ""))) for line in lines) for c in _COLUMNS}
    for line in lines:
        if "architecture" not in line:
            name = escape(str(line["model"]).ljust(widths["model"]))
            out.print(f"{name}  [red]not complete:[/] {escape(line['why'])}")
            continue
        text = "  ".join(str(line[c]).ljust(widths[c]) for c in _COLUMNS).rstrip()
        out.print(text, style="bold" if line is header else None, markup=False)
        if "why" in line:
            out.print(f"{' ' * widths['model']}  {line['why']}", markup=False)


def check(
    name: ModelName,
    against: Annotated[
        str | None,
        typer.Option(help="Also compute with it, and compare: diffusers, the one there is."),
    ] = None,
    python: Annotated[
        Path | None,
        typer.Option(help="The Python that has torch, diffusers and transformers."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Map every tensor of a model, without rendering, and say whether it is complete."""
    studio = open_studio()
    if name in BUILT_IN:
        raise UsageError(
            f"{name} is built in: there is nothing to map",
            "latent-assets doctor says whether its weights are there.",
        )
    if against not in (None, "diffusers"):
        raise UsageError(f"a model cannot be checked against {against!r}", "Write diffusers.")
    source = weights_source(studio.settings)
    checkpoint = registry.find_checkpoint(name, source)
    report = _report(checkpoint, registry.checkpoint_digest(checkpoint, source))
    if against is not None:
        from latent_assets.judging import compare_with_diffusers

        report["against diffusers"] = compare_with_diffusers(studio, name, python)
    if as_json:
        emit(report)
    else:
        _print_report(report)
    agreed = all(row["good"] for row in report.get("against diffusers", []))
    raise typer.Exit(0 if agreed else 1)


def _report(checkpoint: Checkpoint, digest: str) -> dict[str, Any]:
    names = checkpoint.weights
    placeholders = checkpoint.placeholders.embeddings
    return {
        "model": checkpoint.files.name,
        "complete": True,
        "architecture": checkpoint.architecture.title,
        "predicts": _PREDICTS[checkpoint.prediction],
        "size": list(checkpoint.default_size),
        "weights": digest,
        "files": [str(path) for path in checkpoint.paths],
        "tensors": len(names.sources) if names else None,
        "unused": list(names.unused) if names else [],
        "loras": [
            {"file": str(lora.file.path), "weight": weight, "changes": len(lora.changes)}
            for lora, weight in checkpoint.loras
        ],
        "embeddings": [
            {"name": each.token, "vectors": each.vectors, "file": str(each.file.path)}
            for each in placeholders
        ],
        "licence": checkpoint.files.licence,
    }


def _print_report(report: dict[str, Any]) -> None:
    height, width = report["size"]
    out.print(f"[bold]{escape(report['model'])}[/]: {report['architecture']}, complete")
    lines = [
        ("predicts", report["predicts"]),
        ("size", f"{width}x{height} px unless a walk says otherwise"),
        ("weights", report["weights"]),
    ]
    lines += [("file", path) for path in report["files"]]
    if report["tensors"] is None:
        lines.append(("tensors", "as Keras saved them; they are mapped when they are loaded"))
    else:
        unused = len(report["unused"])
        more = f"; {unused} more that nothing needs" if unused else ""
        lines.append(("tensors", f"{report['tensors']}, each in its place{more}"))
    for each in report["loras"]:
        lines.append(("lora", f"{each['changes']} weights, {each['weight']:g} x {each['file']}"))
    for each in report["embeddings"]:
        vectors = "vector" if each["vectors"] == 1 else "vectors"
        lines.append(("prompts", f"{each['name']} stands for {each['vectors']} {vectors}"))
    if report["licence"]:
        lines.append(("licence", report["licence"]))
    for row in report.get("against diffusers", []):
        verdict = "" if row["good"] else "  TOO FAR"
        lines.append(("diffusers", f"{row['what']}: {row['difference']}{verdict}"))
    for label, text in lines:
        out.print(f"  {label:<9} {text}", markup=False)


def add(
    source: Annotated[
        str, typer.Argument(help="A file, a folder, or hf:OWNER/REPO, hf:OWNER/REPO/FILE.")
    ],
    name: Annotated[
        str | None, typer.Option(help="Its name here; default: that of the file.")
    ] = None,
    prediction: Annotated[
        str | None, typer.Option(help="epsilon or v, for files that do not say it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put a model, a LoRA, an embedding or a VAE among the project's, by a link or a download."""
    library = open_studio().settings.library
    added = add_model(library, source, name, prediction, tell=lambda text: err.print(escape(text)))
    if as_json:
        emit({"added": str(added.path), "what": added.what, "next": added.advice})
        return
    out.print(f"{describe_source(added)}\nNext: {added.advice}", markup=False)


def schema(
    write: Annotated[
        bool, typer.Option("--write", help="Write it to models/schema.json, for editors.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The JSON Schema of model files; it is JSON with and without --json."""
    if not write:
        emit_foreign(model_json_schema())
        return
    path = open_studio().settings.library.folder / "schema.json"
    with explaining("write", path):
        text = json.dumps(model_json_schema(), indent=2, ensure_ascii=False) + "\n"
        write_bytes(path, text.encode())
    if as_json:
        emit({"file": str(path)})
    else:
        out.print(f"Wrote {path}", markup=False)
