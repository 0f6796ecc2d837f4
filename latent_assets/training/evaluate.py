"""Measures the exported model, prints the figures and writes sheets: one command.

Figures: PSNR and sharpness of the autoencoder on unseen pictures; how often a classifier trained
apart names the thing that was asked for, and its background, with many and with few evaluations;
the same for pairs never seen together and for two things; how sharp samples are; how much a seed
changes; how smooth twenty walks are. Sheets: see `evaluation_sheets` and `trial`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latent_assets.training import dataset, trial
from latent_assets.training.autoencoder import Rebuilding, gradient_ratio, psnr
from latent_assets.training.captions import HELD_OUT, Scene, caption, random_scene, with_article
from latent_assets.training.card import update_card
from latent_assets.training.classifier import (
    Training,
    background_accuracy,
    both_named,
    classify,
    top_accuracy,
    train_classifier,
)
from latent_assets.training.concepts import CONCEPTS
from latent_assets.training.drawing import Studio
from latent_assets.training.evaluation_sheets import (
    firsts,
    grid_sheet,
    loop_sheet,
    prompts_sheet,
    tints_sheet,
)
from latent_assets.training.measures import SMOOTH, seeds_and_things, smoothness
from latent_assets.training.prompts import PROMPTS, SEEDS_THINGS, WALKS
from latent_assets.training.sampling import Sampling, few_steps, many_steps
from latent_assets.training.sheets import write_sheet
from latent_assets.training.shown import background_label

STRIP_FRAMES = 9
NAMES = [concept.name for concept in CONCEPTS]
Figures = dict[str, Any]


@dataclass(frozen=True)
class Extent:
    """How much is drawn."""

    concepts: int = len(CONCEPTS)
    pictures_per_concept: int = 4
    held_out_pairs: int = len(HELD_OUT)
    held_out_seeds: int = 4
    two_things: int = 96
    seeds: int = 8
    walks: int = len(WALKS)
    frames: int = 60
    prompts: int = len(PROMPTS)
    steps: int = 25


FULL = Extent()
QUICK = Extent(3, 1, 2, 1, 1, 2, 1, STRIP_FRAMES, 2, 3)


def run(
    work: Path,
    model: Path,
    judge: Training,
    extent: Extent = FULL,
    speed: bool = True,
) -> Figures:
    """Everything, into `work/evaluation`; returns and prints the figures."""
    folder = work / "evaluation"
    network = train_classifier(work / "data", folder, judge)
    evaluation = Evaluation(Studio(model), network, folder, extent)
    figures: Figures = {"concepts": len(CONCEPTS)}
    figures |= evaluation.reconstruction(work / "data")
    many, few = many_steps(steps=extent.steps), few_steps()
    figures["guidance"] = many.guidance
    figures |= evaluation.many_evaluations(many, work / "data")
    figures["few_steps"] = evaluation.few_evaluations(few)
    evaluation.sheets(many, few)
    if speed:
        # It renders with the engine, which a machine that only trains may not have.
        from latent_assets.training.speed import measure_twice  # noqa: PLC0415

        figures |= measure_twice(model)
    update_card(model, figures)
    text = json.dumps(figures, indent=2)
    (folder / "figures.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    return figures


class Evaluation:
    """The exported model and its judge."""

    def __init__(self, studio: Studio, network: Any, folder: Path, extent: Extent) -> None:
        self._studio, self._network = studio, network
        self._folder, self._extent = folder, extent

    def many_evaluations(self, sampling: Sampling, pictures: Path) -> Figures:
        """All figures of samples with guidance."""
        scenes, drawn = self._every_thing(sampling)
        figures: Figures = {"generated": self._accuracy(drawn, scenes)}
        figures["generated_by_style"] = self._by_style(drawn, scenes)
        figures["mostly_missed"] = self._mostly_missed(drawn, scenes)
        shown = np.asarray(dataset.load(pictures, "test").pixels)
        plain = shown[self._plain_rows(pictures)]
        figures["sampled_gradient"] = round(gradient_ratio(drawn, plain), 3)
        every = self._extent.pictures_per_concept
        write_sheet(self._folder / "retrieval.png", list(drawn[::every]), 16, NAMES)
        figures |= self._held_out(sampling) | self._two_things(sampling)
        figures["seeds"] = self._seeds(sampling, "seeds.png")
        return figures | self._walks(sampling, "strips.png")

    def few_evaluations(self, sampling: Sampling) -> Figures:
        """The same prompts, seeds and walks in the few-step mode."""
        scenes, drawn = self._every_thing(sampling)
        figures: Figures = {"evaluations": len(sampling.timesteps)}
        figures["generated"] = self._accuracy(drawn, scenes)
        figures["seeds"] = self._seeds(sampling, "seeds-few.png")
        return figures | self._walks(sampling, "strips-few.png")

    def reconstruction(self, pictures: Path) -> Figures:
        """PSNR, sharpness, and the classifier on unseen pictures and their reconstructions."""
        loaded = dataset.load(pictures, "test")
        pixels = np.asarray(loaded.pixels)
        rebuilt, _ = Rebuilding(self._studio.encoder, self._studio.decoder)(pixels)
        rows = self._plain_rows(pictures)
        scenes = [loaded.records[row].scene for row in rows]
        return {
            "psnr_db": round(psnr(pixels, rebuilt), 2),
            "reconstructed_gradient": round(gradient_ratio(rebuilt, pixels), 3),
            "classifier_on_originals": self._accuracy(pixels[rows], scenes),
            "classifier_on_reconstructions": self._accuracy(rebuilt[rows], scenes),
        }

    @staticmethod
    def _plain_rows(pictures: Path) -> list[int]:
        records = dataset.load(pictures, "test").records
        return [
            row
            for row, record in enumerate(records)
            if record.other is None and record.scene.second < 0
        ]

    def _accuracy(self, pictures: np.ndarray, scenes: Sequence[Scene]) -> Figures:
        things, behind = classify(self._network, pictures)
        top1, top5 = top_accuracy(things, np.array([scene.concept for scene in scenes]))
        labels = np.array([background_label(scene.background) for scene in scenes])
        right = background_accuracy(behind, labels)
        figures = {"top1": top1, "top5": top5, "background": right}
        return {name: round(value, 3) for name, value in figures.items()} | {
            "pictures": len(pictures)
        }

    def _every_thing(self, sampling: Sampling) -> tuple[list[Scene], np.ndarray]:
        """Every concept in several scenes as training draws them, each with its own seed."""
        rng = random.Random(11)  # noqa: S311 - a fixed choice
        scenes = [
            random_scene(concept, [concept], rng)
            for concept in range(self._extent.concepts)
            for _ in range(self._extent.pictures_per_concept)
        ]
        prompts = [caption(scene, rng) for scene in scenes]
        seeds = [1000 + number for number in range(len(prompts))]
        return scenes, self._studio.draw(prompts, seeds, sampling)

    def _by_style(self, pictures: np.ndarray, scenes: Sequence[Scene]) -> Figures:
        rows = {
            style: [row for row, scene in enumerate(scenes) if scene.style == style]
            for style in sorted({scene.style for scene in scenes})
        }
        return {
            style: self._accuracy(pictures[chosen], [scenes[row] for row in chosen])
            for style, chosen in rows.items()
        }

    def _mostly_missed(self, pictures: np.ndarray, scenes: Sequence[Scene]) -> dict[str, int]:
        things, _ = classify(self._network, pictures)
        wanted = np.array([scene.concept for scene in scenes])
        missed = things.argmax(axis=1) != wanted
        counts = {NAMES[index]: int(missed[wanted == index].sum()) for index in set(wanted)}
        often = max(1, self._extent.pictures_per_concept - 1)
        return {name: count for name, count in counts.items() if count >= often}

    def _held_out(self, sampling: Sampling) -> Figures:
        rng = random.Random(13)  # noqa: S311 - a fixed choice
        pairs = sorted(HELD_OUT)[: self._extent.held_out_pairs]
        scenes = [
            Scene(NAMES.index(name), background)
            for name, background in pairs
            for _ in range(self._extent.held_out_seeds)
        ]
        prompts = [caption(scene, rng) for scene in scenes]
        seeds = [2000 + number for number in range(len(prompts))]
        drawn = self._studio.draw(prompts, seeds, sampling)
        captions = firsts(prompts, self._extent.held_out_seeds)
        write_sheet(self._folder / "held-out.png", list(drawn), 8, captions)
        return {"held_out_pairs": self._accuracy(drawn, scenes)}

    def _two_things(self, sampling: Sampling) -> Figures:
        """Two things in one picture: how often both are the judge's best two, or one is."""
        rng = random.Random(17)  # noqa: S311 - a fixed choice
        pairs = [rng.sample(range(len(CONCEPTS)), 2) for _ in range(self._extent.two_things)]
        prompts = [
            f"{with_article(NAMES[one])} and {with_article(NAMES[two])}" for one, two in pairs
        ]
        drawn = self._studio.draw(prompts, list(range(len(prompts))), sampling)
        write_sheet(self._folder / "two-things.png", list(drawn[:32]), 8, prompts[:32])
        logits, _ = classify(self._network, drawn)
        best = np.argsort(-logits, axis=1)[:, :2]
        either = [
            bool(set(pair) & set(two)) for pair, two in zip(pairs, best.tolist(), strict=True)
        ]
        both = both_named(logits, np.array(pairs))
        return {"two_things": {"both": round(both, 3), "either": round(float(np.mean(either)), 3)}}

    def _seeds(self, sampling: Sampling, name: str) -> dict[str, float]:
        count = self._extent.seeds
        prompts = [with_article(thing) for thing in SEEDS_THINGS for _ in range(count)]
        seeds = [500 + number % count for number in range(len(prompts))]
        drawn = self._studio.draw(prompts, seeds, sampling)
        write_sheet(self._folder / name, list(drawn), count, firsts(prompts, count))
        return seeds_and_things(drawn.reshape(len(SEEDS_THINGS), count, *drawn.shape[1:]))

    def _walks(self, sampling: Sampling, name: str) -> Figures:
        walks, strips = [], []
        frames = self._extent.frames
        for start, end in WALKS[: self._extent.walks]:
            drawn = self._studio.walk(start, end, frames, 7, sampling)
            walks.append({"from": start, "to": end} | smoothness(drawn))
            strips += list(drawn[np.linspace(0, frames - 1, STRIP_FRAMES).round().astype(int)])
        captions = [
            walk["from"] if not column else "" for walk in walks for column in range(STRIP_FRAMES)
        ]
        write_sheet(self._folder / name, strips, STRIP_FRAMES, captions)
        smooth = sum(walk["max_over_median"] <= SMOOTH for walk in walks)
        return {"walks": walks, "smooth_walks": smooth}

    def sheets(self, many: Sampling, few: Sampling) -> None:
        """What people look at, and the material of a blind trial."""
        folder, count = self._folder, self._extent.prompts
        prompts_sheet(self._studio, folder / "prompts.png", many, count)
        prompts_sheet(self._studio, folder / "prompts-few.png", few, count)
        if self._extent == FULL:
            tints_sheet(self._studio, folder / "tints.png", many)
            grid_sheet(self._studio, folder / "grid.png", many)
            loop_sheet(self._studio, folder / "noise-loop.png", many)
            trial.naming_trial(self._studio, folder / "trial", many, seed=2025)
