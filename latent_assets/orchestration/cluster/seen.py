"""What is known of each step: a step that two workers carried out ends once.

It happens where a worker that was taken for dead comes back.
"""

from collections.abc import Callable

from dagster._core.events import DagsterEvent


class Seen:
    """Which events of a run are to be heeded."""

    def __init__(self, launches: Callable[[str], int]) -> None:
        """launches: how often a step was begun so far."""
        self._launches = launches
        self._ended: set[str] = set()
        self._retries: dict[str, int] = {}
        self._outputs: set[tuple[str, str, str]] = set()
        self.failed = False
        """Whether any step has failed."""

    def is_news(self, event: DagsterEvent) -> bool:
        """Whether the event is to be heeded."""
        step = event.step_key
        if step is None:
            return True
        if step in self._ended:
            return False
        if event.is_step_success or event.is_step_failure:
            if self._is_up_for_retry(step):  # said by the one that was taken for dead
                return False
            self._ended.add(step)
            self.failed |= event.is_step_failure
        elif event.is_step_up_for_retry:
            if self._is_up_for_retry(step):
                return False
            self._retries[step] = self._retries.get(step, 0) + 1
        elif event.is_successful_output:
            output = event.step_output_data.step_output_handle
            return self._is_new_output(step, output.output_name, output.mapping_key)
        return True

    def _is_up_for_retry(self, step: str) -> bool:
        return self._retries.get(step, 0) >= self._launches(step)

    def _is_new_output(self, step: str, name: str, mapping_key: str | None) -> bool:
        """Dagster counts a part that is announced twice as two."""
        if mapping_key is None:
            return True
        new = (step, name, mapping_key) not in self._outputs
        self._outputs.add((step, name, mapping_key))
        return new
