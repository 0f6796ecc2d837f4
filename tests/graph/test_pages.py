"""What a run leaves for others to show: its page, its word, and little in Dagster's database."""

import sqlite3
from pathlib import Path

import pytest
from fakes import fake_studio

from latent_assets.catalogue import Catalogue
from latent_assets.gallery.cards import Shelf
from latent_assets.lastrun import read_last_run
from latent_assets.orchestration.build import build_defs
from latent_assets.orchestration.instance import open_instance
from latent_assets.settings import Settings

WALK = "kind: interpolation\nprompts: [a cat, a dog]\nframes: {frames}\n{more}"
MOST_BYTES = 40_000


def write(studio, name, frames=6, more=""):
    text = WALK.format(frames=frames, more=more)
    (studio.settings.walks_dir / f"{name}.yaml").write_text(text)


def run(studio, instance, name, **overrides):
    job = build_defs(studio).resolve_job_def("render_walk")
    quiet: dict = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    if overrides:
        quiet["ops"] = {"walk_spec": {"config": overrides}}
    return job.execute_in_process(
        instance=instance, partition_key=name, raise_on_error=False, run_config=quiet
    )


def test_a_finished_run_leaves_its_checks_and_what_it_rendered(studio, instance):
    write(studio, "w")
    assert run(studio, instance, "w").success
    last = read_last_run(studio.settings.data, "w")
    assert last.state == "done"
    assert {check.name for check in last.checks} >= {"frames_complete", "loop_closed"}
    card = Shelf(studio).look().cards["w"]
    assert card.complete
    assert not card.changed
    write(studio, "w", frames=5)
    assert Shelf(studio).look().cards["w"].changed


def test_what_is_tried_beside_a_walk_leaves_no_word_of_the_walk(studio, instance):
    write(studio, "w")
    assert run(studio, instance, "w").success
    before = read_last_run(studio.settings.data, "w")
    assert run(studio, instance, "w", frames=3).success
    assert not run(studio, instance, "w", frames=1).success
    assert read_last_run(studio.settings.data, "w") == before
    assert not Shelf(studio).look().cards["w"].changed
    assert run(studio, instance, "w", frames=6).success
    assert read_last_run(studio.settings.data, "w").run != before.run


def test_a_failed_run_leaves_the_words_of_the_error(tmp_path, instance):
    def out_of_memory(_done):
        raise RuntimeError("the GPU is out of memory")

    studio = fake_studio(tmp_path, before_batch=out_of_memory)
    write(studio, "w", more="chunk_size: 6")
    assert not run(studio, instance, "w").success
    last = read_last_run(studio.settings.data, "w")
    assert last.state == "failed"
    assert "the GPU is out of memory" in last.problem
    assert "Traceback" not in last.problem


def test_a_wrong_walk_file_is_told_as_the_reason(studio, instance):
    (studio.settings.walks_dir / "w.yaml").write_text("kind: interpolation\nframes: 5\n")
    assert not run(studio, instance, "w").success
    assert "w.yaml" in read_last_run(studio.settings.data, "w").problem


def test_a_page_stands_among_the_finished_files(studio, instance):
    write(studio, "w", more="output: {formats: [gif, webp]}")
    result = run(studio, instance, "w")
    page = Path(result.asset_value("page")["paths"][0])
    assert page == studio.settings.outputs_dir / "w" / "page" / "index.html"
    text = page.read_text()
    for file in ("w.gif", "w.webp", "w-sheet.png", "w-smoothness.svg"):
        assert f'href="../{file}"' in text
        assert (page.parent.parent / file).exists()
    frames = page.parent / "site.files" / "frames"
    assert {path.stem for path in frames.iterdir()} == set(Catalogue(studio).read()["w"].keys)
    dates = {path: path.stat().st_mtime_ns for path in page.parent.rglob("*") if path.is_file()}
    run(studio, instance, "w")
    assert dates == {path: path.stat().st_mtime_ns for path in dates}


def test_metadata_begins_with_a_link_that_any_server_of_ours_follows(studio, instance):
    write(studio, "w")
    result = run(studio, instance, "w")
    for asset in ("frames", "animation", "report", "page"):
        (event,) = result.asset_materializations_for_node(
            "frames.collect_frames" if asset == "frames" else asset
        )
        name, value = next(iter(event.metadata.items()))
        assert name == "page"
        assert value.value.startswith("[Open the page of w](/gallery/w/)\n\n![w](/gallery/w/")
        assert len(value.value) < 1000


@pytest.mark.parametrize("kind", ["way", "grid"])
def test_a_materialization_adds_little_to_the_database(tmp_path, kind):
    """Of pictures as large as they come, in a database as Dagster keeps it: all its copies."""
    studio = fake_studio(tmp_path, settings=Settings(data=tmp_path))
    if kind == "way":
        write(studio, "w", frames=40, more="size: 256\noutput: {ping_pong: true, fps: 20}")
    else:
        (studio.settings.walks_dir / "w.yaml").write_text(
            "kind: grid\nprompts: [a, b, c, d]\ngrid_size: 5\nsize: 256\n"
        )
    with open_instance(studio.settings) as instance:
        assert run(studio, instance, "w").success
    sizes: dict[str, int] = {}
    for path in (studio.settings.dagster_home / "history" / "runs").glob("*.db"):
        with sqlite3.connect(path) as database:
            rows = database.execute(
                "SELECT step_key, asset_key, length(event) FROM event_logs"
                " WHERE dagster_event_type IN ('STEP_OUTPUT', 'ASSET_MATERIALIZATION')"
            )
            for step, asset, size in rows:
                name = (asset or step).strip('[]"').removesuffix(".collect_frames")
                sizes[name] = sizes.get(name, 0) + size
    assert {"frames", "animation", "grid", "report", "page"} <= sizes.keys()
    assert {name: size for name, size in sizes.items() if size > MOST_BYTES} == {}
