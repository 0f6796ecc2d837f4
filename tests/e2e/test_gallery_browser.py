"""The gallery in a real browser: it plays, scrubs, compares, fills, and works by keyboard."""

import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from browser import ARGUMENTS, CHROMIUM, PATIENCE_MS
from fakes import fake_studio
from gallery import finish, render, write_walks
from starlette.applications import Starlette
from starlette.routing import Mount

from latent_assets.catalogue import Catalogue
from latent_assets.gallery import GALLERY_PATH, gallery_app, live
from latent_assets.gallery.site import write_site
from latent_assets.media import Provenance, write_png
from latent_assets.media.earlier import keep_earlier
from latent_assets.rendering import render_frames
from latent_assets.web import Address, Guard, listen

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
axe = pytest.importorskip("axe_playwright_python")
AXE = Path(axe.__file__).with_name("axe.min.js").read_text()
WIDTHS = {"narrow": 390, "middle": 820, "wide": 1440}
pytestmark = [pytest.mark.web, pytest.mark.skipif(not CHROMIUM, reason="no Chromium here")]


@pytest.fixture(scope="module")
def browser():
    expect.set_options(timeout=PATIENCE_MS)
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def served(studio):
    """The address of the gallery, behind the guard, as `latent-assets gallery` serves it."""
    address = Address(port=0)
    listener = listen(address)
    port = listener.getsockname()[1]
    gallery = gallery_app(studio)
    app = Starlette(routes=[Mount(GALLERY_PATH, gallery)])
    config = uvicorn.Config(
        Guard(app, Address(port=port)), log_level="warning", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}{GALLERY_PATH}/"
    finally:
        gallery.state.end()
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A studio whose walks are rendered, and its gallery's address."""
    studio = fake_studio(tmp_path_factory.mktemp("shown"))
    write_walks(studio)
    for name in ("loop", "way", "square", "sweep", "hostile"):
        render(studio, name)
    finish(studio, "way", "way.gif", "way-sheet.png")
    with served(studio) as address:
        yield studio, address


class Window:
    """A page, and all that went wrong on it."""

    def __init__(self, browser, width=1440, **how):
        viewport = {"width": width, "height": 900}
        self.context = browser.new_context(viewport=viewport, **how)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page = self.context.new_page()
        self.trouble = []
        self.page.on("console", lambda message: self.trouble.append(message.text))
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on(
            "response",
            lambda answer: answer.status >= 400 and self.trouble.append(f"{answer.url} failed"),
        )

    def open(self, address):
        self.page.goto(address)
        return self.page

    def wait(self, condition, *arguments):
        self.page.wait_for_function(condition, arg=list(arguments))

    @property
    def at(self):
        """The number of the frame that the canvas shows."""
        return self.page.evaluate("Number(document.getElementById('screen').dataset.shown)")

    def shows(self, index):
        self.wait(
            "([index]) => document.getElementById('screen').dataset.shown === String(index)", index
        )

    def knows(self):
        """Receipts and distances came, as a script that the page asks for when it is open."""
        self.wait("() => document.querySelector('#curve .line').getAttribute('d')")


@pytest.fixture
def window(browser):
    opened = []

    def open_window(**how):
        opened.append(Window(browser, **how))
        return opened[-1]

    yield open_window
    for each in opened:
        each.context.close()
        assert each.trouble == []


# --- what is seen -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "way/", "square/", "sweep/", "wrong/", "hostile/"])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_a_page_is_readable_by_everybody(shown, window, path, scheme):
    """axe-core finds nothing, at three widths; nothing is wider than the window."""
    opened = window(color_scheme=scheme, bypass_csp=True)
    page = opened.open(shown[1] + path)
    if path in ("way/", "square/", "sweep/", "hostile/"):
        opened.knows()
    page.evaluate(AXE)
    for width in WIDTHS.values():
        page.set_viewport_size({"width": width, "height": 900})
        opened.wait("([width]) => innerWidth === width", width)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
        opened.wait("() => document.documentElement.scrollWidth <= innerWidth")


def test_on_a_phone_held_across_it_plays_above_the_fold(shown, window):
    opened = window()
    page = opened.open(shown[1] + "way/")
    page.set_viewport_size({"width": 844, "height": 390})
    opened.wait("() => innerHeight === 390")
    for name in ("play", "before", "after", "scrub"):
        opened.wait(
            "([id]) => document.getElementById(id).getBoundingClientRect().bottom <= 390", name
        )


@pytest.mark.parametrize("path", ["", "way/", "square/", "sweep/"])
def test_under_a_thumb_everything_that_is_pressed_is_large_enough(shown, window, path):
    opened = window(has_touch=True, is_mobile=True)
    page = opened.open(shown[1] + path)
    pressed = page.locator("button:not(.cell), select, input, summary").filter(visible=True)
    sizes = [(each.inner_text(), each.bounding_box()["height"]) for each in pressed.all()]
    assert sizes
    assert [each for each in sizes if each[1] < 44] == []


@pytest.mark.parametrize("width", WIDTHS.values())
def test_the_names_of_prompts_do_not_cover_each_other(shown, window, width):
    opened = window(width=width)
    page = opened.open(shown[1] + "way/")
    opened.knows()
    for each in page.locator("#marks span").all():
        each.evaluate("(name) => { name.textContent = 'a long name '.repeat(20); }")
    boxes = [each.bounding_box() for each in page.locator("#marks span").all()]
    assert len(boxes) == 2
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]


def test_it_plays_by_itself_and_pauses(shown, window):
    opened = window()
    page = opened.open(shown[1] + "loop/")
    opened.wait("() => Number(document.getElementById('screen').dataset.shown) > 2")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    was = page.locator("#number").inner_text()
    page.wait_for_timeout(400)
    assert page.locator("#number").inner_text() == was


def test_nothing_moves_when_the_system_asks_for_it(shown, window):
    opened = window(reduced_motion="reduce")
    page = opened.open(shown[1] + "loop/")
    opened.shows(0)
    page.wait_for_timeout(500)
    assert opened.at == 0
    page.get_by_role("button", name="Play").click()  # who asks, gets it
    opened.wait("() => Number(document.getElementById('screen').dataset.shown) > 1")
    index = window(reduced_motion="reduce")
    page = index.open(shown[1])
    page.locator("#card-way img.film").scroll_into_view_if_needed()
    index.wait(
        "() => document.querySelector('#card-way img.film').currentSrc.includes('poster.webp')"
    )


def test_everything_works_by_keyboard_alone(shown, window):
    opened = window(reduced_motion="reduce")
    page = opened.open(shown[1])
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.locator("#search").focus()
    page.keyboard.type("way")
    expect(page.locator(".card:visible")).to_have_count(1)
    for _ in range(8):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "cover":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/way/")
    opened.shows(0)
    for key, at in [
        ("ArrowRight", 1),
        ("End", 8),
        ("ArrowRight", 0),
        ("ArrowLeft", 8),
        ("Home", 0),
    ]:
        page.keyboard.press(key)
        opened.shows(at)
    page.locator("#scrub").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    opened.shows(2)
    page.keyboard.press("b")
    expect(page.locator("#pingpong")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("+")
    expect(page.locator("#speed")).to_have_value("1.5")
    for word in ("Pause", "Play"):
        page.keyboard.press(" ")
        expect(page.locator("#play-word")).to_have_text(word)
    page.keyboard.press("f")
    opened.wait("() => document.fullscreenElement && document.fullscreenElement.id === 'player'")
    page.keyboard.press("f")
    opened.wait("() => !document.fullscreenElement")


def test_scrubbing_shows_the_frame_and_what_it_is(shown, window):
    studio, address = shown
    opened = window(reduced_motion="reduce")
    page = opened.open(address + "way/")
    page.locator("#scrub").fill("4")
    opened.shows(4)
    expect(page.locator("#caption")).to_have_text("50 % a boat, 50 % a house")
    expect(page.locator("#f-place")).to_have_text("50 % of the way")
    key = Catalogue(studio).read()["way"].keys[4]
    expect(page.locator("#f-key")).to_have_text(key)
    page.locator("#receipt summary").click()
    digest = studio.frames.read(key).receipt.pixel_digest
    expect(page.locator("#receipt-list")).to_contain_text(digest)
    expect(page.locator("#curve .line")).to_have_count(1)
    expect(page.locator("#curve .keyframe")).to_have_count(2)
    page.get_by_role("button", name="a house").click()
    opened.shows(8)
    with page.expect_download() as download:
        page.get_by_role("link", name="Save this frame").click()
    assert download.value.suggested_filename == "way-0008.png"


def test_a_finger_moves_through_the_walk(shown, window):
    opened = window(width=390, has_touch=True, reduced_motion="reduce")
    page = opened.open(shown[1] + "way/")
    opened.shows(0)
    box = page.locator("#stage").bounding_box()
    touch = opened.context.new_cdp_session(page)

    def send(kind, x):
        points = [] if x is None else [{"x": box["x"] + x, "y": box["y"] + 50}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", 20)
    for x in range(30, int(box["width"]), 30):
        send("touchMove", x)
    send("touchEnd", None)
    opened.wait("() => Number(document.getElementById('screen').dataset.shown) >= 6")
    page.locator("#stage").tap()
    expect(page.locator("#play-word")).to_have_text("Pause")


def test_two_walks_move_in_step(shown, window):
    opened = window(reduced_motion="reduce")
    page = opened.open(shown[1] + "way/")
    page.locator("#compare").select_option("walk:loop")
    opened.wait("() => document.getElementById('screen-other').dataset.shown === '0'")
    expect(page.locator("#other-name")).to_have_text("loop")
    page.keyboard.press("Escape")
    page.locator("#scrub").fill("8")
    opened.wait("() => document.getElementById('screen-other').dataset.shown === '11'")
    opened.shows(8)
    page.locator("#scrub").fill("4")
    opened.wait("() => document.getElementById('screen-other').dataset.shown === '6'")
    page.locator("#compare").select_option("")
    expect(page.locator("#stage-other")).to_be_hidden()


def test_an_earlier_version_moves_beside_the_walk(tmp_path, window):
    studio = fake_studio(tmp_path)
    write_walks(studio, "way")
    render(studio, "way")
    keys = Catalogue(studio).read()["way"].keys
    file = finish(studio, "way") / "way.png"
    record = Provenance({"name": "way"}, {"name": "m", "weights_digest": "0"}, keys[:3], keys[:3])
    write_png(np.zeros((8, 8, 3), np.uint8), file, provenance=record.as_dict())
    keep_earlier(file, 2)
    with served(studio) as address:
        opened = window(reduced_motion="reduce")
        page = opened.open(address + "way/")
        version = page.locator("#compare optgroup[label='Earlier versions'] option")
        expect(version).to_have_count(1)
        page.locator("#compare").select_option(version.get_attribute("value"))
        opened.wait("() => document.getElementById('screen-other').dataset.shown === '0'")
        page.locator("#scrub").fill("8")
        opened.wait("() => document.getElementById('screen-other').dataset.shown === '2'")
        expect(page.locator("#other-name")).to_contain_text("20")
        expect(page.get_by_role("link", name=file.stem).last).to_be_visible()


def test_a_grid_is_walked_by_dragging_and_by_arrows(shown, window):
    opened = window()
    page = opened.open(shown[1] + "square/")
    opened.shows(0)
    box = page.locator("#cells").bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 5, box["y"] + box["height"] / 2 + 5, steps=5)
    opened.shows(10)
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] - 5, steps=5)
    page.mouse.up()
    opened.shows(15)
    chosen = page.locator(".cell[aria-pressed=true]")
    expect(chosen).to_have_attribute("aria-label", "row 4, column 4")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    opened.shows(10)
    expect(page.locator("#f-place")).to_have_text("row 3, column 3")


def test_a_sweep_has_its_scale_as_a_slider(shown, window):
    opened = window()
    page = opened.open(shown[1] + "sweep/")
    slider = page.get_by_role("slider", name="Guidance scale")
    slider.fill("1")
    opened.shows(1)
    expect(slider).to_have_attribute("aria-valuetext", "guidance 2.5")
    expect(page.locator("#number")).to_have_text("guidance 2.5")


def test_a_hostile_prompt_is_text(shown, window):
    """`window` asserts that no script of it has run: it would be an error, or a message."""
    opened = window()
    page = opened.open(shown[1] + "hostile/")
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.locator(".jump").first.click()
    opened.shows(0)
    expect(page.locator("#caption")).to_contain_text("<script>alert(1)</script>")
    opened.knows()
    assert dialogs == []
    assert page.locator("img[src=x]").count() == 0


# --- what happens meanwhile --------------------------------------------------------------------


def test_a_walk_fills_while_it_is_rendered(tmp_path, window, monkeypatch):
    """By whoever renders: here nobody tells the server. Its page and its card show each frame."""
    monkeypatch.setattr(live, "_ARRIVING_S", 600.0)  # a slow machine's render still goes on
    studio = fake_studio(tmp_path)
    write_walks(studio, "loop")
    recipes = Catalogue(studio).read()["loop"].spec.recipes()
    with served(studio) as address:
        opened, index = window(), window()
        page, card = opened.open(address + "loop/"), index.open(address).locator("#card-loop")
        expect(page.locator("#waiting")).to_be_visible()
        expect(page.locator("#save")).to_be_hidden()
        render_frames(studio, recipes[:3], batch_size=3)
        opened.wait("() => document.getElementById('screen').dataset.shown !== undefined")
        expect(page.locator("#stored")).to_have_text("3")
        expect(page.locator("#progress")).to_be_visible()
        expect(card.locator(".stored")).to_have_text("3")
        expect(card.locator(".flag.live")).to_be_visible()
        index.wait("() => document.querySelector('#card-loop img').naturalWidth > 0")
        render_frames(studio, recipes, batch_size=3)
        expect(page.locator("#stored")).to_have_text("12")
        expect(card.locator(".stored")).to_have_text("12")
        page.locator("#scrub").fill("11")
        opened.shows(11)
        opened.wait("() => document.querySelector('#curve .line').getAttribute('d').length > 60")


# --- without a server ----------------------------------------------------------------------------


def test_the_static_site_plays_and_compares_from_a_file(shown, window, tmp_path):
    studio, _ = shown
    write_site(studio, tmp_path / "site")
    opened = window()
    page = opened.open(f"file://{tmp_path}/site/index.html")
    page.locator("#search").fill("boat")
    expect(page.locator(".card:visible")).to_have_count(1)
    page.locator(".card:visible .cover").click()
    page.wait_for_url("**/way/index.html")
    opened.wait("() => Number(document.getElementById('screen').dataset.shown) > 2")
    page.locator("#compare").select_option("walk:loop")
    opened.wait("() => Number(document.getElementById('screen-other').dataset.shown) > 2")
    opened.wait("() => document.querySelector('#curve .line').getAttribute('d').length > 40")
    link = page.get_by_role("link", name="way.gif")
    expect(link).to_have_attribute("href", "files/way.gif")
