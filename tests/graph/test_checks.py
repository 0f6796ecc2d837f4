"""Each check of a walk can fail: on a store that was tampered with, or a walk that earns it."""

import json
from pathlib import Path

import dagster as dg
import numpy as np
from fakes import SIZE, FakeStudio

from latent_assets.cli.render import _why
from latent_assets.lastrun import read_last_run
from latent_assets.orchestration import show
from latent_assets.orchestration.build import build_defs
from latent_assets.store import Receipt, environment, pixel_digest
from latent_assets.walks.loading import parse_walk

FRAMES = dg.AssetKey("frames")


def write(studio: FakeStudio, prompts: str = "a, b", frames: int = 5, more: str = "") -> list[str]:
    """Write the walk w; returns the keys of its frames."""
    text = f"kind: interpolation\nprompts: [{prompts}]\nframes: {frames}\n{more}\n"
    (studio.settings.walks_dir / "w.yaml").write_text(text)
    return [recipe.key for recipe in studio.specify("w", parse_walk(text, "w.yaml")).recipes()]


def put(studio: FakeStudio, key: str, pixels: np.ndarray) -> None:
    """Store a picture that no model gave, with a receipt that agrees."""
    receipt = Receipt(
        key=key,
        recipe={},
        pixel_digest=pixel_digest(pixels),
        environment=environment(device="cpu"),
        batch=(key,),
        position=0,
        seconds=0.1,
        created="2026-01-01T00:00:00Z",
    )
    studio.frames.write(key, pixels, receipt)


def render(studio: FakeStudio, instance: dg.DagsterInstance) -> dict[str, dg.AssetCheckEvaluation]:
    job = build_defs(studio).resolve_job_def("render_walk")
    result = job.execute_in_process(instance=instance, partition_key="w")
    return {each.check_name: each for each in result.get_asset_check_evaluations()}


def check_alone(
    studio: FakeStudio, instance: dg.DagsterInstance, name: str
) -> dg.AssetCheckEvaluation:
    job = build_defs(studio).resolve_job_def("render_walk")
    only = job.get_subset(
        asset_selection=set(), asset_check_selection={dg.AssetCheckKey(FRAMES, name)}
    )
    result = only.execute_in_process(instance=instance, partition_key="w")
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation


def failed(evaluations: dict[str, dg.AssetCheckEvaluation]) -> list[str]:
    return [name for name, each in evaluations.items() if not each.passed]


def shown(evaluation: dg.AssetCheckEvaluation) -> dict[str, object]:
    return {name: each.value for name, each in evaluation.metadata.items()}


def test_a_frame_that_was_cut_or_is_gone_is_not_complete(studio, instance):
    keys = write(studio)
    assert failed(render(studio, instance)) == []
    path = Path(studio.frames.objects.root, studio.frames.name(keys[1]))
    path.write_bytes(path.read_bytes()[:100])
    studio.frames.delete(keys[3])
    evaluation = check_alone(studio, instance, "frames_complete")
    assert not evaluation.passed
    assert evaluation.severity == dg.AssetCheckSeverity.ERROR
    assert keys[1] in str(shown(evaluation)["wrong"])
    assert f"no frame {keys[3]}" in str(shown(evaluation)["wrong"])


def test_frames_that_were_black_or_of_one_colour_when_they_came_are_told(studio, instance):
    keys = write(studio)
    put(studio, keys[1], np.zeros((*SIZE, 3), np.uint8))
    put(studio, keys[2], np.full((*SIZE, 3), 90, np.uint8))
    evaluations = render(studio, instance)
    assert "frames_show_something" in failed(evaluations)
    assert shown(evaluations["frames_show_something"]) == {"black": "[1]", "constant": "[2]"}


def test_a_frame_that_repeats_the_one_before_it_is_told(studio, instance):
    keys = write(studio)
    picture = np.random.default_rng(1).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    for key in keys[1:3]:
        put(studio, key, picture)
    evaluations = render(studio, instance)
    assert failed(evaluations) == ["frames_move"]
    assert shown(evaluations["frames_move"]) == {"repeated": "[2]"}


def test_prompts_between_two_frames_are_named_and_how_many_frames_meet_them(studio, instance):
    write(studio, "a, b, c, d", frames=24)
    evaluations = render(studio, instance)
    assert failed(evaluations) == ["keyframes_reached"]
    reached = evaluations["keyframes_reached"]
    assert reached.severity == dg.AssetCheckSeverity.WARN
    assert shown(reached) == {
        "keyframes": 4,
        "wrong": "[]",
        "prompts between two frames": "b, c",
        "numbers of frames that meet all": "22 or 25",
    }
    write(studio, "a, b, c, d", frames=25)
    assert failed(render(studio, instance)) == []


def test_a_prompt_that_is_shown_where_it_was_written_twice_is_met(studio, instance):
    write(studio, "a, a, b", frames=4)
    assert "keyframes_reached" not in failed(render(studio, instance))


def test_another_picture_in_the_place_of_a_prompt_is_an_error(studio, instance):
    keys = write(studio, "a, b, c", frames=5)
    render(studio, instance)
    manifest = studio.settings.dagster_home / "storage" / "assets" / "frames" / "w.json"
    document = json.loads(manifest.read_text())
    document["keys"][2] = keys[1]
    manifest.write_text(json.dumps(document))
    evaluation = check_alone(studio, instance, "keyframes_reached")
    assert not evaluation.passed
    assert evaluation.severity == dg.AssetCheckSeverity.ERROR
    assert shown(evaluation)["wrong"] == "[2]"


def test_a_loop_that_jumps_to_its_first_frame_is_told(studio, instance):
    keys = write(studio, frames=12, more="closed: true")
    assert failed(render(studio, instance)) == []
    last = studio.frames.read(keys[-1]).pixels
    studio.frames.delete(keys[-1])
    put(studio, keys[-1], 255 - last)
    evaluations = render(studio, instance)
    assert failed(evaluations) == ["loop_closed"]
    assert shown(evaluations["loop_closed"])["seam ratio"] > 3


def test_a_check_that_fails_says_so_in_a_sentence(studio, instance):
    """The command line prints it."""
    keys = write(studio, "a, b, c, d", frames=24)
    put(studio, keys[1], np.zeros((*SIZE, 3), np.uint8))
    evaluations = render(studio, instance)
    told = {name: show.plain(evaluations[name].description) for name in failed(evaluations)}
    assert told["frames_show_something"] == "black or of one colour: frames 1"
    assert told["keyframes_reached"] == (
        "no frame stands on the keyframes b (between frames 7 and 8), c (between frames 15 and"
        " 16): 22 or 25 frames meet all"
    )
    assert all(evaluations[name].description is None for name in set(evaluations) - set(told))


LIMIT = "checks: {max_over_median: 3, cv: 0.5, on_failure: %s}"


def jumping(studio, more):
    """A walk of twelve frames that grow brighter little by little, and turn over at frame 6."""
    slope = np.linspace(0, 60, SIZE[1])[None, :, None] + np.zeros((*SIZE, 3))
    for number, key in enumerate(write(studio, frames=12, more=more)):
        picture = slope + 4 * number
        put(studio, key, np.uint8(picture if number < 6 else 255 - picture[:, ::-1]))


def test_a_jump_is_told_by_its_frames_and_warns(studio, instance):
    jumping(studio, LIMIT % "warn")
    evaluations = render(studio, instance)
    assert failed(evaluations) == ["steps_even"]
    found = evaluations["steps_even"]
    assert found.severity == dg.AssetCheckSeverity.WARN
    assert "the walk jumps from frame 5 to 6 by" in found.description
    assert "checks.max_over_median is 3" in found.description
    assert "checks.cv is 0.5" in found.description
    assert shown(found)["largest step / median step"] > 3
    assert studio.output_path("w", ".gif").exists()


def test_a_walk_without_limits_may_move_as_it_likes(studio, instance):
    jumping(studio, "")
    assert "steps_even" not in failed(render(studio, instance))


def test_a_check_that_blocks_keeps_files_from_being_made(studio, instance):
    jumping(studio, LIMIT % "block")
    job = build_defs(studio).resolve_job_def("render_walk")
    result = job.execute_in_process(instance=instance, partition_key="w", raise_on_error=False)
    assert not result.success
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    assert "frames" in made
    assert not made & {"animation", "grid", "report"}
    assert not studio.output_path("w", ".gif").exists()
    assert "the walk jumps from frame 5 to 6" in _why(result)
    assert "No files are made" in _why(result)
    assert read_last_run(studio.settings.data, "w").problem == _why(result)  # on the walk's page


def test_a_seam_takes_its_limit_from_the_file(studio, instance):
    keys = write(studio, frames=12, more="closed: true\nchecks: {seam_ratio: 1000000}")
    render(studio, instance)
    last = studio.frames.read(keys[-1]).pixels
    studio.frames.delete(keys[-1])
    put(studio, keys[-1], 255 - last)
    evaluations = render(studio, instance)
    assert failed(evaluations) == []
    assert shown(evaluations["loop_closed"])["at most"] == 1_000_000
