"""The example `examples/captions.py`, as its sensors drive it: from a row to a film."""

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest

from latent_assets.studio import Studio

EXAMPLES = Path(__file__).parents[2] / "examples"


class Example:
    """The example in a folder of its own; `tick` does what Dagster's daemon does."""

    def __init__(self, module: ModuleType, instance: dg.DagsterInstance) -> None:
        self.defs, self.table, self.instance = module.defs, module.TABLE, instance
        self.cursors: dict[str, str | None] = {}

    def tick(self, name: str) -> list[str]:
        """The partitions for which the sensor asked, after their runs."""
        repository = self.defs.get_repository_def()
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursors.get(name), repository_def=repository
        )
        sensor = repository.get_sensor_def(name)
        told = sensor(context)
        self.cursors[name] = told.cursor
        for request in told.dynamic_partitions_requests or []:
            if isinstance(request, dg.AddDynamicPartitionsRequest):
                self.instance.add_dynamic_partitions("captions", request.partition_keys)
            else:
                for gone in request.partition_keys:
                    self.instance.delete_dynamic_partition("captions", gone)
        for request in told.run_requests or []:
            job = self.defs.resolve_job_def(sensor.job_name)
            done = job.execute_in_process(
                instance=self.instance, partition_key=request.partition_key
            )
            assert done.success
        return [request.partition_key for request in told.run_requests or []]

    def rewrite(self, old: str, new: str) -> None:
        text = self.table.read_text("utf-8")
        assert old in text
        self.table.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def example(studio, instance, tmp_path, monkeypatch) -> Example:
    monkeypatch.setattr(Studio, "open", lambda _: studio)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    for name in ("captions.py", "captions.csv"):
        shutil.copy(EXAMPLES / name, tmp_path)
    spec = importlib.util.spec_from_file_location("captions_example", tmp_path / "captions.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Example(module, instance)


def test_a_changed_row_of_the_table_renders_its_walk_alone(example, studio):
    assert example.tick("art__render_changed_walks") == []  # switched on
    assert example.tick("read_changed_rows") == ["morning", "noon", "night"]
    assert example.tick("art__render_changed_walks") == ["morning", "noon", "night"]
    assert studio.counts.frames == 18
    assert example.tick("read_changed_rows") == []

    example.rewrite("a blue car", "a black car")
    assert example.tick("read_changed_rows") == ["noon"]
    assert example.tick("art__render_changed_walks") == ["noon"]
    assert studio.counts.frames == 18 + 5  # its first frame is the yellow car, as before

    example.rewrite("night,a fox in snow,a fox in autumn,6\n", "dawn,a fox,an owl,4\n")
    assert example.tick("read_changed_rows") == ["dawn"]
    assert example.tick("art__render_changed_walks") == ["dawn"]
    assert {folder.name for folder in studio.settings.outputs_dir.iterdir()} >= {"dawn", "night"}
