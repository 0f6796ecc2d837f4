"""The gallery's server: pages, pictures and what happens, by GET alone.

Nothing that is asked for becomes a path: walks, files and styles are looked up by name among those
that there are, frames by keys of hex digits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from latent_assets.errors import LatentAssetsError
from latent_assets.gallery import pages
from latent_assets.gallery.album import Album
from latent_assets.gallery.live import BEAT, Broadcast, event
from latent_assets.gallery.pages import FILES, POLICY, Where
from latent_assets.gallery.pictures import Pictures
from latent_assets.gallery.versions import Folder
from latent_assets.gallery.walks import Walks
from latent_assets.store import DamagedError, MissingError
from latent_assets.studio import Studio

FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}
ASK_AGAIN = {"Cache-Control": "no-cache"}
_HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)
_SHOWN = {".gif", ".webp", ".png", ".jpg", ".mp4", ".apng", ".avif"}
"""What a browser may show by itself; a page or a drawing could hold a script: it is downloaded."""


def make_app(studio: Studio, *, dagster: str | None) -> Starlette:
    """See `latent_assets.gallery.gallery_app`."""
    return _Server(studio, dagster).app()


class _Server:
    def __init__(self, studio: Studio, dagster: str | None) -> None:
        self._album = Album(studio)
        self._pictures = Pictures(self._album, studio.settings.cache_dir)
        self._walks = Walks(studio, self._album, self._pictures)
        self._broadcast = Broadcast(self._walks.shelf)
        self._where = Where(live=True, root="../", index="../", dagster=dagster)

    def app(self) -> Starlette:
        routes = [
            Route("/", self.index),
            Route(f"/{FILES}/static/{{name}}", self.asset),
            Route(f"/{FILES}/frames/{{key}}.webp", self.frame),
            Route(f"/{FILES}/frames/{{key}}.png", self.original),
            Route(f"/{FILES}/events", self.events),
            Route("/{walk}", self.without_slash),
            Route("/{walk}/", self.walk),
            Route("/{walk}/walk.js", self.portrait),
            Route("/{walk}/details.js", self.details),
            Route("/{walk}/walk.yaml", self.text),
            Route("/{walk}/preview.webp", self.preview),
            Route("/{walk}/poster.webp", self.poster),
            Route("/{walk}/events", self.events_of_walk),
            Route("/{walk}/files/{name}", self.finished),
            Route("/{walk}/earlier/{name}", self.earlier),
            Route("/{walk}/variants/{name}", self.of_variant),
        ]
        app = Starlette(
            routes=routes,
            middleware=[Middleware(_OurHeaders), Middleware(GZipMiddleware, compresslevel=5)],
            exception_handlers={HTTPException: self.no_page, LatentAssetsError: self.trouble},
        )
        app.state.end = self._broadcast.end
        return app

    def index(self, _request: Request) -> Response:
        look = self._walks.shelf.look()
        page = pages.index_page(list(look.cards.values()), self._where, look.trouble)
        return HTMLResponse(page, headers=ASK_AGAIN)

    def walk(self, request: Request) -> Response:
        page = self._walks.page(_walk(request))
        return HTMLResponse(pages.walk_page(page, self._where), headers=ASK_AGAIN)

    def without_slash(self, request: Request) -> Response:
        self._walks.card(_walk(request))
        return RedirectResponse(f"{_walk(request)}/", status_code=308)

    def portrait(self, request: Request) -> Response:
        name = _walk(request)
        return _script(pages.script("walk", name, self._walks.portrait(name)))

    def details(self, request: Request) -> Response:
        name = _walk(request)
        return _script(pages.script("details", name, self._walks.details(name)))

    def text(self, request: Request) -> Response:
        return Response(
            self._walks.text(_walk(request)), media_type="text/plain", headers=ASK_AGAIN
        )

    def frame(self, request: Request) -> Response:
        return self._frame(request, "image/webp", self._pictures.frame)

    def original(self, request: Request) -> Response:
        return self._frame(request, "image/png", self._album.original)

    def _frame(self, request: Request, mime: str, read: Any) -> Response:
        try:
            data = read(request.path_params["key"])
        except (MissingError, DamagedError, ValueError):
            raise HTTPException(404, "There is no such frame in the store.") from None
        return Response(data, media_type=mime, headers=FOR_EVER)

    def preview(self, request: Request) -> Response:
        return self._small(request, self._walks.preview)

    def poster(self, request: Request) -> Response:
        return self._small(request, self._walks.poster)

    def _small(self, request: Request, read: Any) -> Response:
        data = read(_walk(request))
        if data is None:
            raise HTTPException(404, "None of its frames is rendered yet.")
        # Its address names the frames it was made of (`?v=`): with another one it is another.
        stays = FOR_EVER if "v" in request.query_params else ASK_AGAIN
        return Response(data, media_type="image/webp", headers=stays)

    def finished(self, request: Request) -> Response:
        name = request.path_params["name"]
        folder = self._walks.pictures(_walk(request))
        if folder is not None and folder.name == name:
            return _pack(folder)
        return _download(self._walks.finished(_walk(request)), name)

    def earlier(self, request: Request) -> Response:
        found = [version.file for version in self._walks.earlier(_walk(request))]
        return _download(found, request.path_params["name"])

    def of_variant(self, request: Request) -> Response:
        found = [file for each in self._walks.variants(_walk(request)) for file in each.files]
        return _download(found, request.path_params["name"])

    def asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        data = pages.assets().get(name)
        if data is None:
            raise HTTPException(404, "There is no such file.")
        mime = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
        return Response(data, media_type=mime[name.rpartition(".")[2]], headers=FOR_EVER)

    async def events(self, request: Request) -> Response:
        return _stream(self._all(request))

    async def events_of_walk(self, request: Request) -> Response:
        return _stream(self._one(request, _walk(request)))

    async def _all(self, _request: Request) -> AsyncIterator[bytes]:
        """The state of each walk that differs from what was sent before."""
        sent: dict[str, dict[str, Any]] = {}
        async for look in self._broadcast.looks():
            if look is None:
                yield BEAT
                continue
            states = {name: self._broadcast.state(card) for name, card in look.cards.items()}
            news = [state for name, state in states.items() if sent.get(name) != state]
            gone = sorted(sent.keys() - states.keys())
            if sent and not news and not gone:
                continue
            newest = {
                s["name"]: self._walks.newest(s["name"], look) for s in news if s["rendering"]
            }
            yield event("walks", {"walks": news, "gone": gone, "newest": newest})
            sent = states

    async def _one(self, _request: Request, name: str) -> AsyncIterator[bytes]:
        sent: dict[str, Any] | None = None
        async for look in self._broadcast.looks():
            card = look.cards.get(name) if look is not None else None
            if look is None or card is None:
                yield BEAT
                continue
            state = self._broadcast.state(card)
            if not card.problem:
                keys = look.walks[name].keys
                state["missing"] = [i for i, key in enumerate(keys) if key not in look.stored]
            if state != sent:
                sent = state
                yield event("walk", state)

    def no_page(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        titles = {404: "Nothing here", 405: "This only shows"}
        title = titles.get(error.status_code, "This did not work")
        return self._say(request, title, error.detail, error.status_code)

    def trouble(self, request: Request, error: Exception) -> Response:
        return self._say(request, "This did not work", str(error), 503)

    def _say(self, request: Request, title: str, text: str, status: int) -> Response:
        depth = request.url.path.removeprefix(request.scope.get("root_path", "")).count("/")
        up = "../" * max(depth - 1, 0)
        where = Where(live=False, root=up, index=up or "./")
        return HTMLResponse(pages.message_page(title, text, where), status)


def _walk(request: Request) -> str:
    return request.path_params["walk"]


def _script(text: str) -> Response:
    return Response(text, media_type="text/javascript", headers=ASK_AGAIN)


def _stream(chunks: AsyncIterator[bytes]) -> Response:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(chunks, media_type="text/event-stream", headers=headers)


def _download(files: Any, name: str) -> Response:
    found = {file.name: file for file in files}.get(name)
    if found is None:
        raise HTTPException(404, "The walk has no such file.")
    shown = found.path.suffix.lower() in _SHOWN
    return FileResponse(
        found.path,
        media_type=found.mime,
        filename=found.name,
        content_disposition_type="inline" if shown else "attachment",
        headers={**ASK_AGAIN, "X-Frame-Options": "DENY"},
    )


def _pack(folder: Folder) -> Response:
    try:
        data = folder.packed()
    except OSError:
        raise HTTPException(404, "The pictures are being made anew: ask again.") from None
    named = {"Content-Disposition": f'attachment; filename="{folder.name}"'}
    return Response(data, media_type="application/zip", headers={**ASK_AGAIN, **named})


class _OurHeaders:
    """ASGI middleware: what every answer says of itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        await self._app(scope, receive, send_with_headers)
