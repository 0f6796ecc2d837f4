"""Commands on the deployment: ui, vocabulary."""

import os
import sys
from typing import Annotated, Any

import typer
from rich.markup import escape

from latent_assets.cli.common import AsJson, emit, err, open_studio, out
from latent_assets.diffusion.embedded.vocabulary import Vocabulary
from latent_assets.settings import PROJECT_ROOT


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(ui)
    app.command()(vocabulary)


def ui(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 3000,
) -> None:
    """Open the web UI: Dagster with this project's assets, schedules and sensors."""
    from latent_assets.orchestration.instance import open_instance

    settings = open_studio().settings
    with open_instance(settings):  # ends the runs that were killed, and sets DAGSTER_HOME
        os.environ["LATENT_ASSETS_DATA"] = str(settings.data)
    if host not in {"127.0.0.1", "localhost", "::1"}:
        err.print(
            "[yellow]warning:[/] the web UI has no password: whoever reaches it can run walks."
            " Put a proxy that asks for one in front of it."
        )
    err.print(f"Opening http://{host}:{port} (Ctrl-C ends it)")
    command = [sys.executable, "-m", "dagster", "dev", "-h", host, "-p", str(port)]
    workspace = PROJECT_ROOT / "workspace.yaml"
    os.execv(sys.executable, [*command, "-w", str(workspace)])  # noqa: S606 - our own command


def vocabulary(
    words: Annotated[
        list[str] | None, typer.Argument(help="Say what the model makes of these words.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The words that the embedded model knows, or what it makes of a prompt."""
    known = Vocabulary.load(open_studio().settings.models_dir / "embedded")
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
        emit({name: list(group) for name, group in groups.items()})
        return
    for name, group in groups.items():
        out.print(f"[bold]{name}[/]\n  {', '.join(group)}")
