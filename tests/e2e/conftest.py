"""Tests of whole programs: servers, browsers, signals, clocks, on a machine that others load too.

A failure is tried once more before it counts, and is then reported as a rerun: what fails twice is
a fault, what fails once in a thousand is the machine. All other tests have one try, and so have
those that are marked with another number of reruns: one that goes on where another ended cannot be
repeated.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import kill_what_is_left

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and not item.get_closest_marker("flaky"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """A command that a test leaves behind, failed or timed out, is not waited for by anybody."""
    yield
    kill_what_is_left()
