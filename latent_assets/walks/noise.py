"""Initial noise from seeds: the same bytes on every machine, today and in a year.

Philox is counter-based (Salmon et al. 2011). It is read through numpy's `RandomState`, whose
stream of normal deviates is frozen for good (NEP 19), where `Generator`'s may change with a
release. No global state: a seed and a stream name determine the array.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


def gaussian(seed: int, shape: tuple[int, ...], stream: str = "") -> FloatArray:
    """Standard normal deviates of `shape`, float32.

    Different streams of one seed are independent of each other.
    """
    digest = hashlib.sha256(f"latent-assets noise\n{seed}\n{stream}".encode()).digest()
    key = int.from_bytes(digest[:16], "little")
    state = np.random.RandomState(np.random.Philox(key=key))
    return state.standard_normal(shape).astype(np.float32)
