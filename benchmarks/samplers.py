"""How near does a sampler come to its limit, for how many evaluations? On the embedded model.

    python benchmarks/samplers.py [--plot docs/images/sampler-distance.svg] [--only-tuned]

The limit is the solution of the probability-flow ODE, taken from 200 steps (of tuned samplers from
100, as `tune-sampler` does). The distance is the root mean square over latents (their spread is
about 1), the median over prompts and seeds that tuned samplers were not fitted to; one evaluation
is one guided step. Of tuned samplers also: the mean, and how evenly walks move, they and the limit
itself, with two noises, beside DDIM with 25 steps.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np

from latent_assets.diffusion.fitting.trajectory import distances
from latent_assets.diffusion.registry import WeightsSource, load_engine
from latent_assets.diffusion.schedule import SamplingSchedule, sampling_schedule
from latent_assets.media.metrics import rms_distance
from latent_assets.models.tuned import TunedSamplers
from latent_assets.tuning import COMPARED, UNSEEN
from latent_assets.tuning import LIMIT as TUNED_LIMIT
from latent_assets.walks.noise import gaussian

MODELS = Path(__file__).parents[1] / "data" / "models"
SEEDS = tuple(range(2, 10))
COUNTS = (5, 8, 10, 15, 20, 25, 50)
VARIANTS = (("ddim", "uniform"), ("ddim", "karras"), ("dpm++2m", "uniform"), ("dpm++2m", "karras"))
LIMIT = ("dpm++2m", 200, "karras")
GUIDANCE_SCALE = 5.0
WALKS, FRAMES, NOISES = tuple(pairwise(UNSEEN)), 12, 2


class Bench:
    """The model, prompts and noise."""

    def __init__(self) -> None:
        self.engine = load_engine("embedded", WeightsSource(MODELS))
        shape = self.engine.info.latent_shape(self.engine.info.default_size)
        self.context = np.repeat(self.engine.encode_text(UNSEEN), len(SEEDS), axis=0)
        (self.unconditional,) = self.engine.encode_text([""])
        self.noise = np.stack([gaussian(seed, shape) for _ in UNSEEN for seed in SEEDS])

    def sample(
        self, noise: np.ndarray, context: np.ndarray, scale: float, schedule: SamplingSchedule
    ) -> np.ndarray:
        """Final latents."""
        scales = np.full(len(noise), scale, np.float32)
        return self.engine.sample(noise, context, self.unconditional, scales, schedule)

    def render(self, scale: float, schedule: SamplingSchedule) -> np.ndarray:
        """Final latents of all prompts and seeds."""
        return self.sample(self.noise, self.context, scale, schedule)

    def walks(self, scale: float, schedule: SamplingSchedule) -> list[list[list[float]]]:
        """Of each noise and walk the distances of neighbouring pictures."""
        noises = self.noise[:NOISES]
        return [[self._walk(p, n, scale, schedule) for p in WALKS] for n in noises]

    def _walk(
        self, prompts: tuple[str, str], noise: np.ndarray, scale: float, schedule: SamplingSchedule
    ) -> list[float]:
        """Straight from prompt to prompt."""
        first, last = self.engine.encode_text(prompts)
        part = np.linspace(0, 1, FRAMES, dtype=np.float32)[:, None, None]
        noises = np.repeat(noise[None], FRAMES, axis=0)
        latents = self.sample(noises, first + part * (last - first), scale, schedule)
        pictures = self.engine.decode(latents)
        return [rms_distance(a, b) for a, b in pairwise(pictures)]


def distance(latents: np.ndarray, limit: np.ndarray) -> float:
    """The median of the distances."""
    return float(np.median(distances(latents, limit)))


def both(latents: np.ndarray, limit: np.ndarray) -> tuple[float, float]:
    """The median and the mean of the distances."""
    return distance(latents, limit), float(np.mean(distances(latents, limit)))


def measure(bench: Bench) -> dict:
    """Median distance per variant and count."""
    limit = bench.render(GUIDANCE_SCALE, sampling_schedule(*LIMIT))
    half = bench.render(GUIDANCE_SCALE, sampling_schedule("dpm++2m", 100, "karras"))
    rows = {"half": distance(half, limit)}
    for sampler, spacing in VARIANTS:
        for count in COUNTS:
            latents = bench.render(GUIDANCE_SCALE, sampling_schedule(sampler, count, spacing))
            rows[sampler, spacing, count] = distance(latents, limit)
    return rows


def measure_tuned(bench: Bench) -> list[dict]:
    """Of each table of the model: its distance, and how walks move, beside DDIM with 25 steps."""
    weights, rows, known = bench.engine.info.weights_digest, [], {}
    ddim, limiting = sampling_schedule(*COMPARED), sampling_schedule(*TUNED_LIMIT)
    for table in TunedSamplers((MODELS,)).of("embedded"):
        if table.weights != weights:
            continue
        scale = float(table.scale)
        if scale not in known:
            limit, steps = bench.render(scale, limiting), bench.walks(scale, ddim)
            of_limit = _evenness(bench.walks(scale, limiting), steps)
            known[scale] = limit, both(bench.render(scale, ddim), limit), steps, of_limit
        limit, ddim_25, steps, of_limit = known[scale]
        rows.append({
            "scale": scale,
            "count": table.num_steps,
            "tuned": both(bench.render(scale, table.schedule()), limit),
            "ddim_25": ddim_25,
            "walks": _evenness(bench.walks(scale, table.schedule()), steps),
            "limit": of_limit,
        })  # fmt: skip
    return rows


def _evenness(walks: list, others: list) -> list[tuple[float, float]]:
    """Of each noise: unevenness and largest step of the walks, of those of others."""
    pairs = zip(walks, others, strict=True)
    return [(_ratio(np.std, *pair), _ratio(np.max, *pair)) for pair in pairs]


def _ratio(figure, steps: list, theirs: list) -> float:
    """Of the figure in mean steps, the mean over the walks, to that of others."""
    ours, other = (np.mean([figure(s) / np.mean(s) for s in each]) for each in (steps, theirs))
    return float(ours / other)


def table(rows: dict) -> str:
    """Markdown: one row per count, a column per variant."""
    head = " | ".join(f"{sampler} {spacing}" for sampler, spacing in VARIANTS)
    lines = [f"| evaluations | {head} |", "| ---: |" + " ---: |" * len(VARIANTS)]
    for count in COUNTS:
        cells = " | ".join(f"{rows[(*variant, count)]:.3f}" for variant in VARIANTS)
        lines.append(f"| {count} | {cells} |")
    lines.append(f"\nThe limit's own half, 100 steps, is {rows['half']:.3f} from it.")
    return "\n".join(lines)


def tuned_table(rows: list[dict]) -> str:
    """Markdown: one row per table; how even walks are, of DDIM's, with each noise."""
    heads = ("tuned: median | mean", "ddim: median | mean", "unevenness", "of the limit")
    lines = [
        f"| guidance | steps | {' | '.join((*heads, 'largest step', 'of the limit'))} |",
        "| ---: " * 10 + "|",
    ]
    for row in rows:
        found = [f"{value:.3f}" for value in (*row["tuned"], *row["ddim_25"])]
        found += [
            ", ".join(f"{ratios[figure]:.2f}" for ratios in row[whose])
            for figure in (0, 1)
            for whose in ("walks", "limit")
        ]
        lines.append(f"| {row['scale']:g} | {row['count']} | {' | '.join(found)} |")
    return "\n".join(lines)


def plot(rows: dict, tuned: list[dict], path: Path) -> None:
    """Distance against evaluations, both logarithmic."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "sampler-distance"
    figure, axes = plt.subplots(figsize=(6.5, 4))
    styles = {"ddim": "tab:orange", "dpm++2m": "tab:blue"}
    for sampler, spacing in VARIANTS:
        values = [rows[sampler, spacing, count] for count in COUNTS]
        dashes = "-" if spacing == "uniform" else "--"
        label = f"{sampler}, {spacing}"
        axes.loglog(COUNTS, values, dashes, color=styles[sampler], marker="o", ms=3, label=label)
    here = [row for row in tuned if row["scale"] == GUIDANCE_SCALE]
    if here:
        points = [row["count"] for row in here], [row["tuned"][0] for row in here]
        axes.loglog(*points, "k*", ms=9, label="tuned")
    goal = rows["ddim", "uniform", 25]
    axes.axhline(goal, color="grey", lw=0.8)
    axes.annotate("DDIM with 25", (COUNTS[-2], goal), va="bottom", color="grey", fontsize=8)
    axes.set_xticks(COUNTS, [str(count) for count in COUNTS])
    axes.minorticks_off()
    axes.set_xlabel("evaluations")
    axes.set_ylabel("distance of latents to the limit (RMS)")
    axes.legend()
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measure, print the tables, write the plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = MODELS.parents[1] / "docs/images/sampler-distance.svg"
    parser.add_argument("--plot", type=Path, default=default)
    parser.add_argument("--only-tuned", action="store_true", help="no table of other samplers")
    arguments = parser.parse_args()
    bench = Bench()
    tuned = measure_tuned(bench)
    print(tuned_table(tuned), flush=True)
    if not arguments.only_tuned:
        rows = measure(bench)
        print(table(rows))
        plot(rows, tuned, arguments.plot)


if __name__ == "__main__":
    main()
