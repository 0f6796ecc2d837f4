"""The command `worker`: a process for each GPU that takes chunks of walks from a queue."""

import re
import shutil
import socket
import subprocess
from typing import Annotated

import typer

from latent_assets.cli.common import err, open_studio, warn
from latent_assets.cli.overseen import check_has_workers
from latent_assets.errors import UsageError
from latent_assets.places import without_password
from latent_assets.walks.fields import QUEUE

Queues = Annotated[
    list[str] | None,
    typer.Option(
        "--queue",
        help="Take steps from this queue; may be given often. gpu: chunks of frames, unless a walk"
        " names another queue; cpu: what needs no model. Default: both.",
    ),
]
Gpu = Annotated[
    str | None,
    typer.Option(help="Use this GPU alone, by its number; default: CUDA_VISIBLE_DEVICES."),
]
Name = Annotated[
    str | None, typer.Option(help="Of this worker, on this machine; default: from queue and GPU.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(worker)


def worker(queue: Queues = None, gpu: Gpu = None, name: Name = None) -> None:
    """Take steps of runs from queues, and carry them out; see docs/cluster.md."""
    from latent_assets.orchestration.cluster.app import CHEAP
    from latent_assets.orchestration.cluster.worker import run_worker

    settings = open_studio().settings
    check_has_workers(settings)
    queues = queue or ["gpu", CHEAP]
    for each in queues:
        if not re.fullmatch(QUEUE, each):
            raise UsageError(
                f"--queue is {each!r}", "A queue is written as in walk files: gpu, gpu-a100."
            )
    if gpu is not None:
        _check_gpu(gpu)
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", name):
        raise UsageError(
            f"--name is {name!r}", "A name has letters, digits, dots and dashes: gpu-0, left."
        )
    called = name or "-".join([*queues, *([] if gpu is None else [gpu])])
    place = without_password(settings.broker)

    def say(line: str) -> None:
        err.print(f"{called}: {line}", markup=False)

    say(
        f"worker on {socket.gethostname()}, queues {', '.join(queues)},"
        f" GPU {'as the environment says' if gpu is None else gpu}, broker {place},"
        f" frames to {settings.store_url}"
    )
    raise typer.Exit(run_worker(settings, queues, name=called, gpu=gpu, say=say))


def _check_gpu(gpu: str) -> None:
    """Raises UsageError for a GPU that is not here: the CPU would take its steps, and say nothing.

    Where NVIDIA's driver is not installed, that is said.
    """
    if not re.fullmatch(r"[0-9]+(,[0-9]+)*|(GPU|MIG)-[A-Za-z0-9-]+", gpu):
        raise UsageError(f"--gpu is {gpu!r}", "It is a GPU's number, as nvidia-smi shows it.")
    program = shutil.which("nvidia-smi")
    if program is None:
        warn(["there is no NVIDIA driver here: the CPU renders, --gpu or not"])
        return
    listed = subprocess.run(  # noqa: S603 - the driver's own program
        [program, "-L"], capture_output=True, text=True, check=False, timeout=60
    ).stdout
    here = re.findall(r"^GPU (\d+):", listed, re.MULTILINE)
    identities = re.findall(r"UUID: ([\w-]+)", listed)
    for each in gpu.split(","):
        if each not in here and not any(one.startswith(each) for one in identities):
            raise UsageError(
                f"there is no GPU {each} here: nvidia-smi shows {', '.join(here) or 'none'}",
                "Give one of these, or leave --gpu out.",
            )
