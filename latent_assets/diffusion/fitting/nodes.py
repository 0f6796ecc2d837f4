"""Which timesteps of a trajectory few steps should visit.

The best step from one place to a later one, given the noise there and at the place before, is a
least-squares problem in three numbers, and all of them together need no more than the inner
products of the trajectory's arrays. Dynamic programming finds the timesteps with the least sum.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from latent_assets.diffusion.fitting.trajectory import Trajectory

THINNED = 3
"""Of its rows, every so many are looked at."""
_RIDGE = 1e-10

Pair = tuple[int, int]


def choose_nodes(trajectory: Trajectory, num_steps: int) -> list[int]:
    """The numbers of the chosen places, increasing from 0; `num_steps` of them."""
    errors = _Errors(trajectory)
    places, end = range(errors.count), errors.count
    best: dict[Pair, tuple[float, list[int]]] = {
        (0, place): (errors.first(place), [0]) for place in places[1:]
    }
    for step in range(2, num_steps + 1):
        ends = [end] if step == num_steps else places
        longer: dict[Pair, tuple[float, list[int]]] = {}
        for (before, here), (cost, path) in best.items():
            for there in ends:
                if there <= here:
                    continue
                total = cost + errors.step(before, here, there)
                known = longer.get((here, there))
                if known is None or total < known[0]:
                    longer[here, there] = (total, [*path, here])
        best = longer
    return min(best.values())[1]


class _Errors:
    """Squared errors of the best steps between places of a trajectory, each computed once."""

    def __init__(self, trajectory: Trajectory) -> None:
        self.count = len(trajectory.timesteps)
        parts = (trajectory.latents, trajectory.noises, trajectory.end[None])
        vectors = np.concatenate([p[:, ::THINNED].reshape(len(p), -1) for p in parts])
        vectors = vectors.astype(np.float64)
        self._products: npt.NDArray[np.float64] = vectors @ vectors.T / vectors.shape[1]
        self._known: dict[tuple[int, int, int], float] = {}

    def first(self, there: int) -> float:
        """Of the first step, which has the noise at its beginning alone."""
        return self._residual([0, self.count], there)

    def step(self, before: int, here: int, there: int) -> float:
        """Of a step from `here`, after one from `before`."""
        key = (before, here, there)
        if key not in self._known:
            noises = [self.count + here, self.count + before]
            self._known[key] = self._residual([here, *noises], there)
        return self._known[key]

    def _residual(self, given: list[int], there: int) -> float:
        wanted = there if there < self.count else 2 * self.count
        matrix = self._products[np.ix_(given, given)] + _RIDGE * np.eye(len(given))
        right = self._products[given, wanted]
        left = self._products[wanted, wanted] - right @ np.linalg.solve(matrix, right)
        return max(float(left), 0.0)
