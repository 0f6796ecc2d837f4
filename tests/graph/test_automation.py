"""Staleness, the automation and schedules."""

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import dagster as dg
import pytest
from automation import MADE_FROM_IT, SPEC, Daemon, write
from fakes import FakeStudio, fake_studio

from latent_assets.orchestration.build import build_defs
from latent_assets.orchestration.progress import Onlooker


@pytest.fixture
def studio(tmp_path: Path) -> FakeStudio:
    studio = fake_studio(tmp_path)
    write(studio, "one")
    write(studio, "two")
    return studio


@pytest.fixture
def daemon(studio, instance):
    return Daemon(studio, instance)


def test_switching_on_takes_stock_and_renders_nothing(daemon):
    assert daemon.tick() == []
    assert "Took stock of 2 walks" in daemon.skipped
    assert daemon.tick() == daemon.tick() == []
    assert daemon.skipped == "No walk file has changed."


def test_exactly_the_changed_walk_runs_once_and_then_it_is_quiet(daemon, studio):
    daemon.assets = None
    daemon.render("one", "two")
    daemon.tick()
    studio.counts.reset()
    write(studio, "two", "seed: 5")
    assert daemon.tick() == ["two"]
    assert studio.counts.frames == 3
    assert [daemon.tick() for _ in range(3)] == [[], [], []]
    write(studio, "two")
    assert daemon.tick() == ["two"], "back as it was before: another change"
    assert daemon.tick() == []


@pytest.mark.parametrize(
    "order",
    [
        "file tick reload tick",
        "file reload tick",
        "file tick tick reload tick tick",
        "reload file tick reload tick",
    ],
)
def test_a_new_file_is_rendered_once_however_reload_and_tick_follow(daemon, studio, order):
    daemon.tick()
    rendered = []
    for step in order.split():
        if step == "file":
            write(studio, "three")
        elif step == "reload":
            daemon.reload()
        else:
            rendered += daemon.tick()
    assert rendered == ["three"]
    assert daemon.tick() == []


def test_what_changed_while_it_was_off_counts_as_known_when_it_is_switched_on_again(daemon, studio):
    daemon.tick()
    write(studio, "two", "seed: 5")
    daemon.switched_on = 2.0
    assert daemon.tick() == daemon.tick() == []
    write(studio, "one", "seed: 5")
    assert daemon.tick() == ["one"]


def test_what_a_person_rendered_before_the_tick_is_not_rendered_again(daemon, studio):
    daemon.tick()
    write(studio, "two", "seed: 5")
    daemon.render("two")
    assert daemon.tick() == daemon.tick() == []


def test_a_run_with_other_frames_is_not_the_walk(daemon, studio):
    daemon.tick()
    write(studio, "two", "seed: 5")
    daemon.render("two", config={"frames": 5})
    assert daemon.tick() == ["two"]


def test_a_walk_that_is_being_rendered_waits_and_an_edit_meanwhile_is_rendered_after(
    daemon, studio
):
    daemon.tick()
    write(studio, "two", "seed: 5")
    asked: list[dg.RunRequest] = []
    edited: list[str] = []

    def edit_meanwhile(*_: object) -> None:
        if not edited:
            asked.extend(daemon.evaluate())
            assert daemon.skipped == "No walk file has changed."
            write(studio, "two", "seed: 6")
            asked.extend(daemon.evaluate())
            edited.append(daemon.skipped)

    daemon.assets = None
    daemon.defs = build_defs(studio, onlooker=Onlooker(on_frames=edit_meanwhile))
    assert daemon.tick() == ["two"]
    assert asked == []
    assert edited == ["two has changed, and waits for the run that is under way"]
    studio.counts.reset()
    assert daemon.tick() == ["two"]
    assert studio.counts.frames == 3
    assert daemon.tick() == daemon.tick() == []


def test_a_walk_that_would_download_its_weights_is_not_started_but_told(studio, instance):
    notices = {"stable-diffusion-1": "4.1 GB are to be downloaded"}
    studio = replace(studio, download_notice=lambda name: notices.get(name, ""))
    daemon = Daemon(studio, instance)
    daemon.tick()
    write(studio, "two", "model: stable-diffusion-1")
    assert daemon.tick() == []
    assert "two has changed, and is not started by itself: 4.1 GB" in daemon.skipped
    notices.clear()
    assert daemon.tick() == ["two"], "they are there now"


def test_a_cursor_of_another_version_is_as_good_as_none(daemon):
    for daemon.cursor in ("nonsense", '{"one": "abc"}', "[]"):
        assert daemon.tick() == []
        assert "Took stock" in daemon.skipped


def test_a_tick_that_was_lost_with_its_cursor_starts_one_run(daemon, studio):
    daemon.tick()
    write(studio, "two", "seed: 5")
    kept = daemon.cursor
    assert len(daemon.evaluate()) == 1
    daemon.cursor = kept
    assert daemon.evaluate() == []


def test_a_failed_run_is_not_asked_for_again_and_again(daemon, studio):
    daemon.tick()
    write(studio, "two", "seed: 5")
    assert len(daemon.evaluate()) == 1, "and suppose that it fails"
    assert daemon.evaluate() == daemon.evaluate() == []


# --- what is stale ------------------------------------------------------------------------------


@pytest.mark.parametrize("observed_first", [False, True])
def test_a_walk_becomes_stale_by_an_edit_and_fresh_by_editing_back(daemon, studio, observed_first):
    """Also where it was rendered before anybody looked at the files."""
    daemon.assets = [SPEC, *MADE_FROM_IT]
    if observed_first:
        daemon.observe()
    daemon.render("one", "two")
    assert daemon.stale(SPEC) == set()
    daemon.observe()
    assert daemon.stale(SPEC) == daemon.stale(MADE_FROM_IT[1]) == set()
    write(studio, "two", "seed: 5")
    daemon.observe()
    assert daemon.stale(SPEC) == {"two"}
    assert daemon.stale(MADE_FROM_IT[1]) == set(), "Dagster shows staleness one step at a time"
    write(studio, "two")
    daemon.observe()
    assert daemon.stale(SPEC) == set()


def test_an_edit_is_noted_with_the_run_that_read_it(daemon, studio):
    """Or the new version would stand for what was made from the earlier one."""
    daemon.render("two")
    write(studio, "two", "seed: 5")
    daemon.render("two")
    assert daemon.stale(SPEC) == set()
    assert [each.partition for each in daemon.observe()] == ["one"]
    assert daemon.stale(SPEC) == set()


def test_a_new_walk_spec_alone_makes_the_frames_stale(daemon, studio):
    daemon.assets = [SPEC, *MADE_FROM_IT]
    daemon.render("one", "two")
    write(studio, "two", "seed: 5")
    daemon.assets = [SPEC]
    daemon.render("two")
    assert daemon.stale(MADE_FROM_IT[1]) == {"two"}


def test_an_observation_says_what_changed_field_by_field_and_what_it_costs(daemon, studio):
    daemon.render("two")
    daemon.observe()
    write(studio, "two", "seed: 5\nnegative_prompt: '![x](http://evil.example)'", frames=5)
    (noted,) = daemon.observe()
    assert noted.partition == "two"
    changed = noted.metadata["changed"].value
    fields = [line.partition(":")[0] for line in changed.splitlines()]
    assert fields == ["- `frames`", "- `negative_prompt`", "- `seed`"]
    assert "- `frames`: 3 → 5" in changed
    assert "![x](" not in changed
    assert noted.metadata["to render"].value == 5
    assert daemon.observe() == []


def test_spacing_comments_and_order_are_no_change(daemon, studio):
    daemon.observe()
    path = studio.settings.walks_dir / "one.yaml"
    path.write_text("# a comment\nframes:   3\nprompts:\n  - a\n  - 'b'\nkind: interpolation\n")
    assert daemon.observe() == []


def test_a_walk_that_cannot_be_rendered_is_noted_with_the_reason(daemon, studio):
    write(studio, "two", "output: {formats: [gif], fps: 60}")
    noted = {each.partition: each for each in daemon.observe()}
    assert "output.fps" in noted["two"].metadata["cannot be rendered"].value


def test_files_that_come_go_or_break_are_no_failure(daemon, studio):
    daemon.tick()
    (studio.settings.walks_dir / "one.yaml").unlink()
    (studio.settings.walks_dir / "two.yaml").write_text("kind: nonsense")
    write(studio, "three")
    assert daemon.tick() == []
    partitions = build_defs(studio).resolve_job_def("render_walk").partitions_def
    assert partitions.get_partition_keys() == ["three", "two"]


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
