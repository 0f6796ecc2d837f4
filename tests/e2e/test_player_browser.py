"""The HTML page of a walk in Chromium: it plays as the walk does, and a thumb finds its buttons."""

from itertools import pairwise

import browser
import numpy as np
import pytest

from latent_assets.media import write_animation

pytestmark = pytest.mark.web

RECORD = """() => {
  window.seen = [];
  const count = document.getElementById("count");
  new MutationObserver(() => seen.push(Number(count.textContent.split(" / ")[0])))
    .observe(count, { childList: true });
}"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("player") / "w.html"
    frames = [np.full((64, 64, 3), 40 * index, np.uint8) for index in range(5)]
    write_animation(lambda: frames, path, format="html", fps=60, there_and_back=True)
    return path


def test_it_plays_there_and_back_and_counts_from_0(path):
    with browser.page() as page:
        page.unroute("**")
        page.goto(path.as_uri())
        page.evaluate(RECORD)
        page.wait_for_function("() => seen.filter((each) => each === 0).length >= 3")
        seen = page.evaluate("seen")
    assert set(seen) == {0, 1, 2, 3, 4}
    assert all(abs(one - other) == 1 for one, other in pairwise(seen[1:]))


@pytest.mark.parametrize("size", [(844, 390), (390, 844)], ids=["across", "upright"])
def test_on_a_phone_everything_is_seen_at_once_and_large_enough_for_a_thumb(path, size):
    width, height = size
    with browser.page() as page:
        page.unroute("**")
        page.set_viewport_size({"width": width, "height": height})
        page.goto(path.as_uri())
        assert page.get_by_role("img").get_attribute("aria-label").startswith("Frame ")
        assert page.locator("#count").inner_text().endswith(" / 4")
        for each in page.locator("canvas, button, select, #scrub").all():
            box = each.bounding_box()
            assert min(box["width"], box["height"]) >= 44
            assert box["x"] >= 0
            assert box["y"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["y"] + box["height"] <= height


def test_what_tells_how_it_was_made_is_large_enough_for_a_thumb_too(path):
    with browser.page() as page:
        page.unroute("**")
        page.goto(path.as_uri())
        page.evaluate("document.getElementById('about').hidden = false")
        assert page.locator("#about summary").bounding_box()["height"] >= 44
