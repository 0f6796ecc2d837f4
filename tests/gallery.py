"""Walks on fake models for the tests of the gallery: files, rendered frames, and a client."""

from __future__ import annotations

import os
import time
from pathlib import Path

from fakes import FakeStudio
from starlette.testclient import TestClient

from latent_assets.catalogue import Catalogue
from latent_assets.gallery import gallery_app
from latent_assets.rendering import render_frames

HOSTILE = """<script>alert(1)</script>'"&amp; </script><img src=x onerror=alert(2)>"""
WALKS = {
    "loop": "kind: interpolation\nprompts: [a cat, a dog, an owl]\nframes: 12\nclosed: true\n",
    "way": "kind: interpolation\nprompts: [a boat, a house]\nframes: 9\n"
    "description: To the house.\n",
    "square": "kind: grid\nprompts: [a, b, c, d]\ngrid_size: 4\n",
    "sweep": "kind: guidance_sweep\nprompt: a tree\nguidance_scales: [1, 2.5, 7]\n",
    "wrong": "kind: interpolation\nprompts: [alone]\nframes: 5\n",
    "hostile": "kind: interpolation\nframes: 3\nprompts:\n"
    + "".join(f"  - |-\n    {prompt}\n" for prompt in (HOSTILE, "a mouse")),
}


def write_walks(studio: FakeStudio, *names: str, age_s: float = 60.0) -> None:
    """Those walk files; of all if none is named."""
    for name in names or WALKS:
        path = studio.settings.walks_dir / f"{name}.yaml"
        path.write_text(WALKS[name])
        os.utime(path, (time.time() - age_s,) * 2)


def render(studio: FakeStudio, name: str, frames: int | None = None) -> None:
    """The first frames of a walk, or all, into the store."""
    recipes = Catalogue(studio).read()[name].spec.recipes()
    render_frames(studio, recipes[:frames], batch_size=4)


def finish(studio: FakeStudio, name: str, *files: str, data: bytes = b"file") -> Path:
    """Finished files of a walk, with this content."""
    folder = studio.settings.outputs_dir / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file).write_bytes(data)
    return folder


def client(studio: FakeStudio, dagster: str | None = None) -> TestClient:
    return TestClient(gallery_app(studio, dagster=dagster), follow_redirects=False)
