"""The engine's promises, on the embedded model (a trained one)."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from latent_assets.diffusion import keras_cv_models, registry
from latent_assets.diffusion.faults import find_faults
from latent_assets.diffusion.protocol import EngineOptions
from latent_assets.diffusion.registry import WeightsSource, load_engine
from latent_assets.diffusion.schedule import sampling_schedule
from latent_assets.diffusion.tensorflow_engine import LatentModels, TensorFlowEngine
from latent_assets.errors import ModelError, UsageError

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
SOURCE = WeightsSource(ROOT / "data" / "models")
PROMPTS = ("a sunflower", "a castle", "a red apple")
SCHEDULE = sampling_schedule("ddim", 8)


@pytest.fixture
def engine():
    return load_engine("embedded", SOURCE)


@pytest.fixture
def inputs(engine):
    noise = np.random.default_rng(0).standard_normal((3, 16, 16, 16)).astype(np.float32)
    return SimpleNamespace(
        noise=noise,
        context=engine.encode_text(PROMPTS),
        unconditional=engine.encode_text([""])[0],
        scale=np.full(3, 5.0, np.float32),
    )


def run(engine, inputs, rows=slice(None), scale=None, schedule=SCHEDULE):
    scale = inputs.scale if scale is None else np.asarray(scale, np.float32)
    return engine.sample(
        inputs.noise[rows], inputs.context[rows], inputs.unconditional, scale[rows], schedule
    )


def relative(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def test_the_registry_answers_without_importing_tensorflow():
    program = (
        "import sys; from pathlib import Path;"
        "from latent_assets.diffusion import registry as r;"
        "s = r.WeightsSource(Path('data/models'));"
        "[r.describe_model(n, s) for n in r.MODEL_NAMES];"
        "[r.read_prompt(n, s, 'a cat') for n in r.MODEL_NAMES];"
        "assert not {'tensorflow', 'keras', 'keras_cv'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_one_engine_is_kept_and_another_takes_its_place(engine):
    assert load_engine("embedded", SOURCE) is engine
    other = load_engine("embedded", SOURCE, EngineOptions(reference=True))
    assert other is not engine
    assert list(registry._loaded.values()) == [other]


def test_an_unknown_model_is_refused_with_the_names_there_are():
    with pytest.raises(UsageError, match="stable-diffusion-1"):
        load_engine("stable-diffusion-9", SOURCE)


def test_an_encoding_does_not_depend_on_its_neighbours(engine):
    together = engine.encode_text(PROMPTS)
    for prompt, row in zip(PROMPTS, together, strict=True):
        assert engine.encode_text([prompt])[0].tobytes() == row.tobytes()
    assert engine.encode_text([]).shape == (0, 16, 192)


def test_the_same_call_gives_the_same_bytes(engine, inputs):
    assert run(engine, inputs).tobytes() == run(engine, inputs).tobytes()


@pytest.mark.parametrize("sampler", ["ddim", "dpm++2m"])
def test_the_compiled_loop_is_the_schedule_applied_to_predict_noise(engine, inputs, sampler):
    schedule = sampling_schedule(sampler, 6, "karras")
    x, previous = inputs.noise, np.zeros_like(inputs.noise)
    nothing = np.broadcast_to(inputs.unconditional, inputs.context.shape)
    for timestep, (c0, c1, c2, c3, c4) in zip(
        schedule.timesteps, schedule.coefficients, strict=True
    ):
        with_prompt = engine.predict_noise(x, int(timestep), inputs.context)
        without = engine.predict_noise(x, int(timestep), nothing)
        eps = without + np.float32(5) * (with_prompt - without)
        clean = (x - c0 * eps) / c1
        x, previous = c2 * eps + c3 * clean + c4 * previous, clean
    assert relative(run(engine, inputs, schedule=schedule), x) < 1e-4


def test_guidance_scales_are_per_frame(engine, inputs):
    scales = [1.0, 3.0, 9.0]
    together = run(engine, inputs, scale=scales)
    for i in range(3):
        alone = run(engine, inputs, rows=slice(i, i + 1), scale=scales)
        assert relative(together[i : i + 1], alone) < 1e-4
    assert relative(together[1], run(engine, inputs, scale=[9.0, 9.0, 9.0])[1]) > 1e-2


def test_the_reference_mode_agrees_with_the_fast_one(engine, inputs):
    fast = {scale: run(engine, inputs, scale=[scale] * 3) for scale in (1.0, 5.0)}
    slow = load_engine("embedded", SOURCE, EngineOptions(reference=True))
    for scale, latents in fast.items():
        assert relative(latents, run(slow, inputs, scale=[scale] * 3)) < 1e-4


class Recorder:
    """A network that notes the batch it is called with."""

    def __init__(self, network):
        self.network = network
        self.traces = []

    def call(self, inputs, training=False):
        self.traces.append(inputs[0].shape[0] if isinstance(inputs, list) else inputs.shape[0])
        return self.network.call(inputs, training=training)


def test_other_numbers_of_frames_and_steps_cost_no_new_trace(engine, inputs):
    recorder = Recorder(engine._models.denoiser)
    models = LatentModels(
        engine._models.encode_prompt,
        engine._models.encode_weighted,
        recorder,
        engine._models.decoder,
    )
    fresh = TensorFlowEngine(engine.info, models, EngineOptions())
    run(fresh, inputs)
    traces = len(recorder.traces)
    run(fresh, inputs, rows=slice(0, 2), schedule=sampling_schedule("dpm++2m", 3))
    run(fresh, inputs, rows=slice(0, 1))
    assert len(recorder.traces) == traces


def test_no_second_pass_is_made_at_guidance_scale_1(engine, inputs):
    sizes = []

    class Counting(Recorder):
        def call(self, inputs, training=False):
            import tensorflow as tf

            tf.py_function(lambda n: sizes.append(int(n)), [tf.shape(inputs[0])[0]], [])
            return super().call(inputs, training)

    models = LatentModels(
        engine._models.encode_prompt,
        engine._models.encode_weighted,
        Counting(engine._models.denoiser),
        engine._models.decoder,
    )
    counting = TensorFlowEngine(engine.info, models, EngineOptions())
    run(counting, inputs, scale=[1.0, 1.0, 1.0])
    assert sizes == [3] * 8
    sizes.clear()
    run(counting, inputs)
    assert sizes == [6] * 8


class OutOfMemory:
    """Stands for a device that holds at most `most` pictures at once."""

    def __init__(self, most):
        self.most = most
        self.sizes = []

    def __call__(self, latents):
        import tensorflow as tf

        self.sizes.append(len(latents))
        if len(latents) > self.most:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return latents * 2


def test_out_of_memory_halves_the_batch_warns_and_goes_on(engine, caplog):
    fresh = TensorFlowEngine(engine.info, engine._models, EngineOptions())
    device = OutOfMemory(most=2)
    values = np.arange(7, dtype=np.float32)
    with caplog.at_level(logging.WARNING):
        result = fresh._in_parts(device, values)
    assert np.array_equal(result, values * 2)
    assert device.sizes == [7, 3, 1, 1, 1, 1, 1, 1, 1]
    assert fresh.batch_limit == 1
    assert "out of memory with 7 frames" in caplog.text
    device.sizes.clear()
    fresh._in_parts(device, values[:2])
    assert device.sizes == [1, 1]  # what did not fit once is not tried again


def test_too_little_memory_for_one_frame_is_told_with_a_cure(engine):
    fresh = TensorFlowEngine(engine.info, engine._models, EngineOptions())
    with pytest.raises(ModelError, match="one frame"):
        fresh._in_parts(OutOfMemory(most=0), np.zeros(2, np.float32))


def test_frames_that_are_not_numbers_are_found_one_by_one(engine, inputs):
    latents = run(engine, inputs).copy()
    assert find_faults(latents, engine.decode(latents)) == ()
    latents[1, 3, 3, 0] = np.nan
    pictures = engine.decode(latents)
    assert not pictures[1].any()
    (fault,) = find_faults(latents, pictures, "mixed_float16")
    assert fault.index == 1
    assert "1 of 4096 latents" in fault.problem
    assert "float32" in fault.cure


def test_an_overflow_in_the_decoder_alone_is_found(engine, inputs):
    latents = run(engine, inputs)

    class Overflowing(Recorder):
        def call(self, inputs, training=False):
            import tensorflow as tf

            pictures = self.network.call(inputs, training=training)
            bad = tf.reshape(tf.range(tf.shape(pictures)[0]) == 2, (-1, 1, 1, 1))
            return tf.where(bad, float("inf"), pictures)

    models = LatentModels(
        engine._models.encode_prompt,
        engine._models.encode_weighted,
        engine._models.denoiser,
        Overflowing(engine._models.decoder),
    )
    broken = TensorFlowEngine(engine.info, models, EngineOptions())
    (fault,) = find_faults(latents, broken.decode(latents))
    assert (fault.index, "one value everywhere" in fault.problem) == (2, True)


@pytest.mark.parametrize(
    ("shape", "context", "word"),
    [
        ((1, 32, 32, 16), (1, 16, 192), "256 and 256 pixels"),
        ((1, 16, 16, 3), (1, 16, 192), "frames, height"),
        ((16, 16, 16), (1, 16, 192), "frames, height"),
        ((2, 16, 16, 16), (1, 16, 192), "context has shape"),
        ((1, 16, 16, 16), (1, 77, 768), "context has shape"),
    ],
)
def test_wrong_shapes_are_refused_before_tensorflow_sees_them(engine, shape, context, word):
    with pytest.raises(ModelError, match=word):
        engine.predict_noise(np.zeros(shape, np.float32), 10, np.zeros(context, np.float32))


def test_float64_noise_is_taken_as_float32(engine, inputs):
    expected = run(engine, inputs)
    inputs.noise = inputs.noise.astype(np.float64)
    assert np.array_equal(run(engine, inputs), expected)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_gives_nearly_the_same_pictures(engine, inputs, precision):
    expected = engine.decode(run(engine, inputs)).astype(int)
    halved = load_engine("embedded", SOURCE, EngineOptions(precision=precision))
    assert halved.encode_text(PROMPTS).dtype == np.float32
    pictures = halved.decode(run(halved, inputs)).astype(int)
    assert 0 < np.abs(pictures - expected).mean() < 12  # other pixels, the same picture


def test_an_unknown_precision_is_refused_before_anything_is_loaded():
    with pytest.raises(ModelError, match="float8"):
        load_engine("embedded", SOURCE, EngineOptions(precision="float8"))


def test_xla_on_the_cpu_gives_the_same_pictures(engine, inputs):
    expected = engine.decode(run(engine, inputs, rows=slice(0, 1)))
    compiled = load_engine("embedded", SOURCE, EngineOptions(jit_compile=True))
    pictures = compiled.decode(run(compiled, inputs, rows=slice(0, 1)))
    assert np.abs(pictures.astype(int) - expected.astype(int)).max() <= 1


def test_weights_move_the_words_of_the_embedded_model(engine):
    plain, one = (
        engine.encode_text(["a red apple"])[0],
        engine.encode_weighted("a (red:1) apple", 1),
    )
    assert one.tobytes() == plain.tobytes()
    more = engine.encode_weighted("a (red:1.5) apple", 1)
    assert np.array_equal(more[0], np.float32(1.5) * plain[0])
    assert np.array_equal(more[1:], plain[1:])


class LooksAtAll:
    """A denoiser whose noise is the mean of the context."""

    def call(self, inputs, **_options):
        import tensorflow as tf

        latents, _, context = inputs
        return tf.zeros_like(latents) + tf.reduce_mean(context, axis=(1, 2))[:, None, None, None]


def test_a_context_of_several_parts_is_sampled(engine, inputs):
    parts = engine._models
    models = LatentModels(parts.encode_prompt, parts.encode_weighted, LooksAtAll(), parts.decoder)
    looking = TensorFlowEngine(engine.info, models, EngineOptions())
    schedule, scale = sampling_schedule("ddim", 2), np.ones(len(inputs.noise), np.float32)
    ones = np.ones_like(inputs.context)
    longer, nothing = np.concatenate([ones, 3 * ones], axis=1), np.zeros((32, 192), np.float32)
    once = looking.sample(inputs.noise, 2 * ones, inputs.unconditional, scale, schedule)
    twice = looking.sample(inputs.noise, longer, nothing, scale, schedule)
    assert np.allclose(once, twice, atol=1e-5)
    with pytest.raises(ModelError, match=r"context has shape \(\d+, 20, 192\)"):
        looking.sample(inputs.noise, longer[:, :20], nothing, scale, schedule)


def test_without_guidance_the_prompt_or_its_absence_costs_one_evaluation(engine, inputs):
    sizes = []

    class Counting(LooksAtAll):
        def call(self, inputs, **options):
            import tensorflow as tf

            tf.py_function(lambda n: sizes.append(int(n)), [tf.shape(inputs[0])[0]], [])
            return super().call(inputs, **options)

    parts = engine._models
    models = LatentModels(parts.encode_prompt, parts.encode_weighted, Counting(), parts.decoder)
    counting = TensorFlowEngine(engine.info, models, EngineOptions())
    count = len(inputs.noise)
    nothing = run(counting, inputs, scale=[0.0] * count)
    assert sizes == [count] * 8
    guided = run(counting, inputs, scale=[0.0] * (count - 1) + [1.0])
    assert sizes[8:] == [2 * count] * 8
    assert np.allclose(nothing[:-1], guided[:-1], atol=1e-5)


def test_lcm_asks_for_its_noise_and_adds_it(engine, inputs):
    schedule = sampling_schedule("lcm", 3, "own")
    parts = engine._models
    models = LatentModels(parts.encode_prompt, parts.encode_weighted, LooksAtAll(), parts.decoder)
    looking = TensorFlowEngine(engine.info, models, EngineOptions())
    count, shape = len(inputs.noise), inputs.noise.shape[1:]
    fresh = np.random.default_rng(4).standard_normal((count, 2, *shape)).astype(np.float32)
    rest = inputs.noise, inputs.context, inputs.unconditional, np.ones(count, np.float32), schedule
    found = looking.sample(*rest, fresh)
    eps = inputs.context.mean(axis=(1, 2))[:, None, None, None]
    x = inputs.noise
    for step, (c0, c1, c2, c3, _, _, c6) in enumerate(schedule.coefficients):
        added = c6 * fresh[:, step] if step < 2 else 0
        x = c2 * eps + c3 * (x - c0 * eps) / c1 + added
    assert np.allclose(found, x, rtol=1e-4, atol=1e-4)
    with pytest.raises(ModelError, match="lcm asks for 2 noises a frame"):
        looking.sample(*rest)


def test_clip_skip_takes_an_earlier_layer_and_normalises_it():
    import keras

    class CLIPEncoderLayer(keras.layers.Layer):
        def call(self, x):
            return x * 2 + keras.ops.roll(x, 1, axis=-1)

    tokens = keras.Input((3, 4))
    first, second = CLIPEncoderLayer(), CLIPEncoderLayer()
    norm = keras.layers.LayerNormalization()
    encoder = keras.Model(tokens, norm(second(first(tokens))))
    x = np.random.default_rng(0).standard_normal((1, 3, 4)).astype(np.float32)
    shorter = keras_cv_models._without_last_layers(encoder, 1)
    assert np.allclose(shorter(x), norm(first(x)))
    assert not np.allclose(shorter(x), encoder(x), atol=1e-2)
    assert keras_cv_models._without_last_layers(encoder, 0) is encoder
