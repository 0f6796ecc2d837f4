"""Files of single pictures: the frames by their numbers, the grid as JPEG, a poster."""

import re
from collections.abc import Callable
from pathlib import Path

from latent_assets.shown import Shown, still

Publish = Callable[..., None]
"""(path, write, place=None): make the file, unless it stands; place: of the one frame it shows."""


def publish_frames(publish: Publish, pictures: Shown, folder: Path, name: str) -> Path:
    """The pictures as NAME-0000.png and so on in a folder, which holds no others of that form."""
    width = max(4, len(str(len(pictures.keys) - 1)))
    paths = [folder / f"{name}-{place:0{width}}.png" for place in range(len(pictures.keys))]
    for place, path in enumerate(paths):
        publish(path, still(path, lambda at=place: pictures.one(at)), place=place)
    numbered = re.compile(rf"{re.escape(name)}-\d{{4,}}\.png")
    for file in folder.iterdir():
        if numbered.fullmatch(file.name) and file not in paths:
            file.unlink(missing_ok=True)  # of an earlier, longer walk
    return folder


def publish_poster(publish: Publish, pictures: Shown, path: Path, place: int | None) -> Path:
    """One frame as JPEG: of the given place, or in the middle."""
    shown = len(pictures.keys) // 2 if place is None else place
    publish(path, still(path, lambda: pictures.one(shown)), place=shown)
    return path
