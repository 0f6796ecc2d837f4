"""What the tests of the graph share: a studio of numpy alone, and a Dagster of their own."""

from pathlib import Path

import dagster as dg
import pytest
from fakes import FakeStudio, fake_studio


@pytest.fixture
def studio(tmp_path: Path) -> FakeStudio:
    return fake_studio(tmp_path)


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance
