"""Drafts: a walk in a fraction of its steps, to see where it goes before it is rendered.

The paths, the noise and the frames' places are the walk's own; the pictures are coarser, and have
keys of their own, since the number of steps is in each.
"""

from __future__ import annotations

from math import ceil

from latent_assets.diffusion.protocol import ModelInfo
from latent_assets.diffusion.schedule import TUNED
from latent_assets.errors import UsageError
from latent_assets.walks.schema import WALK_ADAPTER, Walk

WORD = "draft"
PART = 4
"""Of the walk's steps, one in so many."""
LEAST_STEPS = 5
"""Fewer show blots."""


def drafted(name: str, walk: Walk, info: ModelInfo) -> Walk:
    """The walk as it is drafted. Raises UsageError if that would save nothing."""
    if info.own_sampling is not None:
        raise UsageError(
            f"the walk {name} has no draft: the model {info.name} samples in"
            f" {info.own_sampling.num_steps} steps, and in no other number",
            "Render it as it is.",
        )
    if walk.sampler == TUNED:
        raise UsageError(
            f"the walk {name} has no draft: its sampler was fitted to {walk.num_steps} steps",
            "Render it as it is.",
        )
    steps = max(ceil(walk.num_steps / PART), LEAST_STEPS)
    if steps >= walk.num_steps:
        raise UsageError(
            f"the walk {name} has no draft: a draft takes {steps} steps, and the walk has"
            f" {walk.num_steps}",
            "Render it as it is.",
        )
    document = WALK_ADAPTER.dump_python(walk, mode="json")
    return WALK_ADAPTER.validate_python({**document, "num_steps": steps})
