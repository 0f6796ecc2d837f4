"""Tests of whole programs: servers, browsers, signals, clocks, on a machine that others load too.

A failure is tried once more before it counts, and is then reported as a rerun: what fails twice is
a fault, what fails once in a thousand is the machine. All other tests have one try.
"""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=1))
