"""The command `import`: walk files out of the files of other programs."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from latent_assets.cli import completing
from latent_assets.cli.common import AsJson, emit, open_studio, out, warn
from latent_assets.errors import UsageError
from latent_assets.foreign import open_regular, printable
from latent_assets.importing import MAX_BYTES, Source, draft_of, settle
from latent_assets.store.atomic import write_bytes
from latent_assets.store.failures import explaining
from latent_assets.walks.advice import advice
from latent_assets.walks.library import WalkLibrary
from latent_assets.walks.loading import check_name, parse_walk
from latent_assets.walks.schema import MAX_NAME_CHARACTERS

_NO_NAME = re.compile(r"[^a-z0-9]+")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(import_files)


def import_files(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Deforum's settings, a prompt schedule or a workflow with one, a"
            " prompt_config.json of stable-diffusion-videos; or PNGs of AUTOMATIC1111's webui, from"
            " each to the next."
        ),
    ],
    name: Annotated[
        str | None, typer.Option(help="The walk's name; default: after the first file's.")
    ] = None,
    frames: Annotated[
        int | None, typer.Option(min=2, help="So many frames, in place of what the file says.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="The model that the walk names; default: none, your setting.",
            autocompletion=completing.models,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a walk file out of another program's file, and say what could not be carried over."""
    studio = open_studio()
    name = check_name(name) if name is not None else _name(files[0])
    path = studio.settings.walks_dir / f"{name}.yaml"
    _refuse_taken(WalkLibrary(studio.settings.walks_dir).paths().get(name))
    draft = draft_of(_read(files), frames)
    if model is not None:
        draft.document["model"] = model
    text = settle(draft, lambda walk: studio.specify(name, walk))
    spec = studio.specify(name, parse_walk(text, name))
    with explaining("write", path):
        written = write_bytes(path, text.encode(), replace=False)
    _refuse_taken(None if written else path)
    warnings = list(advice(spec.walk))
    if as_json:
        emit(
            {
                "walk": name,
                "file": str(path),
                "from": draft.form,
                "left_out": draft.left_out,
                "warnings": warnings,
            }
        )
        return
    warn(tuple(warnings))
    out.print(f"Wrote {path}, from {draft.form}", markup=False)
    if draft.left_out:
        out.print("Not carried over, as its head says too:")
    for sentence in draft.left_out:
        out.print(f"  - {sentence}", markup=False)
    out.print(f"Next: latent-assets plan {name}", markup=False)


def _refuse_taken(path: Path | None) -> None:
    """Nothing of a user's is written over."""
    if path is not None:
        raise UsageError(
            f"there is a walk of that name already: {printable(str(path))}",
            "Choose another: latent-assets import FILE --name NAME.",
        )


def _name(file: Path) -> str:
    """A name for the walk that a file of any name becomes."""
    name = _NO_NAME.sub("-", file.stem.lower()).strip("-")[:MAX_NAME_CHARACTERS].strip("-")
    return name or "imported"


def _read(files: Sequence[Path]) -> list[Source]:
    return [Source(str(file), _content(file)) for file in files]


def _content(file: Path) -> bytes:
    try:
        with open_regular(file) as opened:
            content = opened.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read {printable(str(file))}: {why}") from None
    if len(content) > MAX_BYTES:
        raise UsageError(
            f"{printable(str(file))} is larger than 64 MiB", "No form that is read is."
        )
    return content
