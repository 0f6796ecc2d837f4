"""What the evaluation reckons, on pictures whose answer is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fake_composing import Composing
from PIL import Image

from latent_assets.training.captions import Scene
from latent_assets.training.card import BEGIN, END, figures_table, update_card
from latent_assets.training.classifier import (
    background_accuracy,
    both_named,
    top_accuracy,
)
from latent_assets.training.concepts import CONCEPTS
from latent_assets.training.dataset import Record
from latent_assets.training.measures import seeds_and_things, smoothness
from latent_assets.training.prompts import PROMPTS, SEEDS_THINGS, TINTS_SHOWN, WALKS
from latent_assets.training.shown import LiveShown, background_label, shrink
from latent_assets.training.stream import Chunk
from latent_assets.training.trial import keeping_trial

NAMES = {concept.name for concept in CONCEPTS}


def flat(level):
    return np.full((8, 8, 3), level, np.uint8)


def test_seeds_are_measured_within_a_thing_and_things_within_a_seed():
    pictures = np.stack([[flat(0), flat(51)], [flat(102), flat(153)]])
    figures = seeds_and_things(pictures)
    assert figures == {"between_seeds": 0.4, "between_things": 0.8, "ratio": 0.5}


def test_a_jump_in_a_walk_is_told():
    even = np.stack([flat(level) for level in range(0, 60, 6)])
    assert smoothness(even) == {"max_over_median": 1.0, "equal_neighbours": 0}
    jump = np.concatenate([even[:5], even[5:] + 18])
    assert smoothness(jump)["max_over_median"] == 4.0
    still = np.concatenate([even, even[-1:]])
    assert smoothness(still)["equal_neighbours"] == 1


def test_the_best_five_and_the_best_two():
    logits = np.zeros((2, 9))
    logits[0, [1, 2, 3, 4, 5]] = [9, 8, 7, 6, 5]
    logits[1, [7, 8]] = [4, 3]
    assert top_accuracy(logits, np.array([5, 7])) == (0.5, 1.0)
    assert both_named(logits, np.array([[2, 1], [7, 0]])) == 0.5
    assert np.isnan(both_named(logits[:0], np.zeros((0, 2), int)))


def test_a_background_that_is_not_named_is_not_judged():
    assert background_label("studio") == -1
    logits = np.eye(3)
    assert background_accuracy(logits, np.array([0, -1, 0])) == 0.5


def test_the_judge_sees_means_of_four_pixels():
    pictures = np.zeros((1, 256, 256, 3), np.uint8)
    pictures[0, 0, 0] = 200
    assert shrink(pictures)[0, 0, 0].tolist() == [50, 50, 50]
    assert shrink(pictures).shape == (1, 128, 128, 3)


def chunk(level):
    pixels = np.full((3, 256, 256, 3), level, np.uint8)
    return Chunk(pixels, np.zeros(3), np.zeros(3), np.zeros(3), [Record(Scene(level, "blue"))] * 3)


def test_the_judge_may_have_all_cores_once_its_pictures_are_composed():
    composing = Composing(chunk)
    shown = LiveShown(composing, before=7)
    assert composing.made == 3
    assert composing.closed
    shown.tend()
    assert composing.made == 3
    pixels, things, backgrounds = shown.draw(200)
    # Nine were made and seven are kept: the two of the oldest that had to go are of level 1.
    assert set(pixels[:, 0, 0, 0].tolist()) == {1, 2, 3}
    assert (things == pixels[:, 0, 0, :2]).all()
    assert set(backgrounds.tolist()) == {background_label("blue")}


def test_the_judge_is_shown_new_pictures_while_it_learns(monkeypatch):
    monkeypatch.setattr("latent_assets.training.shown.FIRST_PICTURES", 7)
    composing = Composing(chunk)
    shown = LiveShown(composing)
    assert (composing.made, composing.closed) == (3, False)
    shown.tend()
    assert composing.made == 4
    assert set(shown.draw(200)[0][:, 0, 0, 0].tolist()) == {1, 2, 3, 4}


def test_prompts_name_things_that_the_model_is_taught():
    assert len(WALKS) == 20
    assert len(PROMPTS) == 24
    assert {*SEEDS_THINGS, *TINTS_SHOWN} <= NAMES


def test_a_trial_of_two_editions_can_be_read_with_its_key_alone(tmp_path):
    first = np.stack([np.full((32, 32, 3), 40, np.uint8)] * 8)
    second = np.stack([np.full((64, 64, 3), 200, np.uint8)] * 8)
    prompts = [f"prompt {number}" for number in range(8)]
    keeping_trial(tmp_path, prompts, first, second, seed=3)
    key = json.loads((tmp_path / "keeping-key.json").read_text())
    sheet = np.asarray(Image.open(tmp_path / "keeping.png").convert("L"))
    cell = sheet.shape[1] // 4, sheet.shape[0] // 2
    sides = set()
    for number in range(8):
        x, y = number % 4 * cell[0], number // 4 * cell[1]
        left = sheet[y + cell[1] - 20, x + 10]
        side = key[str(number + 1)]["left"]
        assert left == (40 if side == "first" else 200)
        sides.add(side)
    assert sides == {"first", "second"}


@pytest.fixture
def figures():
    hits = {"top1": 0.95, "top5": 0.99, "background": 0.97, "pictures": 4}
    walk = {"from": "a cat", "to": "a dog", "max_over_median": 2.0, "equal_neighbours": 0}
    walks = {"walks": [walk], "smooth_walks": 1}
    return {
        "psnr_db": 30.5,
        "reconstructed_gradient": 1.0,
        "sampled_gradient": 0.95,
        "classifier_on_originals": hits,
        "classifier_on_reconstructions": hits,
        "generated": hits,
        "held_out_pairs": hits,
        "mostly_missed": {"eye": 3},
        "seeds": {"ratio": 0.7},
        "two_things": {"both": 0.5, "either": 0.9},
        "few_steps": {"evaluations": 4, "generated": {**hits, "top1": 0.94}, **walks},
        **walks,
    }


def test_figures_are_put_between_the_marks_of_the_card(figures, tmp_path):
    card = tmp_path / "MODEL_CARD.md"
    card.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    assert update_card(tmp_path, figures)
    text = card.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    table = figures_table(figures)
    assert table in text
    assert "0.950 / 0.990 / 0.970" in table
    assert "it is 1.0 points" in table
    assert "Mostly or always missed: eye." in table
