"""Timesteps and tables are those of diffusers' schedulers for the same settings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from latent_assets.diffusion.schedule import sampling_schedule

RECORDED = json.loads(Path(__file__).with_name("diffusers_schedules.json").read_text())
"""Written by tests/engine/diffusers_schedules.py with diffusers 0.42."""
WITHIN = 1e-6


def answers(schedule):
    """What a step makes of one unit of each of its inputs, the others zero."""
    rows = []
    before = None
    for row in schedule.coefficients.astype(np.float64):
        c0, c1, c2, c3, c4, _, c6 = [*row, 0.0, 0.0][:7]
        x, eps = c3 / c1, c2 - c3 * c0 / c1
        after = 0.0 if before is None else x * before["eps"] + c4 * before["clean"]
        before = {"x": x, "eps": eps, "noise": c6, "after": after, "clean": -c0 / c1}
        rows.append(before)
    return rows


@pytest.mark.parametrize(
    "theirs", RECORDED, ids=lambda each: "{sampler}-{spacing}-{num_steps}".format(**each)
)
def test_a_table_is_that_of_diffusers(theirs):
    ours = sampling_schedule(theirs["sampler"], theirs["num_steps"], theirs["spacing"])
    assert ours.timesteps.tolist() == theirs["timesteps"]
    clean = 1.0  # what a unit of noise leaves in x0: it multiplies the coefficient of `after`
    for mine, other in zip(answers(ours), theirs["steps"], strict=True):
        for name, value in other.items():
            size = max(1.0, abs(clean)) if name == "after" else 1.0
            assert mine[name] == pytest.approx(value, rel=WITHIN, abs=WITHIN * size), name
        clean = mine["clean"]


def test_each_of_the_four_was_recorded():
    assert {each["sampler"] for each in RECORDED} == {"ddim", "euler", "dpm++2m", "lcm"}
