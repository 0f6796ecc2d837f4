"""The command `init`: a folder of one's own for walks and what is made of them."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from latent_assets.cli.common import AsJson, emit, out
from latent_assets.errors import UsageError
from latent_assets.project_file import NAME
from latent_assets.shipped import SHIPPED_WALKS
from latent_assets.store.atomic import write_bytes
from latent_assets.store.failures import explaining

PROJECT_TEXT = """\
# A folder of walks through latent space. Commands in it, or below it, work on it.
# Any setting may stand here, by the name of its variable in small letters (latent-assets docs cli).
# model = "embedded"
# precision = "float32"
# store = "s3://bucket/frames"
"""
IGNORED = """\
# Made by rendering: it can be made again.
/cache/
/dagster/
/outputs/
/store/
/models/*
!/models/*.yaml
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)


def init(
    folder: Annotated[
        Path, typer.Argument(help="Where; by default here. It may exist.", file_okay=False)
    ] = Path(),
    examples: Annotated[
        bool, typer.Option(help="Bring the walks that come with latent-assets.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Make a project folder: walks, their schema for your editor, and settings of its own."""
    folder = folder.absolute()
    file = folder / NAME
    if file.exists():
        raise UsageError(f"{file} exists already", "This is a project. Go on: latent-assets list")
    walks = folder / "walks"
    with explaining("write", folder):
        walks.mkdir(parents=True, exist_ok=True)
        made = [path for path in _files(walks, examples) if _copied(path, walks)]
        write_bytes(folder / ".gitignore", IGNORED.encode(), replace=False)
        write_bytes(file, PROJECT_TEXT.encode(), replace=False)
    if as_json:
        emit({"folder": str(folder), "walks": sorted(p.stem for p in made if p.suffix == ".yaml")})
        return
    out.print(
        f"{folder} is a project now, with {len(made) - 1 if made else 0} walks.", markup=False
    )
    there = "" if folder == Path.cwd() else f"cd {folder}, then "
    out.print(f"Go on: {there}latent-assets list", markup=False)


def _files(walks: Path, examples: bool) -> list[Path]:
    """The schema, and the walks unless the folder has some."""
    schema = SHIPPED_WALKS / "schema.json"
    own = any(walks.glob("*.y*ml"))
    return [schema, *(sorted(SHIPPED_WALKS.glob("*.yaml")) if examples and not own else [])]


def _copied(path: Path, walks: Path) -> bool:
    """Whether the file was not there yet."""
    if (walks / path.name).exists():
        return False
    shutil.copyfile(path, walks / path.name)
    return True
