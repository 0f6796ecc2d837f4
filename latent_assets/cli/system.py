"""Commands on the deployment: vocabulary."""

from typing import Annotated, Any

import typer
from rich.markup import escape

from latent_assets.cli.common import AsJson, emit, open_studio, out
from latent_assets.diffusion.embedded.vocabulary import Vocabulary


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(vocabulary)


def vocabulary(
    words: Annotated[
        list[str] | None, typer.Argument(help="Say what the model makes of these words.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The words that the embedded model knows, or what it makes of a prompt."""
    known = Vocabulary.load(open_studio().settings.model_dir("embedded"))
    if words:
        text = " ".join(words)
        reading = known.read(text)
        document: dict[str, Any] = {
            "prompt": text,
            "known": [list(pair) for pair in reading.known],
            "unknown": list(reading.unknown),
        }
        if as_json:
            emit(document)
            return
        for word, used_as in reading.known:
            out.print(f"  {word}" if word == used_as else f"  {word} → {used_as}", markup=False)
        for word in reading.unknown:
            out.print(f"  {escape(word)}: [yellow]not known[/]")
        if not reading.known and not reading.unknown:
            out.print("No word of this says anything about a picture.")
        return
    groups = known.known_words()
    if as_json:
        emit({"groups": {name: list(group) for name, group in groups.items()}})
        return
    for name, group in groups.items():
        out.print(f"[bold]{name}[/]\n  {', '.join(group)}")
