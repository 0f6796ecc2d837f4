"""What Python programs and notebooks use: `import latent_assets as la`.

A small surface over what exists. Walks are checked as walk files are, frames come through the one
loop that renders, and lie in the one store; only pictures of arrays of one's own do not. Errors are
those of the command line.
"""

from latent_assets.api.arrays import lerp, noise, slerp
from latent_assets.api.film import Film, Pictures
from latent_assets.api.studio import OpenStudio, open_studio
from latent_assets.api.walks import (
    Walk,
    grid,
    guidance_sweep,
    interpolation,
    load,
    noise_loop,
    prompt_walk,
)
from latent_assets.errors import LatentAssetsError
from latent_assets.studio import Plan

__all__ = [
    "Film",
    "LatentAssetsError",
    "OpenStudio",
    "Pictures",
    "Plan",
    "Walk",
    "grid",
    "guidance_sweep",
    "interpolation",
    "lerp",
    "load",
    "noise",
    "noise_loop",
    "open_studio",
    "prompt_walk",
    "slerp",
]
