"""Keeps the evaluation's figures in the model card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from latent_assets.training.measures import SMOOTH

CARD_FILE = "MODEL_CARD.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def figures_table(figures: dict[str, Any]) -> str:
    """The figures as Markdown: what was measured, what was reached, the bar that was set."""
    generated, pairs, few = (
        figures["generated"],
        figures["held_out_pairs"],
        figures["few_steps"],
    )
    seeds, two = figures["seeds"], figures["two_things"]
    rebuilt, sampled = figures["reconstructed_gradient"], figures["sampled_gradient"]
    loss = 100 * (generated["top1"] - few["generated"]["top1"])
    rows = [
        ("autoencoder PSNR, unseen pictures", f"{figures['psnr_db']} dB", "≥ 30 dB"),
        ("mean gradient of decoded to original pictures", f"{rebuilt}", "0.93 to 1.05"),
        ("mean gradient of sampled to training pictures", f"{sampled}", "0.85 to 1.1"),
        (
            _judge("classifier, unseen pictures"),
            _hits(figures["classifier_on_originals"]),
            "≥ 0.98",
        ),
        (
            _judge("classifier, their reconstructions"),
            _hits(figures["classifier_on_reconstructions"]),
            "",
        ),
        (_drawn("generated", generated), _hits(generated), "≥ 0.90 / ≥ 0.97 / ≥ 0.95"),
        (_drawn("pairs never seen together", pairs), _hits(pairs), "top-5 ≥ 0.80"),
        (
            _drawn(f"generated in {few['evaluations']} evaluations", few["generated"]),
            _hits(few["generated"]),
            f"top-1 at most 0.02 lower (it is {loss:.1f} points)",
        ),
        ("two things in a picture: both named / one of them", _both(two), ""),
        ("distance between seeds, to that between things", f"{seeds['ratio']}", "≥ 0.3"),
        (
            f"walks of 60 frames that are smooth (max/median ≤ {SMOOTH:.0f})",
            f"{_smooth(figures)}; few evaluations: {_smooth(few)}",
            "≥ 16 of 20",
        ),
    ]
    if "sixty_frames" in figures:
        rows += _cost(figures)
    lines = ["| measure | reached | bar |", "| --- | --- | --- |"]
    lines += [f"| {name} | {value} | {bar} |" for name, value, bar in rows]
    lines += ["", "| walk | max/median change | equal neighbours |", "| --- | --- | --- |"]
    lines += [
        "| {from} → {to} | {max_over_median} | {equal_neighbours} |".format(**walk)
        for walk in figures["walks"]
    ]
    missed = ", ".join(sorted(figures["mostly_missed"])) or "none"
    return "\n".join([*lines, "", f"Mostly or always missed: {missed}."])


def _cost(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    cost = figures["sixty_frames"]
    return [
        ("60 frames, 25 steps, guidance, start-up included", f"{cost['seconds']} s", "≤ 60 s"),
        ("peak memory of that process", f"{cost['peak_memory_mib']} MiB", "≤ 1.2 GB"),
        ("same bytes on a second run", "yes" if figures["same_bytes_twice"] else "no", "yes"),
    ]


def _both(two: dict[str, float]) -> str:
    return f"{two['both']:.2f} / {two['either']:.2f}"


def _judge(what: str) -> str:
    return f"{what}: top-1 / top-5 / background"


def _drawn(what: str, figures: dict[str, Any]) -> str:
    return f"{what} ({figures['pictures']} pictures): top-1 / top-5 / background"


def _hits(figures: dict[str, Any]) -> str:
    return f"{figures['top1']:.3f} / {figures['top5']:.3f} / {figures['background']:.3f}"


def _smooth(figures: dict[str, Any]) -> str:
    return f"{figures['smooth_walks']} of {len(figures['walks'])}"


def update_card(model: Path, figures: dict[str, Any]) -> bool:
    """Put the figures between the card's marks; False if there is no card with marks."""
    path = model / CARD_FILE
    if not path.is_file():
        return False
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        return False
    table = figures_table(figures)
    path.write_text(f"{before}{begin}\n{table}\n{end}{after}", encoding="utf-8")
    return True
