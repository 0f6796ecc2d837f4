"""Keeps the evaluation's figures in the model card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CARD_FILE = "MODEL_CARD.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def figures_table(figures: dict[str, Any]) -> str:
    """The figures as Markdown: what was measured, what was reached, the bar that was set."""
    generated, pairs = figures["generated"], figures["held_out_pairs"]
    rows = [
        ("autoencoder PSNR, unseen pictures", f"{figures['psnr_db']} dB", "≥ 27 dB"),
        (_judge("classifier, unseen pictures"), _hits(figures["classifier_on_originals"]), ""),
        (
            _judge("classifier, their reconstructions"),
            _hits(figures["classifier_on_reconstructions"]),
            "",
        ),
        (_drawn("generated", generated), _hits(generated), "≥ 0.60 / ≥ 0.85 / ≥ 0.95"),
        (_drawn("pairs never seen together", pairs), _hits(pairs), "top-5 ≥ 0.60"),
        ("walks of 60 frames that are smooth (max/median ≤ 6)", _smooth(figures), "≥ 8 of 10"),
    ]
    if "sixty_frames" in figures:
        cost = figures["sixty_frames"]
        rows += [
            ("60 frames, 25 steps, guidance, start-up included", f"{cost['seconds']} s", "≤ 60 s"),
            ("peak memory of that process", f"{cost['peak_memory_mib']} MiB", "≤ 1 GB"),
            ("same bytes on a second run", "yes" if figures["same_bytes_twice"] else "no", "yes"),
        ]
    lines = ["| measure | reached | bar |", "| --- | --- | --- |"]
    lines += [f"| {name} | {value} | {bar} |" for name, value, bar in rows]
    lines += ["", "| walk | max/median change | equal neighbours |", "| --- | --- | --- |"]
    lines += [
        "| {from} → {to} | {max_over_median} | {equal_neighbours} |".format(**walk)
        for walk in figures["walks"]
    ]
    missed = ", ".join(sorted(figures["mostly_missed"])) or "none"
    return "\n".join([*lines, "", f"Mostly or always missed: {missed}."])


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
