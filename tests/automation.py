"""What Dagster's daemon and a person do to the automation, by Dagster's own evaluation of it."""

import dagster as dg
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.definitions.observe import observe
from dagster._core.loader import LoadingContextForTest
from fakes import FakeStudio

from latent_assets.orchestration.build import build_defs
from latent_assets.orchestration.observing import WALK_FILE

SPEC = dg.AssetKey("walk_spec")
MADE_FROM_IT = [dg.AssetKey(name) for name in ("text_encodings", "noise_path", "timeline")]


def write(studio: FakeStudio, name: str, more: str = "", frames: int = 3):
    text = f"kind: interpolation\nprompts: [a, b]\nframes: {frames}\n{more}\n"
    (studio.settings.walks_dir / f"{name}.yaml").write_text(text)


class Daemon:
    """What Dagster's daemon does of it: evaluate the sensor, keep its cursor, run what it asks."""

    def __init__(self, studio: FakeStudio, instance: dg.DagsterInstance) -> None:
        self.studio, self.instance = studio, instance
        self.cursor: str | None = None
        self.switched_on = 1.0
        self.asked: set[str] = set()
        self.assets: list[dg.AssetKey] | None = [SPEC]
        """What a run makes; None: all. That which reads the file is enough, and soon done."""
        self.skipped: str | None = ""
        self.reload()

    def reload(self) -> None:
        """As "Reload definitions" does."""
        self.defs = build_defs(self.studio)

    def evaluate(self) -> list[dg.RunRequest]:
        """The sensor, by Dagster; a run key that was asked for before starts nothing."""
        sensor = self.defs.resolve_sensor_def("render_changed_walks")
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            repository_def=self.defs.get_repository_def(),
            last_sensor_start_time=self.switched_on,
        ) as context:
            result = sensor.evaluate_tick(context)
        self.cursor, self.skipped = result.cursor, result.skip_message
        for event in result.asset_events:
            self.instance.report_runless_asset_event(event)
        new = [each for each in result.run_requests or () if each.run_key not in self.asked]
        self.asked.update(str(each.run_key) for each in new)
        return new

    def tick(self) -> list[str]:
        """Evaluate the sensor, and run the walks that it asks for."""
        walks = [str(request.partition_key) for request in self.evaluate()]
        self.render(*walks)
        return walks

    def render(self, *walks: str, config: dict | None = None) -> None:
        """As a person would, by Materialize."""
        job = self.defs.resolve_job_def("render_walk")
        for walk in walks:
            assert job.execute_in_process(
                instance=self.instance,
                partition_key=walk,
                run_config={"ops": {"walk_spec": {"config": config or {}}}},
                asset_selection=self.assets,
            ).success

    def observe(self) -> list[dg.AssetObservation]:
        """As the button Observe does; what was noted, by walk."""
        (walk_file,) = [asset for asset in self.defs.assets or () if asset.key == WALK_FILE]
        result = observe([walk_file], instance=self.instance, resources=self.defs.resources)
        assert result.success
        return [each.asset_observation_data.asset_observation for each in
                result.get_asset_observation_events()]  # fmt: skip

    def stale(self, asset: dg.AssetKey) -> set[str]:
        """The walks whose partition of the asset the web UI marks as stale."""
        graph = self.defs.resolve_asset_graph()
        context = LoadingContextForTest(self.instance)
        resolver = CachingStaleStatusResolver(self.instance, graph, context)
        status = {name: resolver.get_status(asset, name) for name in ("one", "two")}
        return {name for name, found in status.items() if found is StaleStatus.STALE}
