"""What ties noise to pictures: the code of their chance, and the noise that carries it."""

from __future__ import annotations

import random

import numpy as np
import pytest

from latent_assets.diffusion.embedded import nets
from latent_assets.training.captions import UNSAID, random_scene
from latent_assets.training.composing import Chance
from latent_assets.training.coupling import codes_of, coupled

ENOUGH = 3000


@pytest.fixture(scope="module")
def codes():
    return codes_of(range(ENOUGH))


def test_codes_are_independent_normal_numbers(codes):
    assert codes.shape == (ENOUGH, nets.GIST_WIDTH)
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=5 / ENOUGH**0.5)
    np.testing.assert_allclose(codes.std(axis=0), 1, atol=5 / ENOUGH**0.5)
    others = np.corrcoef(codes.T) - np.eye(nets.GIST_WIDTH)
    assert np.abs(others).max() < 5 / ENOUGH**0.5


def test_codes_come_again_the_same_and_say_what_chance_decides(codes):
    np.testing.assert_array_equal(codes_of([7, 5]), codes[[7, 5]])
    chances = [Chance.of(number) for number in range(ENOUGH)]
    warmth = [chance.light[0] / chance.light[2] for chance in chances]
    for column, decided in enumerate(
        (
            warmth,
            [chance.light[1] for chance in chances],
            [chance.size for chance in chances],
            [chance.across for chance in chances],
            [chance.up for chance in chances],
        )
    ):
        in_order = np.array(decided)[np.argsort(codes[:, column])]
        assert np.diff(in_order).min() > -1e-6
    assert [chance.mirrored for chance in chances] == (codes[:, 5] > 0).tolist()
    assert [chance.swapped for chance in chances] == (codes[:, 6] > 0).tolist()


def test_what_a_picture_shows_says_nothing_of_its_chance(codes):
    scenes = [
        random_scene(number % 20, list(range(20)), random.Random(number))
        for number in range(ENOUGH)
    ]
    unsaid = np.array([scene.background == UNSAID for scene in scenes])
    apart = codes[unsaid].mean(axis=0) - codes[~unsaid].mean(axis=0)
    assert np.abs(apart).max() < 5 / unsaid.sum() ** 0.5


@pytest.mark.engine
def test_coupled_noise_has_the_code_for_its_gist_and_is_else_as_it_was(codes):
    noise = np.random.default_rng(1).standard_normal((300, *nets.LATENT_SHAPE)).astype(np.float32)
    tied = np.asarray(coupled(noise, codes[:300]))
    np.testing.assert_allclose(np.asarray(nets.gist_of(tied)), codes[:300], atol=1e-5)
    assert tied.std() == pytest.approx(1, abs=0.01)
    # What was added is one number times the chequerboard in each quadrant of each channel.
    added = (tied - noise) * nets.gist_pattern()
    np.testing.assert_allclose(
        added[:, :8, 8:], added[:, :1, 8:9] + 0 * added[:, :8, 8:], atol=1e-5
    )


@pytest.mark.engine
def test_the_gist_of_unit_noise_is_unit_noise():
    noise = np.random.default_rng(2).standard_normal((400, *nets.LATENT_SHAPE)).astype(np.float32)
    gist = np.asarray(nets.gist_of(noise))
    assert gist.shape == (400, nets.GIST_WIDTH)
    assert gist.std() == pytest.approx(1, abs=0.02)
    flat = np.ones((1, *nets.LATENT_SHAPE), np.float32)
    np.testing.assert_allclose(np.asarray(nets.gist_of(flat)), 0, atol=1e-6)
