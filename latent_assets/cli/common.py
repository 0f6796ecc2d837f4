"""What the commands share: results on stdout, everything else on stderr."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from latent_assets.cli import completing
from latent_assets.errors import InvalidWalkError, LatentAssetsError, UsageError
from latent_assets.foreign import is_there, printable, to_json
from latent_assets.progress import HarmlessConsole, err
from latent_assets.settings import MODELS, Settings
from latent_assets.shipped import SHIPPED_WALKS
from latent_assets.studio import Studio, WalkSpec
from latent_assets.walks.library import WalkLibrary
from latent_assets.walks.loading import WALK_SUFFIXES, check_name, read_walk
from latent_assets.walks.schema import Walk

out = HarmlessConsole(highlight=False, soft_wrap=True, emoji=False)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
WalkArgument = Annotated[
    str,
    typer.Argument(
        help="The name of a walk, a walk file, or - for standard input.",
        autocompletion=completing.walks,
    ),
]
ModelName = Annotated[
    str, typer.Argument(help="The name of a model.", autocompletion=completing.models)
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        help=f"Render with this model in place of the walk's own: {', '.join(MODELS)},"
        " or one of yours.",
        autocompletion=completing.models,
    ),
]
FramesOption = Annotated[
    int | None,
    typer.Option(
        min=1, help="This many frames in place of the walk's own; for a grid a square number."
    ),
]

DraftOption = Annotated[
    bool,
    typer.Option(
        "--draft",
        help="In about a quarter of the steps, to see where the walk goes; with frames and files"
        " of its own.",
    ),
]


SCHEMA = 1
"""Of what --json prints: raised when a field changes its meaning or goes, not when one comes."""
STDIN = "-"
STDIN_NAME = "stdin"
"""The name of a walk that comes through a pipe."""

_emitted: list[Mapping[str, Any]] = []


def begin() -> None:
    """A command begins: nothing stands on stdout."""
    _emitted.clear()


def has_emitted() -> bool:
    """Whether an object stands on stdout: there is to be one."""
    return bool(_emitted)


def emit(document: Mapping[str, Any]) -> None:
    """The result as one JSON object on stdout, the number of its schema first."""
    emit_foreign({"schema": SCHEMA, **document})


def emit_foreign(document: Mapping[str, Any]) -> None:
    """A document whose form others laid down; in ASCII where stdout is no UTF-8."""
    _emitted.append(document)
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(to_json(document, indent=2, ascii_only=not utf8))


def error_document(error: LatentAssetsError) -> dict[str, Any]:
    """What --json says of an error; of a walk file, each problem by itself."""
    document = {"error": error.problem, "cure": error.cure, "exit_code": error.exit_code}
    if isinstance(error, InvalidWalkError):
        document["errors"] = [problem.as_dict() for problem in error.problems]
    return document


def open_studio() -> Studio:
    """The studio of the environment's settings."""
    return Studio.open(Settings.from_environment())


def find_walk(studio: Studio, walk: str) -> tuple[str, WalkLibrary]:
    """A walk by name, by file or from a pipe: its name, and the library that holds it."""
    folder = studio.settings.walks_dir
    if walk == STDIN:
        return STDIN_NAME, _piped(WalkLibrary(folder))
    path = Path(walk)
    if path.suffix in WALK_SUFFIXES or path.parent != Path():
        return _foreign(check_name(path.stem), WalkLibrary(folder, (path.absolute(),)))
    if path.suffix:
        there = is_there(walk)
        file = printable(walk)
        raise UsageError(
            f"{file} is no walk file" if there else f"there is no file {file}",
            "Give the name of a walk, which has no dot, or a walk file: NAME.yaml or NAME.yml.",
        )
    name, library = check_name(walk), WalkLibrary(folder)
    shipped = SHIPPED_WALKS / f"{name}.yaml"
    if name not in library.paths() and shipped.is_file():
        return name, WalkLibrary(folder, (shipped,))
    return name, library


def _foreign(name: str, library: WalkLibrary) -> tuple[str, WalkLibrary]:
    """A file from elsewhere, or the project's own by its path. Raises UsageError."""
    own = WalkLibrary(library.folder).paths().get(name)
    (file,) = library.extra
    if own is not None and is_there(file) and not own.samefile(file):
        raise UsageError(
            f"{printable(str(file))} has the name of another walk, {printable(str(own))}",
            "Give one of them another name: what they make would overwrite each other.",
        )
    return name, library


def _piped(library: WalkLibrary) -> WalkLibrary:
    if STDIN_NAME in library.paths():
        raise UsageError(
            f"{library.paths()[STDIN_NAME]} has the name of walks from standard input",
            "Give it another name: what they make would overwrite each other.",
        )
    return library.knowing(STDIN_NAME, read_piped())


def read_piped() -> Walk:
    """The walk on standard input. Raises InvalidWalkError."""
    if sys.stdin.isatty():
        err.print("Reading a walk from standard input: Ctrl-D ends it.")
    return read_walk(sys.stdin.buffer, "standard input")


def specify(
    studio: Studio,
    walk: str,
    model: str | None = None,
    frames: int | None = None,
    draft: bool = False,
) -> tuple[WalkSpec, WalkLibrary]:
    """The walk, settled, and the library that holds it, as it was read here."""
    name, library = find_walk(studio, walk)
    read = library.load(name)
    spec = studio.specify(name, read, model=model, frames=frames, draft=draft)
    return spec, library.knowing(name, read)


def warn(warnings: tuple[str, ...]) -> None:
    """Warnings, on stderr."""
    for warning in warnings:
        err.print(f"[yellow]warning:[/] {escape(warning)}")


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:  # noqa: PLR2004
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
