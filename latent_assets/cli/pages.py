"""The command `docs`: the pages that lie in docs/ of a checkout, wherever this is installed."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markdown import Markdown

from latent_assets.cli import completing
from latent_assets.cli.common import AsJson, emit, out
from latent_assets.errors import UsageError
from latent_assets.foreign import printable
from latent_assets.shipped import SHIPPED_DOCS, page_names


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(docs)


def docs(
    page: Annotated[
        str | None,
        typer.Argument(
            help="A page's name, as messages write it: cli or docs/cli.md.",
            autocompletion=completing.pages,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read a page of the documentation; without a name, what pages there are."""
    if page is None:
        _list(as_json)
        return
    file = _find(page)
    text = file.read_text(encoding="utf-8")
    if as_json:
        emit({"page": file.stem, "text": text})
    elif out.is_terminal:
        out.print(Markdown(text))
    else:
        out.print(text, markup=False, end="")


def _list(as_json: bool) -> None:
    titles = {name: _title(SHIPPED_DOCS / f"{name}.md") for name in page_names()}
    if as_json:
        emit({"pages": titles})
        return
    wide = max(map(len, titles))
    for name, title in titles.items():
        out.print(f"{name:<{wide}}  {title}", markup=False)


def _find(page: str) -> Path:
    """Raises UsageError for a page that there is not."""
    name = page.removeprefix("docs/").removesuffix(".md")
    if name not in page_names():
        raise UsageError(
            f"there is no page {printable(page)}", f"Choose from {', '.join(page_names())}."
        )
    return SHIPPED_DOCS / f"{name}.md"


def _title(file: Path) -> str:
    """Its first heading."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix("# ") for line in lines if line.startswith("# "))
