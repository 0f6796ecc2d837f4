"""The automation: a sensor that renders each walk whose file has changed, once.

One sensor does it all, with one switch: it notes what changed in the files, and asks for runs. Two
that tick in the same second asked twice; a condition on each asset took every first look for a
change. See docs/decisions/0037-one-sensor-renders-what-changed.md.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES
from dagster._core.storage.tags import PARTITION_NAME_TAG

from latent_assets.errors import LatentAssetsError
from latent_assets.orchestration.automation import RETRY_WHOLE_RUNS
from latent_assets.orchestration.here import Here
from latent_assets.orchestration.observing import observations, rendered_version, walk_version
from latent_assets.studio import Studio
from latent_assets.walks.library import WalkLibrary, names_of
from latent_assets.walks.schema import Walk

NAME = "render_changed_walks"
EVERY_S = 30


@dataclass
class Seen:
    """What the sensor remembers from tick to tick."""

    since: float | None = None
    """When it was switched on: after another time of that, what is there counts as known."""
    versions: dict[str, str] = field(default_factory=dict)
    """By walk, the version of the file that is settled: rendered, asked for, or there at first.

    Only walks that Dagster knows: a new file is new until the definitions were loaded again.
    """
    requests: int = 0
    """How many runs it has asked for, ever: two for the same version are two."""

    @classmethod
    def from_cursor(cls, cursor: str | None) -> "Seen":
        """What was remembered; nothing, if it was not written by this version."""
        try:
            document = json.loads(cursor or "{}")
            return cls(document["since"], dict(document["versions"]), int(document["requests"]))
        except (ValueError, KeyError, TypeError):
            return cls()

    def to_cursor(self) -> str:
        """For Dagster to keep."""
        return json.dumps(asdict(self), sort_keys=True)

    def request(self, name: str, version: str) -> dg.RunRequest:
        """Ask for this version of a walk, which is settled by that."""
        self.versions[name] = version
        self.requests += 1
        return dg.RunRequest(
            partition_key=name,
            # The same again, if the daemon is killed before it has kept the cursor: one run.
            run_key=f"{name} {version} {self.requests}",
            tags=RETRY_WHOLE_RUNS,
        )


def changed_walks_sensor(
    here: Here, known: Collection[str], job: UnresolvedAssetJobDefinition
) -> dg.SensorDefinition:
    """known: the walks that the loaded definitions know."""
    walk_file = here.key("walk_file")

    @dg.sensor(
        name=here.name(NAME),
        job=job,
        minimum_interval_seconds=EVERY_S,
        description=(
            "The automation, in one switch. Renders each walk whose file has changed, once; new"
            " ones too. What is there when it is switched on counts as known: nothing is rendered"
            " then. A walk whose weights would have to be downloaded first is not started."
        ),
    )
    @here.filled
    def render_changed_walks(
        context: dg.SensorEvaluationContext,
        studio: dg.ResourceParam[Studio],
        library: dg.ResourceParam[WalkLibrary],
    ) -> dg.SensorResult:
        walks = {name: walk for name, walk in library.valid().items() if name in known}
        for problem in library.problems():
            context.log.warning("%s; this walk is left out until its file is mended", problem)
        _tell_of_other_files(context, known, library.names())
        noted = list(observations(context.instance, studio, walks, walk_file))
        seen, since = Seen.from_cursor(context.cursor), context.last_sensor_start_time or 0.0
        if seen.since != since:
            versions = {name: walk_version(walk) for name, walk in walks.items()}
            seen = Seen(since, versions, seen.requests)
            why = f"Took stock of {len(walks)} walks. From now on, those that change are rendered."
            return dg.SensorResult(skip_reason=why, asset_events=noted, cursor=seen.to_cursor())
        seen.versions = {name: seen.versions[name] for name in known if name in seen.versions}
        due = _due(context.instance, studio, seen, walks, walk_file)
        requests = [_request(seen, name, walks[name]) for name in due.now]
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else due.why_none(),
            asset_events=noted,
            cursor=seen.to_cursor(),
        )

    return render_changed_walks


@dataclass
class Due:
    """Changed walks: what to render now, and why the others wait."""

    now: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)

    def why_none(self) -> str:
        """For the list of ticks."""
        return ". ".join(self.waiting) if self.waiting else "No walk file has changed."


def _due(
    instance: dg.DagsterInstance,
    studio: Studio,
    seen: Seen,
    walks: dict[str, Walk],
    walk_file: dg.AssetKey,
) -> Due:
    """Settles what a person has rendered already."""
    versions = {name: walk_version(walk) for name, walk in walks.items()}
    changed = [name for name in versions if seen.versions.get(name) != versions[name]]
    if not changed:
        return Due()
    under_way = running(instance)
    due = Due()
    for name in changed:
        if name in under_way:
            due.waiting.append(f"{name} has changed, and waits for the run that is under way")
        elif rendered_version(instance, name, walk_file) == versions[name]:
            seen.versions[name] = versions[name]
        elif notice := _download(studio, name, walks[name]):
            due.waiting.append(f"{name} has changed, and is not started by itself: {notice}")
        else:
            due.now.append(name)
    return due


def _request(seen: Seen, name: str, walk: Walk) -> dg.RunRequest:
    return seen.request(name, walk_version(walk))


def running(instance: dg.DagsterInstance) -> set[str]:
    """The walks that are being rendered, or stand in the queue."""
    runs = instance.get_runs(dg.RunsFilter(statuses=IN_PROGRESS_RUN_STATUSES))
    return {run.tags[PARTITION_NAME_TAG] for run in runs if PARTITION_NAME_TAG in run.tags}


def _download(studio: Studio, name: str, walk: Walk) -> str:
    """What rendering would download first; empty, if nothing."""
    try:
        return studio.download_notice(studio.specify(name, walk).rendering.model)
    except LatentAssetsError:
        return ""  # its run fails, and says why


def _tell_of_other_files(
    context: dg.SensorEvaluationContext, known: Collection[str], there: Iterable[str]
) -> None:
    names = set(there)
    new, gone = sorted(names - set(known)), sorted(set(known) - names)
    if new or gone:
        context.log.warning(
            "Walk files have come (%s) or gone (%s). `latent-assets ui` loads them by itself;"
            " elsewhere press Reload definitions (Deployment, Code locations).",
            names_of(new),
            names_of(gone),
        )
