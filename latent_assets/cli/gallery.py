"""The command `gallery`: every walk as pages that play it, served or written."""

from pathlib import Path
from typing import Annotated

import typer

from latent_assets.cli.common import AsJson, emit, err, open_studio, out
from latent_assets.cli.ui import AllowHost, AskToken, Host, NoOpen, Port
from latent_assets.studio import Studio


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(gallery)


def gallery(
    output: Annotated[
        Path | None,
        typer.Option(help="Write the pages to this folder as a static site, and end."),
    ] = None,
    host: Host = "127.0.0.1",
    port: Port = 3001,
    allow_host: AllowHost = None,
    token: AskToken = None,
    no_open: NoOpen = False,
    as_json: AsJson = False,
) -> None:
    """Show every walk: pages that play it, and fill while it is rendered."""
    studio = open_studio()
    if output is not None:
        _write(studio, output, as_json)
        return
    _serve(studio, host, port, tuple(allow_host or ()), token, not no_open)


def _write(studio: Studio, folder: Path, as_json: bool) -> None:
    from latent_assets.gallery.site import write_site

    site = write_site(studio, folder.absolute())
    if as_json:
        emit(
            {
                "index": str(folder / "index.html"),
                "written": list(site.written),
                "unchanged": list(site.unchanged),
                "left_out": list(site.left_out),
            }
        )
        return
    out.print(f"{folder / 'index.html'}", markup=False)
    count = len(site.written)
    told = f"  {count} page{'s' * (count != 1)} written, {len(site.unchanged)} unchanged"
    if site.left_out:
        told += f"; without frames and left out: {', '.join(site.left_out)}"
    out.print(told, markup=False)


def _serve(
    studio: Studio,
    host: str,
    port: int,
    names: tuple[str, ...],
    token: bool | None,
    browser: bool,
) -> None:
    from starlette.applications import Starlette
    from starlette.responses import RedirectResponse
    from starlette.routing import Mount, Route

    from latent_assets.gallery import GALLERY_PATH, gallery_app
    from latent_assets.web import listen, serve
    from latent_assets.web.address import addressed
    from latent_assets.web.serving import entrance, open_browser

    folder = studio.settings.data / "web"
    address = addressed(host, port, names, token, folder)
    listener = listen(address)
    if not address.is_loopback and not address.token:
        err.print(
            "[yellow]warning:[/] without a token, whoever reaches this address can see every walk"
            " and every prompt."
        )
    pages = gallery_app(studio)
    routes = [
        Mount(GALLERY_PATH, pages),
        Route("/", lambda _request: RedirectResponse(f"{GALLERY_PATH}/")),
    ]
    url = entrance(address, f"{GALLERY_PATH}/")
    shown = browser and open_browser(url)
    err.print(f"{'Opened' if shown else 'Open'} {url} (Ctrl-C ends it)", markup=False)
    serve(Starlette(routes=routes), listener, address, folder, ("gallery",), on_end=pages.state.end)
