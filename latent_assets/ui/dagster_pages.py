"""Dagster's part of the pages: its code server, its daemon, its web application.

As `dagster dev` does, one code server serves both the pages and the daemon, so that a reload
reaches both; the definitions are loaded in it, not here.
"""

import contextlib
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import GrpcServerTarget
from dagster._grpc.client import DagsterGrpcClient
from dagster._serdes import serialize_value
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__
from starlette.applications import Starlette

from latent_assets.errors import LatentAssetsError
from latent_assets.orchestration.observing import observations
from latent_assets.studio import Studio
from latent_assets.ui.children import Family
from latent_assets.walks.schema import Walk

POLL_MS = 2000
"""How often the pages ask for what is new."""
START_S = 120.0
_STATEMENT_MS, _RECYCLE_S, _OVERFLOW = 15000, 3600, 20
"""Dagster's own defaults for a web server's database."""


def daemon(workspace: Path, instance: dg.DagsterInstance) -> list[str]:
    """The command of the daemon: schedules, sensors, queued runs."""
    dagster = [sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace)]
    return [*dagster, "--instance-ref", serialize_value(instance.get_ref()),
            "--log-level", "warning"]  # fmt: skip


def workspace_file(folder: Path, socket: Path, location: str) -> Path:
    """What tells the daemon of the code server."""
    path = folder / "workspace.yaml"
    server = {"socket": str(socket), "host": "localhost", "location_name": location}
    path.write_text(json.dumps({"load_from": [{"grpc_server": server}]}))  # JSON is YAML
    return path


def wait_until_up(socket: Path, family: Family) -> None:
    """Until the code server answers. Raises LatentAssetsError, if it does not start."""
    client = DagsterGrpcClient(socket=str(socket), host="localhost")
    end = time.monotonic() + START_S
    while not family.broken.is_set() and time.monotonic() < end:
        with contextlib.suppress(Exception):
            client.ping("")
            return
        time.sleep(0.1)
    raise LatentAssetsError("Dagster's code server does not start", f"See {family.log.name}.")


@dataclass(frozen=True)
class Pages:
    """Dagster's web application, and what its button Reload does."""

    app: Starlette
    reload: Callable[[], None]
    problem: str
    """Why the definitions do not load; empty, if they do."""


@contextlib.contextmanager
def pages(instance: dg.DagsterInstance, socket: Path, location: str) -> Iterator[Pages]:
    """What is served of Dagster, in the block."""
    instance.optimize_for_webserver(_STATEMENT_MS, _RECYCLE_S, _OVERFLOW)
    target = GrpcServerTarget(
        host="localhost", port=None, socket=str(socket), location_name=location
    )
    # Its stack trace of a folder that does not load is in the pages; here a sentence is enough.
    warnings.filterwarnings("ignore", message="Error loading repository location")
    with WorkspaceProcessContext(
        instance, version=__version__, workspace_load_target=target
    ) as context:
        error = context.create_request_context().get_code_location_error(location)
        yield Pages(
            create_app_from_workspace_process_context(context, live_data_poll_rate=POLL_MS),
            lambda: context.reload_code_location(location),
            "" if error is None else error.message.strip().splitlines()[0],
        )


def note_changes(instance: dg.DagsterInstance, studio: Studio, walks: Mapping[str, Walk]) -> None:
    """Note which walk files have changed, as the button Observe does."""
    for each in observations(instance, studio, walks):
        instance.report_runless_asset_event(each)
