"""Who may ask a server of ours what: the guard before everything that a port serves.

A browser sends what any page that its user visits tells it to send, to this machine too. So an
address on loopback is no wall: a page from elsewhere could start runs by an `<img>`. The guard lets
in what our own pages ask, and programs that are no browser; it answers all else with a sentence.

Rules, in this order (https://fetch.spec.whatwg.org, https://w3c.github.io/webappsec-fetch-metadata):
1. `Host` is a name of this server (`Address.answers_to`), or nothing is answered: DNS rebinding.
2. What changes something (every method but GET and HEAD; every WebSocket, which hands out
   what others did not ask for) comes from our own pages: `Origin` and `Sec-Fetch-Site`.
3. What is read comes from our own pages or from a person who follows a link.
4. GET never changes anything: GraphQL takes queries by it, no mutations; and what is posted to
   GraphQL is JSON, a type that no foreign page can send without being asked first.
5. Where there is a token, it is shown: as a cookie, as `Authorization: Bearer`, or once as
   `?token=`, which sets the cookie.
"""

from __future__ import annotations

import hmac
import logging
from urllib.parse import parse_qsl, urlencode, urlsplit

from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from latent_assets.web.address import Address

READS = {"GET", "HEAD"}
GRAPHQL_TYPES = {"application/json", "application/graphql"}
HEADERS = {
    # What our pages are made of is not for other pages to load or to frame.
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "SAMEORIGIN",
    # Beside the page's own policy: no picture, script or form of it leads to another host.
    "Content-Security-Policy": "img-src 'self' data: blob:; frame-ancestors 'self';"
    " form-action 'self'",
}

logger = logging.getLogger(__name__)


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of ours
    """An answer in place of the application's."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class Guard:
    """ASGI middleware that lets in what may come in (see the head of this module)."""

    def __init__(self, app: ASGIApp, address: Address, graphql: str = "/graphql") -> None:
        """graphql: the path where GraphQL is spoken."""
        self._app = app
        self._address = address
        self._graphql = graphql

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application answer."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            check_host(self._address, headers)
            check_sender(self._address, scope, headers)
            if scope["type"] == "http" and scope["path"].rstrip("/") == self._graphql:
                check_graphql(scope, headers)
            answer = self._asked_for_token(scope, headers)
        except Refusal as refusal:
            logger.info("refused %s %s: %s", scope.get("method"), scope["path"], refusal.why)
            answer = PlainTextResponse(refusal.why + "\n", refusal.status)
        if answer is None:
            await self._app(scope, receive, _with_headers(scope, send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        else:
            await answer(scope, receive, _with_headers(scope, send))

    def _asked_for_token(self, scope: Scope, headers: Headers) -> Response | None:
        """None if whoever asks has shown the token; or the answer that hands out the cookie."""
        token = self._address.token
        if not token:
            return None
        # Cookies are shared by all ports of a host: each server's has a name of its own.
        name = f"latent_assets_{self._address.port}"
        shown = [cookie_parser(headers.get("cookie", "")).get(name, "")]
        kind, _, credentials = headers.get("authorization", "").partition(" ")
        shown.append(credentials if kind.lower() == "bearer" else "")
        if any(hmac.compare_digest(each.encode(), token.encode()) for each in shown):
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        brought = dict(query).get("token", "")
        if scope.get("method") == "GET" and hmac.compare_digest(brought.encode(), token.encode()):
            rest = urlencode([(key, value) for key, value in query if key != "token"])
            # A path of our own, never "//host/": that would lead elsewhere.
            path = "/" + scope["path"].lstrip("/\\")
            answer = RedirectResponse(f"{path}?{rest}" if rest else path, status_code=303)
            answer.set_cookie(name, token, httponly=True, samesite="lax")
            return answer
        raise Refusal(
            401,
            "This server asks for a token. Open the address that `latent-assets ui` printed, with"
            " ?token=... at its end, or send the header `Authorization: Bearer ...`.",
        )


def check_host(address: Address, headers: Headers) -> None:
    """Rule 1. Raises Refusal."""
    named = headers.getlist("host")
    host = _host_of(f"//{named[0]}") if len(named) == 1 else ""
    if not host or not address.answers_to(host):
        raise Refusal(
            403,
            f"This server does not answer to the name {', '.join(named) or '(none)'!r}. If that is"
            " a name of yours for it, start it with --allow-host and that name.",
        )


def check_sender(address: Address, scope: Scope, headers: Headers) -> None:
    """Rules 2 and 3. Raises Refusal."""
    origins, sites = headers.getlist("origin"), headers.getlist("sec-fetch-site")
    own = all(_is_own(address, origin, headers["host"]) for origin in origins)
    if own and all(site in {"same-origin", "none"} for site in sites):
        return
    link_followed = (
        scope["type"] == "http"
        and scope["method"] in READS
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
        and not origins
    )
    if link_followed:
        return
    raise Refusal(
        403,
        f"This was asked by another page ({', '.join(origins) or ', '.join(sites)})."
        " Only the pages of this server may ask it.",
    )


def check_graphql(scope: Scope, headers: Headers) -> None:
    """Rule 4. Raises Refusal."""
    if scope["method"] not in READS:
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in GRAPHQL_TYPES or len(headers.getlist("content-type")) != 1:
            raise Refusal(415, "GraphQL takes the Content-Type application/json.")
        return
    for key, value in parse_qsl(scope["query_string"].decode("latin-1")):
        if key == "query" and not _only_asks(value):
            raise Refusal(405, "By GET one may ask, not change. Send mutations by POST, as JSON.")


def _only_asks(query: str) -> bool:
    try:
        document = parse(query)
    except (GraphQLError, RecursionError):
        return False
    return all(
        node.operation is OperationType.QUERY
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
    )


def _host_of(url: str) -> str:
    """The host of a URL, without port; empty if it has none that could be one."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # ValueError, if it is no number
    except ValueError:
        return ""
    more = parts.username or parts.path not in {"", "/"} or parts.query or parts.fragment
    return "" if more else parts.hostname or ""


def _is_own(address: Address, origin: str, host: str) -> bool:
    """Whether an origin is this server's: the name that was asked, or the name of its proxy."""
    scheme, _, rest = origin.lower().partition("://")
    if scheme not in {"http", "https"} or not rest:
        return False
    return rest == host.lower() or _host_of(origin) in address.names


def _with_headers(scope: Scope, send: Send) -> Send:
    if scope["type"] != "http":
        return send

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.append(name, value)
        await send(message)

    return send_with_headers
