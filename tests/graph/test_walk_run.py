"""One walk through the whole asset graph, on a model of numpy alone."""

import json
import os
import re
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import numpy as np
import pytest
import typer
from fakes import FakeStudio, fake_studio
from PIL import Image

from latent_assets import interrupts
from latent_assets.cli.files import inspect, verify_frames, walk_text
from latent_assets.errors import MediaError, ModelError
from latent_assets.media import contact_sheet, inspect_file, write_animation
from latent_assets.orchestration import early, show
from latent_assets.orchestration.build import build_defs
from latent_assets.orchestration.progress import Onlooker
from latent_assets.orchestration.stopping import persistently
from latent_assets.settings import Settings
from latent_assets.studio import Studio
from latent_assets.walks.loading import parse_walk

WALK = "kind: interpolation\nprompts: [{prompts}]\nframes: {frames}\nchunk_size: 4\n{more}"


def write(studio: FakeStudio, name: str, prompts: str = "a, b, c", frames: int = 9, more: str = ""):
    text = WALK.format(prompts=prompts, frames=frames, more=more)
    (studio.settings.walks_dir / f"{name}.yaml").write_text(text)


def run(studio: FakeStudio, instance: dg.DagsterInstance, name: str, config: dict | None = None):
    job = build_defs(studio).resolve_job_def("render_walk")
    return job.execute_in_process(
        instance=instance,
        partition_key=name,
        raise_on_error=False,
        run_config={
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            "ops": {"walk_spec": {"config": config or {}}},
        },
    )


def failures(result) -> list[str]:
    return [
        str(e.step_failure_data.user_failure_data.description)
        for e in result.all_events
        if e.is_step_failure
    ]


def test_a_walk_becomes_pictures(studio, instance):
    write(studio, "w", more="output: {formats: [gif, webp], ping_pong: true}")
    result = run(studio, instance, "w")
    assert result.success
    assert studio.counts.frames == 9
    gif = studio.output_path("w", ".gif")
    with Image.open(gif) as image:
        assert image.n_frames == 16  # 9 there, 7 back
        assert image.info["loop"] == 0
    assert studio.output_path("w", ".webp").exists()
    report = result.asset_value("report")["paths"]
    assert report == [
        str(studio.output_path("w", end)) for end in ("-sheet.png", "-smoothness.svg")
    ]
    assert all(Path(path).exists() for path in report)
    assert result.asset_value("grid")["does not apply"]


ARRAYS, PICTURES = {".npy", ".safetensors"}, {".png", ".gif", ".svg", ".webp"}
TEXTS = {".json", ".yaml", ".html", ".css", ".js"}


def test_nothing_is_pickled(studio, instance):
    write(studio, "w")
    run(studio, instance, "w")
    files = [p for p in (studio.settings.data).rglob("*") if p.is_file() and p.stat().st_size]
    kinds = {p.suffix for p in files}
    assert kinds <= {*ARRAYS, *PICTURES, *TEXTS}
    arrays = [p for p in files if p.suffix == ".npy"]
    assert arrays
    for path in arrays:
        np.load(path, allow_pickle=False)


def test_an_unchanged_walk_renders_nothing_and_loads_no_model(studio, instance):
    write(studio, "w")
    run(studio, instance, "w")
    before = studio.output_path("w", ".gif").stat().st_mtime_ns
    again = fake_studio(studio.settings.data)
    result = run(again, instance, "w")
    assert result.success
    assert (again.counts.engines, again.counts.frames, again.counts.encoded) == (0, 0, [])
    assert again.output_path("w", ".gif").stat().st_mtime_ns == before


def test_a_changed_prompt_renders_its_segments_alone(studio, instance):
    write(studio, "w", "a, b, c", frames=9)
    run(studio, instance, "w")
    studio.counts.reset()
    write(studio, "w", "a, b, d", frames=9)
    run(studio, instance, "w")
    assert studio.counts.frames == 4  # b itself, at frame 4, and all before it are there
    assert studio.counts.encoded == ["d"]


def test_paths_of_an_earlier_version_give_no_frame_of_this_one(tmp_path, instance):
    """Who materializes the spec and the frames alone gets the pictures that the file describes."""
    pixels = []
    for name, prompts in (("stale", ["a, b", "a, c"]), ("fresh", ["a, c"])):
        studio = fake_studio(tmp_path / name)
        for place, each in enumerate(prompts):
            write(studio, "w", each, frames=5)
            job = build_defs(studio).resolve_job_def("render_walk")
            last = ["walk_spec", "frames"] if place else None
            selection = last and [dg.AssetKey(asset) for asset in last]
            result = job.execute_in_process(
                instance=instance, partition_key="w", asset_selection=selection
            )
        keys = result.asset_value("frames")["keys"]
        pixels.append([frame.pixels for frame in studio.frames.read_many(keys)])
    np.testing.assert_array_equal(*pixels)


@pytest.mark.parametrize("asset", ["text_encodings", "frames"])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"weights": "other"}, "other weights of embedded"),
        ({"precision": "mixed_float16"}, "rendered in float32, the setting here is mixed_float16"),
    ],
)
def test_an_earlier_spec_gets_no_pictures_of_another_model(tmp_path, instance, asset, change, told):
    """Its keys name the weights and the precision that it was settled with."""
    before = fake_studio(tmp_path)
    write(before, "w", "a, b", frames=5)
    job = build_defs(before).resolve_job_def("render_walk")
    first = [dg.AssetKey(name) for name in ("walk_spec", "text_encodings", "encoding_path")]
    chosen = [*first, dg.AssetKey("timeline"), dg.AssetKey("noise_path")]
    job.execute_in_process(instance=instance, partition_key="w", asset_selection=chosen)
    for path in (tmp_path / "store" / "encodings").rglob("*.safetensors"):
        path.unlink()

    settings = Settings(data=tmp_path, precision=change.get("precision", "float32"))
    now = fake_studio(tmp_path, settings=settings, weights=change.get("weights", "fake"))
    job = build_defs(now).resolve_job_def("render_walk")
    chosen = [dg.AssetKey(asset)]
    result = job.execute_in_process(
        instance=instance, partition_key="w", asset_selection=chosen, raise_on_error=False
    )
    problem, *_ = failures(result)  # one for each chunk
    assert told in problem
    assert "materialize walk_spec again" in problem
    assert (now.counts.frames, now.counts.encoded) == (0, [])
    assert run(now, instance, "w").success


def test_a_value_of_another_kind_takes_the_place_of_the_earlier_one(studio, instance):
    write(studio, "w")
    folder = studio.settings.dagster_home / "storage" / "assets" / "encoding_path"
    folder.mkdir(parents=True)
    np.save(folder / "w.npy", np.zeros(3))
    assert run(studio, instance, "w").success
    assert [path.name for path in folder.iterdir()] == ["w.json"]


@pytest.mark.parametrize("keep", [0, 40, -8])
@pytest.mark.parametrize(
    ("file", "asset"), [("text_encodings/w.npy", "encoding_path"), ("walk_spec/w.json", "frames")]
)
def test_a_value_that_was_cut_is_told_with_the_asset_to_make_again(
    studio, instance, file, asset, keep
):
    write(studio, "w")
    run(studio, instance, "w")
    path = studio.settings.dagster_home / "storage" / "assets" / file
    path.write_bytes(path.read_bytes()[:keep])
    result = (
        build_defs(studio)
        .resolve_job_def("render_walk")
        .execute_in_process(
            instance=instance,
            partition_key="w",
            asset_selection=[dg.AssetKey(asset)],
            raise_on_error=False,
        )
    )
    (problem, *_) = failures(result)
    assert f"{path} is damaged" in problem
    assert f"Materialize {path.parent.name} of w again." in problem
    assert run(studio, instance, "w").success


def test_format_speed_and_batches_render_nothing(studio, instance):
    write(studio, "w")
    run(studio, instance, "w")
    studio.counts.reset()
    write(studio, "w", more="batch_size: 7\noutput: {formats: [webp], fps: 3}")
    assert run(studio, instance, "w").success
    assert studio.counts.frames == 0
    assert studio.output_path("w", ".webp").exists()


def test_five_frames_to_nine_renders_four(studio, instance):
    write(studio, "w", "a, b", frames=5)
    run(studio, instance, "w")
    studio.counts.reset()
    assert run(studio, instance, "w", {"frames": 9}).success
    assert studio.counts.frames == 4


def test_a_grid_is_a_picture_and_has_no_animation(studio, instance):
    path = studio.settings.walks_dir / "g.yaml"
    path.write_text("kind: grid\nprompts: [a, b, c, d]\ngrid_size: 3\n")
    result = run(studio, instance, "g")
    assert result.success
    with Image.open(studio.output_path("g", ".png")) as image:
        assert image.size == (96, 96)
    assert result.asset_value("animation")["does not apply"]
    assert not studio.output_path("g", ".gif").exists()


def test_a_bad_walk_fails_alone_and_says_why(studio, instance):
    write(studio, "good")
    (studio.settings.walks_dir / "bad.yaml").write_text("kind: interpolation\nframes: 1\n")
    result = run(studio, instance, "bad")
    assert not result.success
    (told,) = failures(result)
    assert "bad.yaml:2: frames: must be at least 2" in told
    assert run(studio, instance, "good").success


def test_a_failing_chunk_is_tried_again_alone(tmp_path, instance, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    failed = []

    def before_batch(done: int) -> None:
        if done == 6 and not failed:  # the second batch of the second chunk
            failed.append(done)
            raise RuntimeError("the GPU fell off the bus")

    studio = fake_studio(tmp_path, before_batch=before_batch)
    write(studio, "w", frames=12, more="batch_size: 2")
    result = run(studio, instance, "w")
    assert result.success
    assert failed == [6]
    assert studio.counts.batches == [2] * 6
    # What the attempt that failed had rendered counts, once.
    assert result.asset_value("frames")["rendered"] == 12


def test_a_chunk_that_goes_on_failing_fails_the_run(tmp_path, instance, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    attempts: list[object] = []

    def before_batch(_done: int) -> None:
        attempts.append(1)
        raise RuntimeError("the GPU fell off the bus")

    studio = fake_studio(tmp_path, before_batch=before_batch)
    write(studio, "w", frames=4)
    assert not run(studio, instance, "w").success
    assert len(attempts) == 3


def test_a_users_mistake_is_not_tried_again(tmp_path, instance):
    attempts: list[object] = []

    def before_batch(_done: int) -> None:
        attempts.append(1)
        raise ModelError("the weights are gone", "Put them back.")

    studio = fake_studio(tmp_path, before_batch=before_batch)
    write(studio, "w", frames=4)
    result = run(studio, instance, "w")
    assert failures(result)[0] == "the weights are gone\n  Put them back."
    assert len(attempts) == 1


def test_a_damaged_frame_is_rendered_again(studio, instance):
    write(studio, "w")
    run(studio, instance, "w")
    (frame, *_) = sorted((studio.settings.data / "store" / "frames").rglob("*.png"))
    frame.write_bytes(frame.read_bytes()[:100])
    studio.counts.reset()
    assert run(studio, instance, "w").success
    assert studio.counts.frames == 1


@pytest.mark.parametrize("jump_s", [-86_400, 86_400])
def test_a_clock_that_jumps_in_mid_render_is_not_noticed(tmp_path, instance, monkeypatch, jump_s):
    right, wrong_by = time.time, [0.0]
    monkeypatch.setattr("time.time", lambda: right() + wrong_by[0])

    def before_batch(done: int) -> None:
        wrong_by[0] = jump_s if done else 0.0

    studio = fake_studio(tmp_path, before_batch=before_batch)
    write(studio, "w", more="batch_size: 2")
    result = run(studio, instance, "w")
    assert result.success
    assert result.asset_value("frames")["seconds"] >= 0
    assert studio.counts.frames == 9
    assert set(studio.frames.check(studio.frames.keys())) == set()


def test_a_walk_with_a_lost_frame_fails_by_name(studio, instance):
    """The collecting step trusts the plan, not what arrives: a short walk is never a success."""
    write(studio, "w")
    lost = []

    def lose(_keys: Sequence[str], _rendered: bool) -> None:
        if not lost:
            key = next(iter(studio.frames.keys()))
            studio.frames.delete(key)
            lost.append(key)

    job = build_defs(studio, onlooker=Onlooker(on_frames=lose)).resolve_job_def("render_walk")
    result = job.execute_in_process(instance=instance, partition_key="w", raise_on_error=False)
    assert not result.success
    assert "1 of the walk's 9 frames are not in the store" in failures(result)[0]
    assert not studio.output_path("w", ".gif").exists()


def test_checks_run_on_the_partition(studio, instance):
    loop = "closed: true\noutput: {formats: [gif]}"
    write(studio, "w", more=loop)
    result = run(studio, instance, "w")
    evaluations = {e.check_name: e for e in result.get_asset_check_evaluations()}
    assert set(evaluations) == {
        "frames_complete",
        "frames_show_something",
        "frames_move",
        "keyframes_reached",
        "loop_closed",
        "steps_even",
    }
    assert all(evaluation.passed for evaluation in evaluations.values())
    assert evaluations["loop_closed"].metadata["seam ratio"].value > 0


def test_a_black_frame_is_refused_and_the_others_are_kept(tmp_path, instance):
    studio = fake_studio(tmp_path)
    engine = studio.load_engine("embedded")
    decode = engine.decode

    def with_one_black(latents):
        pictures = decode(latents).copy()
        if studio.counts.frames == 3:
            pictures[0] = 0
        return pictures

    engine.decode = with_one_black
    write(studio, "w", frames=9, more="batch_size: 3")
    result = run(studio, instance, "w")
    assert not result.success
    assert "came out as no picture" in failures(result)[0]
    assert len(list(studio.frames.keys())) >= 3


def test_earlier_versions_of_a_file_are_kept_as_asked(studio, instance):
    for seed in (1, 2, 3):
        write(studio, "w", frames=3, more=f"seed: {seed}\noutput: {{keep_earlier: 1}}")
        assert run(studio, instance, "w").success
    assert len(list((studio.settings.outputs_dir / "w" / "earlier").glob("w.*.gif"))) == 1


def test_what_a_format_cannot_play_is_said_before_rendering(studio, instance):
    write(studio, "w", more="output: {formats: [gif], fps: 60}")
    (told,) = failures(run(studio, instance, "w"))
    assert "output.fps: 60 fps is too fast for gif" in told
    assert studio.counts.frames == 0


def test_the_record_of_a_file_is_of_what_was_rendered(studio, instance, capsys):
    """Another model than the file's renders at its own size: so does a walk file of the record."""
    write(studio, "w", "a, b", frames=3, more="model: stable-diffusion-1\nsize: [64, 128]")
    own = run(studio, instance, "w").asset_value("frames")["keys"]
    record = inspect_file(studio.output_path("w", ".gif"))
    assert (record.walk["size"], record.model["size"]) == ([64, 128], [64, 128])
    other = run(studio, instance, "w", {"model": "embedded"}).asset_value("frames")["keys"]
    record = inspect_file(studio.output_path("w@embedded", ".gif"))
    assert (record.walk["model"], record.walk["size"]) == ("embedded", None)
    assert (record.model["name"], record.model["size"]) == ("embedded", [32, 32])
    inspect(studio.output_path("w@embedded", ".gif"))
    assert re.search(r"embedded, 32x32 px, weights \w{16}, float32\n", capsys.readouterr().out)
    again = studio.specify("again", parse_walk(walk_text(record), "again.yaml"))
    assert [recipe.key for recipe in again.recipes()] == other != own


def test_a_film_is_verified_to_its_end(studio, instance, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(Studio, "open", lambda _settings: studio)
    write(studio, "w", "a, b", frames=4, more="output: {formats: [gif], ping_pong: true}")
    keys = run(studio, instance, "w").asset_value("frames")["keys"]
    record = inspect_file(studio.output_path("w", ".gif")).as_dict()
    there = [frame.pixels for frame in studio.frames.read_many(keys)]
    white = np.full_like(there[0], 255)

    def altered(*end: np.ndarray, sample: int | None = 1) -> list[int]:
        film = tmp_path / "film.gif"
        write_animation(lambda: [*there, *end], film, format="gif", fps=8, provenance=record)
        capsys.readouterr()
        with pytest.raises(typer.Exit):
            verify_frames(str(film), sample=sample, as_json=True)
        return json.loads(capsys.readouterr().out)["altered"]

    whole = there[2], there[1]
    assert altered(*whole) == []
    assert altered(*whole, there[0]) == [6]
    assert altered(there[2]) == [5]
    assert altered(white, white, sample=None) == [4, 5]


def test_a_long_walk_has_some_frames_on_its_sheet_each_with_its_number(
    studio, instance, monkeypatch
):
    """The others are not read, and the sheet is drawn once for the file and its preview."""
    drawn = []

    def draw(frames, labels, *, title):
        names = list(labels)
        drawn.append((names, len(list(frames()))))
        assert title == "w: frames 0 to 9, embedded"
        return contact_sheet(frames, names, title=title)

    monkeypatch.setattr("latent_assets.orchestration.outputs.SHEET_FRAMES", 4)
    monkeypatch.setattr("latent_assets.orchestration.outputs.contact_sheet", draw)
    write(studio, "w", "a, b", frames=10)
    assert run(studio, instance, "w").success
    assert drawn == [(["0", "3", "6", "9"], 4)]


def test_the_figure_of_a_walk_is_made_anew_when_it_changes_and_no_sooner(studio, instance):
    write(studio, "w", "a, b, c", frames=6, more="closed: true")
    run(studio, instance, "w")
    figure = studio.output_path("w", "-smoothness.svg")
    before, text = figure.stat().st_mtime_ns, figure.read_text()
    assert "last to first" in text
    assert inspect_file(figure).walk["prompts"] == ["a", "b", "c"]
    run(studio, instance, "w")
    assert figure.stat().st_mtime_ns == before
    write(studio, "w", "a, b, owl", frames=6, more="closed: true")
    run(studio, instance, "w")
    assert ">owl<" in figure.read_text()


def test_one_frame_has_no_steps_to_show(studio, instance):
    path = studio.settings.walks_dir / "s.yaml"
    path.write_text("kind: guidance_sweep\nprompt: a\nguidance_scales: [2]\n")
    result = run(studio, instance, "s")
    assert result.success
    assert len(result.asset_value("report")["paths"]) == 1


def test_a_finished_file_that_was_cut_is_made_again(studio, instance):
    write(studio, "w")
    run(studio, instance, "w")
    gif = studio.output_path("w", ".gif")
    whole = gif.read_bytes()
    gif.write_bytes(whole[: len(whole) // 2])
    studio.counts.reset()
    assert run(studio, instance, "w").success
    assert gif.read_bytes() == whole
    assert studio.counts.frames == 0


def test_larger_pictures_are_shown_by_the_files_and_made_once(studio, instance):
    more = "output: {{formats: [apng], upscale: {{method: nearest, factor: 2}}, fps: {fps}}}"
    write(studio, "w", more=more.format(fps=5))
    first = run(studio, instance, "w")
    assert first.success
    with Image.open(studio.output_path("w", ".apng")) as image:
        assert image.size == (64, 64)
        assert image.n_frames == 9
        shown = np.asarray(image.convert("RGB"))
    key = first.asset_value("frames")["keys"][0]
    assert np.array_equal(shown[::2, ::2], studio.frames.read(key).pixels)
    figures = first.asset_value("report")["measured"]
    assert figures["upscaled"]["rms"]["mean"] == pytest.approx(figures["smoothness"]["rms"]["mean"])

    studio.counts.reset()
    stored = sorted((studio.settings.data / "store" / "upscaled").rglob("*.png"))
    written = [path.stat().st_mtime_ns for path in stored]
    write(studio, "w", more=more.format(fps=8))
    assert run(studio, instance, "w").success
    assert studio.counts.frames == 0
    assert [path.stat().st_mtime_ns for path in stored] == written
    assert len(sorted((studio.settings.data / "store" / "upscaled").rglob("*.png"))) == 9


def test_a_film_of_larger_pictures_is_verified_against_larger_pictures(
    studio, instance, capsys, monkeypatch, tmp_path
):
    monkeypatch.setattr(Studio, "open", lambda _settings: studio)
    more = "output: {formats: [apng], upscale: {method: nearest, factor: 2}}"
    write(studio, "w", "a, b", frames=4, more=more)
    keys = run(studio, instance, "w").asset_value("frames")["keys"]
    made = studio.output_path("w", ".apng")

    def altered(film: Path) -> list[int]:
        capsys.readouterr()
        with pytest.raises(typer.Exit):
            verify_frames(str(film), as_json=True)
        return json.loads(capsys.readouterr().out)["altered"]

    assert altered(made) == []
    record = inspect_file(made).as_dict()
    there = [frame.pixels.repeat(2, 0).repeat(2, 1) for frame in studio.frames.read_many(keys)]
    painted = there[2].copy()
    painted[5, 7] ^= 255
    film = tmp_path / "film.apng"
    write_animation(
        lambda: [*there[:2], painted, there[3]], film, format="apng", fps=8, provenance=record
    )
    assert altered(film) == [2]


def test_a_film_made_larger_by_other_weights_is_told_so(studio, instance, monkeypatch, tmp_path):
    monkeypatch.setattr(Studio, "open", lambda _settings: studio)
    more = "output: {formats: [apng], upscale: {method: nearest, factor: 2}}"
    write(studio, "w", "a, b", frames=2, more=more)
    assert run(studio, instance, "w").success
    record = inspect_file(studio.output_path("w", ".apng")).as_dict()
    record["model"]["upscaler_weights"] = "f" * 64
    film = tmp_path / "film.apng"
    pictures = [np.full((64, 64, 3), level, np.uint8) for level in (10, 20)]
    write_animation(lambda: pictures, film, format="apng", fps=8, provenance=record)
    with pytest.raises(MediaError, match="made larger with other weights"):
        verify_frames(str(film))


def test_numbered_frames_and_a_poster_carry_the_record_of_their_own_frame(studio, instance):
    more = "output: {formats: [png, poster], poster_frame: 1}"
    write(studio, "w", "a, b", frames=5, more=more)
    result = run(studio, instance, "w")
    frames, folder = result.asset_value("frames"), studio.output_path("w", "-frames")
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"w-{number:04}.png" for number in range(5)]
    for number, name in enumerate(names):
        with Image.open(folder / name) as image:
            stored = studio.frames.read(frames["keys"][number]).pixels
            assert np.array_equal(np.asarray(image), stored)
        record = inspect_file(folder / name)
        assert record.frame_keys == (frames["keys"][number],)
        assert record.extra == {"frame": number, "of": 5}
    poster = inspect_file(studio.output_path("w", "-poster.jpg"))
    assert poster.frame_digests == (frames["digests"][1],)

    written = (folder / names[0]).stat().st_mtime_ns
    assert run(studio, instance, "w").success
    assert (folder / names[0]).stat().st_mtime_ns == written
    (folder / "mine.png").write_bytes(b"")
    write(studio, "w", "a, b", frames=3, more=more)
    assert run(studio, instance, "w").success
    assert sorted(path.name for path in folder.iterdir()) == ["mine.png", *names[:3]]


def test_a_captioned_film_is_verified_and_its_bands_are_compared_too(
    studio, instance, capsys, monkeypatch, tmp_path
):
    monkeypatch.setattr(Studio, "open", lambda _settings: studio)
    write(studio, "w", "a, b", frames=3, more="output: {formats: [apng], captions: true}")
    run(studio, instance, "w")
    made = studio.output_path("w", ".apng")
    with Image.open(made) as image:
        assert image.height > image.width == 32
        shown = []
        for number in range(3):
            image.seek(number)
            shown.append(np.asarray(image.convert("RGB")).copy())

    def altered(film: Path) -> list[int]:
        capsys.readouterr()
        with pytest.raises(typer.Exit):
            verify_frames(str(film), as_json=True)
        return json.loads(capsys.readouterr().out)["altered"]

    assert altered(made) == []
    shown[1][-1, -1] ^= 255
    film = tmp_path / "w.apng"
    record = inspect_file(made).as_dict()
    write_animation(lambda: shown, film, format="apng", fps=8, provenance=record)
    assert altered(film) == [1]


def test_a_grid_has_its_cells_its_jpeg_and_its_labels(studio, instance):
    text = "kind: grid\nprompts: [a, b, c, d]\ngrid_size: 3\noutput: {formats: [png, jpg]FIELDS}\n"
    file = studio.settings.walks_dir / "g.yaml"
    file.write_text(text.replace("FIELDS", ""))
    assert run(studio, instance, "g").success
    assert len(list(studio.output_path("g", "-frames").iterdir())) == 9
    with Image.open(studio.output_path("g", ".jpg")) as image:
        assert image.size == (96, 96)
    file.write_text(text.replace("FIELDS", ", captions: true"))
    assert run(studio, instance, "g").success
    with Image.open(studio.output_path("g", ".png")) as image:
        assert image.size > (96, 96)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{formats: [jpg]}", "output.formats: `jpg` is for grids"),
        ("{poster_frame: 9}", "output.poster_frame: must be less than the walk's 9 frames"),
    ],
)
def test_what_a_walk_cannot_show_is_said_before_it_is_rendered(studio, instance, text, words):
    write(studio, "w", more=f"output: {text}")
    result = run(studio, instance, "w")
    assert words in failures(result)[0]
    assert studio.counts.frames == 0


def test_what_became_of_an_interrupt_is_not_tried_again():
    """As in an import of a model's library: what is raised there is no interrupt any more."""
    attempts: list[object] = []

    def interrupted() -> None:
        attempts.append(True)
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        except KeyboardInterrupt as interrupt:
            raise RuntimeError("a class could not be made") from interrupt

    with interrupts.hearing(), pytest.raises(dg.DagsterExecutionInterruptedError):
        persistently(interrupted, attempts.append)
    assert attempts == [True]


# --- a run that differs from the file, and what its page says -----------------------------------


def test_a_run_with_other_frames_or_another_model_leaves_the_walks_own_files_alone(
    studio, instance
):
    write(studio, "w", frames=5)
    assert run(studio, instance, "w").success
    files = (studio.settings.outputs_dir / "w").rglob("*")
    own = {path: path.read_bytes() for path in files if path.is_file()}
    result = run(studio, instance, "w", {"frames": 9, "model": "stable-diffusion-1"})
    assert result.success
    assert own == {path: path.read_bytes() for path in own}
    with Image.open(studio.output_path("w@stable-diffusion-1-9", ".gif")) as film:
        assert film.n_frames == 9
    beside = studio.settings.outputs_dir / "w@stable-diffusion-1-9"
    assert "w@stable-diffusion-1-9.gif" in (beside / "page" / "index.html").read_text()
    (made,) = [
        event.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey("animation")
    ]
    assert made.metadata["published as"].value == "w@stable-diffusion-1-9, beside the files of w"
    assert run(studio, instance, "w", {"frames": 5, "model": "embedded"}).success
    assert {path.name for path in studio.settings.outputs_dir.iterdir()} == {
        "w",
        "w@stable-diffusion-1-9",
    }, "what says the same as the file is the walk itself"


def test_a_draft_is_rendered_beside_the_walk_in_fewer_steps(studio, instance):
    write(studio, "w", frames=5, more="num_steps: 24")
    result = run(studio, instance, "w", {"draft": True})
    assert result.success
    assert result.output_for_node("walk_spec")["walk"]["num_steps"] == 6
    with Image.open(studio.output_path("w@draft", ".gif")) as film:
        assert film.n_frames == 5
    assert not studio.output_path("w", ".gif").exists()
    assert run(studio, instance, "w").asset_value("frames")["rendered"] == 5


def test_the_page_of_a_run_says_what_is_done_and_shows_an_early_look(studio, instance, monkeypatch):
    monkeypatch.setattr(early, "FIRST_AFTER_S", 0)
    write(studio, "w", frames=9, more="batch_size: 2")
    result = run(studio, instance, "w")
    lines = [each.user_message for each in instance.all_logs(result.run_id)]
    told = [line for line in lines if "of 9 frames" in line]
    assert told[0].startswith("2 of 9 frames, ")
    assert told[-1].startswith("9 of 9 frames, ")
    first = lines.index(told[0])
    shown = [
        event.asset_observation_data.asset_observation
        for event in result.all_events
        if event.is_asset_observation
        and event.asset_observation_data.asset_observation.asset_key == dg.AssetKey("frames")
    ]
    assert 1 <= len(shown) <= 4
    note = shown[0].metadata
    assert shown[0].partition == "w"
    assert note["early look"].value.startswith("![w](data:image/")
    assert "(/gallery/w/preview.webp" in note["page"].value
    assert note["frames in it"].value >= 2
    file = Path(note["file"].value)
    assert any(str(file) in line for line in lines)
    assert not file.exists(), "the film is there"
    loading = [number for number, line in enumerate(lines) if line.startswith("loading the model")]
    assert not loading or loading[0] < first


def test_a_walk_that_is_whole_at_once_has_no_early_look(studio, instance, monkeypatch):
    monkeypatch.setattr(early, "FIRST_AFTER_S", 60)
    write(studio, "w", frames=9, more="batch_size: 2")
    result = run(studio, instance, "w")
    assert result.success
    assert not [event for event in result.all_events if event.is_asset_observation]


def test_what_went_wrong_is_said_on_the_walks_own_partition(studio, instance):
    (studio.settings.walks_dir / "w.yaml").write_text("kind: interpolation\nprompts: 5\n")
    assert not run(studio, instance, "w").success
    of_walk = dg.AssetRecordsFilter(asset_key=dg.AssetKey("walk_spec"), asset_partitions=["w"])
    (record,) = instance.fetch_observations(of_walk, limit=5).records
    assert "prompts" in record.asset_observation.metadata["what happened"].value


def test_a_check_that_a_failed_run_did_not_come_to_warns_on_its_walk_and_is_not_red(
    studio, instance
):
    write(studio, "w", "a, b", frames=2)
    assert run(studio, instance, "w").success
    (studio.settings.walks_dir / "w.yaml").write_text("kind: interpolation\nprompts: 5\n")
    assert not run(studio, instance, "w").success
    keys = build_defs(studio).resolve_asset_graph().asset_check_keys
    assert len(keys) >= 6
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys))
    for key in keys:
        found = latest[key].event.dagster_event.asset_check_evaluation_data
        assert (found.partition, found.severity) == ("w", dg.AssetCheckSeverity.WARN)
        assert "Not looked at" in found.description
        assert "prompts" in found.description
    write(studio, "w", "a, b", frames=2)
    assert run(studio, instance, "w").success
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys))
    assert all(
        each.event.dagster_event.asset_check_evaluation_data.passed for each in latest.values()
    )


@pytest.mark.parametrize(
    "prompt", ["![i](http://evil.example/p.png)", "<img src=//evil.example>", "[x](javascript:1)"]
)
def test_a_prompt_is_no_markdown(studio, instance, prompt):
    write(studio, "w", f"'{prompt}', b", frames=2)
    result = run(studio, instance, "w")
    shown = []
    for event in result.get_asset_materialization_events():
        for name, value in event.materialization.metadata.items():
            if isinstance(value, dg.MarkdownMetadataValue) and prompt[-8:] in value.value.replace(
                "\\", ""
            ):
                shown.append(name)
                assert prompt not in value.value
                markdown = value.value.replace("![w](data:", "").replace(show.BREAK, "")
                assert not re.search(r"(?<!\\)[<\[!]", markdown)
    assert {"prompts", "captions", "places"} <= set(shown)


PICTURE = "![i](http://evil.example/p)"


def descriptions(studio, instance) -> list[str]:
    """Of the checks that did not pass: the web UI shows them as Markdown."""
    keys = list(build_defs(studio).resolve_asset_graph().asset_check_keys)
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    found = [each.event.dagster_event.asset_check_evaluation_data for each in latest.values()]
    return [each.description for each in found if not each.passed]


def test_a_prompt_that_a_check_quotes_is_no_markdown(studio, instance):
    write(studio, "w", f"a, '{PICTURE}', c", frames=4)
    assert run(studio, instance, "w").success
    told = [each for each in descriptions(studio, instance) if PICTURE in show.plain(each)]
    assert len(told) == 1
    assert not re.search(r"(?<!\\)[\[(!]", told[0].replace(show.BREAK, ""))


def test_a_file_that_unevaluated_checks_quote_is_no_markdown(studio, instance):
    write(studio, "w", frames=f"'{PICTURE}'")
    assert not run(studio, instance, "w").success
    told = descriptions(studio, instance)
    assert len(told) >= 6
    for each in told:
        assert PICTURE in show.plain(each)
        assert not re.search(r"(?<!\\)[\[(!]", each.replace(show.BREAK, ""))
