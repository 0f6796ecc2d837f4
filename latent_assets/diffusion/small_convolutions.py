"""Convolutions of small feature maps as matrix products: the same sums, faster on a CPU.

oneDNN, TensorFlow's library on a CPU, brings a convolution's kernel into a layout of its own on
each call. With a large kernel and few positions that takes longer than the arithmetic: with 1,280
channels the product was measured to be 6 times faster at 2 x 2 positions, 3 to 4 times at 4 x 4.
Where there are more positions, or fewer channels, the convolution wins. The deepest layers of a
U-Net have the most channels and the fewest positions (`docs/benchmarks.md` has what this gains).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MAX_POSITIONS = 64
"""Output positions (height x width) up to which the product is taken."""

MIN_KERNEL = 1_000_000
"""Values in a kernel from which on it is; the embedded model has none so large."""


@contextmanager
def small_convolutions_as_products() -> Iterator[None]:
    """Keras' two-dimensional convolutions called (traced) inside take the faster way.

    Only the order of the sums differs: results agree to rounding (1e-6 of the largest).
    """
    from keras.layers import Conv2D

    def convolution_op(self: Any, inputs: Any, kernel: Any) -> Any:
        if _worth_it(self, inputs):
            return convolve_by_product(inputs, kernel, self.strides)
        return original(self, inputs, kernel)

    original = Conv2D.convolution_op
    Conv2D.convolution_op = convolution_op
    try:
        yield
    finally:
        Conv2D.convolution_op = original


def convolve_by_product(inputs: Any, kernel: Any, strides: tuple[int, int]) -> Any:
    """(B, h, w, C) with (kh, kw, C, D) -> (B, h', w', D), without padding.

    Each output position's kh·kw·C inputs become a row, and the rows are multiplied by the kernel
    as a matrix (im2col: Chellapilla, Puri & Simard 2006).
    """
    import tensorflow as tf

    kernel_height, kernel_width, channels, filters = kernel.shape
    height, width = _positions(inputs, kernel.shape, strides)
    (down, right) = strides
    taps = [
        inputs[:, i : i + down * (height - 1) + 1 : down, j : j + right * (width - 1) + 1 : right]
        for i in range(kernel_height)
        for j in range(kernel_width)
    ]
    size = kernel_height * kernel_width * channels
    rows = tf.reshape(tf.concat(taps, axis=-1), (-1, size))
    products = tf.matmul(rows, tf.reshape(kernel, (size, filters)))
    return tf.reshape(products, (-1, height, width, filters))


def _worth_it(layer: Any, inputs: Any) -> bool:
    plain = layer.padding == "valid" and layer.data_format == "channels_last"
    if not plain or layer.groups > 1 or layer.dilation_rate != (1, 1):
        return False
    height, width = _positions(inputs, layer.kernel.shape, layer.strides)
    return height * width <= MAX_POSITIONS and math.prod(layer.kernel.shape) >= MIN_KERNEL


def _positions(inputs: Any, kernel_shape: Any, strides: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the output, without padding."""
    _, height, width, _ = inputs.shape
    return (
        (height - kernel_shape[0]) // strides[0] + 1,
        (width - kernel_shape[1]) // strides[1] + 1,
    )
