"""The automation of walks that another asset makes: a changed document renders its walk alone."""

import hashlib

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from latent_assets.orchestration.changed_walks import EVERY_S, NAME, Seen, running
from latent_assets.orchestration.here import Here
from latent_assets.orchestration.observing import RENDERED, VERSION


def changed_documents_sensor(
    here: Here,
    source: dg.AssetKey,
    partitions: dg.PartitionsDefinition,
    job: UnresolvedAssetJobDefinition,
) -> dg.SensorDefinition:
    """source: the asset of walk documents, with a partition for each walk."""
    walk_spec = here.key("walk_spec")

    @dg.sensor(
        name=here.name(NAME),
        job=job,
        minimum_interval_seconds=EVERY_S,
        description=(
            f"Renders each walk whose document in {source.to_user_string()} has changed, once; new"
            " ones too. What is there when it is switched on counts as known."
        ),
    )
    def render_changed_documents(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        versions = _made(context.instance, source, partitions)
        seen, since = Seen.from_cursor(context.cursor), context.last_sensor_start_time or 0.0
        if seen.since != since:
            cursor = Seen(since, versions, seen.requests).to_cursor()
            why = (
                f"Took stock of {len(versions)} walks. From now on, those that change are rendered."
            )
            return dg.SensorResult(skip_reason=why, cursor=cursor)
        seen.versions = {name: seen.versions[name] for name in versions if name in seen.versions}
        changed = [name for name in versions if seen.versions.get(name) != versions[name]]
        under_way = running(context.instance) if changed else set()
        requests = []
        for name in changed:
            if name in under_way:
                continue
            if _rendered(context.instance, name, walk_spec, source) == _as_input(versions[name]):
                seen.versions[name] = versions[name]
            else:
                requests.append(seen.request(name, versions[name]))
        waiting = [name for name in changed if name in under_way]
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else _why_none(waiting),
            cursor=seen.to_cursor(),
        )

    return render_changed_documents


def _why_none(waiting: list[str]) -> str:
    """For the list of ticks."""
    each = (f"{name} has changed, and waits for the run that is under way" for name in waiting)
    return ". ".join(each) or "No document has changed."


def _made(
    instance: dg.DagsterInstance, source: dg.AssetKey, partitions: dg.PartitionsDefinition
) -> dict[str, str]:
    """By walk, the data version of its document; of one without, which event it was."""
    log, made = instance.event_log_storage, dg.DagsterEventType.ASSET_MATERIALIZATION
    events = log.get_latest_storage_id_by_partition(source, made)
    tags = log.get_latest_tags_by_partition(source, made, [VERSION])
    known = partitions.get_partition_keys(dynamic_partitions_store=instance)
    return {
        name: tags.get(name, {}).get(VERSION, str(events[name])) for name in known if name in events
    }


def _rendered(
    instance: dg.DagsterInstance, name: str, walk_spec: dg.AssetKey, source: dg.AssetKey
) -> str | None:
    """What was read of the document when it was rendered last; None if that run had overrides."""
    of_walk = dg.AssetRecordsFilter(asset_key=walk_spec, asset_partitions=[name])
    for record in instance.fetch_materializations(of_walk, limit=1).records:
        tags = (record.asset_materialization and record.asset_materialization.tags) or {}
        read = dg.DataProvenance.from_tags(tags)
        if RENDERED in tags and read is not None and read.has_input_asset(source):
            return read.input_data_versions[source].value
    return None


def _as_input(version: str) -> str:
    """As Dagster keeps the version of one partition that a step has read."""
    return hashlib.sha256(version.encode()).hexdigest()
