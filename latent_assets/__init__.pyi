from latent_assets.api import Film as Film
from latent_assets.api import LatentAssetsError as LatentAssetsError
from latent_assets.api import OpenStudio as OpenStudio
from latent_assets.api import Pictures as Pictures
from latent_assets.api import Plan as Plan
from latent_assets.api import Walk as Walk
from latent_assets.api import grid as grid
from latent_assets.api import guidance_sweep as guidance_sweep
from latent_assets.api import interpolation as interpolation
from latent_assets.api import lerp as lerp
from latent_assets.api import load as load
from latent_assets.api import noise as noise
from latent_assets.api import noise_loop as noise_loop
from latent_assets.api import open_studio
from latent_assets.api import prompt_walk as prompt_walk
from latent_assets.api import slerp as slerp
from latent_assets.components import WalksComponent as WalksComponent

open = open_studio  # noqa: A001 - la.open

__version__: str
