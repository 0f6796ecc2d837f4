"""What can be measured on rendered frames: how smooth a walk is, and which frames are faulty.

Smoothness is to be read beside the sharpness: a cross-fade of ghosts scores well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median, pstdev
from typing import Any

import numpy as np

from latent_assets.media.early_layers import features, features_distance
from latent_assets.media.frames import Frames, ImageArray, check_frames, evenly
from latent_assets.media.ssim import Level, levels, levels_ms_ssim, luma

_BLACK = 8
"""Brightest value of a frame that counts as black; a safety filter paints exact zeros."""
_FLAT = 1.0
"""Standard deviation in each channel below which a frame shows nothing."""

_SPARSE = 8
"""Of so many rows and columns one is looked at first."""
_ISTD_PICTURES = 11


def rms_distance(a: ImageArray, b: ImageArray) -> float:
    """Root mean square difference of two pictures (H, W, 3) uint8; 0 equal, 1 black on white."""
    difference = a.astype(np.float32) - b.astype(np.float32)
    return float(np.sqrt(np.mean(difference**2))) / 255


def ssim_distance(a: ImageArray, b: ImageArray) -> float:
    """1 - multi-scale SSIM of the brightness; 0 equal, 1 nothing in common."""
    return _ssim_distance(levels(luma(a)), levels(luma(b)))


def _ssim_distance(a: Sequence[Level], b: Sequence[Level]) -> float:
    return max(0.0, 1 - levels_ms_ssim(a, b))


@dataclass(frozen=True)
class Distance:
    """How far apart two pictures are, in two steps: each picture is looked at once."""

    look: Callable[[ImageArray], Any]
    between: Callable[[Any, Any], float]


DISTANCES: dict[str, Distance] = {
    "rms": Distance(lambda picture: picture, rms_distance),
    "ms_ssim": Distance(lambda picture: levels(luma(picture)), _ssim_distance),
    "features": Distance(features, features_distance),
}
"""`features` is that of `media.early_layers`, a network's first layers; it is not LPIPS."""


def sharpness(picture: ImageArray) -> float:
    """Standard deviation of the Laplacian of the brightness, 0..1 for brightness 0..1.

    picture: (H, W, 3) uint8, 3 px a side or more; smaller ones have 0. Pech-Pacheco et al. 2000
    take the variance, to find what is in focus.
    """
    plane = luma(picture) / 255
    inner = plane[1:-1, 1:-1]
    around = plane[:-2, 1:-1] + plane[2:, 1:-1] + plane[1:-1, :-2] + plane[1:-1, 2:]
    return float((around - 4 * inner).std()) if inner.size else 0.0


@dataclass(frozen=True)
class Smoothness:
    """How evenly a walk moves, in one kind of distance d between neighbours."""

    distance: str
    """`rms`, `ms_ssim` or `features`."""
    adjacent: tuple[float, ...]
    """d(frame i, frame i + 1)."""
    mean: float
    sd: float
    """Standard deviation of all d, of the steps as they are (not of a sample's estimate)."""
    max: float
    cv: float
    """sd / mean: 0 for a walk at constant speed."""
    max_over_median: float
    """The largest jump, in usual steps."""
    evenness: float
    """1 - Gini coefficient of all d: 1 for a walk at constant speed (He et al. 2024, on
    interpolation by attention)."""
    length: float
    """Sum of all d: the perceptual path length of the literature, in this distance."""
    variance: float
    """Of all d. In LPIPS, DiffMorpher (Zhang et al. 2024) calls it PDV; others give its root."""
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
    spread = pstdev(steps) if steps else 0.0
    return Smoothness(
        distance=distance,
        adjacent=steps,
        mean=mean,
        sd=spread,
        max=max(steps, default=0.0),
        cv=spread / mean if mean else 0.0,
        max_over_median=_ratio(max(steps, default=0.0), usual),
        evenness=1 - gini(steps),
        length=sum(steps),
        variance=spread * spread,
        directness=None if closed else _ratio(sum(steps), ends),
        seam_ratio=_ratio(ends, usual) if closed else None,
    )


def gini(values: Sequence[float]) -> float:
    """Gini coefficient of numbers that are not negative: 0 if all are equal, to 1 (Gini 1912)."""
    ordered, total = sorted(values), sum(values)
    if not total:
        return 0.0
    count = len(ordered)
    ranked = sum(rank * value for rank, value in enumerate(ordered, start=1))
    return max(2 * ranked / (count * total) - (count + 1) / count, 0.0)


@dataclass(frozen=True)
class Istd:
    """ISTD (Smooth Diffusion, Guo et al. 2024): how uneven eleven pictures of a walk are.

    The standard deviation of the distances between neighbours among 11 pictures, evenly spread
    over the walk. The paper's figures (Stable Diffusion 1.5: 38.63, theirs 16.54) are means over
    many walks at 512 px of another model: a walk of another size or model is no match for them.
    """

    l2: float
    """Of the Euclidean norms over all values of the pictures, scaled to 0..1; grows with size."""
    rms: float
    """Of the root mean square distances: the same whatever the size."""


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
    # About their own mean, a part of the pixels varies no more than about that of all.
    some = picture[::_SPARSE, ::_SPARSE]
    if _spread(some) >= _FLAT * _SPARSE and int(some.max()) > _BLACK:
        return None
    if int(picture.max()) <= _BLACK:
        return "black"
    return "constant" if _spread(picture) < _FLAT else None


def _spread(picture: ImageArray) -> float:
    """The largest of the channels' standard deviations."""
    return float(picture.reshape(-1, picture.shape[-1]).std(axis=0).max())


@dataclass(frozen=True)
class Measured:
    """What one pass over the frames of a walk tells."""

    frames: int
    smoothness: dict[str, Smoothness]
    """By the name of the distance."""
    faults: FrameFaults
    sharpness: float
    """Mean of the frames' `sharpness`: what a fade of ghosts loses."""
    istd: Istd | None
    """None if the number of frames was not known beforehand, or is below 11."""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "frames": self.frames,
            "smoothness": {name: each.as_dict() for name, each in self.smoothness.items()},
            "faults": self.faults.as_dict(),
            "sharpness": self.sharpness,
            "istd": asdict(self.istd) if self.istd is not None else None,
        }


def measure(
    frames: Frames,
    *,
    closed: bool = False,
    distances: Iterable[str] = tuple(DISTANCES),
    count: int = 0,
) -> Measured:
    """Measures a walk in one pass; few frames are in memory at a time.

    closed: the walk is a loop, its last frame is followed by its first. count: the number of
    frames, if it is known, for `istd`. Pictures below 11 px a side have no `ms_ssim`.
    """
    steps = {name: _Steps(DISTANCES[name]) for name in distances}
    faulty: dict[str, list[int]] = {"black": [], "constant": [], "repeated": []}
    sharp: list[float] = []
    before: ImageArray | None = None
    eleven = set(evenly(count, _ISTD_PICTURES)) if count >= _ISTD_PICTURES else set()
    apart = _Steps(DISTANCES["rms"])
    values = 0
    for number, picture in enumerate(check_frames(frames)):
        if (fault := shows_nothing(picture)) is not None:
            faulty[fault].append(number)
        if before is not None and np.array_equal(picture, before):
            faulty["repeated"].append(number)
        for each in steps.values():
            each.add(picture)
        if number in eleven:
            apart.add(picture)
        sharp.append(sharpness(picture))
        before, values = picture, picture.size
    return Measured(
        frames=len(sharp),
        smoothness={
            name: smoothness(each.found, each.ends(), distance=name, closed=closed)
            for name, each in steps.items()
        },
        faults=FrameFaults(**{name: tuple(numbers) for name, numbers in faulty.items()}),
        sharpness=fmean(sharp),
        istd=_istd(apart.found, values) if eleven else None,
    )


def _istd(steps: Sequence[float], values: int) -> Istd:
    spread = pstdev(steps)
    return Istd(l2=spread * float(np.sqrt(values)), rms=spread)


class _Steps:
    """Distances from picture to picture, as they come; the first and the last are kept."""

    def __init__(self, distance: Distance) -> None:
        self.distance = distance
        self.found: list[float] = []
        self._first: Any = None
        self._last: Any = None

    def add(self, picture: ImageArray) -> None:
        seen = self.distance.look(picture)
        if self._first is None:
            self._first = seen
        else:
            self.found.append(self.distance.between(self._last, seen))
        self._last = seen

    def ends(self) -> float:
        """From the last picture to the first."""
        return self.distance.between(self._last, self._first)
