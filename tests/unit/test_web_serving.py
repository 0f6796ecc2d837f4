"""The browser that a server of ours opens: where there is one, and a display."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no DISPLAY")
URL = "http://127.0.0.1:1/?token=a-b_c"
OPEN = f"""
import pathlib, sys, time
from latent_assets.web.serving import open_browser
tried = open_browser({URL!r})
end = time.monotonic() + 60
while tried and not pathlib.Path(sys.argv[1]).exists() and time.monotonic() < end:
    time.sleep(0.05)
print(tried)
"""


def opening(folder, **environment: str) -> tuple[str, str]:
    """What it says, and what the browser was given."""
    shown, browser = folder / "shown", folder / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$*" > "{shown}.new"; mv "{shown}.new" "{shown}"\n')
    browser.chmod(0o755)
    given = {each: text.replace("BROWSER", str(browser)) for each, text in environment.items()}
    environment = {"PATH": "/usr/bin:/bin", **given}
    said = subprocess.run(
        [sys.executable, "-c", OPEN, str(shown)],
        env=environment, capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip
    return said.strip(), shown.read_text() if shown.exists() else ""


@pytest.mark.parametrize("display", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_with_a_display_the_browser_of_the_user_shows_the_address(tmp_path, display):
    assert opening(tmp_path, BROWSER="BROWSER %s", **{display: ":77"}) == ("True", URL)


def test_without_a_display_none_is_opened(tmp_path):
    assert opening(tmp_path, BROWSER="BROWSER %s") == ("False", "")


def test_where_no_browser_is_installed_none_is_said_to_be_opened(tmp_path):
    assert opening(tmp_path, DISPLAY=":77", PATH=str(tmp_path / "empty")) == ("False", "")
