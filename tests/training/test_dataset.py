"""Training pictures and captions: what they show is what they say, and they come again the same."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest

from latent_assets.diffusion.embedded.vocabulary import default_vocabulary
from latent_assets.errors import TrainingError
from latent_assets.training import artwork, dataset
from latent_assets.training.captions import (
    COLOURS,
    HELD_OUT,
    SCENES,
    TINTED,
    UNSAID,
    Scene,
    caption,
    random_scene,
    with_article,
)
from latent_assets.training.concepts import CONCEPTS
from latent_assets.training.cutouts import pack, unpack
from latent_assets.training.dataset import Composer, Record, Shares, caption_tokens
from latent_assets.training.wordlist import missing_words

NAMES = [concept.name for concept in CONCEPTS]
WINDMILL, BOWL = NAMES.index("windmill"), NAMES.index("bowl of fruit")


@pytest.fixture(scope="module")
def composer():
    return Composer(artwork.render_own())


def difference(first, second):
    return float(np.abs(first.astype(int) - second).mean())


def test_concepts_are_told_apart():
    assert len(set(NAMES)) == len(NAMES) >= 250
    names = [name for concept in CONCEPTS for name in concept.names]
    assert len(set(names)) == len(names)
    emoji = [concept.emoji for concept in CONCEPTS if concept.emoji]
    assert len(set(emoji)) == len(emoji)


def test_every_named_pair_and_tinted_thing_exists():
    for name, background in HELD_OUT:
        assert name in NAMES
        assert background in COLOURS or background in SCENES
    assert set(NAMES) >= TINTED


def test_training_never_draws_a_held_out_pair():
    rng = random.Random(1)
    for name, background in sorted(HELD_OUT):
        for _ in range(100):
            scene = random_scene(NAMES.index(name), list(range(len(CONCEPTS))), rng)
            assert (name, scene.background) not in HELD_OUT
        assert Scene(WINDMILL, background, second=NAMES.index(name)).held_out
    assert not Scene(WINDMILL, "meadow").held_out


def test_pictures_come_again_from_their_number(composer):
    first, record = composer.random_picture(17)
    second, again = composer.random_picture(17)
    assert first.shape == (256, 256, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, second)
    assert record == again


def test_pictures_on_disk_are_those_of_their_numbers(composer, tmp_path):
    cutouts = artwork.render_own()
    dataset.build(tmp_path, cutouts, {"train": 3, "test": 2}, processes=1)
    loaded = dataset.load(tmp_path, "test")
    pixels, record = composer.random_picture(10_000_001)
    np.testing.assert_array_equal(loaded.pixels[1], pixels)
    assert loaded.records[1] == record
    assert len(dataset.load(tmp_path, "train").records) == 3


def test_packed_drawings_are_the_drawings(tmp_path):
    own = artwork.render_own()
    bodies = {name: artwork.render(svg) for name, svg in artwork.OWN_DRAWINGS.items()}
    pack(tmp_path / "artwork.npz", {**bodies, "no such thing": b"x"})
    packed = unpack(tmp_path / "artwork.npz")
    assert {cutout.concept for cutout in packed} == {WINDMILL, BOWL}
    by_concept = {cutout.concept: cutout.pixels for cutout in own}
    for cutout in packed:
        np.testing.assert_array_equal(cutout.pixels, by_concept[cutout.concept])


def test_a_file_without_a_known_drawing_is_refused(tmp_path):
    pack(tmp_path / "artwork.npz", {"no such thing": b"x"})
    with pytest.raises(TrainingError, match="holds no drawing"):
        unpack(tmp_path / "artwork.npz")


def test_file_names_of_emoji_are_tried_with_and_without_variation():
    assert "2708-fe0f.webp" in artwork.file_names("✈")
    assert "2708.webp" in artwork.file_names("✈️")


@pytest.mark.parametrize("background", ["red", "white", "teal"])
def test_a_picture_shows_its_background_at_the_edge(composer, background):
    picture = composer.draw(Record(Scene(WINDMILL, background)), 2)
    edge = picture[:, :3].astype(int).mean(axis=(0, 1))
    assert np.abs(edge - COLOURS[background]).max() < 45


def test_without_a_word_the_number_decides_place_size_light_and_hue(composer):
    scene = Scene(WINDMILL, UNSAID)
    pictures = [composer.draw(Record(scene), number) for number in range(6)]
    assert min(difference(pictures[0], other) for other in pictures[1:]) > 10


def test_one_number_is_one_setting_whatever_the_thing(composer):
    one = composer.draw(Record(Scene(WINDMILL, "meadow")), 5)
    other = composer.draw(Record(Scene(BOWL, "meadow")), 5)
    np.testing.assert_array_equal(one[:30, :30], other[:30, :30])


def thing_box(composer, scene, number):
    """Rows and columns of the thing: where two things of the same setting differ."""
    pictures = [
        composer.draw(Record(replace(scene, concept=concept)), number).astype(int)
        for concept in (WINDMILL, BOWL)
    ]
    differs = np.abs(pictures[0] - pictures[1]).sum(axis=-1) > 60
    return np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))


@pytest.mark.parametrize("number", range(3))
def test_words_for_size_and_place_are_seen(composer, number):
    scene = Scene(WINDMILL, "white")
    rows, _ = thing_box(composer, replace(scene, size="small"), number)
    assert np.ptp(rows) < 0.45 * 256
    rows, _ = thing_box(composer, replace(scene, size="large"), number)
    assert np.ptp(rows) > 0.7 * 256
    _, columns = thing_box(composer, replace(scene, place="left"), number)
    assert columns.mean() < 0.4 * 256
    _, columns = thing_box(composer, replace(scene, place="right"), number)
    assert columns.mean() > 0.6 * 256


def test_two_things_stand_on_either_side(composer):
    both = composer.draw(Record(Scene(WINDMILL, "white", second=BOWL)), 3).astype(int)
    changed = both.min(axis=-1) < 180
    assert changed[:, :128].any()
    assert changed[:, 128:].any()


def test_a_blend_lies_between_its_two_scenes(composer):
    first, second = Scene(WINDMILL, "white"), Scene(BOWL, "night")
    start, end = (composer.draw(Record(scene), 8).astype(float) for scene in (first, second))
    path = [composer.draw(Record(first, second, w), 8) for w in (0.0, 0.1, 0.25, 0.4, 0.5)]
    np.testing.assert_array_equal(path[0], start)
    steps = [difference(one, two) for one, two in itertools.pairwise(path)]
    assert max(steps) < 0.5 * difference(start.astype(int), end)
    corner = [picture[0, 0].mean() for picture in path]
    assert corner == sorted(corner, reverse=True)


def test_blends_are_as_frequent_as_they_should_be(composer):
    rng = random.Random(5)
    shares = Shares()
    records = [composer.random_record(WINDMILL, rng) for _ in range(600)]
    blends = [record for record in records if record.other is not None]
    assert abs(len(blends) / len(records) - shares.blends) < 0.06
    assert all(record.weight <= 0.5 for record in blends)
    assert not any(record.other.held_out or record.scene.held_out for record in blends)
    assert {record.other.concept for record in blends} == {WINDMILL, BOWL}


def test_a_painting_and_a_sketch_are_other_pictures_of_the_same(composer):
    scene = Scene(WINDMILL, "meadow")
    shaded, painting, sketch = (
        composer.draw(Record(replace(scene, style=style)), 4)
        for style in ("shaded", "painting", "sketch")
    )
    assert difference(shaded, painting) > 3
    assert np.ptp(sketch.astype(int), axis=-1).max() < 20


@pytest.mark.parametrize(
    ("words", "phrase"),
    [("cat", "a cat"), ("apple", "an apple"), ("unicorn", "a unicorn"), ("ufo", "a ufo")],
)
def test_articles(words, phrase):
    assert with_article(words) == phrase


def test_a_caption_says_what_a_scene_says():
    rng = random.Random(2)
    scene = Scene(NAMES.index("cat"), "night", "sketch", "blue", "small", "left")
    for _ in range(20):
        text = caption(scene, rng)
        assert "blue" in text
        assert "left" in text
        assert text.startswith("a ")
    unsaid = {caption(Scene(NAMES.index("cat"), UNSAID), rng) for _ in range(20)}
    assert unsaid <= {
        f"{prefix}a {name}"
        for prefix in ("", "a picture of ", "a photo of ")
        for name in CONCEPTS[NAMES.index("cat")].names
    }


def test_every_caption_is_read_without_an_unknown_word():
    vocabulary = default_vocabulary()
    rng = random.Random(9)
    everything = list(range(len(CONCEPTS)))
    for index in everything:
        for _ in range(5):
            text = caption(random_scene(index, everything, rng), rng)
            reading = vocabulary.read(text)
            assert not reading.unknown, text
            assert not reading.dropped, text
            assert any(word in " ".join(CONCEPTS[index].names).split() for word in reading.used)


def test_every_caption_word_has_a_vector():
    vocabulary = default_vocabulary()
    assert missing_words(list(vocabulary._index)) == []


def test_captions_as_tokens_are_what_the_vocabulary_reads():
    vocabulary = default_vocabulary()
    scene, other = Scene(NAMES.index("cat"), UNSAID), Scene(NAMES.index("dog"), UNSAID)
    tokens = caption_tokens([Record(scene), Record(scene, other, 0.3)], vocabulary, 4, 1)
    assert tokens.shape == (2, 4, 2, 16)
    assert not tokens[0, :, 1].any()
    dogs = {int(vocabulary.tokens(name)[0]) for name in CONCEPTS[other.concept].names}
    assert set(tokens[1, :, 1, 0].tolist()) <= dogs
