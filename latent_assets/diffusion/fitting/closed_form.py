"""Weights of a rollout in closed form, and the timesteps at which that ends nearest.

From the first step on, from where the walk then is, each takes it as near as it can to the model's
own trajectory: a regression. The timesteps that `nodes` chooses by single steps are only where the
search begins: an early error grows on its way to the end, since the model turns small differences
in noise into other pictures.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latent_assets.diffusion.fitting.rollout import Fit, Step, begin_step, end_step
from latent_assets.diffusion.fitting.trajectory import (
    TINY,
    FloatArray,
    Noise,
    Rows,
    Tell,
    Trajectory,
    mean_logarithm,
)

MOVES = (-2, 2, -1, 1)
"""By so many places of the trajectory timesteps are moved for trial."""
TOGETHER = (1, 2)
"""So many neighbours at a time: past one that would come too near to the next."""
REWEIGHTED = 8
"""Times that the rows of a regression are weighted anew."""
SMALL = 0.05
"""Of the squared errors' median: rows that are nearer count no more for it."""
_RIDGE, _WHITENING = 1e-6, 1e-4

FloatArray64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Solved:
    """A step's weights, and the directions in which all that it is made of changes by about 1."""

    weights: FloatArray64
    """(m,)"""
    directions: FloatArray64
    """(m, m), a direction in each column."""


@dataclass(frozen=True)
class ClosedForm:
    """A rollout of some rows between places of their trajectory."""

    nodes: list[int]
    """The places at which the denoiser is evaluated, increasing."""
    timesteps: npt.NDArray[np.int64]
    """Of these places."""
    steps: list[Step]
    solved: list[Solved]
    off: float
    """Mean of the logarithms of the distances between its ends and the trajectory's."""

    @property
    def fit(self) -> Fit:
        """The sampler that it is."""
        return Fit(self.timesteps, [each.weights for each in self.solved])


def closed_form(
    noise: Noise,
    trajectory: Trajectory,
    rows: Rows,
    nodes: list[int],
    tell: Tell = lambda _: None,
    other: ClosedForm | None = None,
) -> ClosedForm:
    """Of these rows and places. other: one of the same rows, whose evaluations are not repeated."""
    known = _shared(other.nodes, nodes) if other else 0
    steps = other.steps[:known] if other else []
    solved = other.solved[: max(known - 1, 0)] if other else []
    timesteps, latents = trajectory.timesteps[nodes], trajectory.start[rows]
    for k, timestep in enumerate(timesteps.tolist()):
        if k == len(steps):
            steps.append(begin_step(noise, latents, timestep, rows, steps))
            tell(len(rows))
        if k == len(solved):
            last = k + 1 == len(nodes)
            wanted = trajectory.end if last else trajectory.latents[nodes[k + 1]]
            solved.append(_solve(steps[k].features, wanted[rows]))
        latents = end_step(steps[k], solved[k].weights)
    off = mean_logarithm(latents, trajectory.end[rows])
    return ClosedForm(nodes, timesteps, steps, solved, off)


def _shared(nodes: list[int], others: list[int]) -> int:
    """So many of them are the same, from the first on."""
    pairs = enumerate(zip(nodes, others, strict=True))
    return next((k for k, (one, other) in pairs if one != other), len(nodes))


def search(
    noise: Noise,
    trajectory: Trajectory,
    rows: Rows,
    nodes: list[int],
    evaluations: int,
    tell: Tell = lambda _: None,
) -> list[int]:
    """Places whose closed form ends nearest on these rows, found by moving one or two at a time.

    evaluations: no more are made for it, but those of the closed form that it begins with; fewer,
    if no move brings it nearer. All are told.
    """
    left, places = evaluations, len(trajectory.timesteps)

    def try_out(nodes: list[int], best: ClosedForm | None) -> ClosedForm:
        nonlocal left
        made: list[int] = []
        found = closed_form(noise, trajectory, rows, nodes, made.append, best)
        left -= sum(made)
        tell(sum(made))
        return found

    best, before = try_out(nodes, None), None
    while best is not before:
        before = best
        for step, count, by in itertools.product(range(len(nodes)), TOGETHER, MOVES):
            costs = (len(nodes) - step) * len(rows)
            while costs <= left and (moved := _moved(best.nodes, step, count, by, places)):
                tried = try_out(moved, best)
                if tried.off >= best.off:
                    break
                best = tried
    tell(max(left, 0))
    return best.nodes


def _moved(nodes: list[int], step: int, count: int, by: int, places: int) -> list[int] | None:
    """`count` of the places moved, from this step on, if they are that many and have room."""
    if step + count > len(nodes):
        return None
    some = [node + by for node in nodes[step : step + count]]
    moved = [*nodes[:step], *some, *nodes[step + count :]]
    increasing = all(one < other for one, other in itertools.pairwise([-1, *moved, places]))
    return moved if increasing else None


def _solve(features: list[FloatArray], wanted: FloatArray) -> Solved:
    """Weights with which the features come nearest to what is wanted, row for row in proportion.

    What is made small is the sum over the rows of log(e + SMALL times the median of e), e the
    row's mean squared error: a row on which the model jumps counts no more than another. A
    logarithm lies below its tangents, so least squares with weights 1 / (e + ...) come nearer each
    time (iteratively reweighted least squares; Green 1984).
    """
    matrix = np.stack([each.reshape(len(wanted), -1) for each in features]).astype(np.float64)
    flat = wanted.reshape(len(wanted), -1).astype(np.float64)
    count = flat.shape[1]
    products = np.einsum("ibn,jbn->bij", matrix, matrix, optimize=True) / count
    right = np.einsum("ibn,bn->bi", matrix, flat, optimize=True) / count
    square = np.mean(flat**2, axis=1)
    ridge = _RIDGE * np.eye(len(features))

    def weighted(of_rows: FloatArray64) -> FloatArray64:
        share = of_rows / of_rows.sum()
        both = np.einsum("b,bij->ij", share, products)
        return np.linalg.solve(both + ridge, share @ right)

    weights = weighted(np.ones(len(wanted)))
    for _ in range(REWEIGHTED):
        errors = square - 2 * right @ weights + np.einsum("i,bij,j->b", weights, products, weights)
        errors = np.maximum(errors, 0) + TINY
        weights = weighted(1 / (errors + SMALL * np.median(errors)))
    whole = products.mean(axis=0) + _WHITENING * np.eye(len(features))
    return Solved(weights, np.linalg.inv(np.linalg.cholesky(whole)).T)
