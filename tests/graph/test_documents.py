"""Walks whose documents another asset makes: a table of captions, say."""

from pathlib import Path

import dagster as dg
import pytest
from fakes import FakeStudio

from latent_assets.errors import UsageError
from latent_assets.orchestration.build import build_defs

DYNAMIC = dg.DynamicPartitionsDefinition(name="rows")


class Shop:
    """A project with a table of captions, and walks of them."""

    def __init__(self, studio: FakeStudio, instance: dg.DagsterInstance, folder: Path) -> None:
        self.table: dict[str, object] = {}
        self.instance = instance

        @dg.asset(partitions_def=DYNAMIC, key=["shop", "captions"])
        def captions(context: dg.AssetExecutionContext) -> dg.Output:
            document = self.table[context.partition_key]
            return dg.Output(document, data_version=dg.DataVersion(str(hash(str(document)))))

        theirs = dg.Definitions(
            assets=[captions],
            jobs=[dg.define_asset_job("make", [captions])],
            resources={"io_manager": dg.FilesystemIOManager(base_dir=str(folder))},
        )
        ours = build_defs(studio, key_prefix=["art"], source=captions)
        self.defs = dg.Definitions.merge(theirs, ours)
        dg.Definitions.validate_loadable(self.defs)

    def make(self, row: str, document: object) -> None:
        self.table[row] = document
        self.instance.add_dynamic_partitions("rows", [row])
        self._run("make", row)

    def report(self, row: str) -> None:
        made = dg.AssetMaterialization(["shop", "captions"], partition=row)
        self.instance.report_runless_asset_event(made)

    def render(self, row: str, **overrides: object) -> dg.ExecuteInProcessResult:
        return self._run("art__render_walk", row, {"art__walk_spec": {"config": overrides}})

    def tick(self, cursor: str | None = None) -> dg.SensorResult:
        (switch,) = self.defs.sensors or []
        context = dg.build_sensor_context(
            instance=self.instance, cursor=cursor, repository_def=self.defs.get_repository_def()
        )
        return switch(context)

    def _run(self, job: str, row: str, ops: dict | None = None) -> dg.ExecuteInProcessResult:
        return self.defs.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            partition_key=row,
            raise_on_error=False,
            run_config={"ops": ops or {}},
        )


def walk(*prompts: str) -> dict:
    return {"kind": "interpolation", "prompts": list(prompts), "frames": 3, "num_steps": 4}


@pytest.fixture
def shop(studio, instance, tmp_path) -> Shop:
    return Shop(studio, instance, tmp_path / "theirs")


def test_a_row_becomes_a_film_and_a_changed_row_renders_that_walk_alone(shop, studio):
    shop.make("cats", walk("a cat", "a lion"))
    shop.make("2026-01-01", walk("snow", "stars"))
    for row in shop.table:
        assert shop.render(row).success
        assert (studio.settings.outputs_dir / row).is_dir()
    assert studio.counts.frames == 6
    first = shop.tick()
    assert not first.run_requests
    assert "stock of 2 walks" in first.skip_reason.skip_message

    shop.make("2026-01-01", walk("snow", "stars"))  # made again, and says the same
    assert not shop.tick(first.cursor).run_requests
    shop.make("cats", walk("a cat", "a tiger"))
    second = shop.tick(first.cursor)
    assert [request.partition_key for request in second.run_requests] == ["cats"]
    assert not shop.tick(second.cursor).run_requests
    assert shop.render("cats").success
    assert studio.counts.frames == 6 + 2  # the first frame shows a cat as before


def test_a_new_row_is_asked_for_and_a_row_that_went_is_not(shop):
    shop.make("cats", walk("a cat", "a lion"))
    first = shop.tick()
    shop.make("dogs", walk("a dog", "a wolf"))
    shop.make("owls", walk("an owl", "a barn"))
    shop.instance.delete_dynamic_partition("rows", "owls")
    asked = shop.tick(first.cursor).run_requests
    assert [request.partition_key for request in asked] == ["dogs"]


def test_what_a_person_rendered_after_the_change_is_not_rendered_again(shop):
    shop.make("cats", walk("a cat", "a lion"))
    first = shop.tick()
    shop.make("cats", walk("a cat", "a tiger"))
    assert shop.render("cats").success
    second = shop.tick(first.cursor)
    assert not second.run_requests
    assert "No document has changed" in second.skip_reason.skip_message
    shop.make("cats", walk("a cat", "a lion"))  # back again
    third = shop.tick(second.cursor)
    assert [request.partition_key for request in third.run_requests] == ["cats"]


def test_a_trial_with_fewer_frames_does_not_stand_for_the_changed_walk(shop):
    shop.make("cats", walk("a cat", "a lion"))
    first = shop.tick()
    shop.make("cats", walk("a cat", "a tiger"))
    assert shop.render("cats", frames=2).success
    assert shop.tick(first.cursor).run_requests


def test_a_changed_walk_waits_for_the_run_that_is_under_way(shop):
    shop.make("cats", walk("a cat", "a lion"))
    first = shop.tick()
    shop.make("cats", walk("a cat", "a tiger"))
    under_way = shop.instance.create_run_for_job(
        shop.defs.resolve_job_def("art__render_walk"),
        status=dg.DagsterRunStatus.STARTED,
        tags={"dagster/partition": "cats"},
    )
    second = shop.tick(first.cursor)
    assert not second.run_requests
    assert "cats has changed, and waits for the run" in second.skip_reason.skip_message
    shop.instance.report_run_failed(under_way)
    assert shop.tick(second.cursor).run_requests


def test_documents_that_others_report_without_a_version_are_noticed(shop):
    shop.instance.add_dynamic_partitions("rows", ["cats", "dogs"])
    for row in ("cats", "dogs"):
        shop.report(row)
    first = shop.tick()
    assert not shop.tick(first.cursor).run_requests
    shop.report("dogs")
    second = shop.tick(first.cursor)
    assert [request.partition_key for request in second.run_requests] == ["dogs"]
    assert not shop.tick(second.cursor).run_requests


def test_a_document_may_be_the_text_of_a_walk_file(shop, studio):
    shop.make("cats", "kind: noise_loop\nprompt: a cat\nframes: 4\nnum_steps: 4\n")
    assert shop.render("cats").success
    assert studio.counts.frames == 4


@pytest.mark.parametrize(
    ("row", "document", "sentence"),
    [
        ("cats", {"kind": "interpolation", "prompt": ["a", "b"]}, "prompt"),
        ("cats", [1, 2], "is list, where a dict or the text of a walk file belongs"),
        ("cats", {"kind": {1, 2}}, "type set is not JSON"),
        ("cats", {"kind": object()}, "texts, numbers, lists and dicts alone"),
        ("Cats!", walk("a", "b"), "cannot be the name of a walk"),
        ("../cats", walk("a", "b"), "cannot be the name of a walk"),
    ],
)
def test_a_wrong_document_fails_its_own_walk_by_a_sentence(shop, studio, row, document, sentence):
    shop.make(row, document)
    result = shop.render(row)
    assert not result.success
    (failure,) = [each for each in result.all_events if each.is_step_failure]
    assert failure.step_key == "art__walk_spec"
    assert sentence in failure.step_failure_data.user_failure_data.description
    assert not (studio.settings.data / "cats.json").exists()


def test_a_source_without_partitions_is_refused(studio):
    with pytest.raises(UsageError, match="shop/table has no partitions"):
        build_defs(studio, source=dg.AssetSpec(["shop", "table"]))
