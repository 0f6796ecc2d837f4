"""The one `Definitions` object, as Dagster loads it; tests and the command line build their own."""

import logging
import os
from pathlib import Path

import dagster as dg

from latent_assets.orchestration.build import alone, build_defs
from latent_assets.settings import Settings
from latent_assets.studio import Studio

_settings = Settings.from_environment()
if not os.environ.get("DAGSTER_HOME"):
    logging.getLogger(__name__).warning(
        "DAGSTER_HOME is not set, so Dagster may keep its runs in a temporary folder and not read"
        " the project's dagster.yaml (one render at a time on the GPU, retries). Start"
        ' `latent-assets ui` instead, or: export DAGSTER_HOME="%s"',
        _settings.dagster_home,
    )


def _added() -> dg.Definitions:
    """What was put into `latent_assets/defs` of a checkout, by `dg scaffold defs`."""
    folder = Path(__file__).parent / "defs"
    if all(path.name in {"__init__.py", "__pycache__"} for path in folder.iterdir()):
        return dg.Definitions()
    return dg.load_from_defs_folder(path_within_project=folder)


defs = alone(dg.Definitions.merge(build_defs(Studio.open(_settings)), _added()), _settings)
