"""From frames to files: the animation, the grid, and the report on how smooth the walk is."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np

from latent_assets.digests import digest_of
from latent_assets.early_look import remove_early_look
from latent_assets.media import (
    FILM_FRAMES,
    FORMATS,
    SHEET_FRAMES,
    contact_sheet,
    evenly,
    picture_grid,
    root_digest,
    thumbnail,
    thumbnail_film,
)
from latent_assets.media.earlier import keep_earlier
from latent_assets.media.figures import write_smoothness
from latent_assets.media.metrics import measure, rms_distance
from latent_assets.orchestration import show
from latent_assets.orchestration.assets import CODE_VERSION, OWNERS
from latent_assets.orchestration.failures import told
from latent_assets.orchestration.here import Here
from latent_assets.orchestration.memory import Memory
from latent_assets.orchestration.single_files import publish_frames, publish_poster
from latent_assets.orchestration.timeline import paced
from latent_assets.shown import (
    Shown,
    Write,
    film,
    labelled,
    record_of,
    shown_order,
    still,
)
from latent_assets.studio import Studio, WalkSpec, shown_size
from latent_assets.walks.route import is_closed, prompt_places, route

PUBLISH = "publish"
SHEET_CHARACTERS = 6_300
"""Of a report's picture: it has many figures beside it."""


def output_assets(here: Here, partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """animation, grid, report."""
    common = {
        "partitions_def": partitions,
        "owners": OWNERS,
        "code_version": CODE_VERSION,
        "group_name": PUBLISH,
    }
    return [_animation(here, common), _grid(here, common), _report(here, common)]


def _animation(here: Here, common: dict) -> dg.AssetsDefinition:
    @here.asset(
        **common, kinds={"gif"}, description="The walk as GIF, WebP, MP4, ... as its file asks."
    )
    def animation(
        walk_spec: dict,
        timeline: dict,
        frames: dict,
        upscaled_frames: dict,
        studio: dg.ResourceParam[Studio],
        memory: dg.ResourceParam[Memory],
    ) -> dg.Output[dict]:
        spec = paced(walk_spec, timeline)
        if spec.walk.kind == "grid":
            return show.does_not_apply("a grid has no order in time; see the asset grid")
        output = spec.walk.output
        order = shown_order(spec)
        pictures = Shown.of(studio, frames, upscaled_frames).captioned(spec)
        publish = partial(_publish, studio, memory, spec, frames, pictures)
        films = [name for name in output.formats if FORMATS[name].animated]
        paths = [studio.output_path(spec.published, FORMATS[name].suffix) for name in films]
        with told():
            for name, path in zip(films, paths, strict=True):
                publish(path, film(spec, pictures, path, name))
            if "png" in output.formats:
                folder = studio.output_path(spec.published, "-frames")
                paths.append(publish_frames(publish, pictures, folder, spec.published))
            if "poster" in output.formats:
                path = studio.output_path(spec.published, FORMATS["poster"].suffix)
                paths.append(publish_poster(publish, pictures, path, output.poster_frame))
            preview = memory.recall(
                "animations",
                [frames["digests"], order, output.fps],
                lambda: _film(pictures, order, output.fps),
            )
        remove_early_look(studio, spec)
        return _files(
            spec,
            paths,
            pictures,
            {
                **show.page(spec, root_digest(pictures.digests)),
                "animation": show.picture(preview, spec.name),
                "shown frames": len(order),
                "fps": float(output.fps),
                "seconds of film": round(len(order) / output.fps, 2),
            },
        )

    return animation


def _grid(here: Here, common: dict) -> dg.AssetsDefinition:
    @here.asset(**common, kinds={"png"}, description="The n by n pictures of a grid, as one PNG.")
    def grid(
        walk_spec: dict,
        timeline: dict,
        frames: dict,
        upscaled_frames: dict,
        studio: dg.ResourceParam[Studio],
        memory: dg.ResourceParam[Memory],
    ) -> dg.Output[dict]:
        spec = paced(walk_spec, timeline)
        if spec.walk.kind != "grid":
            return show.does_not_apply(f"a walk of the kind {spec.walk.kind} is no grid")
        pictures, columns = Shown.of(studio, frames, upscaled_frames), spec.walk.grid_size
        publish = partial(_publish, studio, memory, spec, frames, pictures)
        drawn = cache(lambda: picture_grid(pictures.all, columns))

        def whole() -> np.ndarray:
            return labelled(spec.walk, drawn())

        paths = [studio.output_path(spec.published, ".png")]
        with told():
            publish(paths[0], still(paths[0], whole))
            if "jpg" in spec.walk.output.formats:
                paths.append(studio.output_path(spec.published, ".jpg"))
                publish(paths[1], still(paths[1], whole))
            if "png" in spec.walk.output.formats:
                folder = studio.output_path(spec.published, "-frames")
                paths.append(publish_frames(publish, pictures, folder, spec.published))
            preview = memory.recall(
                "grids",
                [frames["digests"], columns],
                lambda: thumbnail(drawn()),
            )
        remove_early_look(studio, spec)
        height, width = (side * columns for side in shown_size(spec.walk, spec.rendering.size))
        shown = {
            **show.page(spec, root_digest(pictures.digests)),
            "grid": show.picture(preview, spec.name),
            "size (px)": f"{width} x {height}",
        }
        return _files(spec, paths, pictures, shown)

    return grid


def _report(here: Here, common: dict) -> dg.AssetsDefinition:
    @here.asset(
        **common,
        kinds={"matplotlib"},
        description="How smooth the walk is, as figures and as a figure; its frames on one sheet.",
    )
    def report(
        walk_spec: dict,
        timeline: dict,
        frames: dict,
        upscaled_frames: dict,
        studio: dg.ResourceParam[Studio],
        memory: dg.ResourceParam[Memory],
    ) -> dg.Output[dict]:
        spec = paced(walk_spec, timeline)
        pictures = Shown.of(studio, frames)  # its cells are smaller than most frames
        larger = Shown.of(studio, frames, upscaled_frames)
        sheet = cache(lambda: _sheet(pictures, spec))
        path = studio.output_path(spec.published, "-sheet.png")
        with told():
            _publish(studio, memory, spec, frames, pictures, path, still(path, sheet))
            preview = memory.recall(
                "sheets",
                [frames["digests"], _headline(spec)],
                lambda: thumbnail(sheet(), max_characters=SHEET_CHARACTERS),
            )
            figures = measured(studio, memory, frames, closed=is_closed(spec.walk))
            if larger != pictures:
                figures = {**figures, "upscaled": _motion(memory, larger, is_closed(spec.walk))}
            rms = figures["smoothness"]["rms"]
            paths = [path]
            if rms["adjacent"]:  # a sweep may be of one frame
                paths.append(studio.output_path(spec.published, "-smoothness.svg"))
                write = _write_smoothness(pictures, spec, rms["adjacent"], paths[1])
                _publish(studio, memory, spec, frames, pictures, paths[1], write)
        shown = {
            **show.page(spec, root_digest(pictures.digests)),
            "contact sheet": show.picture(preview, spec.name),
            "adjacent distance, mean": rms["mean"],
            "largest step / median step": rms["max_over_median"],
            **_named(figures),
            "captions": show.bullet_list([p.caption for p in route(spec.walk)]),
            "figures": dg.MetadataValue.json(_in_short(figures)),
        }
        if rms["seam_ratio"] is not None:
            shown["seam ratio"] = rms["seam_ratio"]
        return _files(spec, paths, pictures, shown, extra={"measured": figures})

    return report


def measured(studio: Studio, memory: Memory, frames: dict, *, closed: bool) -> dict:
    """Smoothness and faults of the walk (`media.metrics.Measured` as JSON)."""
    return memory.recall(
        "figures-2",
        [frames["digests"], closed],
        lambda: measure(
            Shown.of(studio, frames).all, closed=closed, count=len(frames["keys"])
        ).as_dict(),
    )


def _in_short(figures: dict) -> dict:
    """Without a number for each frame: those are on the page, and in the value of the asset."""

    def short(smoothness: dict) -> dict:
        return {
            name: {key: value for key, value in each.items() if key != "adjacent"}
            for name, each in smoothness.items()
        }

    larger = {"upscaled": short(figures["upscaled"])} if "upscaled" in figures else {}
    return {**figures, "smoothness": short(figures["smoothness"]), **larger}


def _named(figures: dict) -> dict:
    """The figures that the web UI plots over a walk's materializations, by what they are."""
    shown: dict = {"sharpness": figures["sharpness"]}
    for name, each in figures["smoothness"].items():
        words = {"rms": "rms", "ms_ssim": "MS-SSIM", "features": "early features"}[name]
        shown |= {
            f"CV ({words})": each["cv"],
            f"1 - Gini ({words})": each["evenness"],
            f"path length ({words})": each["length"],
        }
    shown["variance of steps (early features)"] = figures["smoothness"]["features"]["variance"]
    if figures["istd"] is not None:
        shown["ISTD (rms)"] = figures["istd"]["rms"]
    return shown


def _motion(memory: Memory, larger: Shown, closed: bool) -> dict:
    """How smooth the walk is as its files show it: upscaling sharpens, and so may roughen it.

    By the RMS distance alone: structural similarity of so many pixels takes seconds a frame.
    """

    def make() -> dict:
        return measure(larger.all, closed=closed, distances=("rms",)).as_dict()["smoothness"]

    return memory.recall("larger figures", [larger.digests, closed], make)


def _sheet(pictures: Shown, spec: WalkSpec) -> np.ndarray:
    """The frames, of a long walk some, each with its number in the walk."""
    places = evenly(len(pictures.keys), SHEET_FRAMES)
    return contact_sheet(pictures.at(places), map(str, places), title=_headline(spec))


def _headline(spec: WalkSpec) -> str:
    """What a sheet shows, in a line."""
    return f"{spec.published}: frames 0 to {spec.walk.frames - 1}, {spec.rendering.model}"


def _film(pictures: Shown, order: list[int], fps: float) -> str:
    """The film in small: of a long one some frames, in the same time."""
    chosen = pictures.at(order[place] for place in evenly(len(order), FILM_FRAMES))
    return thumbnail_film(chosen, seconds=len(order) / fps)


def _write_smoothness(
    pictures: Shown, spec: WalkSpec, adjacent: list[float], path: Path
) -> Callable[..., object]:
    """A writer of the figure, which reads the ends of a loop only when it is called."""

    def write(**marks: Any) -> object:
        seam = None
        if is_closed(spec.walk):
            last, first = pictures.at([-1, 0])()
            seam = rms_distance(last, first)
        return write_smoothness(
            adjacent,
            path,
            title=spec.published,
            seam=seam,
            keyframes=[(prompt, float(place)) for prompt, place in prompt_places(spec.walk)],
            **marks,
        )

    return write


def _publish(
    studio: Studio,
    memory: Memory,
    spec: WalkSpec,
    frames: dict,
    pictures: Shown,
    path: Path,
    write: Write,
    place: int | None = None,
) -> None:
    """Make the file, unless it stands as these frames and settings give it.

    place: of the one frame that it shows, for a file of one.
    """
    output = spec.walk.output
    record = record_of(studio, spec, frames["keys"], frames["digests"], place)
    signer = studio.credentials

    def make() -> None:
        if place is None:
            keep_earlier(path, output.keep_earlier)
        write(provenance=record, seal=signer and signer.seal)

    digests = pictures.digests if place is None else pictures.digests[place]
    source = [record, digests, output.model_dump(mode="json")]
    memory.write_once(path, [*source, signer.identity] if signer else source, make)


def _bytes(path: Path) -> int:
    """Of a file, or of the files in a folder."""
    return sum(file.stat().st_size for file in (path.iterdir() if path.is_dir() else [path]))


def _files(
    spec: WalkSpec, paths: list[Path], pictures: Shown, metadata: dict, extra: dict | None = None
) -> dg.Output[dict]:
    sizes = {path.name: f"{_bytes(path) / 1024:.0f} KiB" for path in paths}
    document = {"paths": [str(path) for path in paths], **(extra or {})}
    return dg.Output(
        document,
        metadata={
            **metadata,
            **show.variant(spec),
            "files": dg.MetadataValue.json(sizes),
            "path": dg.MetadataValue.path(str(paths[0])),
        },
        data_version=dg.DataVersion(
            digest_of([pictures.digests, spec.walk.output.model_dump(mode="json")])[:16]
        ),
    )
