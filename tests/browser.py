"""Finished files as a browser shows them: Chromium's own decoders, read through a canvas.

No server and no network: the page that the files are handed to is made up on the way.
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PATIENCE_MS = 90_000
"""For whatever is waited for: a loaded machine is slow, and a page fills when its data comes."""
ORIGIN = "http://localhost/"
"""A secure context, which `ImageDecoder` asks for. No request leaves the browser."""
BLANK = '<!doctype html><link rel="icon" href="data:,">'
"""It brings its icon: a browser asks the address for one otherwise, late, past a route that ended,
and complains on whatever page is open by then that nothing answers."""

_PIXELS = """
(canvas, drawn) => {
  const context = canvas.getContext("2d");
  context.drawImage(drawn, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  let text = "";
  for (let at = 0; at < data.length; at += 32768)
    text += String.fromCharCode.apply(null, data.subarray(at, at + 32768));
  return { size: [canvas.height, canvas.width], rgba: btoa(text) };
}
"""
_PICTURES = """
async ([data, type]) => {
  const pixels = PIXELS;
  const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
  const decoder = new ImageDecoder({ data: bytes, type });
  await decoder.tracks.ready;
  await decoder.completed;
  const track = decoder.tracks.selectedTrack;
  const frames = [];
  for (let frameIndex = 0; frameIndex < track.frameCount; frameIndex++) {
    const { image } = await decoder.decode({ frameIndex });
    const canvas = new OffscreenCanvas(image.displayWidth, image.displayHeight);
    frames.push({ ms: image.duration / 1000, ...pixels(canvas, image) });
    image.close();
  }
  return { frames, repetitions: track.repetitionCount === Infinity ? -1 : track.repetitionCount };
}
""".replace("PIXELS", _PIXELS)
_VIDEO = """
async ([data, places]) => {
  const pixels = PIXELS;
  const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
  const video = document.createElement("video");
  video.muted = true;
  document.body.append(video);
  video.src = URL.createObjectURL(new Blob([bytes], { type: "video/mp4" }));
  const once = (name) => new Promise((done, failed) => {
    video.addEventListener(name, done, { once: true });
    video.addEventListener("error", () => failed(new Error(video.error.message)), { once: true });
  });
  await once("loadeddata");
  // A frame may be presented late, when the next was asked for already: what counts is whose it is.
  const steps = places.slice(1).map((each, at) => each - places[at]);
  const step = Math.min(...steps, Infinity);
  const presented = (place) => new Promise((done) => {
    const look = (_now, { mediaTime }) => {
      if (mediaTime <= place + 1e-3 && mediaTime > place - step) done();
      else video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  });
  const frames = [];
  for (const place of places) {
    const seeked = once("seeked");
    const there = presented(place);
    video.currentTime = place;
    await seeked;
    await there;
    frames.push(pixels(new OffscreenCanvas(video.videoWidth, video.videoHeight), video));
  }
  return { frames, seconds: video.duration };
}
""".replace("PIXELS", _PIXELS)


@dataclass(frozen=True)
class Seen:
    """What the browser made of a file."""

    pictures: list[np.ndarray]
    """(H, W, 3) uint8 each."""
    ms: list[float]
    """How long each is shown; a video tells its whole length alone."""
    repetitions: int
    """-1: for ever."""
    seconds: float


@contextmanager
def page() -> Iterator[Page]:
    """A page of a headless Chromium; skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        opened = browser.new_page()
        opened.set_default_timeout(PATIENCE_MS)
        opened.route("**", lambda route: route.fulfill(body=BLANK, content_type="text/html"))
        opened.goto(ORIGIN)
        yield opened
        browser.close()


def pictures(opened: Page, path: Path, mime: str) -> Seen:
    """Every picture of an animated image."""
    found = opened.evaluate(_PICTURES, [_base64(path), mime.replace("apng", "png")])
    ms = [frame["ms"] for frame in found["frames"]]
    return Seen(_arrays(found), ms, found["repetitions"], sum(ms) / 1000)


def video(opened: Page, path: Path, places: list[float]) -> Seen:
    """The pictures that are shown at these times, in seconds."""
    found = opened.evaluate(_VIDEO, [_base64(path), places])
    return Seen(_arrays(found), [], 0, found["seconds"])


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")


def _arrays(found: dict[str, Any]) -> list[np.ndarray]:
    return [
        np.frombuffer(base64.b64decode(frame["rgba"]), np.uint8).reshape(*frame["size"], 4)[..., :3]
        for frame in found["frames"]
    ]
