"""The model's own way from noise to latents, in many small steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from latent_assets.diffusion.schedule import SamplingSchedule

FloatArray = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Tell = Callable[[int], None]
"""Called with the number of evaluations that were made since it was called last."""
TINY = 1e-6
"""Added to what logarithms are taken of: they have an end."""


class Noise(Protocol):
    """A denoiser whose prompts and guidance are settled, one for each row."""

    def predict(self, latents: FloatArray, timestep: int, rows: Rows) -> FloatArray:
        """(B, h, w, c), with the prompts of these B rows -> the guided noise, of that shape."""
        ...

    def pull_back(
        self, latents: FloatArray, timestep: int, rows: Rows, gradient: FloatArray
    ) -> tuple[FloatArray, float]:
        """The gradient with respect to the noise, to latents and to the timestep carried back."""
        ...


@dataclass(frozen=True)
class Trajectory:
    """K steps of B rows; timesteps: (K,) int64, decreasing."""

    timesteps: npt.NDArray[np.int64]
    latents: FloatArray
    """(K, B, h, w, c): where each step begins."""
    noises: FloatArray
    """(K, B, h, w, c): what the denoiser predicts there."""
    end: FloatArray
    """(B, h, w, c)."""

    @property
    def start(self) -> FloatArray:
        """(B, h, w, c): the noise."""
        return self.latents[0]


def follow(
    noise: Noise, start: FloatArray, schedule: SamplingSchedule, tell: Tell = lambda _: None
) -> Trajectory:
    """The trajectory from `start`; the schedule is one of five columns, see `schedule`."""
    rows = np.arange(len(start))
    latents, before = start.astype(np.float32), np.zeros_like(start)
    begun, found = [], []
    for timestep, (c0, c1, c2, c3, c4) in zip(
        schedule.timesteps.tolist(), schedule.coefficients, strict=True
    ):
        eps = noise.predict(latents, timestep, rows)
        begun.append(latents)
        found.append(eps)
        clean = (latents - c0 * eps) / c1
        latents, before = c2 * eps + c3 * clean + c4 * before, clean
        tell(len(rows))
    return Trajectory(schedule.timesteps, np.stack(begun), np.stack(found), latents)


def distances(latents: FloatArray, wanted: FloatArray) -> npt.NDArray[np.float64]:
    """(B,): root mean square of the difference, of each row."""
    apart = (latents - wanted).astype(np.float64)
    return np.sqrt(np.mean(apart**2, axis=(1, 2, 3)))


def mean_logarithm(latents: FloatArray, wanted: FloatArray) -> float:
    """Of the distances: what a fit makes small.

    Rows that jump, because the model itself sends near latents to far ends, rule a mean of
    distances; here each row counts by how much nearer it comes in proportion.
    """
    return float(np.mean(np.log(distances(latents, wanted) + TINY)))
