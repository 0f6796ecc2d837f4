"""The command doctor: what is here, what is missing, and what to do about it."""

import importlib.metadata
import os
import platform
import shutil
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.markup import escape

from latent_assets import __version__
from latent_assets.cli.common import AsJson, emit, open_studio, out, size
from latent_assets.cli.overseen import look_at_cluster
from latent_assets.diffusion import registry
from latent_assets.diffusion.tensorflow_runtime import prepare_device
from latent_assets.errors import LatentAssetsError
from latent_assets.settings import MODELS
from latent_assets.studio import Studio, weights_source

PACKAGES = ("dagster", "tensorflow", "keras", "keras-cv", "numpy", "pillow")
LIGHT = {"tensorflow": "tensorflow-cpu"}
"""Packages that may stand in for others: a light installation has them."""
OF_STABLE_DIFFUSION = "keras-cv"
"""Needed by no other model."""
FULL_DISK_BYTES = 2 * 2**30
STABLE_DIFFUSION_BYTES = 9 * 2**30
"""Memory of a machine below which loading it is a risk: 8 GB at the peak were measured."""
HIDE_ALL = {"", "-1"}
"""Values of CUDA_VISIBLE_DEVICES that leave no GPU visible."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    cluster: Annotated[
        bool,
        typer.Option("--cluster", help="Ask the broker, database, store and workers instead."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look at the engine, GPU, weights, versions and disk, and say what is missing."""
    studio = open_studio()
    if cluster:
        raise typer.Exit(look_at_cluster(studio.settings, as_json=as_json))
    report: dict[str, Any] = {
        "latent-assets": __version__,
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "data": str(studio.settings.data),
        "store": studio.settings.store_url,
        "disk_free_bytes": _free(studio),
        "models": {
            name: _model(studio, name) for name in (*MODELS, *studio.settings.library.names())
        },
        "memory_bytes": _memory(),
        "device": _device(),
    }
    problems = _problems(report)
    report["problems"] = problems
    report["ok"] = not problems
    if as_json:
        emit(report)
    else:
        _print(report)
    raise typer.Exit(1 if problems else 0)


def _version(package: str) -> str | None:
    for name in filter(None, (package, LIGHT.get(package))):
        with suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    return None


def _free(studio: Studio) -> int:
    folder = studio.settings.data
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _model(studio: Studio, name: str) -> dict[str, Any]:
    try:
        info = studio.describe_model(name)
    except LatentAssetsError as error:
        return {"ready": False, "why": str(error)}
    found = {"ready": True, "title": info.title, "weights": info.weights_digest[:16]}
    source = weights_source(studio.settings)
    absent = registry.files_to_download(name, source)
    if absent:
        found |= {
            "ready": False,
            "why": registry.download_notice(name, source),
            "to_download": [file.name for file in absent],
        }
    return found


def _memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _device() -> dict[str, Any]:
    try:
        device = prepare_device()
    except Exception as error:  # noqa: BLE001 - whatever keeps TensorFlow from starting is the finding
        return {"kind": "none", "why": f"TensorFlow does not start: {error}"}
    found = {"kind": device.kind, "name": device.name, "threads": device.threads}
    driver = shutil.which("nvidia-smi") is not None
    return found | {"why": explain(device.kind, driver, os.environ.get("CUDA_VISIBLE_DEVICES"))}


def explain(kind: str, driver: bool, visible: str | None) -> str:
    """What the device means for a user, and what to do for another.

    kind: CPU or GPU; driver: whether NVIDIA's is installed; visible: CUDA_VISIBLE_DEVICES.
    """
    if kind == "GPU":
        return (
            "a process uses one GPU; for another one set CUDA_VISIBLE_DEVICES to its number, and"
            " start a process for each"
        )
    if not driver:
        return (
            "there is no NVIDIA driver; the embedded model needs none, Stable Diffusion takes"
            " minutes a frame without"
        )
    if visible is not None and visible.strip() in HIDE_ALL:
        return f"CUDA_VISIBLE_DEVICES={visible!r} hides every GPU: unset it to use one"
    return (
        "there is an NVIDIA driver, but TensorFlow sees no GPU:"
        " install the extra gpu (pip install -e '.[gpu]')"
    )


def _problems(report: dict[str, Any]) -> list[str]:
    absent = [name for name, version in report["versions"].items() if version is None]
    problems = [f"{name} is not installed" for name in absent if name != OF_STABLE_DIFFUSION]
    if not report["models"]["embedded"]["ready"]:
        problems.append(report["models"]["embedded"]["why"])
    if report["device"]["kind"] == "none":
        problems.append(report["device"]["why"])
    if report["disk_free_bytes"] < FULL_DISK_BYTES:
        problems.append(f"only {size(report['disk_free_bytes'])} of disk are free")
    return problems


def _print(report: dict[str, Any]) -> None:
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    out.print(f"latent-assets {report['latent-assets']}, Python {report['python']}")
    out.print(f"  packages  {versions}")
    device = report["device"]
    threads = f", {device['threads']} threads" if "threads" in device else ""
    out.print(f"  device    {device['kind']} {device.get('name', '')}{threads}", markup=False)
    out.print(f"            {device['why']}", markup=False)
    memory = size(report["memory_bytes"])
    short = report["memory_bytes"] < STABLE_DIFFUSION_BYTES
    note = "; Stable Diffusion needs some 8 GB for itself" if short else ""
    out.print(f"  memory    {memory}{note}", markup=False)
    free = size(report["disk_free_bytes"])
    out.print(f"  data      {report['data']}, {free} free", markup=False)
    for name, model in report["models"].items():
        state = f"ready, weights {model['weights']}" if model["ready"] else model["why"]
        out.print(f"  model     {name}: {state}", markup=False)
    if report["versions"][OF_STABLE_DIFFUSION] is None:
        out.print("            Stable Diffusion needs keras-cv: pip install keras-cv", markup=False)
    for problem in report["problems"]:
        out.print(f"  [red]problem[/]   {escape(problem)}")
    if report["ok"]:
        out.print("Everything that the embedded model needs is here.")
