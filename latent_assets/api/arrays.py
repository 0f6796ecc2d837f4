"""Arrays for paths of one's own: by the functions, and from the seeds, that walks use."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from latent_assets.errors import UsageError
from latent_assets.walks import paths
from latent_assets.walks.noise import gaussian

FloatArray = npt.NDArray[np.float32]
Places = float | Sequence[float] | npt.NDArray[np.floating]
"""One place from 0 to 1, or N of them."""


def noise(seed: int, shape: Sequence[int]) -> FloatArray:
    """The initial noise of a seed, (h, w, channels) float32: that of walks with this seed.

    shape: for a model's own size `studio.noise_shape`. The same bytes on every machine.
    """
    return gaussian(int(seed), tuple(int(side) for side in shape))


def lerp(a: npt.ArrayLike, b: npt.ArrayLike, t: Places) -> FloatArray:
    """Linear interpolation, (1 - t) a + t b.

    a, b: (...,) of one shape. t: one place, or N, which give (N, ...) float32.
    """
    return _at(t, *_alike(a, b), paths.lerp)


def slerp(a: npt.ArrayLike, b: npt.ArrayLike, t: Places, *, axis: int | None = -1) -> FloatArray:
    """Spherical interpolation of direction, linear of length (Shoemake 1985).

    a, b: (..., D) of one shape. axis: -1 turns each vector along the last axis by itself, as the
    tokens of a text encoding; None takes the whole array for one vector, as noise. t: one place,
    or N, which give (N, ...) float32.
    """
    return _at(t, *_alike(a, b), lambda a, b, t: paths.slerp(a, b, t, axes=axis))


def _alike(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    x, y = np.asarray(a, np.float32), np.asarray(b, np.float32)
    if x.shape != y.shape:
        raise UsageError(f"a is {x.shape}, b is {y.shape}", "Give two arrays of one shape.")
    return x, y


def _at(t: Places, a: FloatArray, b: FloatArray, between: Callable[..., FloatArray]) -> FloatArray:
    places = np.asarray(t, np.float64)
    if places.ndim > 1 or not np.all((places >= 0) & (places <= 1)):
        raise UsageError(
            f"t is {np.array2string(places, threshold=6)}",
            "Give a number from 0 to 1, or a list of such: np.linspace(0, 1, 24).",
        )
    if not places.ndim:
        return between(a, b, float(places))
    return np.stack([between(a, b, float(place)) for place in places])
