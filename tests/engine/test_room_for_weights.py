"""Networks that are to be loaded take no memory for weights that are not there yet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from latent_assets.diffusion.keras_cv_models import _initialised_by, _untouched

pytestmark = pytest.mark.engine

SHAPE = (200, 1000, 1000)


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is told by Linux alone")
def test_a_layer_that_is_to_be_loaded_writes_nothing_to_its_weights():
    from keras.layers import Layer

    layer = Layer()
    before = resident_bytes()
    with _initialised_by(_untouched()):
        weight = layer.add_weight(SHAPE, name="kernel")
    assert weight.shape == SHAPE
    assert resident_bytes() - before < 4 * np.prod(SHAPE) / 4


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_room_is_filled_by_assigning(dtype):
    from keras.layers import Layer

    with _initialised_by(_untouched()):
        weight = Layer().add_weight((3, 2), name="kernel", dtype=dtype)
    weight.assign(np.ones((3, 2), np.float32))
    assert str(weight.dtype) == dtype
    assert np.asarray(weight.value.numpy(), np.float32).tolist() == [[1, 1]] * 3
