"""One walk rendered by several processes that know nothing of each other: a part for each.

Which part a frame is of, its key alone decides. So parts may begin in any order, at any time, twice
or never, while others render the same walk: whoever renders the whole walk afterwards finds what
is there, and renders what is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from latent_assets import interrupts
from latent_assets.errors import UsageError
from latent_assets.pacing import make_timeline
from latent_assets.rendering import Manners, OnFrames, RenderResult, render_frames
from latent_assets.studio import Studio, WalkSpec
from latent_assets.walks.order import rendering_order
from latent_assets.walks.recipes import FrameRecipe
from latent_assets.walks.route import is_closed

MOST_PARTS = 10_000
_PART = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")


@dataclass(frozen=True)
class Part:
    """The number-th of so many parts, counted from 1."""

    number: int
    of: int

    @classmethod
    def read(cls, text: str) -> Part:
        """`2/8`. Raises UsageError."""
        match = _PART.fullmatch(text.strip())
        number, of = (int(match[1]), int(match[2])) if match else (0, 0)
        if not 1 <= number <= of <= MOST_PARTS:
            raise UsageError(
                f"--shard is {text!r}",
                f"It must be I/N: the I-th of N parts, from 1/N to N/N, N up to {MOST_PARTS:,}.",
            )
        return cls(number, of)

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def has(self, key: str) -> bool:
        """Whether the frame of this key is of this part. Keys are hashes: parts are about equal."""
        return int(key[:12], 16) % self.of == self.number - 1

    def begin(self, recipes: Sequence[FrameRecipe]) -> list[FrameRecipe]:
        """The same from another place on, round: parts that do the same begin apart."""
        first = len(recipes) * (self.number - 1) // self.of
        return [*recipes[first:], *recipes[:first]]


@dataclass(frozen=True)
class PartResult:
    """What rendering a part gave."""

    frames: int
    """Different frames of the part."""
    done: RenderResult
    pilots: RenderResult
    """Of a walk of perceptual pace: what was rendered to find its places."""


def render_part(
    studio: Studio,
    spec: WalkSpec,
    part: Part,
    *,
    on_places: Callable[[Sequence[str]], None] = lambda _keys: None,
    on_frames: OnFrames = lambda _keys, _rendered: None,
) -> PartResult:
    """Render what is missing of a part of a walk. Makes no files.

    on_places: called with the keys of the part's frames, once they are known. The pilots of a walk
    of perceptual pace are shared by all parts: each looks before each batch what others have
    rendered. Raises KeyboardInterrupt between batches, and what `render_frames` raises.
    """
    pilots = RenderResult()
    manners = Manners(batch=_batch, shared=True)
    if spec.has_timeline:
        together = Manners(batch=_batch, shared=True, share=part.begin)
        timeline = make_timeline(studio, spec, on_frames=on_frames, manners=together, result=pilots)
        spec = spec.at(timeline.places(loop=is_closed(spec.walk)))
    mine = {
        recipe.key: recipe
        for recipe in spec.recipes(rendering_order(spec.walk))
        if part.has(recipe.key)
    }
    on_places(list(mine))
    done = RenderResult()
    if mine:
        done = render_frames(
            studio,
            list(mine.values()),
            batch_size=spec.walk.batch_size,
            on_frames=on_frames,
            manners=manners,
        )
    return PartResult(len(mine), done, pilots)


def _batch() -> AbstractContextManager[None]:
    return interrupts.deferred()
