"""The fake model keeps a real one's promises, so that tests on it mean something."""

import numpy as np
import pytest
from fakes import fake_studio

from latent_assets.diffusion.schedule import sampling_schedule
from latent_assets.walks.noise import gaussian


@pytest.fixture
def engine(tmp_path):
    return fake_studio(tmp_path).load_engine("embedded")


def picture(engine, prompt="a dog", seed=1, scale=3.0, negative="", steps=4):
    return engine.decode(
        engine.sample(
            gaussian(seed, (1, 4, 4, 4)),
            engine.encode_text([prompt]),
            engine.encode_text([negative])[0],
            np.array([scale], np.float32),
            sampling_schedule("ddim", steps),
        )
    )


@pytest.mark.parametrize(
    "change",
    [{"prompt": "a cat"}, {"seed": 2}, {"scale": 5.0}, {"negative": "rain"}, {"steps": 9}],
    ids=lambda change: next(iter(change)),
)
def test_a_fake_picture_depends_on_all_that_a_recipe_names(engine, change):
    assert not np.array_equal(picture(engine), picture(engine, **change))


def test_without_guidance_the_negative_prompt_is_not_looked_at(engine):
    plain = picture(engine, scale=1.0)
    np.testing.assert_array_equal(plain, picture(engine, scale=1.0, negative="rain"))


def test_a_fake_picture_does_not_depend_on_its_batch(engine):
    noise, context = gaussian(1, (5, 4, 4, 4)), engine.encode_text(list("abcde"))
    scale = np.full(5, 3, np.float32)
    rest = context[0], scale, sampling_schedule("ddim", 4)
    whole = engine.decode(engine.sample(noise, context, *rest))
    alone = engine.decode(engine.sample(noise[3:4], context[3:4], rest[0], scale[:1], rest[2]))
    np.testing.assert_array_equal(whole[3], alone[0])
    assert whole.shape == (5, 32, 32, 3)
    assert whole.dtype == np.uint8
