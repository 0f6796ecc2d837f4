"""A walk rendered from its first pilot to its larger pictures, in this process."""

from __future__ import annotations

from dataclasses import dataclass

from latent_assets.enlarging import upscale_frames
from latent_assets.errors import LatentAssetsError
from latent_assets.pacing import make_timeline
from latent_assets.progress import Bar
from latent_assets.rendering import ALONE, Manners, RenderResult, render_frames
from latent_assets.shown import Shown
from latent_assets.studio import Studio, WalkSpec
from latent_assets.walks.order import rendering_order
from latent_assets.walks.route import is_closed


@dataclass(frozen=True)
class Rendered:
    """A walk whose pictures are all in the store."""

    spec: WalkSpec
    frames: Shown
    larger: Shown
    """The pictures that its files show: the frames, if the walk asks for no larger ones."""
    rendered: int
    """Frames that were rendered just now; the others were stored."""
    pilots: int
    """Pilots that were rendered before them."""


def render_walk(studio: Studio, spec: WalkSpec, bar: Bar, manners: Manners = ALONE) -> Rendered:
    """Render what is missing of a walk, as the asset graph does; bar: is told how far it is."""
    pilots = RenderResult()
    if spec.has_timeline:
        timeline = make_timeline(
            studio, spec, on_frames=bar.on_frames, manners=manners, result=pilots
        )
        spec = spec.at(timeline.places(loop=is_closed(spec.walk)))
    recipes = spec.recipes()
    keys = [recipe.key for recipe in recipes]
    bar.on_places(keys)
    done = render_frames(
        studio,
        [recipes[place] for place in rendering_order(spec.walk)],
        batch_size=spec.walk.batch_size,
        on_frames=bar.on_frames,
        manners=manners,
    )
    known = studio.frames.digests(keys)
    if missing := [key for key in keys if key not in known]:
        raise LatentAssetsError(
            f"{len(missing)} frames of {spec.name} were taken out of the store meanwhile",
            "Render it again: it fills the gaps.",
        )
    frames = Shown(studio.frames, keys, [known[key] for key in keys])
    larger = _larger(studio, spec, frames, bar, manners)
    return Rendered(spec, frames, larger, done.rendered, pilots.rendered)


def _larger(studio: Studio, spec: WalkSpec, frames: Shown, bar: Bar, manners: Manners) -> Shown:
    upscale = spec.walk.output.upscale
    if upscale is None:
        return frames
    large = upscale_frames(
        studio, upscale, frames.keys, frames.digests, on_picture=bar.on_upscaled, manners=manners
    )
    return Shown(studio.upscaled, large.keys, large.digests)
