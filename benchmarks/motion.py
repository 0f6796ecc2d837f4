"""How evenly walks move at uniform and at perceptual pace, in measures that chose and that did not.

    python benchmarks/motion.py --work build/motion [--model embedded-fast] [--walks 0,10,12]
                                [--steps 15 --sampler dpm++2m] [--frames 60] [--write]

Sixteen walks of 60 frames with an embedded model: ten from prompt to prompt, two closed, two
through noise, two grids of 8 x 8. Every walk is rendered at both paces in one run,
through the project's own store in the work directory: a second call renders nothing. --write puts
the table into docs/motion.md and draws docs/images/motion.svg.
Strips for a blind look lie in the work directory, with the key to them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
FRAMES, SIDE, SEED, GUIDANCE = 60, 8, 7, 2.5
MEASURES = ("features", "rms", "ms_ssim")
WORDS = {"features": "early features", "rms": "RMS", "ms_ssim": "1 - MS-SSIM"}
STRIP = 12
LABEL = 44
WAYS = (
    ("a cat", "a dog"),
    ("an apple", "a strawberry"),
    ("a castle at night", "a rocket at night"),
    ("a car on a yellow background", "a bus on a yellow background"),
    ("a sunflower in a meadow", "a tulip in a meadow"),
    ("an apple on a blue background", "a pumpkin on a yellow background"),
    ("a house in the snow", "a castle at sunset"),
    ("a penguin in the snow", "an owl in a forest"),
    ("a butterfly in a meadow", "a fish under water"),
    ("a lion in the desert", "a lion at night"),
)
"""The same for every edition of the model, so that figures can be compared."""
LOOPS = (
    ("a rocket at night", "a sunflower in a meadow", "a fish under water"),
    ("a cat", "an apple", "a castle at sunset", "a penguin in the snow"),
)
NOISE = ("a butterfly in a meadow", "a castle at sunset")
GRIDS = (
    ("an apple", "a strawberry", "a sunflower in a meadow", "a fish under water"),
    ("a cat", "a dog", "a lion in the desert", "a penguin in the snow"),
)


def walks(frames: int = FRAMES) -> dict[str, dict]:
    """The sixteen walk files, without their pace; frames: of those that are no grids."""
    found: dict[str, dict] = {}
    for a, b in WAYS:
        found[f"{a} → {b}"] = {"kind": "interpolation", "prompts": [a, b], "frames": frames}
    for prompts in LOOPS:
        found[f"loop: {', '.join(prompts)}"] = {
            "kind": "interpolation",
            "prompts": list(prompts),
            "closed": True,
            "frames": frames,
        }
    for prompt in NOISE:
        found[f"noise: {prompt}"] = {"kind": "noise_loop", "prompt": prompt, "frames": frames}
    for prompts in GRIDS:
        found[f"grid: {', '.join(prompts)}"] = {
            "kind": "grid",
            "prompts": list(prompts),
            "grid_size": SIDE,
        }
    return found


def steps_of(pictures: list, kind: str, closed: bool, measure: str) -> list[float]:
    """The distances of neighbours; of a grid those of columns and of rows, means over the other.

    A grid's two axes count each in its own mean step, as they are paced each by itself.
    """
    from latent_assets.media.metrics import DISTANCES

    distance = DISTANCES[measure]
    seen = [distance.look(picture) for picture in pictures]
    if kind != "grid":
        order = [*range(len(seen)), *([0] if closed else [])]
        return [distance.between(seen[a], seen[b]) for a, b in pairwise(order)]
    cells = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    found: list[float] = []
    for table in (cells, cells.T):
        axis = [
            float(np.mean([distance.between(seen[row[k]], seen[row[k + 1]]) for row in table]))
            for k in range(SIDE - 1)
        ]
        found += [step / np.mean(axis) for step in axis]
    return found


def figures(pictures: list, kind: str, closed: bool) -> dict:
    """Of one walk at one pace."""
    from latent_assets.media.metrics import measure, sharpness, smoothness

    found: dict = {"sharpness": float(np.mean([sharpness(each) for each in pictures]))}
    for name in MEASURES:
        steps = steps_of(pictures, kind, closed, name)
        each = smoothness(steps, 1.0, distance=name)
        found[name] = {
            "cv": each.cv,
            "max_over_median": each.max_over_median,
            "evenness": each.evenness,
            "length": each.length,
            "variance": each.variance,
            "steps": [round(step, 6) for step in steps],
        }
    istd = measure(lambda: pictures, distances=[], count=len(pictures)).istd
    found["istd"] = {"l2": istd.l2, "rms": istd.rms} if istd and kind != "grid" else None
    return found


def run(work: Path, how: dict, frames: int, only: list[int]) -> list[dict]:
    """Renders and measures; one entry for each walk. how: fields of the walk files."""
    os.environ["LATENT_ASSETS_DATA"] = str(work)
    from latent_assets.pacing import make_timeline
    from latent_assets.rendering import RenderResult, render_frames
    from latent_assets.settings import Settings
    from latent_assets.studio import Studio
    from latent_assets.walks.route import is_closed
    from latent_assets.walks.schema import WALK_ADAPTER

    studio = Studio.open(Settings.from_environment())
    common = {"seed": SEED, "batch_size": 12, **how}
    rows = []
    for name, document in (list(walks(frames).items())[number] for number in only):
        row: dict = {"walk": name, "kind": document["kind"]}
        for pace in ("uniform", "perceptual"):
            walk = WALK_ADAPTER.validate_python({**document, **common, "pace": pace})
            spec = studio.specify("motion", walk)
            closed, asked = is_closed(walk), 0
            started, result = time.perf_counter(), RenderResult()
            if pace == "perceptual":
                timeline = make_timeline(studio, spec, result=result)
                places = timeline.places(loop=closed)
                spec, asked = spec.at(places), timeline.pilots
                row["jumps"] = [[float(j.start), float(j.end), j.steps] for j in timeline.jumps]
            recipes = spec.recipes()
            render_frames(studio, recipes, batch_size=12)
            keys = [recipe.key for recipe in recipes]
            pictures = [frame.pixels for frame in studio.frames.read_many(keys)]
            row[pace] = figures(pictures, walk.kind, closed)
            if walk.kind == "grid" and pace == "perceptual":
                asked = _both(studio, spec, keys)  # its inner frames are no pilots
            row[pace]["evaluations"] = max(len(set(keys)), asked)
            row[pace]["seconds"] = round(time.perf_counter() - started, 2)
            if walk.kind != "grid":
                _strip(work, name, pace, pictures)
        rows.append(row)
        _say(row)
    return rows


def _both(studio, spec, keys) -> int:
    """Different pictures of a grid's pilots and frames together."""
    from latent_assets.walks.pilots import find_timeline

    asked = set(keys)

    def look(recipes):
        asked.update(recipe.key for recipe in recipes)
        return [studio.features.read(recipe.key) for recipe in recipes]

    find_timeline(spec.walk.model_copy(update={"places": None}), spec.rendering, look)
    return len(asked)


def timeline_seconds(work: Path, how: dict, rendered: int, frames: int = 1000) -> tuple[float, int]:
    """Processor seconds of a timeline whose pilots were looked at before, and how many they are.

    What is looked at lies in a store; it is that of the pilots of the first walk, of so many
    rendered frames, and straight between these: rendering a thousand frames would say nothing more
    about the search.
    """
    import tempfile

    from latent_assets.store import EncodingStore
    from latent_assets.store.parallel import in_order
    from latent_assets.studio import Studio
    from latent_assets.walks.pilots import find_timeline
    from latent_assets.walks.schema import WALK_ADAPTER

    os.environ["LATENT_ASSETS_DATA"] = str(work)
    from latent_assets.settings import Settings

    studio = Studio.open(Settings.from_environment())
    document = {**next(iter(walks(rendered).values())), "seed": SEED, "batch_size": 12, **how}
    walk = WALK_ADAPTER.validate_python({**document, "pace": "perceptual"})
    known: dict[float, np.ndarray] = {}

    def share(recipe) -> float:
        terms = recipe.context.terms
        return float(sum(weight for weight, prompt in terms if prompt == walk.prompts[1]))

    def real(recipes):
        found = [studio.features.read(recipe.key) for recipe in recipes]
        known.update(zip(map(share, recipes), found, strict=True))
        return found

    spec = studio.specify("motion", walk)
    find_timeline(spec.walk, spec.rendering, real)
    places = np.array(sorted(known))
    table = np.stack([known[place] for place in places])
    longer = studio.specify("motion", walk, frames=frames)
    with tempfile.TemporaryDirectory() as folder:
        store = EncodingStore(folder)

        def made(recipes):
            for recipe in recipes:
                at = np.clip(np.searchsorted(places, share(recipe)), 1, len(places) - 1)
                part = (share(recipe) - places[at - 1]) / (places[at] - places[at - 1])
                between = (1 - part) * table[at - 1] + part * table[at]
                store.write(recipe.key, between.astype(np.float32))
            return stored(recipes)

        def stored(recipes):
            return list(in_order(store.read, [each.key for each in recipes], 8))

        find_timeline(longer.walk, longer.rendering, made)
        began = time.process_time()
        found = find_timeline(longer.walk, longer.rendering, stored)
        return time.process_time() - began, found.pilots


def _say(row: dict) -> None:
    words = [row["walk"][:60].ljust(60)]
    for pace in ("uniform", "perceptual"):
        each = row[pace]
        words.append(" ".join(f"{each[name]['cv']:.2f}" for name in MEASURES))
        words.append(f"max/med {each['features']['max_over_median']:.2f}")
    words.append(f"evaluations {row['perceptual']['evaluations']}")
    words.append(f"sharp {row['perceptual']['sharpness'] / row['uniform']['sharpness'] - 1:+.1%}")
    print(" | ".join(words), *(f"jump {jump}" for jump in row["jumps"]), flush=True)


def _strip(work: Path, name: str, pace: str, pictures: list) -> None:
    from PIL import Image

    from latent_assets.media import evenly

    folder = work / "strips"
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [pictures[place] for place in evenly(len(pictures), STRIP)]
    number = list(walks()).index(name)
    Image.fromarray(np.concatenate(chosen, axis=1)).save(folder / f"{number:02}-{pace}.png")


def blind(work: Path, seed: int) -> None:
    """Both strips of each walk below each other, in an order of which only the key knows."""
    from PIL import Image

    rng, key = random.Random(seed), {}
    for first in sorted((work / "strips").glob("*-uniform.png")):
        number = first.name[:2]
        order = ["uniform", "perceptual"]
        rng.shuffle(order)
        strips = [np.asarray(Image.open(first.with_name(f"{number}-{pace}.png"))) for pace in order]
        gap = np.full((24, strips[0].shape[1], 3), 255, np.uint8)
        Image.fromarray(np.concatenate([strips[0], gap, strips[1]])).save(
            work / "strips" / f"blind-{number}.png"
        )
        key[number] = "upper" if order[0] == "perceptual" else "lower"
    (work / "blind-key.json").write_text(json.dumps(key, indent=1))


def table(rows: list[dict]) -> str:
    """The figures as Markdown: each walk, and what the bars ask for."""
    lines = [
        "| walk | CV, early features | CV, RMS | CV, 1 - MS-SSIM | max/median | evaluations |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        u, p = row["uniform"], row["perceptual"]
        cells = [f"{u[name]['cv']:.2f} → **{p[name]['cv']:.2f}**" for name in MEASURES]
        most = f"{u['features']['max_over_median']:.1f} → {p['features']['max_over_median']:.2f}"
        lines.append(f"| {row['walk']} | {' | '.join(cells)} | {most} | {p['evaluations']} |")
    return "\n".join([*lines, "", *summary(rows)])


def summary(rows: list[dict]) -> list[str]:
    """Medians and worst over the walks."""
    lines = ["| | uniform | perceptual |", "|---|---|---|"]
    for name in MEASURES:
        for words, of in (("median", median), ("worst", max)):
            u, p = (of([row[pace][name]["cv"] for row in rows]) for pace in PACES)
            lines.append(f"| CV, {WORDS[name]}, {words} | {u:.2f} | {p:.2f} ({p / u:.2f} x) |")
    most = [[row[pace]["features"]["max_over_median"] for row in rows] for pace in PACES]
    even = [median(row[pace]["features"]["evenness"] for row in rows) for pace in PACES]
    lines.append(f"| max/median, median | {median(most[0]):.1f} | {median(most[1]):.2f} |")
    lines.append(f"| max/median, worst | {max(most[0]):.1f} | {max(most[1]):.2f} |")
    if calm := [row for row in rows if not row["jumps"]]:
        for words, figure in (("CV, early features", "cv"), ("max/median", "max_over_median")):
            u, p = (max(row[pace]["features"][figure] for row in calm) for pace in PACES)
            lines.append(f"| {words}, worst where the model does not jump | {u:.2f} | {p:.2f} |")
    lines.append(f"| 1 - Gini, median | {even[0]:.3f} | {even[1]:.3f} |")
    for words, value in (
        ("variance of steps (early features), median", lambda r: r["features"]["variance"]),
        ("path length (early features), median", lambda r: r["features"]["length"]),
    ):
        u, p = (median(value(row[pace]) for row in rows if row["kind"] != "grid") for pace in PACES)
        lines.append(f"| {words} | {u:.4f} | {p:.4f} |")
    for unit in ("l2", "rms"):
        u, p = (
            float(np.mean([row[pace]["istd"][unit] for row in rows if row[pace]["istd"]]))
            for pace in PACES
        )
        lines.append(f"| ISTD ({unit}), mean | {u:.4f} | {p:.4f} |")
    sharp = [row["perceptual"]["sharpness"] / row["uniform"]["sharpness"] - 1 for row in rows]
    cost = [row["perceptual"]["evaluations"] / row["uniform"]["evaluations"] for row in rows]
    lines.append(f"| sharpness, median (worst) | | {median(sharp):+.1%} ({min(sharp):+.1%}) |")
    lines.append(
        f"| evaluations of uniform's, median (worst) | 1 | {median(cost):.2f} ({max(cost):.2f}) |"
    )
    worse = [
        f"{row['walk']} ({WORDS[name]} {row['uniform'][name]['cv']:.2f} →"
        f" {row['perceptual'][name]['cv']:.2f})"
        for row in rows
        for name in ("rms", "ms_ssim")
        if row["perceptual"][name]["cv"] > max(row["uniform"][name]["cv"], 0.25)
    ]
    jumps = [
        f"{row['walk']}: between {a:.4f} and {b:.4f}, {n:.1f} steps"
        for row in rows
        for a, b, n in row["jumps"]
    ]
    judged = "Less even than uniform in a measure that did not choose, and above 0.25"
    return [
        *lines,
        "",
        f"{judged}: {'; '.join(worse) or 'none'}.",
        f"Jumps of the model: {'; '.join(jumps) or 'none found'}.",
    ]


PACES = ("uniform", "perceptual")


def draw(rows: list[dict], path: Path) -> None:
    """Each walk's CV at both paces, in the three measures."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.2), layout="constrained")
    for axes, name in zip(figure.subplots(1, 3, sharey=True), MEASURES, strict=True):
        for place, row in enumerate(reversed(rows)):
            u, p = (row[pace][name]["cv"] for pace in PACES)
            axes.plot([p, u], [place, place], color="#c9ced6", linewidth=1.5, zorder=1)
            axes.scatter([u], [place], color="#c8553d", s=22, zorder=2)
            axes.scatter([p], [place], color="#2f6690", s=22, zorder=3)
        axes.set_title(WORDS[name], fontsize=10)
        axes.set_xlim(left=0)
        axes.set_xlabel("CV of the steps")
        axes.grid(axis="x", color="#d9dce1", linewidth=0.7)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.set_yticks(range(len(rows)), [_short(row["walk"]) for row in reversed(rows)])
        axes.tick_params(labelsize=8, length=0)
    figure.suptitle("uniform (red) and perceptual pace (blue)", fontsize=11)
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": "latent-assets", "svg.fonttype": "none"}):
        figure.savefig(path, format="svg", metadata={"Date": None})


def _short(name: str) -> str:
    return name if len(name) <= LABEL else f"{name[: LABEL - 1]}…"


def write(text: str) -> None:
    """Between the marks in docs/motion.md."""
    page = ROOT / "docs" / "motion.md"
    begin, end = "<!-- figures: begin -->\n", "<!-- figures: end -->"
    head, _, rest = page.read_text(encoding="utf-8").partition(begin)
    tail = rest.partition(end)[2]
    page.write_text(f"{head}{begin}{text}\n{end}{tail}", encoding="utf-8")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "motion")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--sampler", default="dpm++2m", help="For a model that can be told.")
    parser.add_argument("--spacing", default="karras", help="For a model that can be told.")
    parser.add_argument("--steps", type=int, default=15, help="For a model that can be told.")
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--walks", help="Their numbers, from 0: 0,3,12; default: all.")
    parser.add_argument("--write", action="store_true", help="Into docs/.")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    only = range(len(walks())) if arguments.walks is None else map(int, arguments.walks.split(","))
    how = {"model": arguments.model}
    if arguments.model == "embedded":
        how |= {"sampler": arguments.sampler, "num_steps": arguments.steps}
        how |= {"spacing": arguments.spacing, "guidance_scale": GUIDANCE}
    only = list(only)
    rows = run(arguments.work.absolute(), how, arguments.frames, only)
    (arguments.work / "motion.json").write_text(json.dumps(rows, indent=1))
    blind(arguments.work, seed=int.from_bytes(os.urandom(4), "big"))
    text = table(rows)
    if 0 in only:
        seconds, pilots = timeline_seconds(arguments.work.absolute(), how, arguments.frames)
        told = f"A timeline of 1,000 frames from {pilots} pilots that were looked at before:"
        text = f"{text}\n{told} {seconds:.2f} s of one core."
    print(text)
    if arguments.write:
        write(text)
        draw(rows, ROOT / "docs" / "images" / "motion.svg")


if __name__ == "__main__":
    main()
