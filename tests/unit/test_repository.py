"""What visitors of the repository read says the same as the package does."""

import re
import subprocess
import sys

import pytest
import yaml

import latent_assets
from latent_assets.shipped import PROJECT_ROOT

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

PROJECT = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]


def read_yaml(path):
    return yaml.safe_load((PROJECT_ROOT / path).read_text())


def test_the_citation_is_of_this_version_and_licence():
    citation = read_yaml("CITATION.cff")
    assert citation["version"] == latent_assets.__version__
    ours, *of_others = PROJECT["license"].split(" AND ")
    assert citation["license"] == ours
    assert of_others == ["MIT"]
    assert all((PROJECT_ROOT / name).is_file() for name in PROJECT["license-files"])
    assert citation["title"] == PROJECT["name"]
    assert {"cff-version", "message", "authors"} <= citation.keys()


def test_the_workflow_runs_ci_on_the_oldest_and_the_newest_python():
    job = read_yaml(".github/workflows/ci.yml")["jobs"]["run"]
    said = [each.rpartition(" ")[2] for each in PROJECT["classifiers"] if "Python :: 3." in each]
    assert job["strategy"]["matrix"]["python"] == [said[0], said[-1]]
    newest = int(said[-1].partition(".")[2])
    assert PROJECT["requires-python"] == f">={said[0]},<3.{newest + 1}"
    steps = [step["run"] for step in job["steps"] if "run" in step]
    assert steps == [".ci/run"]
    assert (PROJECT_ROOT / steps[0]).is_file()


def test_a_report_of_what_is_wrong_must_hold_what_doctor_prints():
    form = read_yaml(".github/ISSUE_TEMPLATE/something-is-wrong.yml")
    asked = {each["id"]: each for each in form["body"]}
    assert asked["doctor"]["attributes"]["label"] == "latent-assets doctor --json"
    assert asked["doctor"]["validations"]["required"] is True


def test_links_of_the_files_for_visitors_lead_somewhere():
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"):
        text = (PROJECT_ROOT / name).read_text()
        paths = re.findall(r"\]\((?!https?://|#)([^)#]+)", text)
        assert paths
        assert [path for path in paths if not (PROJECT_ROOT / path).exists()] == []


@pytest.mark.skipif(not (PROJECT_ROOT / ".git").exists(), reason="not a clone of the repository")
def test_nothing_that_is_generated_is_in_the_repository():
    """Who renders in a clone would find it changed, and could commit their own runs."""
    command = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    told = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.split() == []


def test_windows_is_told_in_one_sentence_that_it_is_not_supported():
    code = "import sys; sys.platform = 'win32'; import latent_assets"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ImportError: latent-assets does not run on")
    assert "Operating System :: POSIX :: Linux" in PROJECT["classifiers"]
