"""The loop around the pace: pilots through rendering, their features and the timeline stored.

Everything that is looked at is kept by key, so that a second search renders nothing, looks at no
picture and loads no model.
"""

from __future__ import annotations

from collections.abc import Sequence

from latent_assets.media.early_layers import features
from latent_assets.rendering import ALONE, Manners, OnFrames, RenderResult, render_frames
from latent_assets.store import DamagedError, MissingError
from latent_assets.store.encodings import FloatArray
from latent_assets.store.parallel import in_order
from latent_assets.studio import Studio, WalkSpec, key_of_timeline
from latent_assets.walks.pilots import Tell, Timeline, Unknown, find_timeline
from latent_assets.walks.recipes import FrameRecipe


def make_timeline(
    studio: Studio,
    spec: WalkSpec,
    *,
    on_frames: OnFrames = lambda _keys, _rendered: None,
    on_asked: Tell = lambda _: None,
    manners: Manners = ALONE,
    result: RenderResult | None = None,
) -> Timeline:
    """The timeline of a walk of perceptual pace: from the store, or else from pilots.

    on_asked: told of pilots before they are rendered. result: of an attempt that failed, to go on
    from. Raises what `render_frames` raises.
    """
    done = result or RenderResult()
    known = studio.timeline(spec)
    if known is not None:
        return known

    def look(recipes: Sequence[FrameRecipe]) -> list[FloatArray]:
        return _looked_at(studio, spec, recipes, on_frames, manners, done)

    found = find_timeline(spec.walk, spec.rendering, look, on_asked)
    assert not isinstance(found, Unknown)  # whatever was asked for was rendered
    key = key_of_timeline(spec)
    return Timeline.from_dict(studio.timelines.write(key, found.as_dict()))


def _looked_at(
    studio: Studio,
    spec: WalkSpec,
    recipes: Sequence[FrameRecipe],
    on_frames: OnFrames,
    manners: Manners,
    done: RenderResult,
) -> list[FloatArray]:
    """The features of each recipe's picture; what is missing is rendered, and looked at, now."""
    keys = [recipe.key for recipe in recipes]
    parallel = studio.features.objects.parallel
    seen = dict(zip(keys, in_order(lambda key: _read(studio, key), keys, parallel), strict=True))
    missing = [recipe for recipe in recipes if seen[recipe.key] is None]
    if missing:
        part = RenderResult()
        try:
            render_frames(
                studio,
                missing,
                batch_size=spec.walk.batch_size,
                on_frames=on_frames,
                manners=manners,
                result=part,
            )
        finally:
            done.rendered += part.rendered
            done.reused += part.reused
            done.seconds += part.seconds
            done.damaged += part.damaged
        for frame in studio.frames.read_many(recipe.key for recipe in missing):
            looked = seen[frame.receipt.key] = features(frame.pixels)
            studio.features.write(frame.receipt.key, looked)
    return [found for found in seen.values() if found is not None]


def _read(studio: Studio, key: str) -> FloatArray | None:
    try:
        return studio.features.read(key)
    except (MissingError, DamagedError):
        return None
