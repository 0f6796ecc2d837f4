"""`make setup` with a Python that will not do, before anything is made."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from latent_assets.shipped import PROJECT_ROOT

FAKE = """#!{python}
import sys
sys.version_info = ({version}, 1, "final", 0)
assert sys.argv[1] == "-c", f"asked to {{sys.argv[1:]}}"
exec(sys.argv[2])
"""


@pytest.fixture
def checkout(tmp_path) -> Path:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(PROJECT_ROOT / name, tmp_path)
    return tmp_path


def setup(checkout: Path, python: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "setup", f"PYTHON={python}"]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("version", ["2, 7", "3, 9", "3, 14"])
def test_a_wrong_python_is_told_before_anything_is_made(checkout, version):
    python = checkout / "some-python"
    python.write_text(FAKE.format(python=sys.executable, version=version), encoding="utf-8")
    python.chmod(0o755)
    done = setup(checkout, str(python))
    assert done.returncode == 2
    assert "is not a Python from 3.10 to 3.13" in done.stdout
    assert "make PYTHON=" in done.stdout
    assert not (checkout / ".venv").exists()


def test_so_is_one_that_is_not_there(checkout):
    done = setup(checkout, "python-of-nobody")
    assert done.returncode == 2
    assert "There is no python-of-nobody here" in done.stdout
    assert not (checkout / ".venv").exists()


def test_an_environment_whose_python_is_gone_is_made_anew(checkout):
    ready = checkout / ".venv" / ".ready"
    ready.parent.mkdir()
    ready.touch()
    done = setup(checkout, "python-of-nobody")
    assert "There is no python-of-nobody here" in done.stdout  # it tried to


def test_one_that_works_is_kept(checkout):
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (checkout / ".venv" / ".ready").touch()
    done = setup(checkout, "python-of-nobody")
    assert done.returncode == 0, done.stdout + done.stderr
