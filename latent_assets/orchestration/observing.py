"""What Dagster knows of the walk files: which version of each was seen, and which was rendered.

A version is the digest of a file's meaning. It is noted as an observation of `walk_file`, with what
has changed in the file and what rendering it will cost. Who materializes a walk notes what it read
(`note_what_was_read`), or a walk that was rendered before anybody looked would never become stale:
its record would name no version of the file.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any

import dagster as dg

from latent_assets.digests import digest_of
from latent_assets.errors import LatentAssetsError
from latent_assets.orchestration import show
from latent_assets.orchestration.here import beside
from latent_assets.studio import Studio
from latent_assets.walks.schema import WALK_ADAPTER, Walk, walk_meaning

WALK_FILE = dg.AssetKey("walk_file")
VERSION = "dagster/data_version"
RENDERED = "latent-assets/walk-file"
"""Tag of what `walk_spec` materializes: the version of its file, unless the run has overrides."""
MOST_CHANGES = 20
_LONGEST = 60
_LEAD = 20


def walk_version(walk: Walk) -> str:
    """Digest of what a walk file means: spacing, comments and order of fields do not count."""
    return digest_of(walk_meaning(walk))[:16]


def observed_versions(
    instance: dg.DagsterInstance, walk_file: dg.AssetKey = WALK_FILE
) -> dict[str, str]:
    """By walk, the version of its file that was seen last."""
    found = instance.event_log_storage.get_latest_tags_by_partition(
        walk_file, dg.DagsterEventType.ASSET_OBSERVATION, [VERSION]
    )
    return {walk: tags[VERSION] for walk, tags in found.items() if VERSION in tags}


def rendered_version(
    instance: dg.DagsterInstance, name: str, walk_file: dg.AssetKey = WALK_FILE
) -> str | None:
    """The version of the walk's file that was rendered last; None if that run had overrides."""
    walk_spec = beside(walk_file, "walk_spec")
    of_walk = dg.AssetRecordsFilter(asset_key=walk_spec, asset_partitions=[name])
    for record in instance.fetch_materializations(of_walk, limit=1).records:
        made = record.asset_materialization
        return (made.tags or {}).get(RENDERED) if made is not None else None
    return None


def observations(
    instance: dg.DagsterInstance,
    studio: Studio,
    walks: Mapping[str, Walk],
    walk_file: dg.AssetKey = WALK_FILE,
) -> Iterator[dg.AssetObservation]:
    """One for each of the walks whose file means something else than when it was last seen."""
    seen = observed_versions(instance, walk_file)
    for name, walk in walks.items():
        if seen.get(name) != walk_version(walk):
            yield observation(instance, studio, name, walk, walk_file)


def observation(
    instance: dg.DagsterInstance,
    studio: Studio,
    name: str,
    walk: Walk,
    walk_file: dg.AssetKey = WALK_FILE,
) -> dg.AssetObservation:
    """The file as it is now, what has changed since it was last seen, and what it costs."""
    before, now = _last_fields(instance, name, walk_file), _fields(walk)
    changes = [] if before is None else list(differences(before, now))
    metadata: dict[str, Any] = {}
    if changes:
        metadata["changed"] = show.bullet_list(changes[:MOST_CHANGES], escape=False)
    metadata |= _cost(studio, name, walk)
    metadata["walk"] = dg.MetadataValue.json(now)
    return dg.AssetObservation(
        asset_key=walk_file,
        partition=name,
        metadata=metadata,
        tags={VERSION: walk_version(walk)},
        description=None if changes or before is None else "The file means what it meant before.",
    )


def note_what_was_read(
    context: dg.AssetExecutionContext, studio: Studio, name: str, walk: Walk
) -> None:
    """In the step that reads the file: the materialization's record then names its version."""
    instance, walk_file = context.instance, beside(context.asset_key, "walk_file")
    if observed_versions(instance, walk_file).get(name) != walk_version(walk):
        # Of no run: runs are deleted when they are old, and this has to stay.
        instance.report_runless_asset_event(observation(instance, studio, name, walk, walk_file))
    # Dagster looked before the step began.
    context.get_step_execution_context().wipe_input_asset_version_info(walk_file)


def differences(before: Any, now: Any, place: str = "") -> Iterator[str]:
    """Field by field, as Markdown: `prompts[1]`: "a cat" → "a dog"."""
    if before == now:
        return
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            yield from differences(before.get(key), now.get(key), f"{place}.{key}".lstrip("."))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, pair in enumerate(zip(before, now, strict=True)):
            yield from differences(*pair, f"{place}[{index}]")
    else:
        was, becomes = _written(before), _written(now)
        # Of two long prompts that begin alike, what differs is to be seen.
        pairs = zip(was, becomes, strict=False)
        alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        begin = max(alike - _LEAD, 0) if alike > _LONGEST // 2 else 0
        yield f"`{place}`: {_part(was, begin)} → {_part(becomes, begin)}"


def _written(value: Any) -> str:
    return "(nothing)" if value is None else json.dumps(value, ensure_ascii=False)


def _part(text: str, begin: int) -> str:
    """As much of the text as a line takes, escaped."""
    if len(text) <= _LONGEST:
        return show.escaped(text)
    shown = f"{'…' if begin else ''}{text[begin : begin + _LONGEST - 1]}"
    return show.escaped(shown + ("…" if begin + _LONGEST - 1 < len(text) else ""))


def _cost(studio: Studio, name: str, walk: Walk) -> dict[str, Any]:
    """What rendering it takes; or why it cannot be rendered."""
    try:
        plan = studio.plan(studio.specify(name, walk))
    except LatentAssetsError as error:
        return {"cannot be rendered": str(error)}
    estimate = "not measured yet" if plan.estimate_s is None else plan.estimate_s
    return {"frames": plan.frames, "to render": plan.to_render, "estimate (s)": estimate}


def _fields(walk: Walk) -> Any:
    return WALK_ADAPTER.dump_python(walk, mode="json")


def _last_fields(instance: dg.DagsterInstance, name: str, walk_file: dg.AssetKey) -> Any:
    of_walk = dg.AssetRecordsFilter(asset_key=walk_file, asset_partitions=[name])
    for record in instance.fetch_observations(of_walk, limit=1).records:
        found = record.asset_observation
        value = found.metadata.get("walk") if found is not None else None
        if value is not None:
            return value.value
    return None
