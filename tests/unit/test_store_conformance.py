"""Folder, memory and S3, quiet and in trouble, all pass the same tests (`store_conformance`)."""

import secrets
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from s3_server import s3_server
from store_conformance import StoreConformance, machine_of


class TestLocalFolder(StoreConformance):
    @pytest.fixture
    def place(self, tmp_path):
        return str(tmp_path / "store"), {}


class TestMemory(StoreConformance):
    @pytest.fixture
    def place(self):
        return f"memory://{secrets.token_hex(8)}/store", {}


@pytest.fixture(scope="module")
def server():
    with s3_server() as running:
        running.make_bucket("conformance")
        yield running


def place_in(server):
    return f"s3://conformance/{secrets.token_hex(8)}/store", server.options


@pytest.mark.slow
class TestS3(StoreConformance):
    @pytest.fixture
    def place(self, server):
        return place_in(server)


@pytest.fixture
def troubled(server):
    """Every fourth request fails, half of them after they were carried out; all are late."""
    server.troubles.fault_every, server.troubles.latency_s = 4, 0.01
    yield server
    server.troubles.fault_every, server.troubles.latency_s = 0, 0.0
    assert server.troubles.faults


@pytest.mark.slow
class TestS3InTrouble(StoreConformance):
    answers_may_be_lost = True

    @pytest.fixture
    def place(self, troubled):
        return place_in(troubled)


def run(new_place, examples, steps):
    machine = machine_of(new_place)
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    )


def test_a_folder_holds_what_a_dict_would(tmp_path):
    run(lambda: (str(Path(tempfile.mkdtemp(dir=tmp_path))), {}), 40, 30)


def test_memory_holds_what_a_dict_would():
    run(lambda: (f"memory://{secrets.token_hex(8)}/store", {}), 40, 30)


@pytest.mark.slow
def test_s3_holds_what_a_dict_would(server):
    run(lambda: place_in(server), 8, 20)


@pytest.mark.slow
def test_s3_in_trouble_holds_what_a_dict_would(troubled):
    run(lambda: place_in(troubled), 4, 12)
