"""A convolution as a matrix product is the convolution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_assets.diffusion import small_convolutions

pytestmark = pytest.mark.engine


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.sampled_from([(1, 1), (3, 3), (2, 3)]),
    strides=st.sampled_from([(1, 1), (2, 2), (1, 2)]),
    height=st.integers(3, 9),
    width=st.integers(3, 9),
    batch=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_the_product_equals_the_convolution(kernel, strides, height, width, batch, seed):
    import tensorflow as tf

    random = np.random.default_rng(seed)
    inputs = tf.constant(random.standard_normal((batch, height, width, 5)), tf.float32)
    weights = tf.constant(random.standard_normal((*kernel, 5, 7)), tf.float32)
    expected = tf.nn.conv2d(inputs, weights, strides, "VALID").numpy()
    found = small_convolutions.convolve_by_product(inputs, weights, strides).numpy()
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-5 * max(1, np.abs(expected).max())


@pytest.mark.parametrize(
    ("side", "options", "by_product"),
    [
        (10, {}, True),
        (11, {}, False),  # 9 x 9 positions
        (10, {"padding": "same"}, False),
        (10, {"dilation_rate": 2}, False),
        (10, {"groups": 2}, False),
        (18, {"strides": 2}, True),
        (10, {"filters": 300}, False),  # a small kernel
    ],
)
def test_only_plain_convolutions_of_small_maps_with_large_kernels(
    monkeypatch, side, options, by_product
):
    import keras

    calls = []
    product = small_convolutions.convolve_by_product

    def spy(inputs, kernel, strides):
        calls.append(kernel.shape)
        return product(inputs, kernel, strides)

    monkeypatch.setattr(small_convolutions, "convolve_by_product", spy)
    layer = keras.layers.Conv2D(**{"filters": 340, "kernel_size": 3, **options})
    inputs = np.random.default_rng(0).standard_normal((2, side, side, 340)).astype(np.float32)
    expected = np.asarray(layer(inputs))
    with small_convolutions.small_convolutions_as_products():
        found = np.asarray(layer(inputs))
    assert bool(calls) is by_product
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    calls.clear()
    layer(inputs)
    assert not calls, "outside, convolutions are Keras' own again"
