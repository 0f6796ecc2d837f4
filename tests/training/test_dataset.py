"""Training pictures and captions: what they show is what they say, and they come again the same."""

from __future__ import annotations

import random

import numpy as np
import pytest

from latent_assets.diffusion.embedded.vocabulary import default_vocabulary
from latent_assets.training import artwork
from latent_assets.training.backgrounds import PAINTERS, paint
from latent_assets.training.captions import (
    COLOURS,
    HELD_OUT,
    SCENES,
    Scene,
    caption,
    random_scene,
)
from latent_assets.training.concepts import CONCEPTS
from latent_assets.training.dataset import BLEND_SHARE, Composer, Record, tinted
from latent_assets.training.wordlist import missing_words

NAMES = [concept.name for concept in CONCEPTS]


@pytest.fixture(scope="module")
def composer():
    return Composer(artwork.render_own())


def test_concepts_are_told_apart():
    assert len(set(NAMES)) == len(NAMES) >= 100
    emoji = [concept.emoji for concept in CONCEPTS if concept.emoji]
    assert len(set(emoji)) == len(emoji)


def test_every_held_out_pair_names_a_concept_and_a_background():
    for name, background in HELD_OUT:
        assert name in NAMES
        assert background in COLOURS or background in SCENES


def test_training_never_draws_a_held_out_pair():
    rng = random.Random(1)
    for name, _ in sorted(HELD_OUT):
        for _ in range(200):
            scene = random_scene(NAMES.index(name), ["flat", "painted"], rng)
            assert (name, scene.background) not in HELD_OUT


def test_every_scene_has_a_painter():
    assert PAINTERS.keys() == SCENES.keys()


@pytest.mark.parametrize("background", [*COLOURS, *SCENES])
def test_backgrounds_are_whole_pictures_and_come_again(background):
    first, second = (paint(background, random.Random(3)) for _ in range(2))
    assert first.shape == (128, 128, 3)
    assert first.min() >= 0
    assert first.max() <= 255
    np.testing.assert_array_equal(first, second)


def test_pictures_come_again_from_their_number(composer):
    first, record = composer.random_picture(17)
    second, again = composer.random_picture(17)
    np.testing.assert_array_equal(first, second)
    assert record == again


def test_a_picture_shows_its_background_at_the_edge(composer):
    concept = NAMES.index("windmill")
    scene = Scene(concept, "flat", "red")
    picture = composer.draw(Record(scene), random.Random(2))
    assert np.abs(picture[:3].astype(int) - COLOURS["red"]).max() < 20


def test_a_blend_lies_between_its_backgrounds(composer):
    concept = NAMES.index("windmill")
    record = Record(Scene(concept, "flat", "white"), Scene(concept, "flat", "black"), 0.4)
    corner = composer.draw(record, random.Random(2))[0, 0]
    assert 140 < corner.mean() < 180


def test_blends_are_as_frequent_as_they_should_be(composer):
    rng = random.Random(5)
    records = [composer.random_record(composer.concepts[0], rng) for _ in range(600)]
    share = np.mean([record.other is not None for record in records])
    assert abs(share - BLEND_SHARE) < 0.06
    assert all(record.weight <= 0.5 for record in records)


def test_a_tint_changes_the_colour_and_nothing_else():
    pixels = artwork.render_own()[0].pixels
    blue = tinted(pixels, "blue")
    np.testing.assert_array_equal(blue[..., 3], pixels[..., 3])
    inside = blue[pixels[..., 3] > 250][:, :3].mean(axis=0)
    assert inside[2] > inside[0] + 20


def test_every_caption_is_read_without_an_unknown_word():
    vocabulary = default_vocabulary()
    rng = random.Random(9)
    for index in range(len(CONCEPTS)):
        for _ in range(10):
            text = caption(random_scene(index, ["flat", "painted"], rng), rng)
            reading = vocabulary.read(text)
            assert not reading.unknown, text
            assert any(word in " ".join(CONCEPTS[index].names).split() for word in reading.used)


def test_every_caption_word_has_a_vector():
    vocabulary = default_vocabulary()
    assert missing_words(list(vocabulary._index)) == []
