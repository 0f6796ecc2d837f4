"""`latent-assets ui`, real: by requests of other pages, in Chromium, by signals, and over time."""

import contextlib
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from urllib.parse import quote, urlencode

import browser
import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test
from ui_server import JSON, LAUNCH, LOCATION, TESTS, is_alive, opened, wait_for

from latent_assets.orchestration import show
from latent_assets.web import servers

pytestmark = [pytest.mark.slow, pytest.mark.web]

WALK = "kind: interpolation\nprompts: [a, b]\nframes: 3\n"
PARAMS = {
    "selector": {**LOCATION, "pipelineName": "render_walk"},
    "mode": "default",
    "executionMetadata": {"tags": [{"key": "dagster/partition", "value": "one"}]},
}
WIPE = (
    'mutation { wipeAssets(assetPartitionRanges: [{assetKey: {path: ["frames"]}}]) { __typename } }'
)
LAUNCH_URL = "/graphql?" + urlencode(
    {"query": LAUNCH, "variables": json.dumps({"executionParams": PARAMS})}
)
LAUNCH_BODY = json.dumps({"query": LAUNCH, "variables": {"executionParams": PARAMS}})
EVIL = {"Origin": "http://evil.example"}
CROSS = {"Sec-Fetch-Site": "cross-site"}
IMG = {**CROSS, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image", "Accept": "image/*"}


def write(data, name, more=""):
    (data / "walks").mkdir(parents=True, exist_ok=True)
    (data / "walks" / f"{name}.yaml").write_text(WALK + more)


@pytest.fixture(scope="module")
def ui(tmp_path_factory):
    data = tmp_path_factory.mktemp("ui") / "data"
    write(data, "one")
    write(data, "two")
    with opened(data) as ui:
        yield ui


# --- what other pages send ----------------------------------------------------------------------

TEXT = {"Content-Type": "text/plain; application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GRAPHQL = {"Content-Type": "application/graphql"}
LINK = {**CROSS, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
NEIGHBOUR = {"Origin": "http://127.0.0.1:1"}
PREFLIGHT = {**EVIL, "Access-Control-Request-Method": "POST"}
REBOUND = {"Host": "evil.example"}
POST = ("POST", "/graphql", LAUNCH_BODY)
FOREIGN = {
    "img": ("GET", LAUNCH_URL, None, {**IMG, **EVIL}),
    "img without Origin": ("GET", LAUNCH_URL, None, IMG),
    "img of an old browser": ("GET", LAUNCH_URL, None, {"Accept": "image/*"}),
    "img that wipes": ("GET", f"/graphql?query={quote(WIPE)}", None, IMG),
    "link": ("GET", LAUNCH_URL, None, LINK),
    "link that wants a page": ("GET", LAUNCH_URL, None, {**LINK, "Accept": "text/html"}),
    "HEAD": ("HEAD", LAUNCH_URL, None, {}),
    "form": ("POST", LAUNCH_URL, "a=b", {**FORM, **EVIL}),
    "form of an old browser": ("POST", LAUNCH_URL, "a=b", FORM),
    "text that is JSON": (*POST, TEXT),
    "text from elsewhere": (*POST, {**TEXT, **EVIL, **CROSS}),
    "no type": ("POST", LAUNCH_URL, "", {}),
    "JSON from elsewhere": (*POST, {**JSON, **EVIL}),
    "JSON by Sec-Fetch-Site": (*POST, {**JSON, **CROSS}),
    "JSON from the same site": (*POST, {**JSON, "Sec-Fetch-Site": "same-site"}),
    "JSON from a sandbox": (*POST, {**JSON, "Origin": "null"}),
    "JSON from another port": (*POST, {**JSON, **NEIGHBOUR}),
    "graphql from elsewhere": ("POST", "/graphql", LAUNCH, {**GRAPHQL, **EVIL}),
    "rebound name": (*POST, {**JSON, **REBOUND, **EVIL}),
    "rebound name that reads": ("GET", "/graphql?query={version}", None, REBOUND),
    "path in disguise": ("GET", LAUNCH_URL.replace("/graphql", "/%67raphql"), None, IMG),
    "preflight": ("OPTIONS", "/graphql", None, PREFLIGHT),
    "report of an asset": ("POST", "/report_asset_materialization/frames", "", EVIL),
    "report by a form": ("POST", "/report_asset_observation/frames", "", CROSS),
}


NOTES = """{ assetsOrError { ... on AssetConnection { nodes {
  assetMaterializations { timestamp } assetObservations { timestamp } } } } }"""


def notes(ui) -> list[str]:
    """When anything of any asset was noted."""
    nodes = ui.ask(NOTES)["assetsOrError"]["nodes"]
    return [each["timestamp"] for node in nodes for many in node.values() for each in many]


def test_no_kind_of_foreign_request_changes_anything(ui):
    wait_for(lambda: len(notes(ui)) >= 2, "the notes on the walk files")
    before = ui.runs(), notes(ui)
    for case, (method, path, body, headers) in FOREIGN.items():
        status, _ = ui.request(method, path, body, headers)
        assert status in {403, 405, 415}, case
    assert (ui.runs(), notes(ui)) == before


def test_a_foreign_websocket_is_not_opened(ui):
    handshake = (
        f"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1:{ui.port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-ws\r\nOrigin: {}\r\n\r\n"
    )
    for origin, answer in (("http://evil.example", b"403"), (ui.url, b"101")):
        with socket.create_connection(("127.0.0.1", ui.port), timeout=60) as connection:
            connection.sendall(handshake.format(origin).encode())
            assert connection.recv(1024).split()[1] == answer


ATTACK = """<!doctype html><title>waiting</title>
<script>
let left = 6;
const done = () => {{ if (--left === 0) document.title = "done"; }};
</script>
<img src="{launch}" onerror="done()"><img src="{wipe}" onerror="done()">
<iframe name="frame"></iframe><iframe src="{url}/runs"></iframe>
<form method="post" enctype="text/plain" action="{launch}" target="frame"></form>
<script>
document.forms[0].submit();
const text = {{ method: "POST", mode: "no-cors", credentials: "include" }};
fetch("{url}/graphql", {{ ...text, body: {body} }}).then(done, done);
const json = {{ method: "POST", headers: {{ "Content-Type": "application/json" }} }};
fetch("{url}/graphql", {{ ...json, body: {body} }}).then(done, done);
const tell = async (answer) => {{ document.body.append("READ" + await answer.text()); done(); }};
fetch("{url}/graphql?query={{version}}").then(tell, done);
const socket = new WebSocket("{url}/graphql".replace("http", "ws"), "graphql-ws");
socket.onopen = () => {{ document.body.append("OPENED"); }};
socket.onclose = done;
</script>"""


@contextlib.contextmanager
def page_from_elsewhere(text):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()


def test_a_foreign_page_in_chromium_neither_runs_nor_reads_nor_frames(ui):
    before = ui.runs()
    text = ATTACK.format(
        url=ui.url,
        launch=ui.url + LAUNCH_URL,
        wipe=f"{ui.url}/graphql?query={quote(WIPE)}",
        body=json.dumps(LAUNCH_BODY),
    )
    with browser.page() as page, page_from_elsewhere(text) as elsewhere:
        page.unroute("**")
        answers = {}
        page.on("response", lambda answer: answers.setdefault(answer.url, answer.status))
        page.goto(elsewhere)
        page.wait_for_function("document.title === 'done'")
        assert answers[ui.url + LAUNCH_URL] in {403, 405}
        assert answers[f"{ui.url}/runs"] == 403
        shown = page.locator("body").inner_text()
        assert "READ" not in shown
        assert "OPENED" not in shown
    assert ui.runs() == before


# --- what a person does -------------------------------------------------------------------------


def test_our_own_pages_open_without_a_complaint(ui):
    with browser.page() as page:
        page.unroute("**")
        complaints = []
        page.on("console", lambda each: complaints.append(f"{each.text} {each.location}"))
        page.on("pageerror", lambda each: complaints.append(str(each)))
        page.goto(f"{ui.url}/assets")
        page.get_by_text("walk_spec").first.wait_for()
        wrong = [
            each for each in complaints if "Content Security" in each or "refused" in each.lower()
        ]
        assert wrong == []


def test_the_address_alone_opens_all_walks_and_from_there_what_renders_them(ui):
    with browser.page() as page:
        page.unroute("**")
        page.goto(ui.url)
        page.get_by_role("link", name="Dagster").click()
        page.get_by_text("walk_spec").first.wait_for()
        assert page.url.startswith(f"{ui.url}/assets")


QUOTED = [
    "![i](http://evil.example/p.png) a cat",
    "<img src='http://evil.example/q.png' onerror='alert(1)'>",
    "[x](javascript:alert(1)) [y]: http://evil.example <a href=//evil.example>z</a>",
    "HTTPS://evil.example/a?b=c www.evil.example Me@evil.example <http://evil.example>",
]
LINKS = """[...document.querySelectorAll("a[href], img[src]")]
  .map((each) => each.getAttribute("href") || each.getAttribute("src"))
  .filter((each) => /evil|javascript|alert/i.test(each))"""


def test_what_prompts_quote_is_neither_fetched_nor_a_link_in_dagsters_pages(ui):
    note = dg.AssetObservation("walk_file", partition="one", metadata={
        "quoted": show.bullet_list(QUOTED), "said": show.sentences(QUOTED),
    })  # fmt: skip
    with dg.DagsterInstance.from_config(str(ui.data / "dagster")) as instance:
        instance.report_runless_asset_event(note)
    with browser.page() as page:
        page.unroute("**")
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{ui.url}/assets/walk_file?view=events&partition=one")
        for text in QUOTED:  # as it was written, without a word of ours
            page.get_by_role("listitem").get_by_text(text, exact=True).first.wait_for()
        assert page.evaluate(LINKS) == []
        assert [url for url in asked if "evil" in url] == []


def stale(ui, walk):
    found = ui.ask(
        "query($walk: String!) { assetNodes { assetKey { path } staleStatus(partition: $walk) } }",
        walk=walk,
    )["assetNodes"]
    return {each["assetKey"]["path"][0]: each["staleStatus"] for each in found}


def test_a_walk_of_a_new_folder_becomes_stale_and_fresh_again_without_a_button(ui):
    assert ui.wait_for_run(ui.render("one")) == "SUCCESS"
    assert stale(ui, "one")["walk_spec"] == "FRESH"
    write(ui.data, "one", "seed: 5\n")
    wait_for(lambda: stale(ui, "one")["walk_spec"] == "STALE", "staleness")
    assert stale(ui, "two")["walk_spec"] == "MISSING"
    write(ui.data, "one")
    wait_for(lambda: stale(ui, "one")["walk_spec"] == "FRESH", "freshness")


def test_a_run_that_could_not_say_that_it_ended_is_ended_while_the_pages_are_open(ui):
    home = ui.data / "dagster"
    with dg.DagsterInstance.from_config(str(home)) as instance:
        run_id = create_run_for_test(instance, status=dg.DagsterRunStatus.STARTED).run_id
    (home / "alive").mkdir(exist_ok=True)
    (home / "alive" / run_id).touch()  # a lock that nobody holds
    assert ui.wait_for_run(run_id) == "FAILURE"


def partitions(ui):
    found = ui.ask("{ assetNodes { assetKey { path } partitionKeys } }")["assetNodes"]
    return {walk for each in found for walk in each["partitionKeys"]}


START = """mutation($selector: SensorSelector!) {
  startSensor(sensorSelector: $selector) { __typename ... on PythonError { message } }
}"""
SENSOR = {**LOCATION, "sensorName": "render_changed_walks"}
TICKS = """query($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) {
  ... on Sensor { sensorState { ticks { status skipReason } } } } }"""


STOP = """mutation($id: String!) {
  stopSensor(id: $id) { __typename ... on PythonError { message } }
}"""
STATE = """query($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) {
  ... on Sensor { sensorState { id } } } }"""
RELOAD = """mutation { reloadRepositoryLocation(repositoryLocationName: "latent-assets") {
  __typename ... on PythonError { message } } }"""


def ticks(ui):
    """What the sensor said at each look that is over, the newest first.

    One that is under way may still read a file that is written now.
    """
    found = ui.ask(TICKS, selector=SENSOR)["sensorOrError"]["sensorState"]["ticks"]
    return [each["skipReason"] or "" for each in found if each["status"] != "STARTED"]


def wait_for_tick(ui):
    """A look that begins after this."""
    before = len(ticks(ui))
    wait_for(lambda: len(ticks(ui)) > before + 1, "two more looks of the sensor")


def switch_on(ui):
    """Until it has taken stock of what is there."""
    took = sum("Took stock" in each for each in ticks(ui))
    assert ui.ask(START, selector=SENSOR)["startSensor"]["__typename"] == "Sensor"
    wait_for(lambda: sum("Took stock" in each for each in ticks(ui)) > took, "taking stock")


def asked_for(ui):
    """The walks that the sensor asked for."""
    return sorted(each["partition"] for each in ui.runs() if "sensor_name" in each)


def test_the_automation_renders_each_changed_walk_once_and_a_new_one_without_a_button(ui):
    assert asked_for(ui) == []
    switch_on(ui)
    write(ui.data, "two", "seed: 9\n")
    write(ui.data, "new", "seed: 3\n")
    wait_for(lambda: "new" in partitions(ui), "the new walk")
    wait_for(lambda: len(asked_for(ui)) >= 2, "the runs")
    wait_for_tick(ui)
    assert asked_for(ui) == ["new", "two"]


def test_in_other_orders_too_each_changed_walk_is_rendered_once_and_nothing_else(tmp_path):
    data = tmp_path / "data"
    for name in ("one", "two", "three"):
        write(data, name)
    with opened(data) as ui:
        # Rendered by hand, then switched on; a file, then Reload before anybody looked.
        assert ui.wait_for_run(ui.render("one")) == "SUCCESS"
        switch_on(ui)
        write(data, "late")
        ui.ask(RELOAD)
        # Edited, and rendered by hand before the sensor looks, or while it does.
        write(data, "two", "seed: 2\n")
        by_hand = ui.render("two")
        wait_for(lambda: "late" in asked_for(ui), "the new walk's run")
        assert ui.wait_for_run(by_hand) == "SUCCESS"
        wait_for_tick(ui)
        assert asked_for(ui).count("late") == 1
        assert asked_for(ui).count("two") <= 1, "if it looked before the run by hand had read it"
        before = asked_for(ui)
        # Switched off, edited, switched on: that counts as known. Edited back then: a change.
        state = ui.ask(STATE, selector=SENSOR)["sensorOrError"]["sensorState"]["id"]
        ui.ask(STOP, id=state)
        write(data, "three", "seed: 4\n")
        switch_on(ui)
        wait_for_tick(ui)
        assert asked_for(ui) == before
        write(data, "three")
        wait_for(lambda: asked_for(ui).count("three") == 1, "the run of what was edited back")
        wait_for_tick(ui)
        assert asked_for(ui) == sorted([*before, "three"])


# --- from the first word to the last ------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
def test_nothing_outlives_the_command(tmp_path, how):
    """With a run that is under way; from a folder with a module that Dagster's would import."""
    data, folder = tmp_path / "data", tmp_path / "here"
    folder.mkdir()
    trap = f"open({str(tmp_path / 'imported')!r}, 'w').write('x')\nraise ImportError('not ours')\n"
    for name in ("gql", "graphene", "sqlalchemy"):
        (folder / f"{name}.py").write_text(trap)
    write(data, "one")
    (data / "wait-at").write_text("0")
    with opened(data, "--token", cwd=folder) as ui:
        assert ui.request("GET", "/")[0] == 401
        (server,) = servers(data / "web")
        shown = {"Authorization": f"Bearer {server.token}"}
        status, _ = ui.request("POST", "/graphql", LAUNCH_BODY, {**JSON, **shown})
        assert status == 200
        wait_for(lambda: not (data / "wait-at").exists(), "the run")
        processes = ui.descendants()
        assert len(processes) >= 6, "keepers, code server, its child, daemon, the run"
        os.killpg(ui.process.pid, how)
        wait_for(lambda: not any(map(is_alive, processes)), "the end of all", within_s=60)
        assert ui.process.wait(60) == (-9 if how is signal.SIGKILL else 0)
    assert servers(data / "web") == []
    assert not (tmp_path / "imported").exists()


def test_a_port_in_use_is_said_at_once(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, TESTS / "fake_ui.py", "ui", "--port", port, "--no-open"],
            env={**os.environ, "LATENT_ASSETS_DATA": str(tmp_path)},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
    assert done.returncode == 2
    assert f"port {port} is in use" in done.stderr
    assert "--port" in done.stderr
    assert "Loading" not in done.stderr
