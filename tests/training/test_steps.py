"""One step of the trainer: how far each number goes, on both backends."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from latent_assets.diffusion.embedded import nets
from latent_assets.diffusion.embedded.weights import GIST, named_weights
from latent_assets.training.flat import learning_shares, part_way

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


def test_what_tells_of_the_new_layers_learns_at_a_rate_between():
    denoiser = nets.build_velocity_denoiser()
    names = {id(weight): name for name, weight in named_weights(denoiser).items()}
    fresh = {name for name in names.values() if name.startswith(GIST)}
    shares = learning_shares([denoiser], set(names.values()) - fresh, 0.04)
    assert shares is not None
    ends = np.cumsum([np.prod(weight.shape) for weight in denoiser.trainable_weights])
    for weight, part in zip(
        denoiser.trainable_weights, np.split(shares, ends[:-1].astype(int)), strict=True
    ):
        name = names[id(weight)]
        wanted = 1 if name in fresh else 0.2 if "_film/" in name else 0.04
        np.testing.assert_allclose(part, wanted, rtol=1e-6, err_msg=name)
    assert set(np.unique(shares)) == {np.float32(share) for share in (0.04, 0.2, 1)}


def test_a_share_of_nothing_stays_to_the_bit():
    old, new = np.float32([0.1, 3e-8]), np.float32([0.7, -5.0])
    np.testing.assert_array_equal(part_way(old, new, np.zeros(2, np.float32)), old)
    assert part_way(old, new, None) is new
