"""A cluster as the commands see it: overseeing a run, showing how far it is, asking the workers."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from rich.markup import escape

from latent_assets.cli.common import emit, out
from latent_assets.errors import UsageError
from latent_assets.places import without_password
from latent_assets.progress import Bar
from latent_assets.settings import CELERY, Settings
from latent_assets.studio import Plan, Studio, WalkSpec
from latent_assets.walks.library import WalkLibrary
from latent_assets.walks.order import rendering_order

_CHUNK = re.compile(r"render_chunk\[part_(\d+)_of_(\d+)\]$")


def check_has_workers(settings: Settings) -> None:
    """Raises UsageError in a deployment without."""
    if settings.executor != CELERY:
        raise UsageError(
            "this deployment has no workers: LATENT_ASSETS_EXECUTOR is not celery",
            "Set LATENT_ASSETS_EXECUTOR=celery and LATENT_ASSETS_BROKER=redis://HOST:6379/0,"
            " here and where runs are started.",
        )


def look_at_cluster(settings: Settings, *, as_json: bool) -> int:
    """Print what `doctor --cluster` finds. Returns the exit code."""
    check_has_workers(settings)
    from latent_assets.orchestration.cluster.looking import FINE, SERVERS, look

    found = look(settings)
    problems = found["problems"]
    if as_json:
        emit({**found, "ok": not problems})
        return 1 if problems else 0
    places = (settings.broker, settings.database or str(settings.dagster_home), settings.store_url)
    for name, place in zip(SERVERS, places, strict=True):
        state = "answers" if found[name] == FINE else "does not answer"
        where = without_password(place) if "://" in place else place
        out.print(f"  {name:9} {where} {state}", markup=False)
    for name, worker in found["workers"].items():
        out.print(f"  worker    {name}: {_in_words(worker)}", markup=False)
    for problem in problems:
        out.print(f"  [red]problem[/]   {escape(problem)}".replace("\n", f"\n{' ' * 10}"))
    if not problems:
        out.print("Everything that workers need is here.")
    return 1 if problems else 0


def _in_words(worker: Mapping[str, Any]) -> str:
    if "error" in worker:
        return "of another version"
    state = "at work" if worker["busy"] else "waits for work"
    version, queues = worker["latent-assets"], ", ".join(worker["queues"])
    return f"queues {queues}; {state}; latent-assets {version}, {worker['precision']}"


def check_is_known(library: WalkLibrary, name: str, told: bool) -> None:
    """What workers cannot know is refused. told: whether the command line says where files go."""
    if library.extra:
        raise UsageError(
            f"{name} is not in the project's folder of walks",
            "Workers render what is there: copy the file into it, or set"
            " LATENT_ASSETS_EXECUTOR=in_process to render it here.",
        )
    if told:
        raise UsageError(
            "--output and --metadata do not reach the workers",
            "Set LATENT_ASSETS_OUTPUTS and LATENT_ASSETS_METADATA where they run, or"
            " LATENT_ASSETS_EXECUTOR=in_process to render here.",
        )


def run_by_workers(
    studio: Studio,
    instance: Any,
    spec: WalkSpec,
    plan: Plan,
    bar: Bar,
    run_config: Mapping[str, Any],
    run_id: str,
) -> Any:
    """Returns what became of the run. Raises LatentAssetsError if the broker does not answer."""
    from latent_assets.orchestration.cluster.app import check_broker
    from latent_assets.orchestration.cluster.overseeing import oversee

    check_broker(studio.settings)
    bar.lines.say(f"run {run_id[:8]}: sent to the workers")
    show = _showing(studio, spec, plan, bar)
    return oversee(instance, spec.name, dict(run_config), run_id=run_id, on_event=show)


def _showing(studio: Studio, spec: WalkSpec, plan: Plan, bar: Bar) -> Callable[[Any], None]:
    """Tells the bar of each chunk that is done, and of queues that nobody serves."""
    from latent_assets.orchestration.cluster.handler import WAITS_IN

    missing = set(plan.missing)
    order = rendering_order(spec.walk)
    size = 0 if spec.has_timeline else studio.chunk_size(spec)

    def show(event: Any) -> None:
        if event.is_engine_event:
            if WAITS_IN in event.engine_event_data.metadata:
                bar.on_waiting(event.message)
        elif event.is_step_event:
            bar.on_waiting("")
        chunk = _CHUNK.search(event.step_key or "")
        if chunk is None or not event.is_step_success:
            return
        number, of = map(int, chunk.groups())
        if not size:  # where its frames stand is known to the workers alone
            bar.lines.say(f"part {number} of {of} is there")
            return
        keys = [recipe.key for recipe in spec.recipes(order[(number - 1) * size : number * size])]
        bar.on_frames([key for key in keys if key not in missing], False)
        bar.on_frames([key for key in keys if key in missing], True)

    return show
