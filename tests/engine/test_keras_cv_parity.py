"""Our frames are KerasCV's: the real architecture, seeded random weights, `generate_image`."""

from __future__ import annotations

import gc
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from latent_assets.diffusion import keras_cv_models
from latent_assets.diffusion.protocol import EngineOptions
from latent_assets.diffusion.schedule import sampling_schedule
from latent_assets.diffusion.stable_diffusion import STABLE_DIFFUSION_MODELS
from latent_assets.diffusion.tensorflow_engine import TensorFlowEngine

pytestmark = [pytest.mark.slow, pytest.mark.parity, pytest.mark.timeout(3000)]

PROMPTS = (
    "A watercolor painting of a Golden Retriever at the beach",
    "A still life DSLR photo of a bowl of fruit",
    "The eiffel tower in the style of starry night",
)


def _twin_class():
    # Test modules are no package: the helper beside this file is loaded by its path.
    spec = importlib.util.spec_from_file_location(
        "keras_cv_twin", Path(__file__).with_name("keras_cv_twin.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Twin


class Pair:
    """A model's networks in our two engines and in KerasCV's class."""

    def __init__(self, name):
        self.model = STABLE_DIFFUSION_MODELS[name]
        self.networks = keras_cv_models.load_random(self.model, seed=7, precision="float32")
        info = self.model.info(self.model.random_digest(7))
        self.fast = TensorFlowEngine(info, self.networks, EngineOptions())
        self.reference = TensorFlowEngine(info, self.networks, EngineOptions(reference=True))
        self._twins = {}

    def twin(self, size):
        if size not in self._twins:
            self._twins.clear()
            second = self.model.name == "stable-diffusion-2.1"
            self._twins[size] = _twin_class()(self.networks, size, second)
        return self._twins[size]


@pytest.fixture(scope="module", params=sorted(STABLE_DIFFUSION_MODELS))
def pair(request):
    pair = Pair(request.param)
    yield pair
    import keras

    del pair
    keras.backend.clear_session()
    gc.collect()


def test_encodings_are_those_of_encode_text(pair):
    ours = pair.fast.encode_text([*PROMPTS, ""])
    twin = pair.twin((128, 128))
    for prompt, encoding in zip([*PROMPTS, ""], ours, strict=True):
        assert np.array_equal(twin.encode_text(prompt)[0], encoding)
    assert np.array_equal(np.asarray(twin.model._get_unconditional_context())[0], ours[3])


# id: size, batch, steps, scale, negative prompt, noise shared by the batch, noise dtype
CASES = {
    "one": ((128, 128), 1, 2, 7.5, None, False, "float32"),
    "three-five-steps": ((128, 128), 3, 5, 15.0, None, False, "float32"),
    "partial-batch-negative-shared-noise": ((128, 128), 2, 2, 7.5, "blurry", True, "float32"),
    "scale-1": ((128, 128), 2, 2, 1.0, None, False, "float32"),
    "float64-noise": ((128, 128), 3, 2, 7.5, None, True, "float64"),
    "wide": ((128, 256), 1, 2, 7.5, None, False, "float32"),
    "256": ((256, 256), 1, 2, 7.5, None, False, "float32"),
}


@pytest.mark.parametrize("case", CASES)
def test_frames_are_those_of_generate_image(pair, case, record_property):
    size, batch, steps, scale, negative, shared, dtype = CASES[case]
    contexts = pair.fast.encode_text(PROMPTS[:batch])
    latent_shape = pair.fast.info.latent_shape(size)
    shape = latent_shape if shared else (batch, *latent_shape)
    noise = np.random.default_rng(3).standard_normal(shape).astype(dtype)
    theirs, their_latents = pair.twin(size).generate_image(
        contexts,
        batch_size=batch,
        num_steps=steps,
        unconditional_guidance_scale=scale,
        negative_prompt=negative,
        diffusion_noise=noise,
    )
    assert theirs.std() > 10  # the comparison is of pictures, not of flat colours

    arguments = (
        np.broadcast_to(noise, (batch, *latent_shape)),
        contexts,
        pair.fast.encode_text([negative or ""])[0],
        np.full(batch, scale, np.float32),
        sampling_schedule("ddim", steps),
    )
    for engine in (pair.reference, pair.fast):
        latents = engine.sample(*arguments)
        pictures = engine.decode(latents)
        error = np.abs(latents - their_latents).max() / np.abs(their_latents).max()
        levels = np.abs(pictures.astype(int) - theirs.astype(int))
        mode = "reference" if engine.options.reference else "fast"
        record_property(f"{mode}_latents", float(error))
        record_property(f"{mode}_pixels_that_differ", float(np.mean(levels > 0)))
        if engine.options.reference and dtype == "float32":
            assert np.array_equal(latents, their_latents)
            assert np.array_equal(pictures, theirs)
        assert error < 1e-4
        assert levels.max() <= 1
