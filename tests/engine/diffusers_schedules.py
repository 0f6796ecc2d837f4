"""Run by a Python that has torch and diffusers: their schedulers as tables, by probing each step.

    python diffusers_schedules.py TABLES.json

A step is linear: x' = A x + B eps + P x0_previous + N noise. x is in the scale of x = signal x0 +
noise eps, into which Euler's latents (x over signal) are brought. float64.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch  # noqa: TID253 - run in a Python of its own
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
)
from diffusers.schedulers import scheduling_lcm
from diffusers.schedulers.scheduling_utils import AysSchedules

TRAINED = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
}
MAKERS = {
    "ddim": lambda spacing: DDIMScheduler(
        **TRAINED, timestep_spacing=spacing, steps_offset=1, clip_sample=False
    ),
    "euler": lambda spacing: EulerDiscreteScheduler(
        **TRAINED, timestep_spacing=spacing, steps_offset=1
    ),
    "dpm++2m": lambda spacing: DPMSolverMultistepScheduler(**TRAINED, timestep_spacing=spacing),
    "lcm": lambda _spacing: LCMScheduler(**TRAINED),
}
CASES = [
    *(("ddim", spacing, steps) for spacing in ("trailing", "leading") for steps in (4, 8, 20, 25)),
    *(("euler", spacing, steps) for spacing in ("trailing", "leading") for steps in (4, 7, 25)),
    *(("dpm++2m", "trailing", steps) for steps in (4, 7, 10, 25)),
    ("dpm++2m", "ays", 10),
    *(("lcm", "own", steps) for steps in (2, 4, 7, 8)),
]


def in_double(scheduler):
    """With its table of alphas not multiplied up in single precision, which costs 1e-6."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    scheduler.alphas_cumprod = torch.cumprod(1 - betas, 0)
    return scheduler


def made(sampler: str, spacing: str, steps: int):
    scheduler = in_double(MAKERS[sampler]("linspace" if spacing == "ays" else spacing))
    if spacing == "ays":
        scheduler.set_timesteps(timesteps=AysSchedules["StableDiffusionTimesteps"])
    else:
        scheduler.set_timesteps(steps)
    if hasattr(scheduler, "sigmas"):  # its logarithms of them neither
        scheduler.sigmas = scheduler.sigmas.double()
    return scheduler


def walked(case: tuple[str, str, int], kicks: dict[tuple[str, int], float]) -> list[float]:
    """The latents after each step; kicks: (what, step) -> its value, everything else is zero."""
    sampler, _, _ = case
    scheduler = made(*case)
    x, found = torch.zeros(1, 1, 1, 1, dtype=torch.float64), []
    for step, timestep in enumerate(scheduler.timesteps):
        x = x + kicks.get(("x", step), 0.0)
        scale = 1.0
        if sampler == "euler":
            sigma = scheduler.sigmas[step].double()
            x = x * (sigma**2 + 1).sqrt()
            scheduler.scale_model_input(x, timestep)
            scale = (scheduler.sigmas[step + 1].double() ** 2 + 1).sqrt()
        scheduling_lcm.randn_tensor = lambda shape, step=step, **_: torch.full(
            shape, kicks.get(("noise", step), 0.0), dtype=torch.float64
        )
        eps = torch.full_like(x, kicks.get(("eps", step), 0.0))
        x = scheduler.step(eps, timestep, x).prev_sample.double() / scale
        found.append(float(x))
    return found


def table(case: tuple[str, str, int]) -> dict:
    """Each step's answer to one kick, and of the step after to what that leaves behind.

    `after`: what a noise of one in step k - 1 gives after step k, where it stands in x0_previous.
    """
    timesteps = [int(each) for each in made(*case).timesteps]
    rows = [
        {
            "x": walked(case, {("x", step): 1.0})[step],
            "eps": walked(case, {("eps", step): 1.0})[step],
            "noise": walked(case, {("noise", step): 1.0})[step],
            "after": walked(case, {("eps", step - 1): 1.0})[step] if step else 0.0,
        }
        for step in range(len(timesteps))
    ]
    sampler, spacing, steps = case
    return {
        "sampler": sampler,
        "spacing": spacing,
        "num_steps": steps,
        "timesteps": timesteps,
        "steps": rows,
    }


if __name__ == "__main__":
    with torch.no_grad():
        tables = [table(case) for case in CASES]
    lines = ",\n".join(json.dumps(each) for each in tables)
    Path(sys.argv[1]).write_text(f"[\n{lines}\n]\n")
