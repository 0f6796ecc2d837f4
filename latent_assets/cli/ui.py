"""The command `ui`: every page of the project on one port."""

from typing import Annotated

import typer

from latent_assets.cli.common import err, open_studio

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        help="Answer to this name too, of a proxy before it for instance. May be given often."
    ),
]
AskToken = Annotated[
    bool | None,
    typer.Option(
        "--token/--no-token",
        help="Ask everyone for a token; default: unless only this machine reaches the address.",
    ),
]
NoOpen = Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(ui)


def ui(
    host: Host = "127.0.0.1",
    port: Port = 3000,
    allow_host: AllowHost = None,
    token: AskToken = None,
    no_open: NoOpen = False,
) -> None:
    """Open the web UI: Dagster with this project's assets, schedules and sensors."""
    from latent_assets.ui import run_ui
    from latent_assets.web import listen
    from latent_assets.web.address import addressed
    from latent_assets.web.serving import entrance, open_browser

    settings = open_studio().settings
    address = addressed(host, port, tuple(allow_host or ()), token, settings.data / "web")
    listener = listen(address)
    if not address.is_loopback and not address.token:
        err.print(
            "[yellow]warning:[/] without a token, whoever reaches this address can run walks, fill"
            " the disk and see every prompt."
        )

    def opened() -> None:
        url = entrance(address)
        shown = not no_open and open_browser(url)
        err.print(f"{'Opened' if shown else 'Open'} {url} (Ctrl-C ends it)", markup=False)

    try:
        run_ui(
            settings,
            address,
            listener,
            say=lambda line: err.print(line, markup=False),
            opened=opened,
        )
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
