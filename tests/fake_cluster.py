"""A code location on fake models, for workers and runs in processes of their own.

SECONDS_A_FRAME: so long a frame takes, asleep. KILL_FILE: where it exists, the process that begins
a batch ends at once (kill -9 of itself); it is removed first, unless its name ends in `always`.
FAKE_WEIGHTS: other weights for every model.
"""

import os
import signal
import time
from pathlib import Path

from fakes import fake_studio

from latent_assets.orchestration.build import build_defs
from latent_assets.settings import Settings


def _before_batch(_done: int) -> None:
    file = Path(os.environ.get("KILL_FILE") or "/nonexistent")
    if file.exists():
        if not file.name.endswith("always"):
            file.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(float(os.environ.get("SECONDS_A_FRAME", "0")) * BATCH)


BATCH = 2
settings = Settings.from_environment()
defs = build_defs(
    fake_studio(
        settings.data,
        settings=settings,
        before_batch=_before_batch,
        weights=os.environ.get("FAKE_WEIGHTS", "fake"),
    )
)
