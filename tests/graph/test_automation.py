"""Staleness, the watching sensor, automation and schedules."""

from datetime import datetime, timezone
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest
from fakes import FakeStudio, fake_studio

from latent_assets.orchestration.build import build_defs
from latent_assets.orchestration.progress import Onlooker
from latent_assets.walks.library import WalkLibrary

FRAMES = dg.AssetKey("frames")
SPEC = dg.AssetKey("walk_spec")


def write(studio: FakeStudio, name: str, more: str = "", frames: int = 3):
    text = f"kind: interpolation\nprompts: [a, b]\nframes: {frames}\n{more}\n"
    (studio.settings.walks_dir / f"{name}.yaml").write_text(text)


@pytest.fixture
def studio(tmp_path: Path) -> FakeStudio:
    studio = fake_studio(tmp_path)
    write(studio, "one")
    write(studio, "two")
    return studio


class Daemon:
    """What Dagster's daemon does of it: watch the files, ask the conditions, run what they say."""

    def __init__(self, studio: FakeStudio, instance: dg.DagsterInstance) -> None:
        self.studio, self.instance = studio, instance
        self.defs = build_defs(studio)
        self.watched: str | None = None
        self.cursor = None

    def watch(self) -> list[str]:
        """Tick the sensor; the walks that it saw change."""
        sensor = self.defs.resolve_sensor_def("watch_walk_files")
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.watched,
            resources={"library": WalkLibrary(self.studio.settings.walks_dir)},
        )
        result = sensor.evaluate_tick(context)
        self.watched = result.cursor
        for event in result.asset_events:
            self.instance.report_runless_asset_event(event)
        return [event.partition for event in result.asset_events]

    def tick(self) -> set[str]:
        """Ask the automation conditions once, and run the walks that they request."""
        asked = dg.evaluate_automation_conditions(
            self.defs, instance=self.instance, cursor=self.cursor
        )
        self.cursor = asked.cursor
        walks = asked.get_requested_partitions(FRAMES)
        job = self.defs.resolve_job_def("render_walk")
        for walk in walks:
            assert job.execute_in_process(instance=self.instance, partition_key=walk).success
        return walks

    def render(self, *walks: str) -> None:
        """As a person would, by Materialize."""
        job = self.defs.resolve_job_def("render_walk")
        for walk in walks:
            assert job.execute_in_process(instance=self.instance, partition_key=walk).success

    def stale(self, asset: dg.AssetKey) -> set[str]:
        """The walks whose partition of the asset the web UI marks as stale."""
        graph = self.defs.resolve_asset_graph()
        context = LoadingContextForTest(self.instance)
        resolver = CachingStaleStatusResolver(self.instance, graph, context)
        status = {name: resolver.get_status(asset, name) for name in ("one", "two")}
        return {name for name, found in status.items() if found is StaleStatus.STALE}


def test_exactly_the_changed_walk_runs_once_and_then_it_is_quiet(studio, instance):
    daemon = Daemon(studio, instance)
    daemon.watch()
    daemon.tick()
    daemon.render("one", "two")
    for _ in range(2):
        daemon.watch()
        daemon.tick()
    studio.counts.reset()
    write(studio, "two", "seed: 5")
    assert daemon.watch() == ["two"]
    assert daemon.tick() == {"two"}
    assert studio.counts.frames == 3
    for _ in range(3):
        assert daemon.watch() == []
        assert daemon.tick() == set()


@pytest.mark.parametrize("rendered", [(), ("one",), ("one", "two")])
def test_switching_on_in_the_order_of_the_docs_renders_nothing(studio, instance, rendered):
    daemon = Daemon(studio, instance)
    daemon.render(*rendered)
    assert daemon.watch() == ["one", "two"]
    assert daemon.tick() == daemon.tick() == set()


def test_the_web_ui_shows_exactly_the_changed_walk_as_stale(studio, instance):
    daemon = Daemon(studio, instance)
    daemon.watch()
    daemon.tick()
    daemon.render("one", "two")
    daemon.watch()
    assert daemon.stale(SPEC) == daemon.stale(FRAMES) == set()
    write(studio, "two", "seed: 5")
    daemon.watch()
    assert daemon.stale(SPEC) == {"two"}
    assert daemon.stale(FRAMES) == set(), "Dagster shows staleness one step at a time"
    assert daemon.tick() == {"two"}
    assert daemon.stale(SPEC) == daemon.stale(FRAMES) == set()


def test_a_new_walk_spec_alone_makes_the_frames_stale(studio, instance):
    daemon = Daemon(studio, instance)
    daemon.watch()
    daemon.render("one", "two")
    write(studio, "two", "seed: 5")
    daemon.defs.resolve_job_def("render_walk").execute_in_process(
        instance=instance, partition_key="two", asset_selection=[SPEC]
    )
    assert daemon.stale(FRAMES) == {"two"}


def test_a_file_edited_while_its_walk_is_rendered_is_rendered_again(studio, instance):
    """The change is seen in the same tick as the end of a run that began before it."""
    daemon = Daemon(studio, instance)
    daemon.watch()
    daemon.tick()
    write(studio, "two", "seed: 5")
    daemon.watch()
    edited: list[str] = []

    def edit_meanwhile(*_: object) -> None:
        if not edited:
            write(studio, "two", "seed: 6")
            edited.extend(daemon.watch())

    daemon.defs = build_defs(studio, onlooker=Onlooker(on_frames=edit_meanwhile))
    assert daemon.tick() == {"two"}
    assert edited == ["two"]
    studio.counts.reset()
    assert daemon.tick() == {"two"}
    assert studio.counts.frames == 3
    assert daemon.tick() == daemon.tick() == set()


def test_spacing_comments_and_order_are_no_change(studio, instance):
    daemon = Daemon(studio, instance)
    assert daemon.watch() == ["one", "two"]
    path = studio.settings.walks_dir / "one.yaml"
    path.write_text("# a comment\nframes:   3\nprompts:\n  - a\n  - 'b'\nkind: interpolation\n")
    assert daemon.watch() == []


def test_files_that_come_go_or_break_are_no_failure(studio, instance):
    daemon = Daemon(studio, instance)
    daemon.watch()
    (studio.settings.walks_dir / "one.yaml").unlink()
    (studio.settings.walks_dir / "two.yaml").write_text("kind: nonsense")
    write(studio, "three")
    assert daemon.watch() == []
    assert build_defs(studio).resolve_job_def(
        "render_walk"
    ).partitions_def.get_partition_keys() == [
        "three",
        "two",
    ]


def test_data_versions_do_not_change_with_the_speed_of_the_film(studio, instance):
    """fps belongs to the animation: encodings and frames must not become stale by it."""
    job = build_defs(studio).resolve_job_def("render_walk")
    versions = []
    for fps in (4, 8):
        write(studio, "one", f"output: {{fps: {fps}}}")
        result = job.execute_in_process(instance=instance, partition_key="one")
        versions.append(
            {
                event.asset_key.to_user_string(): event.materialization.tags["dagster/data_version"]
                for event in result.get_asset_materialization_events()
            }
        )
    before, after = versions
    same = {name for name in before if before[name] == after[name]}
    assert {"text_encodings", "encoding_path", "noise_path", "frames"} <= same
    assert "walk_spec" not in same


def test_a_schedule_in_the_walk_file_becomes_a_schedule_that_is_off(studio, instance):
    write(studio, "one", 'schedule: {cron: "0 2 * * *", timezone: Europe/Berlin}')
    defs = build_defs(studio)
    (schedule,) = defs.schedules
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    assert schedule.execution_timezone == "Europe/Berlin"
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=datetime(2030, 1, 1, 2, tzinfo=timezone.utc),
        repository_def=defs.get_repository_def(),
    )
    (request,) = schedule.evaluate_tick(context).run_requests
    assert request.partition_key == "one"
    assert request.tags["dagster/retry_strategy"] == "ALL_STEPS"


def test_walks_whose_names_differ_by_a_dash_have_schedules_of_their_own(studio):
    for name in ("a-b", "a_b", "changed-walks"):
        write(studio, name, 'schedule: {cron: "0 2 * * *"}')
    defs = build_defs(studio)
    dg.Definitions.validate_loadable(defs)
    assert len({schedule.name for schedule in defs.schedules}) == 3
