"""The one `Definitions` object, as Dagster loads it; tests and the command line build their own."""

import dagster as dg

from latent_assets.orchestration.build import build_defs
from latent_assets.settings import Settings
from latent_assets.studio import Studio

defs = dg.Definitions.merge(
    build_defs(Studio.open(Settings.from_environment())),
    # One process per run, of whatever assets: the model is loaded once, not once per chunk.
    dg.Definitions(executor=dg.in_process_executor),
)
