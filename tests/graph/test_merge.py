"""A graph of walks beside the assets of somebody else, who has taken all the names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap
from fakes import FakeStudio, fake_studio

from latent_assets.orchestration.build import build_defs

WALK = "kind: interpolation\nprompts: [a, b]\nframes: 3\nnum_steps: 4\nschedule: {cron: '@daily'}\n"
ROWS = dg.StaticPartitionsDefinition(["w", "x"])


class Shelf(dg.IOManager):
    """Theirs; tells what it was given."""

    def __init__(self, kept: dict[str, object]) -> None:
        self.kept = kept

    def handle_output(self, context, obj):
        partition = context.partition_key if context.has_partition_key else ""
        self.kept[f"{context.asset_key.to_user_string()} {partition}".strip()] = obj

    def load_input(self, context):
        return self.kept[context.asset_key.to_user_string()]


def theirs(kept: dict[str, object]) -> dg.Definitions:
    """Names, keys and habits as ours, all of them of their own."""

    @dg.asset
    def frames(studio: dg.ResourceParam[str]) -> str:
        return f"theirs, by {studio}"

    @dg.asset(automation_condition=dg.AutomationCondition.eager(), group_name="render")
    def report(frames: str) -> dg.Output[str]:
        return dg.Output(f"on {frames}", metadata={"length": len(frames)})

    @dg.asset(partitions_def=ROWS, automation_condition=dg.AutomationCondition.on_cron("@daily"))
    def rows(context: dg.AssetExecutionContext) -> str:
        return context.partition_key

    @dg.asset_check(asset=frames)
    def complete(frames: str) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=bool(frames))

    job = dg.define_asset_job("render_walk", selection=dg.AssetSelection.assets("frames", "report"))

    @dg.sensor(name="render_changed_walks", job=job)
    def sensor(_context: dg.SensorEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(run_key="theirs")

    return dg.Definitions(
        assets=[frames, report, rows],
        asset_checks=[complete],
        jobs=[job],
        sensors=[sensor, dg.AutomationConditionSensorDefinition("theirs", target=["report"])],
        schedules=[dg.ScheduleDefinition(name="walk_w", job=job, cron_schedule="@daily")],
        resources={"io_manager": Shelf(kept), "studio": "them"},
        executor=dg.multiprocess_executor,
    )


@pytest.fixture
def studios(tmp_path: Path) -> list[FakeStudio]:
    found = []
    for name in ("one", "two"):
        studio = fake_studio(tmp_path / name)
        (studio.settings.walks_dir / "w.yaml").write_text(WALK, encoding="utf-8")
        found.append(studio)
    return found


def merged(kept: dict[str, object], studios: Sequence[FakeStudio]) -> dg.Definitions:
    ours = [build_defs(each, key_prefix=["art", str(n)]) for n, each in enumerate(studios)]
    together = dg.Definitions.merge(theirs(kept), *ours)
    dg.Definitions.validate_loadable(together)
    return together


def described(defs: dg.Definitions) -> dict[tuple[str, str], Any]:
    """All that Dagster's web server and daemon are told, by kind and name."""
    snap = RepositorySnap.from_def(defs.get_repository_def())
    lists = {
        "asset": [(each.asset_key.to_user_string(), each) for each in snap.asset_nodes],
        "check": [
            (f"{each.asset_key.to_user_string()} {each.name}", each)
            for each in snap.asset_check_nodes or []
        ],
        "sensor": [(each.name, each) for each in snap.sensors],
        "schedule": [(each.name, each) for each in snap.schedules],
        # Who uses a resource is no part of it.
        "resource": [(each.name, _without(each, "job_ops_using")) for each in snap.resources or []],
        # All jobs of a project can be given all its resources, ours too.
        "job": [
            (each.name, _without(each.job, "config_schema_snapshot", "mode_def_snaps"))
            for each in snap.job_datas or []
        ],
    }
    return {(kind, name): value for kind, found in lists.items() for name, value in found}


def _without(record: Any, *fields: str) -> dict[str, Any]:
    return {name: getattr(record, name) for name in type(record)._fields if name not in fields}


def results(job: dg.JobDefinition, **how: Any) -> list[tuple]:
    """What a run of it did, event by event."""
    with dg.DagsterInstance.ephemeral() as instance:
        run = job.execute_in_process(instance=instance, **how)
        assert run.success
        made = [
            (
                each.asset_key,
                each.partition,
                {n: v.value for n, v in each.materialization.metadata.items()},
            )
            for each in run.get_asset_materialization_events()
        ]
        checked = [
            (each.asset_key, each.check_name, each.passed)
            for each in run.get_asset_check_evaluations()
        ]
        return made + checked


def test_nothing_of_theirs_is_described_otherwise(studios):
    alone, together = described(theirs({})), described(merged({}, studios))
    ours = {
        kind: sum(each == kind for each, _ in together) - sum(each == kind for each, _ in alone)
        for kind in ("job", "sensor", "schedule", "resource")
    }
    assert ours == {"job": 2, "sensor": 2, "schedule": 2, "resource": 4}
    for thing in alone.keys() - {("job", "__ASSET_JOB")}:  # that one holds every asset there is
        assert together[thing] == alone[thing], thing


def test_their_runs_do_what_they_did(studios):
    outcomes = []
    for make in (theirs, lambda kept: merged(kept, studios)):
        kept: dict[str, object] = {}
        defs = make(kept)
        everything = defs.resolve_implicit_global_asset_job_def()
        outcomes.append(
            [
                results(defs.resolve_job_def("render_walk")),
                results(everything, asset_selection=[dg.AssetKey("rows")], partition_key="w"),
                kept,
                [
                    each.executor_def.name
                    for each in (everything, defs.resolve_job_def("render_walk"))
                ],
            ]
        )
    assert outcomes[0] == outcomes[1]
    assert outcomes[1][2] == {
        "frames": "theirs, by them",
        "report": "on theirs, by them",
        "rows w": "w",
    }
    assert outcomes[1][3] == ["multiprocess", "multiprocess"]
    assert studios[0].counts.frames == 0


def test_their_automation_asks_for_what_it_asked_for(studios):
    asked = []
    for defs in (theirs({}), merged({}, studios)):
        with dg.DagsterInstance.ephemeral() as instance:
            job = defs.resolve_job_def("render_walk")
            job.execute_in_process(instance=instance)
            first = dg.evaluate_automation_conditions(defs=defs, instance=instance)
            job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("frames")])
            then = dg.evaluate_automation_conditions(
                defs=defs, instance=instance, cursor=first.cursor
            )
            of_report = then.get_num_requested(dg.AssetKey("report"))
            asked.append((first.total_requested, of_report, then.total_requested))
    assert asked[0] == asked[1] == (0, 1, 1)


def test_two_graphs_render_each_its_own_walks_past_their_io_manager(studios):
    kept: dict[str, object] = {}
    defs = merged(kept, studios)
    for number, studio in enumerate(studios):
        job = defs.resolve_job_def(f"art__{number}__render_walk")
        assert {key.path[1] for key in job.asset_layer.executable_asset_keys} == {str(number)}
        assert job.executor_def.name == "in_process"
        made = results(job, partition_key="w")
        assert dg.AssetKey(["art", str(number), "animation"]) in {each[0] for each in made}
        assert studio.counts.frames == 3
        assert (studio.settings.outputs_dir / "w").is_dir()
    assert kept == {}


def test_a_schedule_and_the_sensor_of_a_graph_ask_for_its_own_job(studios):
    defs = merged({}, studios)
    schedule = defs.get_schedule_def("art__1__walk_w")
    assert schedule.job_name == "art__1__render_walk"
    (switch,) = [each for each in defs.sensors or [] if each.name == "art__1__render_changed_walks"]
    with dg.DagsterInstance.ephemeral() as instance:
        first = switch(dg.build_sensor_context(instance=instance))
        (studios[1].settings.walks_dir / "w.yaml").write_text(WALK.replace("b]", "c]"), "utf-8")
        second = switch(
            dg.build_sensor_context(
                instance=instance, cursor=first.cursor, repository_def=defs.get_repository_def()
            )
        )
    assert [request.partition_key for request in second.run_requests] == ["w"]
    assert {event.asset_key for event in second.asset_events} == {
        dg.AssetKey(["art", "1", "walk_file"])
    }


def test_without_a_prefix_names_that_are_taken_are_refused_by_dagster(studios):
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        dg.Definitions.validate_loadable(dg.Definitions.merge(theirs({}), build_defs(studios[0])))
