"""Commands on the deployment: ui, doctor, vocabulary."""

import importlib.metadata
import os
import platform
import shutil
import sys
from typing import Annotated, Any

import typer
from rich.markup import escape

from latent_assets import __version__
from latent_assets.cli.common import AsJson, emit, err, open_studio, out, size
from latent_assets.diffusion import registry
from latent_assets.diffusion.embedded.vocabulary import Vocabulary
from latent_assets.diffusion.tensorflow_runtime import prepare_device
from latent_assets.errors import LatentAssetsError
from latent_assets.settings import MODELS, PROJECT_ROOT
from latent_assets.studio import Studio, weights_source

PACKAGES = ("dagster", "tensorflow", "keras", "keras-cv", "numpy", "pillow")
FULL_DISK_BYTES = 2 * 2**30


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(ui)
    app.command()(doctor)
    app.command()(vocabulary)


def ui(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 3000,
) -> None:
    """Open the web UI: Dagster with this project's assets, schedules and sensors."""
    from latent_assets.orchestration.instance import open_instance

    settings = open_studio().settings
    with open_instance(settings):  # ends the runs that were killed, and sets DAGSTER_HOME
        os.environ["LATENT_ASSETS_DATA"] = str(settings.data)
    if host not in {"127.0.0.1", "localhost", "::1"}:
        err.print(
            "[yellow]warning:[/] the web UI has no password: whoever reaches it can run walks."
            " Put a proxy that asks for one in front of it."
        )
    err.print(f"Opening http://{host}:{port} (Ctrl-C ends it)")
    command = [sys.executable, "-m", "dagster", "dev", "-h", host, "-p", str(port)]
    workspace = PROJECT_ROOT / "workspace.yaml"
    os.execv(sys.executable, [*command, "-w", str(workspace)])  # noqa: S606 - our own command


def doctor(as_json: AsJson = False) -> None:
    """Look at the engine, GPU, weights, versions and disk, and say what is missing."""
    studio = open_studio()
    report: dict[str, Any] = {
        "latent-assets": __version__,
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "data": str(studio.settings.data),
        "store": studio.settings.store_url,
        "disk_free_bytes": _free(studio),
        "models": {name: _model(studio, name) for name in MODELS},
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
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
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
    absent = registry.files_to_download(name, weights_source(studio.settings))
    if absent:
        found |= {
            "ready": False,
            "why": f"the first render downloads {', '.join(absent)}",
            "to_download": list(absent),
        }
    return found


def _device() -> dict[str, Any]:
    try:
        device = prepare_device()
    except Exception as error:  # noqa: BLE001 - whatever keeps TensorFlow from starting is the finding
        return {"kind": "none", "why": f"TensorFlow does not start: {error}"}
    found = {"kind": device.kind, "name": device.name, "threads": device.threads}
    if device.kind == "CPU" and shutil.which("nvidia-smi"):
        found["why"] = (
            "there is an NVIDIA driver, but TensorFlow sees no GPU:"
            " install the extra gpu (pip install -e '.[gpu]')"
        )
    return found


def _problems(report: dict[str, Any]) -> list[str]:
    problems = [f"{name} is not installed" for name, v in report["versions"].items() if v is None]
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
    out.print(f"  device    {device['kind']} {device.get('name', '')}")
    if "why" in device:
        out.print(f"            {device['why']}", markup=False)
    free = size(report["disk_free_bytes"])
    out.print(f"  data      {report['data']}, {free} free", markup=False)
    for name, model in report["models"].items():
        state = f"ready, weights {model['weights']}" if model["ready"] else model["why"]
        out.print(f"  model     {name}: {state}", markup=False)
    for problem in report["problems"]:
        out.print(f"  [red]problem[/]   {escape(problem)}")
    if report["ok"]:
        out.print("Everything that the embedded model needs is here.")


def vocabulary(
    words: Annotated[
        list[str] | None, typer.Argument(help="Say what the model makes of these words.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The words that the embedded model knows, or what it makes of a prompt."""
    known = Vocabulary.load(open_studio().settings.models_dir / "embedded")
    if words:
        text = " ".join(words)
        reading = known.read(text)
        document: dict[str, Any] = {
            "prompt": text,
            "known": [list(pair) for pair in reading.known],
            "unknown": list(reading.unknown),
        }
        if as_json:
            emit(document)
            return
        for word, used_as in reading.known:
            out.print(f"  {word}" if word == used_as else f"  {word} → {used_as}", markup=False)
        for word in reading.unknown:
            out.print(f"  {escape(word)}: [yellow]not known[/]")
        return
    groups = known.known_words()
    if as_json:
        emit({name: list(group) for name, group in groups.items()})
        return
    for name, group in groups.items():
        out.print(f"[bold]{name}[/]\n  {', '.join(group)}")
