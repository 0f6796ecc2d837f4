"""Rendering by the workers of a cluster: this process oversees the run, and shows how far it is."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from latent_assets.errors import UsageError
from latent_assets.progress import Bar
from latent_assets.studio import Plan, Studio, WalkSpec
from latent_assets.walks.library import WalkLibrary
from latent_assets.walks.order import rendering_order

_CHUNK = re.compile(r"render_chunk\[part_(\d+)_of_(\d+)\]$")


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
    """Tells the bar of each chunk that is done."""
    missing = set(plan.missing)
    order = rendering_order(spec.walk)
    size = 0 if spec.has_timeline else studio.chunk_size(spec)

    def show(event: Any) -> None:
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
