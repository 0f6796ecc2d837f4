"""The options of the training's commands, and what their values may be."""

from __future__ import annotations

import argparse
from pathlib import Path

from latent_assets.diffusion.tensorflow_runtime import PRECISIONS

JUDGED_FROM = 500_000_000
"""The number of the first picture composed for the judge: others than the model has seen."""


def share(text: str) -> float:
    """A number from 0 to 1; argparse calls a wrong one by this function's name."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return number


def count(text: str) -> int:
    """A whole number from 1 on; argparse calls a wrong one by this function's name."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of pictures")
    return number


def add_training_options(sub: argparse.ArgumentParser, of_denoiser: bool, together: bool) -> None:
    """Those of the steps that train; together: of two in one go."""
    if of_denoiser:
        sub.add_argument(
            "--artwork", type=Path, help="compose pictures of this file meanwhile, ever new ones"
        )
        sub.add_argument("--processes", type=int, default=2, help="processes that compose")
        sub.add_argument(
            "--new-pictures",
            type=count,
            help="compose so many before it learns, and none meanwhile (on few cores)",
        )
        sub.add_argument(
            "--gentle", type=share, default=1.0, help="share of the rate for what --init knows"
        )
    sub.add_argument("--minutes", type=float, default=60.0, help="budget by the clock")
    if together:
        sub.add_argument(
            "--few-minutes", type=float, default=15.0, help="the budget of the four steps"
        )
    sub.add_argument("--steps", type=int, help="budget in steps instead")
    sub.add_argument("--learning-rate", type=float, help="the highest one")
    sub.add_argument("--workers", type=int, default=2, help="processes, one core each")
    sub.add_argument("--batch-size", type=int, help="samples of one worker's step")
    sub.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="mixed_bfloat16",
        help="Keras dtype policy; float32 is faster on a processor that has no bfloat16",
    )
    sub.add_argument("--report-minutes", type=float, default=5.0)
    sub.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    sub.add_argument("--init", type=Path, help="start from exported weights")
    sub.add_argument("--fused", action="store_true", help="fuse the kernels of a step (torch)")


def add_judge_options(sub: argparse.ArgumentParser) -> None:
    """Those of `evaluate`."""
    sub.add_argument(
        "--artwork", type=Path, help="the judge learns from pictures composed for it meanwhile"
    )
    sub.add_argument("--processes", type=int, default=2, help="processes that compose")
    sub.add_argument(
        "--judge-pictures",
        type=count,
        help="compose so many before the judge learns, and none meanwhile (on few cores)",
    )
    sub.add_argument(
        "--judge-from", type=count, default=JUDGED_FROM, help="the number of the first of them"
    )
    sub.add_argument("--classifier-minutes", type=float, default=5.0)
    sub.add_argument("--learning-rate", type=float, default=1e-3, help="the judge's highest one")
    sub.add_argument("--resume", action="store_true", help="go on with the judge's learning")
    sub.add_argument("--fused", action="store_true", help="fuse the kernels of a step (torch)")
    sub.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="Keras dtype policy while the judge learns",
    )
    sub.add_argument("--no-speed", action="store_true", help="no engine, no clock: samples only")
    sub.add_argument("--quick", action="store_true", help="a few pictures, to try the command")
