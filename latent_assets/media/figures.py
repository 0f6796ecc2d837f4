"""Figures for papers and slides: how far each frame of a walk is from the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from latent_assets.media import provenance as records
from latent_assets.media import xmp
from latent_assets.media.output import written
from latent_assets.media.signing import Seal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Mark = tuple[str, float]
"""A keyframe: its prompt, and where it stands, counted in frames."""

_STEP, _SEAM, _KEYFRAME, _QUIET = "#2f6690", "#c8553d", "#8a5a00", "#5c6370"
_DARK = {
    "#ffffff": "#14161a",
    "#2f6690": "#7fb6e0",
    "#c8553d": "#ff8f75",
    "#8a5a00": "#e8b04b",
    "#5c6370": "#a9b0bc",
    "#d9dce1": "#2d323b",
    "#9aa0a8": "#6b7380",
}
"""By colour, the one in its place where the system's colours are dark."""
_SIZE_INCHES = (9.0, 4.0)
_LABEL_CHARACTERS = 24
_MOST_LABELS = 24
_FINE_FROM = 300
"""From so many steps on, the outline is thinner: the steps are narrower than a line."""


def write_smoothness(
    adjacent: Sequence[float],
    path: Path,
    *,
    title: str,
    seam: float | None = None,
    keyframes: Sequence[Mark] = (),
    provenance: Mapping[str, Any] | None = None,
    seal: Seal | None = None,  # noqa: ARG001 - a chart is not signed: no model made it
) -> Path:
    """An SVG of the distances between neighbours over the frame number. The same call, same bytes.

    adjacent: d(frame i, frame i + 1), one at least. seam: of a loop, d(last, first). Text stays
    text: it can be searched, edited, and shown in any script. Raises MediaError.
    """
    # The record stands where SVG has its description; no date: the same figure is the same file.
    text = None if provenance is None else records.to_text(provenance)
    name = f"How smooth {title} is: the distance from each frame to the next"
    about = {"Title": name, "Description": text, "Date": None, "Creator": None}
    with written(path) as temporary, _our_style():
        figure = smoothness_figure(adjacent, title=title, seam=seam, keyframes=keyframes)
        figure.savefig(temporary, format="svg", metadata=about)
        _readable_in_the_dark(temporary)
        if text is not None:
            _mark(temporary)
    return path


def _mark(svg: Path) -> None:
    """Say in its metadata that it was drawn from data: a chart is no picture by a model."""
    end = "</metadata>"
    text = svg.read_text(encoding="utf-8")
    marked = text.replace(end, xmp.description(xmp.DRAWN_FROM_DATA) + end, 1)
    svg.write_text(marked, encoding="utf-8")


def smoothness_figure(
    adjacent: Sequence[float], *, title: str, seam: float | None, keyframes: Sequence[Mark]
) -> Figure:
    """What `write_smoothness` writes. No state of pyplot is touched."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second that only this needs

    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    figure.suptitle(title, x=0.012, ha="left", fontsize=12, fontweight="bold", parse_math=False)
    axes = figure.add_subplot()
    _steps(axes, adjacent, seam)
    _marks(axes, keyframes, len(adjacent))
    _frame(axes, len(adjacent) + (seam is not None))
    return figure


def _readable_in_the_dark(path: Path) -> None:
    """Other colours where the system's are dark; a name for screen readers.

    Matplotlib writes each colour into the element: the style sheet has to name what it replaces.
    """
    svg = path.read_text(encoding="utf-8")
    rules = "".join(
        f'[style*="{kind}: {light}"] {{ {kind}: {dark} !important }}\n'
        for light, dark in _DARK.items()
        for kind in ("fill", "stroke")
    )
    words = "text:not([style*='fill']) { fill: #e6e8ec !important }"
    style = f"<style>\n@media (prefers-color-scheme: dark) {{\n{rules}{words}\n}}\n</style>\n"
    start = svg.index("<svg ") + len("<svg ")
    head = svg.index(">", start) + 1
    named = f'{svg[:start]}role="img" {svg[start:head]}\n{style}{svg[head:]}'
    path.write_text(named, encoding="utf-8")


def _steps(axes: Axes, adjacent: Sequence[float], seam: float | None) -> None:
    """A stair for each step, from its frame to the next: few are readable, and so are many."""
    count, width = len(adjacent), 1.6 if len(adjacent) < _FINE_FROM else 0.7
    edges = range(count + 1)
    axes.stairs(adjacent, edges, fill=True, color=_STEP, alpha=0.16, linewidth=0)
    axes.stairs(adjacent, edges, baseline=None, color=_STEP, linewidth=width)
    if seam is not None:
        back = {"edges": [count, count + 1], "color": _SEAM}
        axes.stairs([seam], **back, fill=True, alpha=0.22, linewidth=0)
        axes.stairs([seam], **back, baseline=None, linewidth=max(width, 1.6))
    usual = median(adjacent)
    axes.axhline(usual, color=_QUIET, linewidth=0.9, linestyle=(0, (1, 2)))
    words = f"median {usual:.2g}" + ("" if seam is None else f"; last to first {seam:.2g}")
    axes.annotate(
        words,
        (1, 0),
        (0, -30),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=9,
        color=_QUIET,
    )


def _marks(axes: Axes, keyframes: Sequence[Mark], last: int) -> None:
    height = axes.get_xaxis_transform()
    for prompt, place in _apart(keyframes, last / _MOST_LABELS):
        axes.axvline(place, color=_KEYFRAME, linewidth=0.8, alpha=0.55)
        axes.text(
            place,
            1.015,
            _shortened(prompt),
            transform=height,
            rotation=34,
            rotation_mode="anchor",
            fontsize=8.5,
            color=_KEYFRAME,
            parse_math=False,
        )


def _frame(axes: Axes, last: int) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - see above

    axes.set_xlim(0, last)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(12, integer=True, min_n_ticks=1))
    axes.set_xlabel("frame")
    axes.set_ylabel("rms distance to the next frame")
    axes.grid(axis="y", color="#d9dce1", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_QUIET, labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#9aa0a8")


def _apart(keyframes: Sequence[Mark], gap: float) -> list[Mark]:
    """Those of the keyframes whose labels do not run into each other."""
    kept: list[Mark] = []
    for mark in keyframes:
        if not kept or mark[1] - kept[-1][1] >= gap:
            kept.append(mark)
    return kept


def _shortened(prompt: str) -> str:
    words = " ".join(prompt.split())
    short = len(words) <= _LABEL_CHARACTERS
    return words if short else f"{words[: _LABEL_CHARACTERS - 1].rstrip(' ,.;')}…"


@contextmanager
def _our_style() -> Iterator[None]:
    """Matplotlib's defaults, whatever a matplotlibrc says, and names that are no random ones."""
    import warnings  # noqa: PLC0415 - here alone

    import matplotlib as mpl  # noqa: PLC0415 - see above

    with mpl.rc_context(), warnings.catch_warnings():
        # Letters that matplotlib's own font has not are measured wrongly, and shown rightly.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        mpl.rcdefaults()
        mpl.rcParams["svg.hashsalt"] = "latent-assets"
        mpl.rcParams["svg.fonttype"] = "none"
        yield
