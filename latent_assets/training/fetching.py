"""Has another program fetch a file that the training begins with."""

from __future__ import annotations

import subprocess
from pathlib import Path

from latent_assets.errors import TrainingError


def fetch_with(command: list[str], folder: Path, what: str) -> None:
    """Run a fixed command in a folder, which is made. what: what it fetches, for the error.

    Raises TrainingError, if the program is not there or fails; what it says is shown.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(command, cwd=folder, check=True)  # noqa: S603 - a fixed command
    except FileNotFoundError as error:
        raise TrainingError(
            f"{what} cannot be fetched: {command[0]} is not installed",
            f"Install it, or lay the file that `{' '.join(command)}` fetches into {folder}.",
        ) from error
    except subprocess.CalledProcessError as error:
        raise TrainingError(
            f"{what} could not be fetched: `{' '.join(command)}` ended with {error.returncode}",
            f"See what it said above; or lay the file that it fetches into {folder}.",
        ) from error
