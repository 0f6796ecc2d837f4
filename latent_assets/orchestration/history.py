"""What old runs leave behind, and what of it can go. Dagster deletes nothing of it by itself.

A run's record and events are half a megabyte, beside its log and the values between its steps.
What the web UI shows of a walk, and what is stale, is read from the last run that materialized
each of its assets: that one stays, however old it is.
"""

import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import dagster as dg

from latent_assets.orchestration.observing import WALK_FILE
from latent_assets.store.failures import explain

ENDED = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]
GRACE_S = 3600.0
"""A run that failed just now may be about to be tried again."""


@dataclass(frozen=True)
class OldRuns:
    """What can go of runs that ended long ago."""

    runs: tuple[str, ...]
    """Runs that go as a whole: they made the latest version of nothing."""
    paths: tuple[Path, ...]
    """Files and folders: of those runs, all; of the others, the values between their steps; and
    previews and figures that no run has used since."""
    bytes: int


def plan_old_runs(
    instance: dg.DagsterInstance,
    home: Path,
    walks: Collection[str],
    older_than_s: float,
    *,
    now: float | None = None,
) -> OldRuns:
    """What can go of the runs that ended longer ago. Changes nothing.

    home: DAGSTER_HOME. walks: those that there are; their latest materializations stay.
    """
    limit = (time.time() if now is None else now) - max(older_than_s, GRACE_S)
    ended = instance.get_run_records(
        dg.RunsFilter(statuses=ENDED, updated_before=datetime.fromtimestamp(limit, timezone.utc))
    )
    old = [record.dagster_run.run_id for record in ended]
    needed = _latest(instance, walks)
    runs = tuple(run for run in old if run not in needed)
    values = [home / "storage" / "runs" / run for run in old]
    paths = [path for path in [*values, *_left_by(home, runs)] if path.exists()]
    paths += _orphans(home, set(instance.get_run_ids()), limit)
    paths += _unused(home / "storage" / "memory", limit)
    return OldRuns(runs, tuple(paths), sum(map(_size, paths)))


def remove_old_runs(instance: dg.DagsterInstance, old: OldRuns) -> None:
    """Carries the plan out. Raises StoreError where something cannot be removed."""
    for run in old.runs:
        instance.delete_run(run)
    for path in old.paths:
        try:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            continue  # another process removes the same
        except OSError as error:
            raise explain("delete", str(path), error) from error


def _latest(instance: dg.DagsterInstance, walks: Collection[str]) -> set[str]:
    """The runs that made, or observed, what is the latest of any asset of these walks."""
    found: set[str] = set()
    for key in instance.get_asset_keys():
        for walk in instance.get_materialized_partitions(key) & set(walks):
            of_walk = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[walk])
            found |= _runs_of(instance.fetch_materializations(of_walk, limit=1).records)
    for walk in walks:
        of_walk = dg.AssetRecordsFilter(asset_key=WALK_FILE, asset_partitions=[walk])
        found |= _runs_of(instance.fetch_observations(of_walk, limit=1).records)
    return found


def _runs_of(records: Iterable[dg.EventLogRecord]) -> set[str]:
    return {record.event_log_entry.run_id for record in records}


def _left_by(home: Path, runs: Iterable[str]) -> Iterator[Path]:
    """The logs of runs, and the files of their events, which Dagster empties but leaves."""
    for run in runs:
        yield home / "storage" / run
        yield from sorted((home / "history" / "runs").glob(f"{run}.db*"))


def _orphans(home: Path, known: set[str], limit: float) -> list[Path]:
    """Values between the steps of runs that were deleted, in the web UI for instance."""
    folder = home / "storage" / "runs"
    if not folder.is_dir():
        return []
    return [
        path
        for path in sorted(folder.iterdir())
        if path.name not in known and path.stat().st_mtime < limit
    ]


def _unused(memory: Path, limit: float) -> list[Path]:
    """What was remembered for runs (`orchestration.memory`), and not asked for since."""
    return [path for path in sorted(memory.glob("*/*.json")) if path.stat().st_mtime < limit]


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
