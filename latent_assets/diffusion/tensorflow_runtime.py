"""TensorFlow as a place to compute: devices, memory, precision. Imported by loaders only."""

from __future__ import annotations

import logging
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from latent_assets.errors import ModelError

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Device:
    """What the engine computes on. `kind` is `CPU` or `GPU`; threads: of one operation."""

    kind: str
    name: str
    threads: int

    def __str__(self) -> str:
        return f"{self.kind} ({self.name}, {self.threads} threads)"


@lru_cache(maxsize=1)
def prepare_device() -> Device:
    """Find the device, let a GPU's memory grow with the need, and say what was found.

    One process uses one GPU: the first that `CUDA_VISIBLE_DEVICES` leaves visible. Several GPUs
    are several processes, each with its own value of that variable.
    """
    with _without_start_up_notes():
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
    threads = tf.config.threading.get_intra_op_parallelism_threads() or _default_threads()
    if not gpus:
        return Device("CPU", _cpu_name(), threads)
    if len(gpus) > 1:
        logger.info("%d GPUs are visible; this process uses the first.", len(gpus))
    try:
        tf.config.set_visible_devices(gpus[0], "GPU")
        tf.config.experimental.set_memory_growth(gpus[0], True)
    except RuntimeError as error:  # TensorFlow was in use before us: its memory policy stands
        logger.warning("GPU memory growth could not be set: %s", error)
    details = tf.config.experimental.get_device_details(gpus[0])
    return Device("GPU", details.get("device_name", gpus[0].name), threads)


@contextmanager
def _without_start_up_notes() -> Iterator[None]:
    """Hold back what TensorFlow's libraries write to stderr while they start.

    Build options and the search for drivers are no news to a person, and no variable silences
    them all. If the start fails they are the evidence, and are shown.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        sys.stderr.flush()
        stderr = os.dup(2)
    except (OSError, ValueError, AttributeError):  # no stderr at all, as in some services
        yield
        return
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            yield
        except BaseException:
            notes.seek(0)
            os.write(stderr, notes.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def default_jit(device: Device) -> bool:
    """XLA pays on a GPU; on CPUs it was measured to take 1.1 to 3.7 times as long."""
    return device.kind == "GPU"


def check_precision(precision: str) -> str:
    """The precision, if it is one; ModelError otherwise."""
    if precision not in PRECISIONS:
        raise ModelError(
            f"there is no precision {precision!r}", f"Choose from {', '.join(PRECISIONS)}."
        )
    return precision


@contextmanager
def precision_scope(precision: str) -> Iterator[None]:
    """Layers made inside compute in `precision` (Keras' global dtype policy, restored after).

    It must hold while a function is traced as well: KerasCV makes `Dot` layers on the fly.
    """
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _default_threads() -> int:
    """What TensorFlow takes if it is not configured: its variable counts, but it does not tell."""
    asked = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) else len(_usable_cores())


def _usable_cores() -> range | set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            names = (line.split(":", 1)[1].strip() for line in file if "model name" in line)
            return next(names, "unknown")
    except OSError:
        return platform.processor() or platform.machine()
