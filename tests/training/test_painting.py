"""Backgrounds, tints and in-betweens: soft, within range, and the same every time."""

from __future__ import annotations

import random

import numpy as np
import pytest

from latent_assets.training import artwork
from latent_assets.training.backgrounds import paint
from latent_assets.training.canvas import Canvas, waves
from latent_assets.training.captions import COLOURS, SCENES, UNSAID
from latent_assets.training.scenes import PAINTERS
from latent_assets.training.sprites import Shapes, tinted


def test_every_scene_has_a_painter():
    assert PAINTERS.keys() == SCENES.keys()


@pytest.mark.parametrize("background", [*COLOURS, *SCENES, UNSAID])
def test_backgrounds_are_whole_pictures_and_come_again(background):
    first, second = (paint(background, random.Random(3)) for _ in range(2))
    assert first.pixels.shape == (256, 256, 3)
    assert first.pixels.min() >= 0
    assert first.pixels.max() <= 256
    np.testing.assert_array_equal(first.pixels, second.pixels)
    other = paint(background, random.Random(4))
    assert np.abs(first.pixels - other.pixels).mean() > 0.3


def test_scenes_differ_more_than_their_chances():
    """Which scene it is must be plain from any one picture of it."""
    small = {
        scene: [paint(scene, random.Random(n)).pixels[8::16, 8::16] for n in range(3)]
        for scene in SCENES
    }
    for scene, pictures in small.items():
        own = max(np.abs(pictures[0] - other).mean() for other in pictures[1:])
        others = min(
            np.abs(pictures[0] - small[other][0]).mean() for other in SCENES if other != scene
        )
        assert own < 1.4 * others, scene


def test_a_ball_outside_the_picture_leaves_it_alone():
    canvas = Canvas((10, 20, 30), (10, 20, 30))
    before = canvas.pixels.copy()
    canvas.ball(-0.5, 0.5, 0.1, 0.1, (255, 255, 255), (0, 0, 0))
    canvas.glow(1.6, 0.5, 0.1, (255, 255, 255), 1.0)
    np.testing.assert_array_equal(canvas.pixels, before)


def test_shapes_have_soft_edges_where_they_should_be():
    canvas = Canvas((0, 0, 0), (0, 0, 0))
    canvas.polygon([(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)], (200,) * 3, (200,) * 3)
    covered = canvas.pixels[..., 0].sum() / 200 / 256**2
    assert covered == pytest.approx(0.25, abs=0.008)
    canvas = Canvas((0, 0, 0), (0, 0, 0))
    canvas.ball(0.5, 0.5, 0.25, 0.25, (200,) * 3, (200,) * 3)
    assert canvas.pixels[..., 0].sum() / 200 / 256**2 == pytest.approx(np.pi / 16, abs=0.003)


def test_waves_stay_within_the_sum_of_their_amplitudes():
    line = waves(np.array([0.2, 0.1]), np.array([0.3, 0.8]))
    assert line.shape == (256,)
    assert np.abs(line).max() <= 0.3 + 1e-6


@pytest.fixture(scope="module")
def own():
    return {cutout.concept: cutout.pixels for cutout in artwork.render_own()}


def test_a_tint_changes_the_main_hue_and_nothing_else(own):
    bowl = max(own.values(), key=lambda pixels: pixels[..., 2].mean())
    green = tinted(bowl, "green")
    np.testing.assert_array_equal(green[..., 3], bowl[..., 3])
    middle, apple = (200, 128), (110, 72)
    assert bowl[middle][2] > bowl[middle][1] + 30
    assert green[middle][1] > green[middle][2] + 20
    np.testing.assert_array_equal(green[apple], bowl[apple])


@pytest.mark.parametrize("tint", ["black", "white"])
def test_a_grey_drawing_takes_any_tint(tint):
    grey = np.zeros((256, 256, 4), np.uint8)
    grey[64:192, 64:192, :3] = np.linspace(100, 200, 128, dtype=np.uint8)[:, None]
    grey[64:192, 64:192, 3] = 255
    level = tinted(grey, tint)[128, 128, :3].mean()
    assert level < 90 if tint == "black" else level > 220


def test_an_in_between_has_a_silhouette_between_and_an_edge_that_is_sharp(own):
    shapes = Shapes(own)
    one, two = sorted(own)
    first, middle, last = (shapes.between((one, ""), (two, ""), w, False) for w in (0, 0.5, 1))
    areas = [float(shape.pixels[..., 3].sum()) for shape in (first, middle, last)]
    assert min(areas[0], areas[2]) * 0.6 < areas[1] < max(areas[0], areas[2]) * 1.2
    alpha = middle.pixels[..., 3]
    assert ((alpha > 0.02) & (alpha < 0.98)).mean() < 0.08
    colours = middle.pixels[..., :3].max(axis=-1)
    assert (colours <= 255 * alpha + 2).all()


def test_mirrored_sprites_are_mirror_images(own):
    shapes = Shapes(own)
    concept = min(own)
    shape = (concept, "")
    plain, mirrored = (shapes.between(shape, shape, 0, flag) for flag in (False, True))
    np.testing.assert_array_equal(plain.pixels, mirrored.pixels[:, ::-1])
