"""What Dagster's own commands load."""

import subprocess
import sys

import pytest

LOAD = "import latent_assets.definitions"


@pytest.mark.parametrize("home", ["", "somewhere"])
def test_a_dagster_without_a_home_is_told_what_it_lacks(tmp_path, home):
    """Else its runs vanish, and the settings of the project do not hold, in silence."""
    environment = {"LATENT_ASSETS_DATA": str(tmp_path / "data"), "PATH": ""}
    if home:
        environment["DAGSTER_HOME"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    told = f'export DAGSTER_HOME="{tmp_path / "data" / "dagster"}"' in done.stderr
    assert told == (not home), done.stderr
