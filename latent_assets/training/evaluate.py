"""Measures the exported model, prints the figures and writes sheets: one command.

Figures: PSNR of the autoencoder on unseen pictures; how often a classifier trained apart names
the thing that was asked for, and its background; the same for pairs never seen together; how
smooth ten walks are. Sheets: 24 prompts by 3 seeds, strips, a grid of four prompts, a noise loop.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latent_assets.diffusion.embedded import nets
from latent_assets.diffusion.embedded.vocabulary import Vocabulary
from latent_assets.diffusion.embedded.weights import WORD_VECTORS, assign_weights, read_weights
from latent_assets.training import dataset
from latent_assets.training.autoencoder import psnr, reconstruct
from latent_assets.training.captions import COLOURS, HELD_OUT, SCENES
from latent_assets.training.card import update_card
from latent_assets.training.classifier import (
    BACKGROUNDS,
    classify,
    top_accuracy,
    train_classifier,
)
from latent_assets.training.concepts import CONCEPTS
from latent_assets.training.prompts import GRID_PROMPTS, LOOP_PROMPT, PROMPTS, WALKS
from latent_assets.training.sampling import GUIDANCE, STEPS, Sampler, noise_for
from latent_assets.training.sheets import write_sheet
from latent_assets.training.speed import measure_twice

PAINTED_EVERY = 3
SMOOTH = 6.0
"""Largest over median change of neighbouring frames, up to which a walk counts as smooth."""
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
    walks: int = len(WALKS)
    frames: int = 60
    prompts: int = len(PROMPTS)
    steps: int = STEPS
    speed: bool = True


FULL = Extent()
QUICK = Extent(3, 1, 2, 1, 1, STRIP_FRAMES, 2, 3, speed=False)


class Studio:
    """The exported model, ready to draw many prompts at once."""

    def __init__(self, model: Path, steps: int = STEPS) -> None:
        self._steps = steps
        tensors = read_weights(model)
        self.encoder, self.decoder = nets.build_encoder(), nets.build_decoder()
        denoiser = nets.build_denoiser("velocity")
        context_encoder = nets.build_context_encoder()
        for network in (self.encoder, self.decoder, denoiser, context_encoder):
            assign_weights(network, tensors)
        self._text_encoder = nets.build_text_encoder(context_encoder, tensors[WORD_VECTORS])
        self._vocabulary = Vocabulary.load(model)
        self._sample = Sampler(denoiser, self.decoder)

    def contexts(self, prompts: list[str]) -> np.ndarray:
        """(N, 16, 192)."""
        return np.asarray(
            self._text_encoder(np.stack([self._vocabulary.tokens(prompt) for prompt in prompts]))
        )

    def draw(self, prompts: list[str], seeds: list[int], guidance: float = GUIDANCE) -> np.ndarray:
        """(N, 128, 128, 3) uint8."""
        return self._drawn(noise_for(seeds), self.contexts(prompts), guidance)

    def _drawn(
        self, noise: np.ndarray, contexts: np.ndarray, guidance: float = GUIDANCE
    ) -> np.ndarray:
        return self._sample(noise, contexts, guidance, self._steps)

    def walk(self, start: str, end: str, frames: int, seed: int, guidance: float) -> np.ndarray:
        """Frames from one prompt to another with fixed noise, (frames, 128, 128, 3) uint8."""
        first, last = self.contexts([start, end])
        shares = np.linspace(0, 1, frames, dtype=np.float32)[:, None, None]
        context = first + shares * (last - first)
        return self._drawn(noise_for([seed] * frames), context, guidance)

    def mixtures(self, contexts: np.ndarray, seed: int) -> np.ndarray:
        """Pictures of given contexts (N, 16, 192) with the same noise."""
        return self._drawn(noise_for([seed] * len(contexts)), contexts)

    def from_noise(self, prompt: str, noise: np.ndarray) -> np.ndarray:
        """Pictures of one prompt with given noise (N, 16, 16, 4)."""
        return self._drawn(noise, np.repeat(self.contexts([prompt]), len(noise), axis=0))


def with_background(name: str, background: str) -> str:
    """A plain prompt for a thing and its background."""
    article = "an" if name[0] in "aeiou" else "a"
    if background in SCENES:
        return f"{article} {name} {SCENES[background][0]}"
    colour = f"an {background}" if background == "orange" else f"a {background}"
    return f"{article} {name} on {colour} background"


def run(work: Path, model: Path, classifier_minutes: float, extent: Extent = FULL) -> Figures:
    """Everything, into `work/evaluation`; returns and prints the figures."""
    folder = work / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    studio = Studio(model, extent.steps)
    network = train_classifier(work / "data", folder, classifier_minutes)
    figures: Figures = {"guidance": GUIDANCE, "concepts": len(CONCEPTS)}
    figures |= _reconstruction(studio, network, work / "data")
    figures |= _retrieval(studio, network, folder, extent)
    figures |= _held_out(studio, network, folder, extent)
    figures |= _walks(studio, folder, extent)
    if extent.speed:
        figures |= measure_twice(model)
        update_card(model, figures)
    _sheets(studio, folder, extent)
    text = json.dumps(figures, indent=2)
    (folder / "figures.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    return figures


def _reconstruction(studio: Studio, network: Any, pictures: Path) -> Figures:
    """PSNR, and the classifier's accuracy on unseen pictures and on their reconstructions."""
    loaded = dataset.load(pictures, "test")
    pixels = np.asarray(loaded.pixels)
    rebuilt, _ = reconstruct(studio.encoder, studio.decoder, pixels)
    plain = [row for row, record in enumerate(loaded.records) if record.other is None]
    scenes = [loaded.records[row].scene for row in plain]
    figures: Figures = {"psnr_db": round(psnr(pixels, rebuilt), 2)}
    for kind, shown in (("originals", pixels), ("reconstructions", rebuilt)):
        figures[f"classifier_on_{kind}"] = _accuracy(
            network,
            shown[plain],
            [scene.concept for scene in scenes],
            [scene.background for scene in scenes],
        )
    return figures


def _accuracy(
    network: Any, pictures: np.ndarray, concepts: list[int], backgrounds: list[str]
) -> Figures:
    things, behind = classify(network, pictures)
    top1, top5 = top_accuracy(things, np.array(concepts))
    wanted = np.array([BACKGROUNDS.index(background) for background in backgrounds])
    right = float((behind.argmax(axis=1) == wanted).mean())
    figures = {"top1": top1, "top5": top5, "background": right}
    return {name: round(value, 3) for name, value in figures.items()} | {"pictures": len(pictures)}


def _retrieval(studio: Studio, network: Any, folder: Path, extent: Extent) -> Figures:
    """Every concept on several backgrounds, in both styles, each with its own seed."""
    rng = random.Random(11)  # noqa: S311 - a fixed choice
    backgrounds = [*sorted(COLOURS), *sorted(SCENES)]
    wanted = []
    for index, name in enumerate(NAMES[: extent.concepts]):
        seen = [background for background in backgrounds if (name, background) not in HELD_OUT]
        wanted += [
            (index, background) for background in rng.sample(seen, extent.pictures_per_concept)
        ]
    prompts = []
    for number, (index, background) in enumerate(wanted):
        prompt = with_background(NAMES[index], background)
        prompts.append(f"a painting of {prompt}" if number % PAINTED_EVERY == 0 else prompt)
    pictures = studio.draw(prompts, [1000 + number for number in range(len(prompts))])
    concepts, behind = [index for index, _ in wanted], [name for _, name in wanted]
    things, _ = classify(network, pictures)
    missed = things.argmax(axis=1) != np.array(concepts)
    counts = {NAMES[i]: int(missed[np.array(concepts) == i].sum()) for i in set(concepts)}
    often = extent.pictures_per_concept - 1
    worst = {name: count for name, count in counts.items() if count >= often}
    write_sheet(folder / "retrieval.png", list(pictures[:: extent.pictures_per_concept]), 12, NAMES)
    return {"generated": _accuracy(network, pictures, concepts, behind), "mostly_missed": worst}


def _held_out(studio: Studio, network: Any, folder: Path, extent: Extent) -> Figures:
    held_out = sorted(HELD_OUT)[: extent.held_out_pairs]
    pairs = [pair for pair in held_out for _ in range(extent.held_out_seeds)]
    prompts = [with_background(name, background) for name, background in pairs]
    pictures = studio.draw(prompts, [2000 + number for number in range(len(prompts))])
    concepts = [NAMES.index(name) for name, _ in pairs]
    write_sheet(
        folder / "held-out.png", list(pictures), 12, _firsts(prompts, extent.held_out_seeds)
    )
    return {"held_out_pairs": _accuracy(network, pictures, concepts, [b for _, b in pairs])}


def _firsts(captions: list[str], every: int) -> list[str]:
    """Captions for the first picture of each group alone, so that they do not overlap."""
    return ["" if number % every else caption for number, caption in enumerate(captions)]


def smoothness(frames: np.ndarray) -> Figures:
    """Mean absolute differences of neighbours: their largest over their median, and if any is 0."""
    steps = np.abs(np.diff(frames.astype(np.float32), axis=0)).mean(axis=(1, 2, 3))
    ratio = float(steps.max() / max(np.median(steps), 1e-6))
    return {"max_over_median": round(ratio, 2), "equal_neighbours": int((steps == 0).sum())}


def _walks(studio: Studio, folder: Path, extent: Extent) -> Figures:
    walks, strips = [], []
    for start, end in WALKS[: extent.walks]:
        frames = studio.walk(start, end, extent.frames, 7, GUIDANCE)
        walks.append({"from": start, "to": end} | smoothness(frames))
        strips += list(frames[np.linspace(0, extent.frames - 1, STRIP_FRAMES).round().astype(int)])
    captions = [walk["from"] if not column else "" for walk in walks for column in range(9)]
    write_sheet(folder / "strips.png", strips, STRIP_FRAMES, captions)
    return {"walks": walks, "smooth_walks": sum(w["max_over_median"] <= SMOOTH for w in walks)}


def _sheets(studio: Studio, folder: Path, extent: Extent) -> None:
    prompts = [prompt for prompt in PROMPTS[: extent.prompts] for _ in range(3)]
    captions = _firsts(prompts, 3)
    pictures = studio.draw(prompts, [100 + number % 3 for number in range(len(prompts))])
    write_sheet(folder / "prompts.png", list(pictures), 9, captions)

    corners = studio.contexts(list(GRID_PROMPTS))
    places = [(row / 5, column / 5) for row in range(6) for column in range(6)]
    blends = [
        (1 - y) * ((1 - x) * corners[0] + x * corners[1])
        + y * ((1 - x) * corners[2] + x * corners[3])
        for y, x in places
    ]
    pictures = studio.mixtures(np.stack(blends).astype(np.float32), 7)
    write_sheet(folder / "grid.png", list(pictures), 6)

    first, second = noise_for([11, 12])
    angles = 2 * np.pi * np.arange(16) / 16
    loop = np.stack([np.cos(angle) * first + np.sin(angle) * second for angle in angles])
    write_sheet(
        folder / "noise-loop.png", list(studio.from_noise(LOOP_PROMPT, loop.astype(np.float32))), 8
    )
