"""What a finished file really shows: its pictures, decoded, beside the frames that it names.

A record of origin says which frames a file was made from; somebody may have painted over them
since. Formats with loss show other pixels than were rendered, but no region looks otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from latent_assets.errors import MediaError
from latent_assets.media.frames import ImageArray

COMPARED = (".gif", ".webp", ".mp4", ".apng", ".avif")
"""Endings of the files that can be compared: those that show frames whole, one after the other."""
_BLOCK = 8
_TOLERANCE = 32.0
"""Change of the mean of an 8 by 8 block, of 255; a GIF reaches 18, the others 11 (measured)."""


def shown_frames(path: Path) -> Iterator[ImageArray]:
    """The pictures of an animation in the order of play, (H, W, 3) uint8. Raises MediaError."""
    try:
        yield from _from_video(path) if path.suffix == ".mp4" else _from_image(path)
    except Exception as error:  # decoders meet foreign bytes with any kind of exception
        raise MediaError(f"cannot read the pictures of {path}: {error}") from error


def altered_frames(
    path: Path,
    order: Sequence[int],
    places: Collection[int],
    frame_at: Callable[[int], ImageArray],
) -> list[int]:
    """Numbers of the file's pictures, as played, that show something else than they should.

    order: the places in the walk that the file plays, one after the other (`play_order`).
    places: those of them to compare. frame_at: place in the walk -> (H, W, 3) uint8. Pictures
    that are missing at the end, or follow after it, are altered whatever is compared. Raises
    MediaError.
    """
    wanted, exact = set(places), path.suffix == ".apng"
    altered = []
    count = 0
    for number, shown in enumerate(shown_frames(path)):
        count = number + 1
        place = order[number] if number < len(order) else None
        if place is None or (
            place in wanted and not looks_like(shown, frame_at(place), exact=exact)
        ):
            altered.append(number)
    return [*altered, *range(count, len(order))]


def looks_like(shown: ImageArray, frame: ImageArray, *, exact: bool = False) -> bool:
    """Whether no region of the picture differs by more than compression explains.

    exact: whether the file's format loses nothing.
    """
    if exact:
        return bool(np.array_equal(shown, frame))
    height, width = frame.shape[:2]
    # Videos have even sides: they may show one row or column more.
    if shown.shape[0] - height not in (0, 1) or shown.shape[1] - width not in (0, 1):
        return False
    return _worst_block(shown[:height, :width], frame) <= _TOLERANCE


def _worst_block(shown: ImageArray, frame: ImageArray) -> float:
    apart = shown.astype(np.int16) - frame
    height, width = (side // _BLOCK * _BLOCK for side in apart.shape[:2])
    if not (height and width):
        return float(np.abs(apart.mean(axis=(0, 1))).max())
    blocks = apart[:height, :width].reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK, 3)
    return float(np.abs(blocks.mean(axis=(1, 3))).max())


def _from_image(path: Path) -> Iterator[ImageArray]:
    with Image.open(path, formats=["GIF", "WEBP", "AVIF", "PNG"]) as image:
        for place in range(getattr(image, "n_frames", 1)):
            image.seek(place)
            yield np.asarray(image.convert("RGB"))


def _from_video(path: Path) -> Iterator[ImageArray]:
    # 0.2 s and 100 MB of libraries that only videos need
    import av  # noqa: PLC0415

    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")
