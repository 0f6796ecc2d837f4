"""`latent-assets ui` from the first word to the last."""

import contextlib
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NoReturn

from starlette.applications import Starlette
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from latent_assets.gallery import GALLERY_PATH, gallery_app
from latent_assets.interrupts import considerate
from latent_assets.settings import Settings
from latent_assets.store.failures import explaining
from latent_assets.store.plain import plain_name
from latent_assets.studio import Studio
from latent_assets.ui.children import PATIENCE_S, Family, Say
from latent_assets.ui.room import watch_room
from latent_assets.ui.watching import Watch
from latent_assets.walks.library import WalkLibrary
from latent_assets.web import Address, serve

DEFINITIONS = "latent_assets.definitions"
LOG = "ui.log"
WORD_S = 2.5
"""Somebody who waits hears something as often as this."""
LOCATION = "latent-assets"
"""The name of our code in Dagster's pages, as in workspace.yaml."""


def run_ui(
    settings: Settings,
    address: Address,
    listener: socket.socket,
    *,
    say: Say,
    opened: Callable[[], None],
    definitions: str = DEFINITIONS,
) -> None:
    """Serve all pages until Ctrl-C or SIGTERM; the processes behind them end with this one.

    listener: the socket at that address (`web.listen`). say: takes a line for people. opened: is
    called when the pages are there. definitions: the module that Dagster loads.
    Raises LatentAssetsError; KeyboardInterrupt, if it was ended before the pages were there.
    """
    signal.signal(signal.SIGTERM, considerate(_interrupt))
    with contextlib.ExitStack() as stack:
        family = stack.enter_context(_family(settings, say))
        with _words_while_waiting(say, f"Loading Dagster and the walks of {settings.data}"):
            app = stack.enter_context(_dagster(settings, family, definitions))
        opened()
        gallery = gallery_app(Studio.open(settings), dagster="")

        def end() -> None:
            gallery.state.end()
            family.end()

        serve(
            with_mounts(app, {GALLERY_PATH: gallery}, home=f"{GALLERY_PATH}/"),
            listener,
            address,
            settings.data / "web",
            ("dagster", "gallery"),
            on_end=end,
        )
        say("Ending Dagster ...")


def with_mounts(dagster: Starlette, mounts: Mapping[str, Starlette], *, home: str) -> ASGIApp:
    """Dagster's pages at every path but those of the others.

    mounts: by path, applications that are asked before Dagster's. home: where `/` leads; Dagster's
    own way from there is a timeline of runs, empty for who comes first.
    """

    async def go_home(_request: object) -> Response:
        return RedirectResponse(home)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for app in mounts.values():  # Starlette enters that of the outermost alone
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    routes = [Mount(path, app) for path, app in mounts.items()]
    first = Route("/", go_home)
    return Starlette(routes=[first, *routes, Mount("/", dagster)], lifespan=lifespan)


@contextlib.contextmanager
def _family(settings: Settings, say: Say) -> Iterator[Family]:
    """Gone when the block is left, with all that they started."""
    home = settings.dagster_home
    with explaining("write", home):
        home.mkdir(parents=True, exist_ok=True)
        opened = (home / LOG).open("wb")
    with opened as log:
        family = Family(_environment(settings), home, log, say)
        room = partial(watch_room, home, say, family.over)
        with _running(family.watch), _running(room):
            try:
                yield family
            finally:
                family.end()
        family.wait()


@contextlib.contextmanager
def _dagster(settings: Settings, family: Family, definitions: str) -> Iterator[Starlette]:
    """Dagster's pages, its code server and its daemon.

    The code server starts before Dagster is imported here: both take seconds, on two cores at once.
    Not in a fresh folder: two that create Dagster's tables at once leave them with two versions,
    and the daemon then ends at each start.
    """
    if not settings.dagster_opened.exists():
        _open_once(settings)
    library = WalkLibrary(settings.walks_dir)
    names = library.names()  # before the definitions load: what comes meanwhile is seen as new
    with tempfile.TemporaryDirectory(prefix="latent-assets-") as folder:
        code = Path(folder, "code")
        family.start(
            "Dagster's code server",
            [
                *(sys.executable, "-m", "dagster", "code-server", "start"),
                *("--socket", str(code), "--location-name", LOCATION, "-m", definitions),
                *("--log-level", "warning"),
            ],
        )
        from latent_assets.orchestration.instance import bury_dead_runs, open_instance
        from latent_assets.orchestration.instance import watch as bury_whoever_dies
        from latent_assets.orchestration.stopping import close_ended
        from latent_assets.ui import dagster_pages

        with open_instance(settings) as instance:
            dagster_pages.wait_until_up(code, family)
            with dagster_pages.pages(instance, code, LOCATION) as pages:
                if pages.problem:
                    family.say(
                        f"The walks do not load, the page Deployment says why: {pages.problem}"
                    )
                # Last: it takes the processor for seconds, and nobody looks at it yet.
                workspace = dagster_pages.workspace_file(Path(folder), code, LOCATION)
                family.start("Dagster's daemon", dagster_pages.daemon(workspace, instance))
                note = partial(dagster_pages.note_changes, instance, Studio.open(settings))
                watch = Watch(library, pages.reload, note, family.over, names)
                # A run whose last word found no room on the disk ends for Dagster here.
                burying = bury_whoever_dies(instance, settings.dagster_home)
                with _running(watch.run), burying:
                    try:
                        yield pages.app
                    finally:
                        family.end()
            family.wait()
            if family.ended is not None:
                close_ended(instance, str(code), family.ended)
            bury_dead_runs(instance, settings.dagster_home)


def _open_once(settings: Settings) -> None:
    from latent_assets.orchestration.instance import open_instance

    with open_instance(settings):
        pass


@contextlib.contextmanager
def _running(work: Callable[[], None]) -> Iterator[None]:
    """A thread beside the block, which is then waited for: for a moment, no longer."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(PATIENCE_S)


def _environment(settings: Settings) -> dict[str, str]:
    """Of the children: they run in DAGSTER_HOME, so paths are absolute.

    Where they run, Python looks for modules: in a person's folder, a file `gql.py` is not ours.
    """
    return {
        **os.environ,
        **settings.to_environment(),
        "DAGSTER_HOME": plain_name(settings.dagster_home),
        "PYTHONUNBUFFERED": "1",
    }


@contextlib.contextmanager
def _words_while_waiting(say: Say, what: str) -> Iterator[None]:
    say(f"{what} ...")
    over = threading.Event()

    def speak() -> None:
        seconds = 0.0
        while not over.wait(WORD_S):
            seconds += WORD_S
            say(f"  still loading, {seconds:.0f} s")

    with _running(speak):
        try:
            yield
        finally:
            over.set()


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
