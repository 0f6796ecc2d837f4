"""Queues that nobody serves: a run that waits for nobody says so, and how to start a worker."""

import threading
import time
from collections.abc import Callable, Collection

from latent_assets.orchestration.cluster.app import ANSWERS_S, make_app
from latent_assets.settings import Settings

FIRST_S = 30.0
"""So long steps wait in a queue before anybody asks who serves it: workers start in that time."""
AGAIN_S = 60.0


class Unserved:
    """Asks workers in a thread of its own, so that nobody waits for their answers."""

    def __init__(
        self, served: Callable[[], Collection[str]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """served: asks which queues workers serve; it may take seconds, and raise."""
        self._served, self._clock = served, clock
        self._since: dict[str, float] = {}
        self._next: dict[str, float] = {}
        self._answer: Collection[str] | None = None
        self._asking: threading.Thread | None = None

    def look(self, waiting: Collection[str]) -> list[str]:
        """To be called often: of the queues in which steps wait, those that are to be told now."""
        now = self._clock()
        self._since = {queue: self._since.get(queue, now) for queue in waiting}
        due = [
            queue
            for queue, since in self._since.items()
            if now >= max(since + FIRST_S, self._next.get(queue, 0.0))
        ]
        answer, self._answer = self._answer, None
        if due and answer is None:
            self._ask()
        if answer is None:
            return []
        self._next.update(dict.fromkeys(due, now + AGAIN_S))
        return [queue for queue in due if queue not in answer]

    def _ask(self) -> None:
        if self._asking is not None and self._asking.is_alive():
            return

        def ask() -> None:
            try:
                self._answer = self._served()
            except Exception:  # noqa: BLE001 - the broker is away: that is told elsewhere
                self._answer = None

        self._asking = threading.Thread(target=ask, name="who serves", daemon=True)
        self._asking.start()


def served_queues(settings: Settings) -> set[str]:
    """The queues that workers serve, in their own words. Takes `ANSWERS_S`."""
    app = make_app(settings)
    with app.connection_for_write() as connection:
        asked = app.control.inspect(timeout=ANSWERS_S, connection=connection)
        said = asked.active_queues() or {}
    return {queue["name"] for queues in said.values() for queue in queues}
