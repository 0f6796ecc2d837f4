"""Dagster's command line `dg`, in a project of its own."""

import os
import subprocess
import sys
from pathlib import Path


def dg(folder: Path, *arguments: str, modules: Path, home: Path) -> str:
    """What `dg` prints in the folder of the project; it has to succeed.

    modules: where its packages lie. home: its DAGSTER_HOME.
    """
    bin_folder = Path(sys.executable).parent
    known = {k: v for k, v in os.environ.items() if not k.startswith("LATENT_ASSETS_")}
    answer = subprocess.run(
        [bin_folder / "dg", *arguments],
        cwd=folder,
        env={
            **known,
            "PATH": f"{bin_folder}{os.pathsep}{known['PATH']}",
            "VIRTUAL_ENV": str(bin_folder.parent),
            "PYTHONPATH": str(modules),
            "DAGSTER_HOME": str(home),
        },
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-3000:]
    return answer.stdout
