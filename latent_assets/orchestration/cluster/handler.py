"""Sends steps to queues, and looks whether the broker still knows of them."""

import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent, EngineEventData
from dagster._core.executor.step_delegating import (
    CheckStepHealthResult,
    StepHandler,
    StepHandlerContext,
)
from dagster._serdes import serialize_value

from latent_assets.orchestration.cluster.app import (
    CHEAP,
    TASK,
    Broker,
    make_app,
    nobody_takes,
    priority_of,
)
from latent_assets.orchestration.cluster.unserved import Unserved, served_queues
from latent_assets.orchestration.employment import QUEUE
from latent_assets.settings import Settings

logger = logging.getLogger(__name__)

PRIORITY = "dagster/priority"
HEALTH_S = 5
WAITS_IN = "waits in"
"""Metadata of the event that says of a queue that nobody serves it."""
LOST_AFTER = 2
"""So many looks in a row that do not find a task: between two it may be on its way to a worker."""


class CeleryStepHandler(StepHandler):
    """Sends steps to queues, and sends again what the broker has lost."""

    def __init__(self, settings: Settings) -> None:
        self._app = make_app(settings)
        self._broker = Broker(self._app)
        self._sent: dict[str, dict[str, Any]] = {}
        self._launches: dict[str, int] = {}
        self._missed: dict[str, int] = {}
        self._looked: tuple[float, tuple[set[str], dict[str, int]] | None] = (0.0, None)
        self._unserved = Unserved(lambda: served_queues(settings))
        self._untold: set[str] = set()

    @property
    def name(self) -> str:
        """For Dagster's log."""
        return "Celery"

    def launches(self, step: str) -> int:
        """How often a step was begun anew."""
        return self._launches.get(step, 0)

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        """See `StepHandler`."""
        args = step_handler_context.execute_step_args
        (step,) = args.step_keys_to_execute or ()
        attempt = self._launches[step] = self.launches(step) + 1
        run = step_handler_context.instance.get_run_by_id(args.run_id)
        tags = dict(run.tags) if run is not None else {}
        heavy = step_handler_context.step_tags[step].get(QUEUE)
        queue = tags.get(QUEUE, heavy) if heavy else CHEAP
        self._sent[step] = {
            "args": [
                {
                    "run": args.run_id,
                    "step": step,
                    "attempt": attempt,
                    "known_state": serialize_value(args.known_state),
                }
            ],
            "task_id": f"{args.run_id}.{step}.{attempt}",
            "queue": queue,
            "priority": priority_of(wished_priority(tags, attempt)),
        }
        self._missed[step] = 0
        self._send(step)
        yield DagsterEvent.step_worker_starting(
            step_handler_context.get_step_context(step),
            message=f"Sent to the queue {queue}.",
            metadata={"queue": dg.MetadataValue.text(queue)},
        )

    def _send(self, step: str, **more: Any) -> None:
        """Without a broker, what is sent waits: the health check sends it again."""
        message = self._sent[step]
        order = {**message["args"][0], **more}
        try:
            self._app.send_task(TASK, **{**message, "args": [order]}, retry=False)
        except Exception as error:  # noqa: BLE001 - whatever the broker's trouble is
            logger.warning("the broker does not take %s: %s; it is sent again", step, error)

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        """A task that is neither in its queue nor at a worker is sent again: the broker lost it."""
        (step,) = step_handler_context.execute_step_args.step_keys_to_execute or ()
        message = self._sent.get(step)
        if message is None:
            return CheckStepHealthResult.healthy()
        try:
            in_work, waiting = self._look()
        except Exception as error:  # noqa: BLE001 - no broker, no news; the run waits for it
            logger.warning("the broker does not answer: %s", error)
            self._looked = (0.0, None)
            return CheckStepHealthResult.healthy()
        queue = message["queue"]
        if queue in self._untold:
            self._untold.discard(queue)
            _tell(step_handler_context, step, nobody_takes(queue, waiting[queue]), WAITS_IN, queue)
        lost = message["task_id"] not in in_work and not waiting[queue]
        self._missed[step] = self._missed[step] + 1 if lost else 0
        if self._missed[step] >= LOST_AFTER:
            self._missed[step] = 0
            self._send(step, again=True)
            words = f"The broker has lost the step {step}; it was sent again."
            _tell(step_handler_context, step, words, "queue", queue)
        return CheckStepHealthResult.healthy()

    def _look(self) -> tuple[set[str], dict[str, int]]:
        """One question for all steps of a look."""
        at, found = self._looked
        if found is None or time.monotonic() - at > HEALTH_S / 2:
            queues = {message["queue"] for message in self._sent.values()}
            found = self._broker.look(queues)
            self._looked = (time.monotonic(), found)
            self._untold.update(self._unserved.look([q for q, steps in found[1].items() if steps]))
        return found

    def terminate_step(self, _context: StepHandlerContext) -> Iterator[DagsterEvent]:
        """Nothing to do: workers look at the run before a step and before each batch."""
        yield from ()


def wished_priority(tags: Mapping[str, str], attempt: int) -> int:
    """In Dagster's numbers. A step that is tried again goes before those that wait."""
    return _whole(tags.get(PRIORITY, "0")) + (attempt > 1)


def _tell(context: StepHandlerContext, step: str, words: str, name: str, queue: str) -> None:
    """In the run's log."""
    metadata = {name: dg.MetadataValue.text(queue)}
    DagsterEvent.engine_event(
        context.get_step_context(step), words, EngineEventData(metadata=metadata)
    )


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0
