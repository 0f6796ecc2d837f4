"""The network that makes pictures four times as large: realesr-animevideov3, in Keras.

Wang et al. 2021 (Real-ESRGAN); the architecture is their SRVGGNetCompact: 18 convolutions at the
picture's own size with PReLU between them (He et al. 2015), whose last channels are unfolded to
4 x 4 pixels each (Shi et al. 2016) and added to the picture with every pixel repeated 4 x 4 times.
621,424 parameters. Made for drawn animation: clean edges, flat areas stay flat.

TensorFlow is imported inside the functions: importing this module costs nothing.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load

from latent_assets.diffusion.tensorflow_runtime import prepare_device
from latent_assets.errors import ModelError

FACTOR = 4
_LAYERS = 18
WEIGHTS_FILE, CARD_FILE = "weights.safetensors", "model.json"
FloatArray = npt.NDArray[np.float32]
ImageArray = npt.NDArray[np.uint8]


@lru_cache(maxsize=2)
def upscaler_in(directory: Path) -> Upscaler:
    """The network of a folder, one for the whole process."""
    return Upscaler(directory)


class Upscaler:
    """The network in a folder; its weights are loaded at its first use."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @cached_property
    def digest(self) -> str:
        """Hex sha256 of the weights, as the folder's card says. Raises ModelError."""
        path = self._directory / CARD_FILE
        try:
            return str(json.loads(path.read_text(encoding="utf-8"))["weights_sha256"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"the upscaler is not there: {path} cannot be read ({error})",
                "Take data/models/upscaler/ from the repository, or choose `method: lanczos`.",
            ) from error

    def enlarge(self, picture: ImageArray) -> ImageArray:
        """(H, W, 3) uint8 -> (4 H, 4 W, 3) uint8. The same picture gives the same bytes."""
        levels = self.enlarge_floats(picture).clip(0, 1) * 255
        return levels.round().astype(np.uint8)

    def enlarge_floats(self, picture: ImageArray) -> FloatArray:
        """(H, W, 3) uint8 -> (4 H, 4 W, 3) float32, about 0 to 1, neither clipped nor rounded."""
        return np.asarray(self._network(picture[None].astype(np.float32) / 255))[0]

    @cached_property
    def _network(self) -> Any:
        """A function (B, H, W, 3) -> (B, 4 H, 4 W, 3) for pictures of any size."""
        prepare_device()
        import tensorflow as tf

        model = _build(self._read_weights())
        signature = tf.TensorSpec((None, None, None, 3), tf.float32)
        return tf.function(model.call, input_signature=[signature])

    def _read_weights(self) -> dict[str, np.ndarray]:
        path = self._directory / WEIGHTS_FILE
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelError(f"the upscaler's weights cannot be read: {error}") from error
        _check_digest(path, data, self.digest)
        return load(data)


def _check_digest(path: Path, data: bytes, expected: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise ModelError(
            f"{path} is not the file that {CARD_FILE} describes: its sha256 is {found},"
            f" not {expected}",
            "Restore it with `git checkout -- data/models/upscaler`.",
        )


def _build(weights: dict[str, np.ndarray]) -> Any:
    """The Keras model with these weights; computes in float32 whatever the walk's precision is."""
    import keras
    import tensorflow as tf
    from keras import layers

    pictures = keras.Input((None, None, 3), dtype="float32")
    x = pictures
    for number in range(_LAYERS):
        kernel = weights[f"conv{number}.kernel"].astype(np.float32)
        conv = layers.Conv2D(kernel.shape[-1], 3, padding="same", dtype="float32")
        x = conv(x)
        conv.set_weights([kernel, weights[f"conv{number}.bias"]])
        if number < _LAYERS - 1:
            prelu = layers.PReLU(shared_axes=[1, 2], dtype="float32")
            x = prelu(x)
            prelu.set_weights([weights[f"prelu{number}.slopes"][None, None]])
    unfold = layers.Lambda(lambda folded: tf.nn.depth_to_space(folded, FACTOR), dtype="float32")
    repeat = layers.UpSampling2D(FACTOR, interpolation="nearest", dtype="float32")
    return keras.Model(pictures, unfold(x) + repeat(pictures), name="upscaler")
