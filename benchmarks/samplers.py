"""How near does a sampler come to its limit, for how many evaluations? On the embedded model.

    python benchmarks/samplers.py [--plot docs/images/sampler-distance.svg]

The limit is the solution of the probability-flow ODE, taken from 200 steps. The distance is the
root mean square over latents (their spread is about 1), the median over prompts and seeds; one
evaluation is one guided step.
"""

import argparse
from pathlib import Path

import numpy as np

from latent_assets.diffusion.registry import WeightsSource, load_engine
from latent_assets.diffusion.schedule import sampling_schedule

ROOT = Path(__file__).parents[1]
PROMPTS = (
    "a sunflower",
    "a castle",
    "a red apple",
    "a panda",
    "a house on a meadow",
    "a robot at night",
    "a blue car",
    "a strawberry on the beach",
)
SEEDS = (0, 1, 2)
COUNTS = (5, 8, 10, 12, 15, 20, 25, 30, 40, 50)
VARIANTS = (("ddim", "uniform"), ("ddim", "karras"), ("dpm++2m", "uniform"), ("dpm++2m", "karras"))
REFERENCE_STEPS = 200
GUIDANCE_SCALE = 5.0


def measure() -> dict:
    """Median distance per variant and count, to 200 steps of DDIM and of DPM-Solver++."""
    engine = load_engine("embedded", WeightsSource(ROOT / "data" / "models"))
    encodings = engine.encode_text(PROMPTS)
    context = np.repeat(encodings, len(SEEDS), axis=0)
    unconditional = engine.encode_text([""])[0]
    noise = np.concatenate(
        [
            [np.random.default_rng(seed).standard_normal((16, 16, 4)) for seed in SEEDS]
            for _ in PROMPTS
        ]
    ).astype(np.float32)
    scale = np.full(len(noise), GUIDANCE_SCALE, np.float32)

    def render(sampler: str, steps: int, spacing: str) -> np.ndarray:
        schedule = sampling_schedule(sampler, steps, spacing)
        return engine.sample(noise, context, unconditional, scale, schedule)

    limits = {name: render(name, REFERENCE_STEPS, "uniform") for name in ("ddim", "dpm++2m")}

    def distance(latents: np.ndarray, limit: np.ndarray) -> float:
        return float(np.median(np.sqrt(np.mean((latents - limit) ** 2, axis=(1, 2, 3)))))

    rows = {}
    for sampler, spacing in VARIANTS:
        for count in COUNTS:
            latents = render(sampler, count, spacing)
            rows[sampler, spacing, count] = tuple(distance(latents, x) for x in limits.values())
    rows["limits"] = distance(limits["ddim"], limits["dpm++2m"])
    return rows


def table(rows: dict) -> str:
    """Markdown: one row per count, a column per variant, `to DDIM-200 / to DPM-200`."""
    head = " | ".join(f"{sampler} {spacing}" for sampler, spacing in VARIANTS)
    lines = [f"| evaluations | {head} |", "| ---: |" + " ---: |" * len(VARIANTS)]
    for count in COUNTS:
        cells = " | ".join(
            "{:.3f} / {:.3f}".format(*rows[(*variant, count)]) for variant in VARIANTS
        )
        lines.append(f"| {count} | {cells} |")
    lines.append(f"\nDDIM-200 is {rows['limits']:.3f} from DPM-Solver++-200.")
    return "\n".join(lines)


def plot(rows: dict, path: Path) -> None:
    """Distance against evaluations, both logarithmic."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "sampler-distance"
    figure, axes = plt.subplots(figsize=(6.5, 4))
    styles = {"ddim": "tab:orange", "dpm++2m": "tab:blue"}
    for sampler, spacing in VARIANTS:
        values = [rows[sampler, spacing, count][1] for count in COUNTS]
        dashes = "-" if spacing == "uniform" else "--"
        label = f"{sampler}, {spacing}"
        axes.loglog(COUNTS, values, dashes, color=styles[sampler], marker="o", ms=3, label=label)
    goal = rows["ddim", "uniform", 25][1]
    axes.axhline(goal, color="grey", lw=0.8)
    axes.annotate("DDIM with 25", (COUNTS[0], goal), va="bottom", color="grey", fontsize=8)
    axes.set_xticks(COUNTS, [str(count) for count in COUNTS])
    axes.minorticks_off()
    axes.set_xlabel("evaluations")
    axes.set_ylabel("distance of latents to the limit (RMS)")
    axes.legend()
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measure, print the table, write the plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", type=Path, default=ROOT / "docs/images/sampler-distance.svg")
    arguments = parser.parse_args()
    rows = measure()
    print(table(rows))
    plot(rows, arguments.plot)


if __name__ == "__main__":
    main()
