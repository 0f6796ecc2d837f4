"""A queue that nobody serves is told after a while, and again; one that is served never."""

from types import SimpleNamespace

import pytest

pytest.importorskip("celery")
from fakes import fake_studio

from latent_assets.cli import overseen
from latent_assets.orchestration.cluster.handler import WAITS_IN
from latent_assets.orchestration.cluster.unserved import AGAIN_S, FIRST_S, Unserved
from latent_assets.walks.schema import WALK_ADAPTER

WALK = {"kind": "interpolation", "prompts": ["a", "b"], "frames": 4, "num_steps": 2}


class Cluster:
    """Workers of these queues, asked by `Unserved` at a time that the test says."""

    def __init__(self, *queues):
        self.queues, self.now, self.asked = set(queues), 0.0, 0
        self.unserved = Unserved(self.serve, lambda: self.now)

    def serve(self):
        self.asked += 1
        if self.queues == {"away"}:
            raise OSError
        return self.queues

    def look(self, *waiting, after=0.0):
        """What is told then, or as soon as the workers have answered."""
        self.now += after
        told = self.unserved.look(waiting)
        if self.unserved._asking is not None:
            self.unserved._asking.join()
        return told or self.unserved.look(waiting)


def test_it_is_told_after_a_while_and_then_from_time_to_time():
    cluster = Cluster("cpu")
    assert cluster.look("gpu") == []
    assert cluster.look("gpu", after=FIRST_S - 1) == []
    assert cluster.asked == 0
    assert cluster.look("gpu", after=2) == ["gpu"]
    assert cluster.look("gpu", after=AGAIN_S - 1) == []
    assert cluster.look("gpu", after=2) == ["gpu"]
    assert cluster.asked == 2


def test_a_queue_that_is_served_or_in_which_nothing_waits_is_not_told():
    cluster = Cluster("gpu")
    cluster.look("gpu", "gpu-b")
    assert cluster.look("gpu", "gpu-b", after=FIRST_S) == ["gpu-b"]
    cluster.queues.add("gpu-b")
    assert cluster.look("gpu", "gpu-b", after=AGAIN_S) == []
    cluster.look(after=1)
    cluster.queues.clear()
    assert cluster.look("gpu", after=AGAIN_S) == []  # it waits only since now
    assert cluster.look("gpu", after=FIRST_S) == ["gpu"]


def test_without_an_answer_nothing_is_told():
    cluster = Cluster("away")
    cluster.look("gpu")
    assert cluster.look("gpu", after=FIRST_S) == []
    cluster.queues = set()
    assert cluster.look("gpu", after=1) == ["gpu"]


def test_the_command_line_shows_whom_it_waits_for_until_a_step_goes_on(tmp_path):
    said = []
    bar = SimpleNamespace(on_waiting=said.append)
    studio = fake_studio(tmp_path)
    spec = studio.specify("walk", WALK_ADAPTER.validate_python(WALK))
    show = overseen._showing(studio, spec, studio.plan(spec), bar)
    step = {"step_key": "text_encodings", "is_step_success": False}
    for metadata in ({WAITS_IN: "gpu"}, {"queue": "gpu"}):
        engine = SimpleNamespace(metadata=metadata)
        show(SimpleNamespace(**step, is_engine_event=True, message="w", engine_event_data=engine))
    show(SimpleNamespace(**step, is_engine_event=False, is_step_event=True))
    assert said == ["w", ""]
