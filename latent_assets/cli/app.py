"""All commands, gathered."""

import typer

from latent_assets import __version__
from latent_assets.cli import (
    doctor,
    files,
    gallery,
    importing,
    models,
    pages,
    project,
    render,
    sample,
    store,
    system,
    tuning,
    ui,
    walks,
    watching,
    worker,
)
from latent_assets.cli.epilogs import EXIT_CODES, SETTINGS, add_epilogs

app = typer.Typer(
    name="latent-assets",
    help="Reproducible walks through the latent space of text-to-image models.",
    no_args_is_help=True,
    epilog=f"{EXIT_CODES}\n\n{SETTINGS}",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _version(
    version: bool = typer.Option(False, "--version", help="Print the version and stop."),
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


for module in (
    project,
    walks,
    importing,
    render,
    watching,
    sample,
    gallery,
    files,
    store,
    models,
    tuning,
    system,
    ui,
    worker,
    doctor,
    pages,
):
    module.register(app)
add_epilogs(app)
