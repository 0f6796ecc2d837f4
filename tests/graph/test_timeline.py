"""A walk of perceptual pace through the asset graph, on a model of numpy alone."""

import json
from pathlib import Path

import dagster as dg
import pytest
from fakes import fake_studio

from latent_assets.cli.files import walk_text
from latent_assets.media import inspect_file
from latent_assets.orchestration.build import build_defs
from latent_assets.settings import Settings
from latent_assets.walks.library import WalkLibrary

WALK = "kind: interpolation\nprompts: [a, b, c]\nframes: 9\nnum_steps: 2\nchunk_size: 4\n"
PACED = WALK + "pace: perceptual\n"


def write(studio, text, name="w"):
    (studio.settings.walks_dir / f"{name}.yaml").write_text(text)


def run(studio, instance, *only, name="w"):
    job = build_defs(studio).resolve_job_def("render_walk")
    return job.execute_in_process(
        instance=instance,
        partition_key=name,
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        asset_selection=[dg.AssetKey(each) for each in only] or None,
    )


def version(instance, asset):
    event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    return event.asset_materialization.tags["dagster/data_version"]


def test_a_paced_walk_becomes_pictures_and_a_second_run_renders_none(studio, instance):
    write(studio, PACED)
    planned = studio.plan(studio.specify("w", WalkLibrary(studio.settings.walks_dir).load("w")))
    result = run(studio, instance)
    assert result.success
    timeline, frames = result.asset_value("timeline"), result.asset_value("frames")
    assert timeline["rendered"] + frames["rendered"] == studio.counts.frames <= planned.to_render
    assert len(frames["keys"]) == 9
    checks = {each.check_name: each.passed for each in result.get_asset_check_evaluations()}
    assert checks["frames_complete"]
    assert checks["keyframes_reached"]
    page = Path(result.asset_value("page")["paths"][0]).with_name("walk.js").read_text()
    assert all(key in page for key in frames["keys"])
    versions = [version(instance, each) for each in ("timeline", "encoding_path", "frames")]
    studio.counts.reset()
    again = fake_studio(studio.settings.data)
    assert run(again, instance).success
    assert (again.counts.engines, again.counts.frames) == (0, 0)
    assert [version(instance, each) for each in ("timeline", "encoding_path", "frames")] == versions


def test_a_change_of_format_leaves_timeline_and_frames_as_they_are(studio, instance):
    write(studio, PACED)
    assert run(studio, instance).success
    before = [version(instance, each) for each in ("timeline", "frames")]
    studio.counts.reset()
    write(studio, PACED + "output: {fps: 20, formats: [webp]}\n")
    assert run(studio, instance).success
    assert studio.counts.frames == 0
    assert [version(instance, each) for each in ("timeline", "frames")] == before


def test_a_walk_of_uniform_pace_has_no_timeline_and_no_pilots(studio, instance):
    write(studio, WALK)
    result = run(studio, instance)
    assert result.asset_value("timeline")["does not apply"] == "the walk's pace is uniform"
    assert studio.counts.frames == 9


def test_frames_are_not_placed_by_the_timeline_of_an_earlier_version(studio, instance):
    write(studio, PACED)
    assert run(studio, instance).success
    write(studio, PACED.replace("frames: 9", "frames: 7"))
    assert run(studio, instance, "walk_spec").success
    result = run(studio, instance, "encoding_path", "noise_path", "frames")
    assert not result.success
    (first, *_) = [e for e in result.all_events if e.is_step_failure]
    told = first.step_failure_data.user_failure_data.description
    assert "the timeline of w is that of an earlier version" in told
    assert "Materialize timeline again" in told


@pytest.mark.parametrize("kind", ["path", "grid"])
def test_a_walk_taken_out_of_a_file_renders_the_same_frames_without_pilots(
    studio, instance, tmp_path, kind
):
    grid = "kind: grid\nprompts: [a, b, c, d]\ngrid_size: 4\nnum_steps: 2\npace: perceptual\n"
    write(studio, PACED if kind == "path" else grid)
    result = run(studio, instance)
    assert result.success
    record = inspect_file(studio.output_path("w", ".gif" if kind == "path" else ".png"))
    other = fake_studio(tmp_path / "other", settings=Settings(data=tmp_path / "other"))
    write(other, walk_text(record), name="again")
    with dg.DagsterInstance.ephemeral() as elsewhere:
        again = run(other, elsewhere, name="again")
    assert again.success
    assert again.asset_value("frames")["keys"] == result.asset_value("frames")["keys"]
    assert again.asset_value("frames")["digests"] == result.asset_value("frames")["digests"]
    assert "the file says" in again.asset_value("timeline")["does not apply"]
    assert other.counts.frames == len(set(record.frame_keys))
    json.dumps(record.as_dict())
