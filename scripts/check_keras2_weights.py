"""Do weights files in the published layout, written by Keras 2, load in this project?

The published files cannot be redistributed, so both halves are run on files of our own: the
stack that wrote the published ones builds the same networks with random weights, saves them in
h5 and notes what they compute; this project loads the files as `weights_dir` and must compute
the same. Two environments are needed, since the two stacks exclude each other:

    python3.11 -m venv OLD && OLD/bin/pip install tensorflow-cpu==2.12.1 keras-cv==0.5.1 \
        "numpy<1.25" tensorflow-metadata==1.13.1 protobuf==3.20.3
    OLD/bin/python scripts/check_keras2_weights.py export stable-diffusion-1 DIRECTORY
    python scripts/check_keras2_weights.py check stable-diffusion-1 DIRECTORY

It takes some minutes, 10 GB of memory and 4 to 5 GB of disk per model.
"""

import argparse
import pathlib
import sys

import numpy as np

FILES = {
    "stable-diffusion-1": ("kcv_encoder.h5", "kcv_diffusion_model.h5", "kcv_decoder.h5"),
    "stable-diffusion-2.1": (
        "text_encoder_v2_1.h5",
        "diffusion_model_v2_1.h5",
        "kcv_decoder.h5",
    ),
}
WIDTHS = {"stable-diffusion-1": 768, "stable-diffusion-2.1": 1024}
PARTS = ("text encoder", "denoiser", "decoder")
RECORD = "outputs.npz"
TOLERANCE = 1e-4
"""Largest difference allowed, relative to the largest output: the kernels differ between stacks."""


def inputs(name: str) -> tuple:
    """The same inputs in both environments: those of the text encoder, denoiser, decoder."""
    random = np.random.RandomState(5)
    tokens = random.randint(0, 49408, (1, 77)).astype(np.int32)
    positions = np.arange(77, dtype=np.int32)[None]
    latents = random.randn(1, 16, 16, 4).astype(np.float32)
    time = np.cos(random.randn(1, 320)).astype(np.float32)
    context = random.randn(1, 77, WIDTHS[name]).astype(np.float32)
    return [tokens, positions], [latents, time, context], latents


def vary(network: object) -> None:
    """Move biases, scales and offsets off 0 and 1: two that were swapped must not go unnoticed."""
    random = np.random.RandomState(6)
    for weight in network.weights:
        if len(weight.shape) == 1:
            weight.assign_add(0.1 * random.randn(*weight.shape).astype(np.float32))


def export(name: str, directory: pathlib.Path) -> None:
    """In the old environment: write the three h5 files and what the networks compute."""
    from keras_cv.models.stable_diffusion import diffusion_model, text_encoder
    from keras_cv.models.stable_diffusion.decoder import Decoder

    second = name == "stable-diffusion-2.1"
    encoder_class = text_encoder.TextEncoderV2 if second else text_encoder.TextEncoder
    denoiser_class = diffusion_model.DiffusionModelV2 if second else diffusion_model.DiffusionModel
    makers = (
        lambda: encoder_class(77, download_weights=False),
        lambda: denoiser_class(128, 128, 77, download_weights=False),
        lambda: Decoder(128, 128, download_weights=False),
    )
    directory.mkdir(parents=True, exist_ok=True)
    outputs = {}
    for part, make, file, given in zip(PARTS, makers, FILES[name], inputs(name), strict=True):
        network = make()
        vary(network)
        network.save_weights(str(directory / file))
        outputs[part] = np.asarray(network.predict_on_batch(given))
        print(f"{part}: {file} written, {network.count_params():,} parameters", flush=True)
        del network
    np.savez(directory / RECORD, **outputs)


def use_exact_gelu(text_encoder: object) -> None:
    """Have the text encoder of 2.1 compute as it did in the old stack.

    KerasCV 0.9 gives it `keras.ops.gelu`, which is the tanh approximation by default; in 0.5.1 it
    was `tf.nn.gelu`, which is exact. That moves its outputs by 2e-4 of the largest, no matter
    how the weights were loaded; 1.x has an activation of its own.
    """
    from keras import ops

    for layer in text_encoder.layers:
        if getattr(layer, "activation", None) is ops.gelu:
            layer.activation = lambda x: ops.gelu(x, approximate=False)


def check(name: str, directory: pathlib.Path) -> int:
    """In this project's environment: load the files and compare. Returns an exit code."""
    from latent_assets.diffusion import keras_cv_models, weights
    from latent_assets.diffusion.stable_diffusion import STABLE_DIFFUSION_MODELS

    model = STABLE_DIFFUSION_MODELS[name]
    digest = weights.weights_digest(model, directory, directory)
    print(f"weights digest {digest}", flush=True)
    paths = weights.find_weights(model, directory, directory)
    loaded = keras_cv_models.load_from_files(model, paths, "float32")
    use_exact_gelu(loaded.text_encoder)
    networks = (loaded.text_encoder, loaded.denoiser, loaded.decoder)
    failed = False
    with np.load(directory / RECORD) as expected:
        for part, network, given in zip(PARTS, networks, inputs(name), strict=True):
            found = np.asarray(network.predict_on_batch(given))
            error = np.abs(found - expected[part]).max() / np.abs(expected[part]).max()
            failed |= not error < TOLERANCE
            print(f"{part}: relative difference {error:.1e} (allowed {TOLERANCE:.0e})", flush=True)
    return int(failed)


def main() -> int:
    """Parse the command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("export", "check"))
    parser.add_argument("model", choices=sorted(FILES))
    parser.add_argument("directory", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.action == "export":
        export(arguments.model, arguments.directory)
        return 0
    return check(arguments.model, arguments.directory)


if __name__ == "__main__":
    sys.exit(main())
