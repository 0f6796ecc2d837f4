"""A project on fake models whose process can be killed at a batch, for a process of its own.

Data folder: LATENT_ASSETS_DATA. KILL_AT: kill -9 this process before the batch that begins
after so many frames.
"""

import os
import signal
import sys
from pathlib import Path

import dagster as dg
from fakes import fake_studio

from latent_assets.orchestration.build import build_defs
from latent_assets.orchestration.instance import open_instance
from latent_assets.settings import Settings


def killer(done: int) -> None:
    if str(done) == os.environ.get("KILL_AT"):
        os.kill(os.getpid(), signal.SIGKILL)


def make_job() -> dg.JobDefinition:
    studio = fake_studio(Path(os.environ["LATENT_ASSETS_DATA"]), before_batch=killer)
    return build_defs(studio).resolve_job_def("render_walk")


if __name__ == "__main__":
    settings = Settings.from_environment()
    with open_instance(settings) as instance:
        result = make_job().execute_in_process(instance=instance, partition_key=sys.argv[1])
    sys.exit(0 if result.success else 1)
