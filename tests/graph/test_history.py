"""What old runs leave behind goes; what the web UI shows of a walk, and what is stale, stays."""

import hashlib
import os
from pathlib import Path

import dagster as dg
import pytest
from fakes import fake_studio

from latent_assets.digests import digest_of
from latent_assets.orchestration.build import build_defs
from latent_assets.orchestration.history import _unused, plan_old_runs, remove_old_runs
from latent_assets.orchestration.instance import open_instance
from latent_assets.orchestration.memory import Memory

pytestmark = pytest.mark.slow

FRAMES = dg.AssetKey("frames")
DAY_S = 86400.0


@pytest.fixture
def studio(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    studio = fake_studio(tmp_path)
    for name in ("one", "two"):
        text = "kind: interpolation\nprompts: [a, b]\nframes: 3\nchunk_size: 2\n"
        (studio.settings.walks_dir / f"{name}.yaml").write_text(text)
    return studio


@pytest.fixture
def instance(studio):
    with open_instance(studio.settings) as instance:
        yield instance


def run(studio, instance, walk, **options) -> str:
    job = build_defs(studio).resolve_job_def("render_walk")
    return job.execute_in_process(instance=instance, partition_key=walk, **options).run_id


def in_days(studio, instance, days, walks=("one", "two"), older_than_s=30 * DAY_S):
    """The plan as it will be in so many days."""
    (record, *_) = instance.get_run_records()
    now = record.update_timestamp.timestamp() + days * DAY_S
    return plan_old_runs(instance, studio.settings.dagster_home, walks, older_than_s, now=now)


def test_runs_go_when_they_are_old_and_others_have_taken_their_place(studio, instance):
    first, other, last = (run(studio, instance, walk) for walk in ("one", "two", "one"))
    home = studio.settings.dagster_home
    young = in_days(studio, instance, 20)
    assert (young.runs, young.paths, young.bytes) == ((), (), 0)
    old = in_days(studio, instance, 40)
    assert old.runs == (first,)
    assert old.bytes > 100_000
    assert any(path.match("memory/*/*.json") for path in old.paths)
    assert instance.get_run_by_id(first)  # a plan changes nothing
    remove_old_runs(instance, old)
    assert instance.get_run_by_id(first) is None
    assert {each.run_id for each in instance.get_runs()} == {other, last}
    assert not list(home.rglob(f"*{first}*"))
    assert not list((home / "storage" / "runs").iterdir())  # of those that stay as well
    assert instance.get_materialized_partitions(FRAMES) == {"one", "two"}
    assert in_days(studio, instance, 40).bytes == 0


def test_after_it_nothing_is_rendered_that_was_not_before(studio, instance):
    defs = build_defs(studio)
    for walk in ("one", "two", "one"):
        run(studio, instance, walk)
    remove_old_runs(instance, in_days(studio, instance, 40))
    first = dg.evaluate_automation_conditions(defs, instance=instance)
    asked = dg.evaluate_automation_conditions(defs, instance=instance, cursor=first.cursor)
    assert asked.total_requested == 0
    studio.counts.reset()
    run(studio, instance, "one")
    assert (studio.counts.frames, studio.counts.engines) == (0, 0)


def test_the_run_that_made_one_asset_last_stays_beside_that_which_made_the_others(studio, instance):
    whole = run(studio, instance, "one")
    part = run(studio, instance, "one", asset_selection=[dg.AssetKey("report")])
    run(studio, instance, "two")
    assert in_days(studio, instance, 40).runs == ()
    assert {whole, part} <= {each.run_id for each in instance.get_runs()}


def test_runs_of_a_walk_that_is_no_more_go_and_failed_ones(studio, instance):
    (studio.settings.walks_dir / "bad.yaml").write_text("kind: nonsense")
    failed = run(studio, instance, "bad", raise_on_error=False)
    one, two = run(studio, instance, "one"), run(studio, instance, "two")
    assert set(in_days(studio, instance, 40, walks=["one"]).runs) == {failed, two}
    assert one not in in_days(studio, instance, 40).runs


def test_a_run_that_ended_within_the_hour_stays_whatever_is_asked(studio, instance):
    for walk in ("one", "one"):
        run(studio, instance, walk)
    assert in_days(studio, instance, 0.01, older_than_s=0).runs == ()
    assert len(in_days(studio, instance, 0.1, older_than_s=0).runs) == 1


def test_values_of_runs_that_dagster_has_deleted_go_too(studio, instance):
    gone = run(studio, instance, "one")
    run(studio, instance, "two")
    instance.delete_run(gone)
    old = in_days(studio, instance, 40)
    assert studio.settings.dagster_home / "storage" / "runs" / gone in old.paths


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("0.25", "0.26"),
        lambda _text: '{"x": 1}',
        lambda _text: "NaN",
        lambda _text: "[" * 100_000,
        lambda text: text[:-5],
    ],
)
def test_what_is_remembered_and_was_altered_is_made_again(tmp_path, damage):
    memory = Memory(tmp_path)
    made = {"rms": 0.25, "repeated": [1, 2], "names": {"a": None}}
    assert memory.recall("figures", ["digest"], lambda: made) == made
    assert memory.recall("figures", ["digest"], lambda: 1 / 0) == made
    (path,) = tmp_path.glob("figures/*.json")
    path.write_text(damage(path.read_text()))
    assert memory.recall("figures", ["digest"], lambda: made) == made
    assert memory.recall("figures", ["digest"], lambda: 1 / 0) == made


def test_what_is_remembered_of_another_source_is_not_believed(tmp_path):
    memory = Memory(tmp_path)
    for source in ("one", "two"):
        memory.recall("figures", source, lambda of=source: of)
    one, two = (tmp_path / "figures" / f"{digest_of(each)}.json" for each in ("one", "two"))
    one.write_bytes(two.read_bytes())
    assert memory.recall("figures", "one", lambda: "made") == "made"


def test_a_file_whose_note_was_altered_is_written_again(tmp_path):
    memory, file, made = Memory(tmp_path / "memory"), tmp_path / "film.gif", []

    def write():
        made.append(file.write_bytes(b"film"))

    for _ in range(2):
        memory.write_once(file, "source", write)
    assert len(made) == 1
    (note,) = tmp_path.glob("memory/files/*.json")
    file.write_bytes(b"other")
    note.write_text(note.read_text().replace(hashlib.sha256(b"film").hexdigest(),
                                             hashlib.sha256(b"other").hexdigest()))  # fmt: skip
    memory.write_once(file, "source", write)
    assert (len(made), file.read_bytes()) == (2, b"film")


def test_previews_that_a_run_has_used_since_stay(tmp_path):
    memory = Memory(tmp_path)
    for source in ("used", "unused"):
        memory.recall("strips", source, lambda: "a picture")
    for path in tmp_path.rglob("*.json"):
        os.utime(path, (0, 0))
    assert memory.recall("strips", "used", lambda: "another") == "a picture"
    (left,) = _unused(tmp_path, limit=1000)
    assert left.stem == digest_of("unused")
