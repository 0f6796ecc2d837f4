"""The one `Definitions` object, as Dagster loads it; tests and the command line build their own."""

from latent_assets.orchestration.build import alone, build_defs
from latent_assets.settings import Settings
from latent_assets.studio import Studio

defs = alone(build_defs(Studio.open(Settings.from_environment())))
