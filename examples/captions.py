"""Walks of a table of captions: a row that changes renders its walk, and no other.

    dagster dev -f captions.py

Each row of captions.csv is a partition of the asset `captions`, and a walk of that name. Switch on, under
Automation, `art__render_changed_walks`, which takes note of what is there, and then `read_changed_rows`:
it reads the rows that are new or changed, and the walks of those are rendered. The table may as well be a
database's: what counts is an asset with a partition for each walk, whose value has the fields of a walk file.
"""

import csv
import hashlib
import json
from pathlib import Path

import dagster as dg

from latent_assets.orchestration.build import build_defs
from latent_assets.settings import Settings
from latent_assets.studio import Studio

TABLE = Path(__file__).with_name("captions.csv")
rows = dg.DynamicPartitionsDefinition(name="captions")


def table() -> dict[str, dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["walk"]: row for row in csv.DictReader(file)}


def version(row: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(row).encode()).hexdigest()[:16]


@dg.asset(partitions_def=rows)
def captions(context: dg.AssetExecutionContext) -> dg.Output[dict]:
    """A row of the table, as a walk."""
    row = table()[context.partition_key]
    walk = {
        "kind": "interpolation",
        "prompts": [row["from"], row["to"]],
        "frames": int(row["frames"]),
        "model": "embedded-fast",
    }
    # A row that is read again and says the same renders nothing.
    return dg.Output(walk, data_version=dg.DataVersion(version(row)))


read = dg.define_asset_job("read_captions", [captions], executor_def=dg.in_process_executor)


@dg.sensor(job=read, minimum_interval_seconds=30)
def read_changed_rows(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    before = json.loads(context.cursor or "{}")
    now = {name: version(row) for name, row in table().items()}
    changed = [name for name in now if before.get(name) != now[name]]
    gone = [name for name in before if name not in now]
    return dg.SensorResult(
        run_requests=[dg.RunRequest(partition_key=name) for name in changed],
        dynamic_partitions_requests=[
            rows.build_add_request(changed),
            rows.build_delete_request(gone),
        ],
        cursor=json.dumps(now),
    )


studio = Studio.open(Settings.from_environment())
defs = dg.Definitions.merge(
    dg.Definitions(assets=[captions], jobs=[read], sensors=[read_changed_rows]),
    build_defs(studio, key_prefix=["art"], source=captions),
)
