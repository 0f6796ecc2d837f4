"""The guard: what other pages in the user's browser cannot do, and what our own still can."""

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from latent_assets.web import Address, Guard

HOME = "http://127.0.0.1:3000"
LAUNCH = "mutation { launchRun { runId } }"
JSON_TYPE = "application/json"
JSON = {"Content-Type": JSON_TYPE}
EVIL = {"Origin": "http://evil.example"}
NEIGHBOUR, OTHER_NAME = {"Origin": "http://127.0.0.1:8888"}, {"Origin": "http://localhost:3000"}
CROSS = {"Sec-Fetch-Site": "cross-site"}
IMG = {**CROSS, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image", "Accept": "image/*"}
FRAME = {**CROSS, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
LINK = {**CROSS, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


class Reached:
    """What came through."""

    def __init__(self, address=None):
        self.asked = []
        routes = [
            Route("/{path:path}", self.answer, methods=["GET", "POST", "PUT", "DELETE"]),
            WebSocketRoute("/{path:path}", self.talk),
        ]
        app = Guard(Starlette(routes=routes), address or Address())
        self.client = TestClient(app, base_url=HOME, follow_redirects=False)

    async def answer(self, request):
        self.asked.append((request.method, request.url.path))
        return JSONResponse({"ok": True})

    async def talk(self, websocket):
        self.asked.append(("WEBSOCKET", websocket.url.path))
        await websocket.accept()
        await websocket.send_text("the logs of a run")
        await websocket.close()


@pytest.fixture
def reached():
    return Reached()


FOREIGN = {
    "an img that launches": ("GET", "/graphql", {"query": LAUNCH}, {**IMG, **EVIL}),
    "an img, no Origin": ("GET", "/graphql", {"query": LAUNCH}, IMG),
    "an img in an old browser": ("GET", "/graphql", {"query": LAUNCH}, {"Accept": "image/*"}),
    "HEAD that launches": ("HEAD", "/graphql", {"query": LAUNCH}, {}),
    "a mutation behind a query": ("GET", "/graphql", {"query": f"query a {{b}} {LAUNCH}"}, {}),
    "a second query": ("GET", f"/graphql?query={{version}}&query={LAUNCH}", {}, {}),
    "a subscription by GET": ("GET", "/graphql", {"query": "subscription { logs { x } }"}, {}),
    "no GraphQL at all": ("GET", "/graphql", {"query": "mutation"}, {}),
    "deep nesting": ("GET", "/graphql", {"query": "{" * 9000}, {}),
    "a link that launches": ("GET", "/graphql", {"query": LAUNCH}, LINK),
    "a link with a slash": ("GET", "/graphql/", {"query": LAUNCH}, LINK),
    "a path in disguise": ("GET", "/%67raphql", {"query": LAUNCH}, {}),
    "fetch with JSON": ("POST", "/graphql", {}, {**EVIL, **JSON}),
    "fetch from a neighbour port": ("POST", "/graphql", {}, {**NEIGHBOUR, **JSON}),
    "fetch from a neighbour name": ("POST", "/graphql", {}, {**OTHER_NAME, **JSON}),
    "fetch from the same site": ("POST", "/graphql", {}, {"Sec-Fetch-Site": "same-site", **JSON}),
    "fetch without a name": ("POST", "/graphql", {}, {"Origin": "null", **JSON}),
    "fetch by Sec-Fetch alone": ("POST", "/graphql", {}, {**CROSS, **JSON}),
    "a form": ("POST", "/graphql", {"query": LAUNCH}, {"Content-Type": "text/plain"}),
    "a type in disguise": ("POST", "/graphql", {}, {"Content-Type": "text/plain; " + JSON_TYPE}),
    "no type at all": ("POST", "/graphql", {"query": LAUNCH}, {}),
    "a report of an asset": ("POST", "/report_asset_materialization/frames", {}, EVIL),
    "PUT": ("PUT", "/graphql", {}, {**CROSS, **JSON}),
    "DELETE": ("DELETE", "/anything", {}, EVIL),
    "a preflight": ("OPTIONS", "/graphql", {}, {**EVIL, "Access-Control-Request-Method": "POST"}),
    "a script tag": ("GET", "/logs/a", {}, {**CROSS, "Sec-Fetch-Mode": "no-cors"}),
    "a picture of the gallery": ("GET", "/gallery/walks/a.webp", {}, IMG),
    "a frame around the pages": ("GET", "/", {}, FRAME),
    "another name": ("GET", "/", {}, {"Host": "evil.example"}),
    "another name with our port": ("POST", "/graphql", {}, {"Host": "evil.example:3000", **JSON}),
    "a name that begins like ours": ("GET", "/", {}, {"Host": "127.0.0.1.evil.example:3000"}),
    "a name that ends like ours": ("GET", "/", {}, {"Host": "evil.localhost"}),
    "a user in the name": ("GET", "/", {}, {"Host": "localhost@evil.example"}),
    "no name": ("GET", "/", {}, {"Host": ""}),
    "no port": ("GET", "/", {}, {"Host": "localhost:x"}),
    "another address": ("GET", "/", {}, {"Host": "10.0.0.7:3000"}),
    "Origin and Host agree": ("POST", "/graphql", {}, {"Host": "evil.example", **EVIL, **JSON}),
}  # fmt: skip


@pytest.mark.parametrize("case", FOREIGN)
def test_what_another_page_sends_does_not_come_through(reached, case):
    method, path, query, headers = FOREIGN[case]
    answer = reached.client.request(method, path, params=query or None, headers=headers)
    assert answer.status_code in {401, 403, 405, 415}
    assert reached.asked == []
    assert method == "HEAD" or answer.text.endswith(".\n")
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "headers", [EVIL, {"Origin": "null"}, CROSS, {"Origin": "http://localhost:3000"}]
)
def test_another_page_gets_no_websocket(reached, headers):
    with (
        pytest.raises(WebSocketDisconnect),
        reached.client.websocket_connect("/graphql", headers=headers),
    ):
        pass
    assert reached.asked == []


OWN = {
    "a page": ("GET", "/runs", {}, {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}),
    "a followed link": ("GET", "/runs/1", {}, LINK),
    "a picture": ("GET", "/gallery/a.webp", {}, {"Sec-Fetch-Site": "same-origin"}),
    "the pages' question": (
        "POST", "/graphql", {}, {"Origin": HOME, "Sec-Fetch-Site": "same-origin", **JSON}
    ),
    "JSON with its character set": (
        "POST", "/graphql", {}, {"Origin": HOME, "Content-Type": "application/json; charset=utf-8"}
    ),
    "a program": ("POST", "/graphql", {}, JSON),
    "a program that asks by GET": ("GET", "/graphql", {"query": "query { version }"}, {}),
    "GraphQL's own page": ("GET", "/graphql", {}, {"Accept": "text/html"}),
    "through a tunnel": (
        "POST", "/graphql", {}, {"Host": "[::1]:80", "Origin": "http://[::1]:80", **JSON}
    ),
    "by IPv6": ("GET", "/", {}, {"Host": "[::1]:3000"}),
    "with a dot": ("GET", "/", {}, {"Host": "LOCALHOST.:3000"}),
}  # fmt: skip


@pytest.mark.parametrize("case", OWN)
def test_what_our_own_pages_and_programs_ask_comes_through(reached, case):
    method, path, query, headers = OWN[case]
    answer = reached.client.request(method, path, params=query or None, headers=headers)
    assert answer.json() == {"ok": True}
    assert reached.asked == [(method, path)]


def test_our_own_page_gets_its_websocket(reached):
    headers = {"Origin": HOME, "Sec-Fetch-Site": "same-origin", "Host": "127.0.0.1:3000"}
    with reached.client.websocket_connect("/graphql", headers=headers) as websocket:
        assert websocket.receive_text() == "the logs of a run"


def test_pages_cannot_be_framed_nor_loaded_nor_made_to_fetch_from_elsewhere(reached):
    headers = reached.client.get("/").headers
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "img-src 'self' data: blob:" in headers["content-security-policy"]
    assert "frame-ancestors 'self'" in headers["content-security-policy"]


def test_a_proxy_is_let_in_by_its_name_whether_or_not_it_passes_the_name_on():
    reached = Reached(Address(names=("walks.example.org",)))
    origin = {"Origin": "https://walks.example.org", **JSON}
    for host in ("walks.example.org", "127.0.0.1:3000"):
        assert reached.client.post("/graphql", headers={**origin, "Host": host}).is_success
    assert reached.client.post("/graphql", headers={**EVIL, **JSON}).status_code == 403


def test_for_others_than_this_machine_it_answers_to_numbers_but_not_to_any_name():
    address = Address(host="0.0.0.0")
    assert address.answers_to("192.0.2.7")
    assert address.answers_to("localhost")
    assert not address.answers_to("evil.example")
    assert not address.is_loopback


# --- the token ----------------------------------------------------------------------------------

TOKEN = "geheim-7"


@pytest.fixture
def closed():
    return Reached(Address(token=TOKEN))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer other"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Cookie": f"latent_assets_3001={TOKEN}"},
        {"Cookie": "latent_assets_3000="},
    ],
)
def test_without_the_token_nothing_is_answered(closed, headers):
    for method, path in (("GET", "/"), ("POST", "/graphql"), ("GET", "/?token=other")):
        answer = closed.client.request(method, path, headers={**headers, **JSON})
        assert answer.status_code == 401
        assert "asks for a token" in answer.text
    with pytest.raises(WebSocketDisconnect), closed.client.websocket_connect("/graphql"):
        pass
    assert closed.asked == []


def test_the_printed_address_hands_out_a_cookie_and_then_does_not_show_the_token(closed):
    answer = closed.client.get(f"/runs?a=1%262&token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs?a=1%262")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert closed.client.get("/runs").is_success, "the browser has kept it"


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example/"])
def test_the_token_leads_to_no_other_host(closed, path):
    answer = closed.client.get(f"{HOME}{path}?token={TOKEN}")
    assert answer.headers["location"] == "/evil.example/"


def test_programs_show_the_token_in_a_header(closed):
    assert closed.client.post(
        "/graphql", headers={"Authorization": f"Bearer {TOKEN}", **JSON}
    ).is_success


def test_the_token_does_not_open_the_door_to_another_page(closed):
    shown = {"Cookie": f"latent_assets_3000={TOKEN}", **EVIL, **JSON}
    assert closed.client.post("/graphql", headers=shown).status_code == 403
