"""In whatever order a person and the daemon act, each changed walk is rendered once, no other.

A state machine over Dagster's own evaluation of the sensor, with its cursor.
"""

import tempfile
from pathlib import Path

import dagster as dg
import pytest
from automation import Daemon, write
from fakes import fake_studio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

NAMES = ("one", "two", "three")
names = st.sampled_from(NAMES)


class Orders(RuleBasedStateMachine):
    """What is to be rendered is counted here, by the rules of the documentation."""

    def __init__(self):
        super().__init__()
        self.instance = dg.DagsterInstance.ephemeral()
        self.studio = fake_studio(Path(tempfile.mkdtemp()))
        self.seeds = {"one": 0, "two": 0}
        for name in self.seeds:
            self.write(name)
        self.daemon = Daemon(self.studio, self.instance)
        self.known = set(self.seeds)
        self.settled: dict[str, int] = {}
        """By walk, the seed that is rendered, asked for, or was there when it was switched on."""
        self.made: dict[str, int] = {}
        """By walk, the seed of its latest run."""
        self.is_on = False

    def write(self, name):
        write(self.studio, name, f"seed: {self.seeds[name]}")

    @rule(name=names, seed=st.integers(0, 2))
    def edit_or_add(self, name, seed):
        self.seeds[name] = seed
        self.write(name)

    @rule()
    def reload(self):
        self.daemon.reload()
        self.known = set(self.seeds)

    @rule(name=names)
    def materialize(self, name):
        if name in self.known:
            self.daemon.render(name)
            self.made[name] = self.seeds[name]

    @rule()
    def observe(self):
        self.daemon.observe()

    @precondition(lambda self: not self.is_on)
    @rule()
    def switch_on(self):
        self.daemon.switched_on += 1
        self.is_on = True
        assert self.daemon.tick() == []
        self.settled = {name: self.seeds[name] for name in self.known}

    @precondition(lambda self: self.is_on)
    @rule()
    def switch_off(self):
        self.is_on = False

    @precondition(lambda self: self.is_on)
    @rule()
    def tick(self):
        changed = {name for name in self.known if self.settled.get(name) != self.seeds[name]}
        due = {name for name in changed if self.made.get(name) != self.seeds[name]}
        assert sorted(self.daemon.tick()) == sorted(due)
        self.settled |= {name: self.seeds[name] for name in changed}
        self.made |= {name: self.seeds[name] for name in due}

    @precondition(lambda self: self.is_on)
    @rule()
    def tick_and_be_killed_before_the_cursor_is_kept(self):
        kept = self.daemon.cursor
        self.tick()
        self.daemon.cursor = kept
        assert self.daemon.tick() == []

    def teardown(self):
        if self.is_on:
            self.reload()
            self.tick()
            assert self.daemon.tick() == self.daemon.tick() == []
        self.instance.dispose()


@pytest.mark.slow
def test_each_changed_walk_is_rendered_once_in_every_order():
    run_state_machine_as_test(
        Orders,
        settings=settings(
            max_examples=15, stateful_step_count=12, deadline=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
