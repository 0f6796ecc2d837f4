"""Oversees a run: sends its steps to queues, and reads in Dagster's records how they end."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.step_delegating import StepDelegatingExecutor
from sqlalchemy.exc import DBAPIError

from latent_assets.orchestration.automation import RETRY_WHOLE_RUNS
from latent_assets.orchestration.cluster.handler import HEALTH_S, CeleryStepHandler
from latent_assets.orchestration.cluster.seen import Seen
from latent_assets.orchestration.cluster.values import StoreIOManager
from latent_assets.orchestration.here import Here
from latent_assets.orchestration.instance import show_life, watch
from latent_assets.orchestration.lastruns import word_left
from latent_assets.orchestration.stopping import cancelled_if_asked
from latent_assets.orchestration.unevaluated import no_check_left_open
from latent_assets.places import without_password
from latent_assets.settings import Settings
from latent_assets.store.objects import open_objects

logger = logging.getLogger(__name__)

POLL_S = 0.5
DATABASE_S = 120.0
"""So long a database that does not answer is asked again, before the run fails."""


def celery_executor(settings: Settings, here: Here) -> dg.ExecutorDefinition:
    """Steps go to the workers of a deployment; it is configured by its settings alone."""

    @dg.executor(
        name="celery",
        requirements=dg.multiple_process_executor_requirements(),
    )
    def celery(_context: dg.InitExecutorContext) -> dg.Executor:
        return CeleryExecutor(settings, here)

    return celery


class CeleryExecutor(StepDelegatingExecutor):
    """Dagster's executor for steps that run elsewhere, over Celery."""

    def __init__(self, settings: Settings, here: Here) -> None:
        self._settings = settings
        self._walk_spec = here.key("walk_spec")
        handler = CeleryStepHandler(settings)
        self._seen = Seen(handler.launches)
        super().__init__(
            handler,
            retries=RetryMode.ENABLED,
            sleep_seconds=POLL_S,
            check_step_health_interval_seconds=HEALTH_S,
        )

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        """Oversees the run; shows meanwhile that it lives, and leaves word of it."""
        settings = self._settings
        instance, run, home = plan_context.instance, plan_context.dagster_run, settings.dagster_home
        with ExitStack() as stack:
            show_life(home, run.run_id)
            instance.add_run_tags(run.run_id, RETRY_WHOLE_RUNS)
            stack.enter_context(watch(instance, home))
            stack.enter_context(no_check_left_open(instance, run))
            stack.enter_context(word_left(instance, run, settings.data, home, self._walk_spec))
            stack.enter_context(cancelled_if_asked(instance, run.run_id))
            yield from super().execute(plan_context, execution_plan)
        if not self._seen.failed:
            self._forget(run.run_id)

    def _forget(self, run_id: str) -> None:
        objects = open_objects(self._settings.store_url, patience_s=self._settings.patience)
        try:
            StoreIOManager(objects).forget(run_id)
        except Exception as error:  # noqa: BLE001 - the run is good all the same
            logger.warning("values between its steps stay in the store: %s", error)

    def _pop_events(
        self, instance: dg.DagsterInstance, run_id: str, seen_storage_ids: set[int]
    ) -> Sequence[DagsterEvent]:
        pop = super()._pop_events
        events = self._patiently(lambda: pop(instance, run_id, seen_storage_ids))
        return [event for event in events if self._seen.is_news(event)]

    def _patiently(self, ask: Callable[[], Sequence[Any]]) -> Sequence[Any]:
        until = time.monotonic() + DATABASE_S
        while True:
            try:
                return ask()
            except DBAPIError as error:
                if time.monotonic() > until:
                    raise
                where = without_password(self._settings.database) or "the database"
                logger.warning("%s does not answer (%s); asking again", where, error.orig)
                time.sleep(2.0)
