"""A worker: takes one step at a time from its queues, in a process that keeps its models loaded.

A parent holds the connection to the broker and renews the lease of the step that its child carries
out. So a lease of seconds suffices for steps of hours: who is not heard of is dead. If the child
dies, the parent gives its step back at once and starts another.
"""

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from latent_assets import interrupts
from latent_assets.errors import UsageError
from latent_assets.orchestration.cluster.app import RENEWAL_S, check_broker, make_app
from latent_assets.orchestration.cluster.looking import answer_questions, records_of
from latent_assets.orchestration.cluster.steps import Worker, be
from latent_assets.settings import Settings


def run_worker(
    settings: Settings,
    queues: Sequence[str],
    *,
    name: str,
    gpu: str | None,
    say: Callable[[str], None],
) -> int:
    """Work until SIGTERM or Ctrl-C. Returns the exit code.

    The step that is carried out then ends with its batch, and what is left of it goes back to the
    queue. gpu: its number, as CUDA_VISIBLE_DEVICES has it; None: as the environment says. say:
    takes a line. Raises LatentAssetsError if broker or database do not answer, UsageError if
    another worker has this name.
    """
    from celery import signals  # noqa: PLC0415 - an extra package

    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    app = make_app(settings)
    check_broker(settings)
    hostname = f"{name}@{socket.gethostname()}"
    _check_alone(app, hostname)
    answer_questions(settings, queues, records_of(settings))  # makes the tables, if nobody has
    leaving = multiprocessing.get_context("fork").Event()

    def leave(**_more: Any) -> None:
        if not leaving.is_set():
            leaving.set()
            say("asked to leave: ends its batch, and gives back what is left of its step")

    def become(**_more: Any) -> None:
        _forget_the_parent()
        be(Worker(name=hostname, is_leaving=leaving.is_set, say=say))

    def ready(**_more: Any) -> None:
        threading.Thread(target=_renew, args=(app,), name="lease", daemon=True).start()
        say("ready")

    signals.worker_shutting_down.connect(leave, weak=False)
    signals.worker_process_init.connect(become, weak=False)
    signals.worker_ready.connect(ready, weak=False)
    worker = app.Worker(
        hostname=hostname,
        queues=list(queues),
        concurrency=1,
        pool="prefork",
        loglevel="WARNING",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    say("left")
    return int(worker.exitcode or 0)


def _check_alone(app: Any, hostname: str) -> None:
    """Of two workers of one name, questions would reach either."""
    # A connection of its own: one of the pool waits for answers on, and a forked child with it.
    with app.connection_for_write() as connection:
        others = app.control.ping(destination=[hostname], timeout=1.0, connection=connection)
    if others:
        raise UsageError(
            f"a worker {hostname} is there already", "Give this one another name: --name."
        )


def _forget_the_parent() -> None:
    """Signals are the parent's to hear: the child ends when its batch does, or with the parent."""
    interrupts.forget()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _renew(app: Any) -> None:
    """For as long as the parent lives: say of each message it holds that it is in good hands."""
    from celery.worker import state  # noqa: PLC0415 - an extra package

    while True:
        try:
            with app.connection_for_write() as connection, closing(connection.channel()) as channel:
                while True:
                    tags = [
                        request.message.delivery_tag for request in set(state.reserved_requests)
                    ]
                    if tags:
                        # xx: what was given to another meanwhile stays with that one.
                        channel.client.zadd(
                            channel.unacked_index_key, dict.fromkeys(tags, time.time()), xx=True
                        )
                    time.sleep(RENEWAL_S)
        except Exception:  # noqa: BLE001 - the broker is away: Celery itself connects anew
            time.sleep(1)
