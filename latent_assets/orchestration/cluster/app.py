"""The Celery application: one task, carried out by `steps.carry_out`; and what its broker holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from latent_assets.errors import LatentAssetsError, UsageError
from latent_assets.places import without_password

if TYPE_CHECKING:
    from celery import Celery

    from latent_assets.settings import Settings

TASK = "latent_assets.step"
CHEAP = "cpu"
"""The queue of the steps that need no model. Those that do go to `gpu`, or the walk's own queue."""
LEASE_S = 15
"""A worker that has not been heard of for so long is dead; its steps are others' then."""
RENEWAL_S = 3.0
ANSWERS_S = 5.0
"""So long workers that are asked something have time."""
PRIORITIES = (0, 3, 6, 9)
"""Of Redis; 0 comes first."""
USUAL_PRIORITY = 6
_BINDING = "_kombu.binding."
"""Before the names of queues, in Redis."""


def make_app(settings: Settings) -> Celery:
    """Raises UsageError where Celery is not installed."""
    try:
        from celery import Celery  # noqa: PLC0415 - an extra package
    except ImportError:
        raise UsageError(
            "celery is not installed",
            "Install the extra cluster: pip install 'latent-assets[cluster]'.",
        ) from None
    app = Celery("latent-assets", broker=settings.broker, set_as_current=False)
    app.conf.update(
        # A message is done with when its step is, so that a worker that dies leaves it to others.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        task_ignore_result=True,
        # Of a child that died no result comes: nothing is to be waited for.
        worker_lost_wait=1.0,
        # A child that took 4 s to begin, on a loaded machine, was killed, and so was the next.
        worker_proc_alive_timeout=120.0,
        task_serializer="json",
        accept_content=["json"],
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_transport_options={
            "visibility_timeout": LEASE_S,
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
            "priority_steps": list(PRIORITIES),
            "queue_order_strategy": "priority",
            "socket_keepalive": True,
            "socket_connect_timeout": 5,
        },
    )

    @app.task(name=TASK, bind=True, shared=False)
    def step(task: Any, order: dict[str, Any]) -> None:
        from latent_assets.orchestration.cluster.steps import carry_out  # noqa: PLC0415

        redelivered = bool((task.request.delivery_info or {}).get("redelivered"))
        carry_out(order, again=redelivered or bool(order.get("again")))

    return app


@contextmanager
def told_of_broker(settings: Settings) -> Iterator[None]:
    """A broker that cannot be reached is told in words, without its password."""
    from kombu.exceptions import OperationalError  # noqa: PLC0415 - an extra package
    from redis.exceptions import RedisError  # noqa: PLC0415 - an extra package

    try:
        yield
    except (OperationalError, RedisError, OSError) as error:
        where, why = without_password(settings.broker), str(error)
        if re.search("password|authenticat", why, re.IGNORECASE):
            told = f"the broker {where} does not let us in: {why}"
            cure = "Write its password into LATENT_ASSETS_BROKER: redis://:PASSWORD@HOST:6379/0."
        else:
            told = f"the broker {where} does not answer: {why}"
            cure = "Start Redis there, or let LATENT_ASSETS_BROKER name another one."
        raise LatentAssetsError(told, cure) from error


def check_broker(settings: Settings) -> None:
    """Raises LatentAssetsError if it does not answer."""
    app = make_app(settings)
    with told_of_broker(settings), app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=5)


def nobody_takes(queue: str, waiting: int = 0) -> str:
    """A sentence. waiting: steps in the queue."""
    steps = f" ({waiting} wait)" if waiting else ""
    return (
        f"no worker takes steps from the queue {queue}{steps}: start one there,"
        f" latent-assets worker --queue {queue}"
    )


def priority_of(dagster_priority: int) -> int:
    """Dagster's `dagster/priority`, of which more comes first, as Redis's: 0 comes first."""
    return min(max(USUAL_PRIORITY - 3 * dagster_priority, PRIORITIES[0]), PRIORITIES[-1])


class Broker:
    """What lies in the broker, in Redis as kombu keeps it."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    @contextmanager
    def _client(self) -> Iterator[Any]:
        with (
            self._app.connection_for_read() as connection,
            closing(connection.channel()) as channel,
        ):
            yield channel.client

    def look(self, queues: Iterable[str]) -> tuple[set[str], dict[str, int]]:
        """Ids of the tasks that workers have taken and not finished; how many wait, by queue."""
        with self._client() as client:
            taken = client.hvals("unacked")
            waiting = {queue: _length(client, queue) for queue in queues}
        return {json.loads(each)[0]["headers"]["id"] for each in taken}, waiting

    def all_waiting(self) -> dict[str, int]:
        """The queues in which tasks wait, and how many."""
        with self._client() as client:
            names = [key.decode() for key in client.scan_iter(f"{_BINDING}*")]
            queues = [name.removeprefix(_BINDING) for name in names]
            lengths = {queue: _length(client, queue) for queue in queues if "pidbox" not in queue}
        return {queue: length for queue, length in sorted(lengths.items()) if length}


def _length(client: Any, queue: str) -> int:
    return sum(client.llen(name) for name in _lists(queue))


def _lists(queue: str) -> list[str]:
    """Redis's lists of a queue: one for each priority."""
    return [queue if not step else f"{queue}\x06\x16{step}" for step in PRIORITIES]
