"""The one `Definitions` object, as Dagster loads it; tests and the command line build their own."""

from latent_assets.orchestration.build import build_defs
from latent_assets.settings import Settings
from latent_assets.studio import Studio

defs = build_defs(Studio.open(Settings.from_environment()))
