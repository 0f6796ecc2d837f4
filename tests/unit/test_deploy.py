"""What lies in deploy/: scripts are run with stand-ins for ssh, sbatch and the command itself."""

import json
import os
import subprocess
import sys

import pytest

from latent_assets.shipped import PROJECT_ROOT

DEPLOY = PROJECT_ROOT / "deploy"
RECORD = """#!{python}
import json, os, sys
with open(os.environ["TOLD"], "a") as file:
    file.write(json.dumps([{name!r}, *sys.argv[1:], os.environ.get("LATENT_ASSETS_STORE", ""),
                           os.environ.get("CUDA_VISIBLE_DEVICES", "")]) + "\\n")
{more}
"""


@pytest.fixture
def stand_in(tmp_path):
    """Makes a program that notes its arguments, its store and its GPU; returns what was noted."""
    told = tmp_path / "told"
    told.touch()

    def make(name, more=""):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(RECORD.format(python=sys.executable, name=name, more=more))
        path.chmod(0o755)

    def run(script, *arguments, **environment):
        path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
        env = {"PATH": path, "HOME": str(tmp_path), "TOLD": str(told), **environment}
        done = subprocess.run(
            ["bash", str(DEPLOY / script), *arguments],
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done, [json.loads(line) for line in told.read_text().splitlines()]

    make.run = run
    return make


def test_ssh_gives_each_gpu_a_part_and_assembles(stand_in, tmp_path):
    stand_in("latent-assets", "sys.exit('2/3' in sys.argv)")
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/bash\nexport HOST_OF_PART="$3"; shift 3; exec "$@"\n')
    ssh.chmod(0o755)
    done, told = stand_in.run(
        "ssh.sh",
        "a walk's.yaml",
        *("node1:0", "node1:1", "localhost:0"),
        LATENT_ASSETS_STORE="s3://bucket/it's $HOME",
        LATENT_ASSETS_SSH=str(ssh),
    )
    assert done.returncode == 0, done.stderr
    store = "s3://bucket/it's $HOME"
    common = ["latent-assets", "render", "a walk's.yaml"]
    parts = sorted(told[:-1])
    assert parts == [
        [*common, "--shard", "1/3", store, "0"],
        [*common, "--shard", "2/3", store, "1"],
        [*common, "--shard", "3/3", store, "0"],
    ]
    assert told[-1] == [*common, store, ""]
    assert "part 2/3 on node1:1 failed; it is rendered here" in done.stderr


def test_slurm_gets_an_array_and_a_job_behind_it(stand_in):
    stand_in("sbatch", "print(4000 + sum(1 for _ in open(os.environ['TOLD'])))")
    done, told = stand_in.run("slurm.sbatch", "castle", "8", "--partition=gpu")
    script = str(DEPLOY / "slurm.sbatch")
    assert told == [
        ["sbatch", "--parsable", "--array=1-8", "--partition=gpu", script, "castle", "8", "", ""],
        [
            *("sbatch", "--parsable", "--dependency=afterany:4001", "--partition=gpu"),
            *(script, "castle", "", ""),
        ],
    ]
    assert done.stdout == "parts: job 4001 (1 to 8), assembling: job 4002\n"


def test_slurm_jobs_render_their_part_and_the_last_one_the_walk(stand_in):
    stand_in("latent-assets")
    job = {"SLURM_JOB_ID": "7"}
    stand_in.run("slurm.sbatch", "castle", "8", SLURM_ARRAY_TASK_ID="3", **job)
    _, told = stand_in.run("slurm.sbatch", "castle", **job)
    assert told == [
        ["latent-assets", "render", "castle", "--shard", "3/8", "", ""],
        ["latent-assets", "render", "castle", "", ""],
    ]


@pytest.mark.parametrize("script", ["slurm.sbatch", "ssh.sh"])
def test_a_script_without_arguments_says_how_it_is_used(stand_in, script):
    done, _ = stand_in.run(script)
    assert done.returncode == 2
    assert "usage:" in done.stderr
