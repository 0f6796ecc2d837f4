"""The parts of the training loop that need no TensorFlow."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from latent_assets.training.parallel import Team
from latent_assets.training.trainer import Budget, learning_rate


@pytest.mark.parametrize("room", [3, 5], ids=["all of it", "a part of the network"])
def test_a_team_averages_what_its_workers_bring(room):
    team = Team(2, room)
    results = [None, None]

    def worker(rank):
        results[rank] = team.average(rank, np.full(3, rank * 2 + 1, np.float32))

    threads = [threading.Thread(target=worker, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    np.testing.assert_array_equal(results, [[2, 2, 2]] * 2)


def test_a_team_agrees_on_the_progress_of_its_first_worker():
    team = Team(2, 1)
    results = [None, None]

    def worker(rank):
        results[rank] = team.agree(rank, 0.25 + rank)

    threads = [threading.Thread(target=worker, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == [0.25, 0.25]


def test_learning_rate_warms_up_stays_and_falls_to_a_hundredth():
    budget = Budget(learning_rate=1.0, warm_up=10, flat_share=0.4)
    assert learning_rate(budget, 0, 0.0) == pytest.approx(0.1)
    assert learning_rate(budget, 50, 0.4) == pytest.approx(1.0)
    assert 0.4 < learning_rate(budget, 50, 0.7) < 0.6
    assert learning_rate(budget, 50, 1.0) == pytest.approx(0.01)
