"""What a render gives: pictures to look at, to count with, and to save."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
from PIL import Image

from latent_assets import places
from latent_assets.api import inline
from latent_assets.api.rendering import Rendered
from latent_assets.api.walks import Walk
from latent_assets.enlarging import upscale_frames
from latent_assets.errors import MediaError, UsageError
from latent_assets.media import (
    FORMATS,
    SHEET_FRAMES,
    Frames,
    ImageArray,
    Provenance,
    contact_sheet,
    evenly,
    picture_grid,
    play_order,
    write_animation,
)
from latent_assets.media.metrics import measure
from latent_assets.shown import Shown, film, labelled, record_of, shown_order, still
from latent_assets.studio import Studio, WalkSpec
from latent_assets.walks.route import is_closed

SHEETS = (".png", ".jpg")
FILMS = {each.suffix: each.name for each in FORMATS.values() if each.animated}


class _Shows:
    """Pictures in order, by `_at`."""

    _count: int

    def _at(self, chosen: Sequence[int]) -> Frames:
        """The pictures at these places, read when they are asked for."""
        raise NotImplementedError

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> Image.Image: ...
    @overload
    def __getitem__(self, at: slice) -> list[Image.Image]: ...
    def __getitem__(self, at: int | slice) -> Image.Image | list[Image.Image]:
        try:
            found = range(len(self))[at]
        except IndexError:
            raise IndexError(f"there is no frame {at}: there are {len(self)}, from 0 on") from None
        if isinstance(found, range):
            return [Image.fromarray(picture) for picture in self._at(found)()]
        return Image.fromarray(next(iter(self._at([found])())))

    def _sheet(self, title: str) -> ImageArray:
        chosen = evenly(len(self), SHEET_FRAMES)
        return contact_sheet(self._at(chosen), map(str, chosen), title=title)


@dataclass(frozen=True, repr=False)
class Pictures(_Shows):
    """Pictures of arrays of one's own: they are in memory alone."""

    frames: ImageArray
    """(N, height, width, 3) uint8."""
    _studio: Studio
    _model: str

    @property
    def _count(self) -> int:  # type: ignore[override]
        return len(self.frames)

    def _at(self, chosen: Sequence[int]) -> Frames:
        return lambda: (self.frames[place] for place in chosen)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.frames, dtype=dtype, copy=True if copy is None else copy)

    def __repr__(self) -> str:
        return f"{len(self)} pictures, {self._model}"

    def save(self, path: str | Path, *, fps: float = 10, ping_pong: bool = False) -> Path:
        """Write them as a film, or as a sheet (.png, .jpg), by the ending of the path.

        The file says which model made them; how, nobody could tell from arrays. Raises MediaError.
        """
        file = _file(path)
        record, signer = self._record(), self._studio.credentials
        marks: dict[str, Any] = {"provenance": record, "seal": signer and signer.seal}
        if file.suffix in SHEETS:
            still(file, lambda: self._sheet(self._model))(**marks)
            return file
        shown = self._at(play_order(len(self), ping_pong=ping_pong))
        write_animation(shown, file, format=FILMS[file.suffix], fps=fps, **marks)
        return file

    def _record(self) -> dict[str, Any] | None:
        if not self._studio.settings.metadata:
            return None
        info = self._studio.describe_model(self._model)
        size = list(self.frames.shape[1:3])
        model = {"name": info.name, "weights_digest": info.weights_digest, "size": size}
        return Provenance(walk={"name": "arrays of one's own"}, model=model).as_dict()

    def _repr_html_(self) -> str:
        order = list(range(len(self)))
        return inline.playing(self._at, order, 10, f"{len(self)} pictures", repr(self))


@dataclass(frozen=True, repr=False)
class Film(_Shows):
    """A rendered walk. Its pictures are in the store, and are read when they are looked at."""

    walk: Walk
    rendered: int
    """Frames that were rendered just now."""
    reused: int
    """Frames that were stored already."""
    seconds: float
    keys: list[str] = field(repr=False)
    """The keys of the frames in the store, in order."""
    _done: Rendered = field(repr=False)
    _studio: Studio = field(repr=False)

    @property
    def _count(self) -> int:  # type: ignore[override]
        return len(self.keys)

    def _at(self, chosen: Sequence[int]) -> Frames:
        return self._done.larger.at(chosen)

    @cached_property
    def frames(self) -> ImageArray:
        """All pictures, (N, height, width, 3) uint8: read at the first use, and then kept.

        Of a long walk `film[i]`, or `for picture in film`, takes less memory.
        """
        return np.stack(list(self._at(range(len(self)))()))

    @cached_property
    def smoothness(self) -> dict[str, dict[str, Any]]:
        """How evenly it moves, by kind of distance: `rms`, `ms_ssim`, `features`.

        Of each `mean`, `cv`, `max_over_median` and more (docs/outputs.md), and `adjacent`, the
        distance of each frame to the next.
        """
        closed = is_closed(self._done.spec.walk)
        pictures = self._at(range(len(self)))
        return measure(pictures, closed=closed, count=len(self)).as_dict()["smoothness"]

    def __repr__(self) -> str:
        counts = f"{self.rendered} rendered, {self.reused} reused, {self.seconds:.0f} s"
        pilots = f", after {self._done.pilots} pilots" if self._done.pilots else ""
        model = self._done.spec.rendering.model
        return f"{self.walk.name}: {len(self)} frames, {counts}{pilots}, {model}"

    def save(self, path: str | Path, **output: Any) -> Path:
        """Write it as the ending of the path says, with the record of its origin.

        A film (.gif, .webp, .mp4, .apng, .avif, .html), or one picture (.png, .jpg): the grid, of
        other walks their frames on a sheet. output: fields of the walk's `output` that are
        otherwise in this file, e.g. fps=24, ping_pong=True, captions=True, upscale=2.
        Raises MediaError, and InvalidWalkError for a field.
        """
        file = _file(path)
        spec, pictures = self._as(output)
        record = record_of(self._studio, spec, self.keys, self._done.frames.digests)
        signer = self._studio.credentials
        write = self._writer(spec, pictures, file)
        write(provenance=record, seal=signer and signer.seal)
        return file

    def _writer(self, spec: WalkSpec, pictures: Shown, file: Path) -> Any:
        walk = spec.walk
        if file.suffix not in SHEETS:
            if walk.kind == "grid":
                raise MediaError("a grid has no order in time", "Save it as .png or .jpg.")
            return film(spec, pictures.captioned(spec), file, FILMS[file.suffix])
        if walk.kind == "grid":
            drawn = picture_grid
            return still(file, lambda: labelled(walk, drawn(pictures.all, walk.grid_size)))
        return still(file, lambda: self._sheet(repr(self).partition(",")[0]))

    def _as(self, output: dict[str, Any]) -> tuple[WalkSpec, Shown]:
        """The walk with those fields of `output`, and the pictures that it shows."""
        spec, pictures = self._done.spec, self._done.larger
        if not output:
            return spec, pictures
        before = spec.walk.output.model_dump(mode="json", exclude_unset=True)
        walk = Walk(spec.name, spec.walk).replace(output={**before, **output}).fields
        changed = self._studio.specify(spec.name, walk, model=spec.rendering.model)
        if changed.walk.output.upscale == spec.walk.output.upscale:
            return changed, pictures
        return changed, self._enlarged(changed)

    def _enlarged(self, spec: WalkSpec) -> Shown:
        frames, upscale = self._done.frames, spec.walk.output.upscale
        if upscale is None:
            return frames
        large = upscale_frames(self._studio, upscale, frames.keys, frames.digests)
        return Shown(self._studio.upscaled, large.keys, large.digests)

    def _repr_html_(self) -> str:
        walk, name = self._done.spec.walk, self.walk.name
        if walk.kind == "grid":
            drawn = picture_grid(self._at(range(len(self))), walk.grid_size)
            return inline.still(labelled(walk, drawn), name, repr(self))
        order = shown_order(self._done.spec)
        return inline.playing(self._at, order, walk.output.fps, name, repr(self))


def _file(path: str | Path) -> Path:
    """Raises UsageError for an ending that says nothing, and for a folder that is not there."""
    file = places.folder(str(path), "the file")
    if file.suffix not in (*FILMS, *SHEETS):
        endings = ", ".join((*FILMS, *SHEETS))
        raise UsageError(
            f"{file.name} does not say what it is to be", f"Let its name end in one of: {endings}."
        )
    if not file.parent.is_dir():
        raise UsageError(f"there is no folder {file.parent}", "Make it, or name another.")
    return file
