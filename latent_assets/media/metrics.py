"""What can be measured on rendered frames: how smooth a walk is, and which frames are faulty.

Smoothness is to be read beside a figure of picture quality: a cross-fade of ghosts scores well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from statistics import fmean, median, pstdev
from typing import Any

import numpy as np

from latent_assets.media.frames import Frames, ImageArray, check_frames
from latent_assets.media.ssim import luma, ms_ssim

_BLACK = 8
"""Brightest value of a frame that counts as black; a safety filter paints exact zeros."""
_FLAT = 1.0
"""Standard deviation in each channel below which a frame shows nothing."""

Distance = Callable[[ImageArray, ImageArray], float]


def rms_distance(a: ImageArray, b: ImageArray) -> float:
    """Root mean square difference of two pictures (H, W, 3) uint8; 0 equal, 1 black on white."""
    difference = a.astype(np.float32) - b.astype(np.float32)
    return float(np.sqrt(np.mean(difference**2))) / 255


def ssim_distance(a: ImageArray, b: ImageArray) -> float:
    """1 - multi-scale SSIM of the brightness; 0 equal, 1 nothing in common."""
    return max(0.0, 1 - ms_ssim(luma(a), luma(b)))


DISTANCES: dict[str, Distance] = {"rms": rms_distance, "ms_ssim": ssim_distance}


@dataclass(frozen=True)
class Smoothness:
    """How evenly a walk moves, in one kind of distance d between neighbours."""

    distance: str
    """`rms` or `ms_ssim`."""
    adjacent: tuple[float, ...]
    """d(frame i, frame i + 1)."""
    mean: float
    max: float
    cv: float
    """Standard deviation / mean: 0 for a walk at constant speed."""
    max_over_median: float
    """The largest jump, in usual steps."""
    directness: float | None
    """Sum of all d / d(first, last): 1 for a straight line; None for a loop."""
    seam_ratio: float | None
    """d(last, first) / median d of a loop: 1 is ideal, about 0 means a repeated frame."""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self) | {"adjacent": list(self.adjacent)}


def smoothness(
    adjacent: Iterable[float], ends: float, *, distance: str = "rms", closed: bool = False
) -> Smoothness:
    """The figures, from the distances of neighbours and that of the last frame to the first."""
    steps = tuple(adjacent)
    mean = fmean(steps) if steps else 0.0
    usual = median(steps) if steps else 0.0
    return Smoothness(
        distance=distance,
        adjacent=steps,
        mean=mean,
        max=max(steps, default=0.0),
        cv=pstdev(steps) / mean if mean else 0.0,
        max_over_median=_ratio(max(steps, default=0.0), usual),
        directness=None if closed else _ratio(sum(steps), ends),
        seam_ratio=_ratio(ends, usual) if closed else None,
    )


def _ratio(a: float, b: float) -> float:
    """A / b; of nothing to nothing 1. Bounded, because JSON knows no infinity."""
    if b:
        return min(a / b, 1e9)
    return 1e9 if a else 1.0


@dataclass(frozen=True)
class FrameFaults:
    """Numbers of the frames that show nothing, or nothing new."""

    black: tuple[int, ...] = ()
    constant: tuple[int, ...] = ()
    """One colour, other than black."""
    repeated: tuple[int, ...] = ()
    """Equal to the frame before, to the bit."""

    def __bool__(self) -> bool:
        return bool(self.black or self.constant or self.repeated)

    def as_dict(self) -> dict[str, list[int]]:
        """Plain JSON types."""
        return {name: list(numbers) for name, numbers in asdict(self).items()}


def shows_nothing(picture: ImageArray) -> str | None:
    """`black` or `constant` for a picture (H, W, 3) uint8 without content, else None."""
    if int(picture.max()) <= _BLACK:
        return "black"
    spread = picture.reshape(-1, picture.shape[-1]).std(axis=0)
    return "constant" if float(spread.max()) < _FLAT else None


@dataclass(frozen=True)
class Measured:
    """What one pass over the frames of a walk tells."""

    frames: int
    smoothness: dict[str, Smoothness]
    """By the name of the distance."""
    faults: FrameFaults

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "frames": self.frames,
            "smoothness": {name: each.as_dict() for name, each in self.smoothness.items()},
            "faults": self.faults.as_dict(),
        }


def measure(
    frames: Frames, *, closed: bool = False, distances: Iterable[str] = ("rms", "ms_ssim")
) -> Measured:
    """Measures a walk in one pass; three frames are in memory at a time.

    closed: the walk is a loop, its last frame is followed by its first. Pictures below 11 px a
    side have no `ms_ssim`.
    """
    names = list(distances)
    steps: dict[str, list[float]] = {name: [] for name in names}
    faulty: dict[str, list[int]] = {"black": [], "constant": [], "repeated": []}
    first: ImageArray | None = None
    before: ImageArray | None = None
    number = -1
    for number, picture in enumerate(check_frames(frames)):
        if (fault := shows_nothing(picture)) is not None:
            faulty[fault].append(number)
        if before is None:
            first = picture
        else:
            if np.array_equal(picture, before):
                faulty["repeated"].append(number)
            for name in names:
                steps[name].append(DISTANCES[name](before, picture))
        before = picture
    assert first is not None
    assert before is not None
    return Measured(
        frames=number + 1,
        smoothness={
            name: smoothness(
                steps[name], DISTANCES[name](before, first), distance=name, closed=closed
            )
            for name in names
        },
        faults=FrameFaults(**{name: tuple(numbers) for name, numbers in faulty.items()}),
    )
