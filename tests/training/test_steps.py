"""One step of the trainer: how far each number goes, on both backends."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from latent_assets.training.flat import part_way

pytestmark = pytest.mark.engine

TAKE_A_STEP = """
import json, sys
import keras, numpy as np
from latent_assets.training.parallel import Team
from latent_assets.training.trainer import TensorFlowSteps, TorchSteps

numbers = [keras.Variable(np.ones(size, np.float32)) for size in (3, 1)]
loss = lambda wanted: sum(keras.ops.sum((number - wanted) ** 2) for number in numbers)
shares = json.loads(sys.argv[1])
steps = {"tensorflow": TensorFlowSteps, "torch": TorchSteps}[keras.backend.backend()](
    loss, numbers, keras.optimizers.AdamW(0.1, weight_decay=0.0), False,
    None if shares is None else np.array(shares, np.float32),
)
steps.learn(Team(1, 4), 0, [np.zeros((), np.float32)], 0.1, 0.5)
state = steps.state()
print(json.dumps([state[name].tolist() for name in ("flat", "average")]))
"""


@pytest.fixture(params=["tensorflow", "torch"])
def after_a_step(request):
    """Four numbers that start at 1 and are drawn to 0, and their moving average (a half each)."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")

    def take(shares: list[float] | None) -> list[list[float]]:
        command = [sys.executable, "-c", TAKE_A_STEP, json.dumps(shares)]
        variables = os.environ | {"KERAS_BACKEND": request.param}
        done = subprocess.run(
            command, check=False, env=variables, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return take


def test_each_number_goes_its_share_of_a_step(after_a_step):
    shares = np.array([1, 0.25, 0, 0.5])
    numbers, averages = after_a_step(shares.tolist())
    np.testing.assert_allclose(numbers, 1 - 0.1 * shares, atol=1e-5)
    np.testing.assert_allclose(averages, 1 - 0.05 * shares, atol=1e-5)


def test_without_shares_all_go_all_the_way(after_a_step):
    numbers, _ = after_a_step(None)
    np.testing.assert_allclose(numbers, np.full(4, 0.9), atol=1e-5)


def test_a_share_of_nothing_stays_to_the_bit():
    old, new = np.float32([0.1, 3e-8]), np.float32([0.7, -5.0])
    np.testing.assert_array_equal(part_way(old, new, np.zeros(2, np.float32)), old)
    assert part_way(old, new, None) is new
