"""The project on fake models as `dagster dev` loads it; its runs can be killed once.

Data folder: LATENT_ASSETS_DATA. If it holds a file `kill-at`, the run that has done so many frames
as the file says is killed, and the file is gone: the run that comes after it lives. At `wait-at`
a run waits to be killed from outside. At `hold-at` it waits until the file `held`, which says that
it does, is gone.
"""

import os
import signal
import time
from pathlib import Path

from fakes import fake_studio

from latent_assets.orchestration.build import alone, build_defs

DATA = Path(os.environ["LATENT_ASSETS_DATA"])


def _at(file: str, done: int) -> bool:
    """Whether the file names this number of frames; then it is gone."""
    path = DATA / file
    if not path.exists() or path.read_text() != str(done):
        return False
    path.unlink()
    return True


def _before_batch(done: int) -> None:
    if _at("kill-at", done):
        os.kill(os.getpid(), signal.SIGKILL)
    if _at("wait-at", done):
        time.sleep(600)
    held = DATA / "held"
    if _at("hold-at", done):
        held.touch()
    while held.exists():
        time.sleep(0.05)


studio = fake_studio(DATA, before_batch=_before_batch)
defs = alone(build_defs(studio), studio.settings)
