"""Content-addressed float32 arrays: text encodings, and features of frames; none is made twice."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors import numpy as safetensors_numpy

from latent_assets.foreign import NotRegularError
from latent_assets.store.failures import EncodingDamagedError, EncodingMissingError
from latent_assets.store.objects import open_objects

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

FloatArray = npt.NDArray[np.float32]

FOLDER = "encodings"
FEATURES = "features"
"""What a distance looks at in the frame of the same key."""
QUARANTINE = "quarantine"
_TENSOR = "encoding"


def array_digest(array: FloatArray) -> str:
    """Hex sha256 over the line `float32 AxB` and the raw little-endian bytes."""
    digest = hashlib.sha256(f"float32 {'x'.join(map(str, array.shape))}\n".encode())
    digest.update(np.ascontiguousarray(array, dtype="<f4").data)
    return digest.hexdigest()


class EncodingStore:
    """float32 arrays by key, as safetensors files. No pickle: reading runs no code."""

    def __init__(
        self, root: str | os.PathLike[str], *, folder: str = FOLDER, **options: Any
    ) -> None:
        self.objects = open_objects(root, **options)
        self.folder = folder

    def _name(self, key: str) -> str:
        if len(key) != 64 or not set(key) <= set("0123456789abcdef"):  # noqa: PLR2004
            raise ValueError(f"not a key (64 lower-case hex digits): {key[:80]!r}")
        return f"{self.folder}/{key[:2]}/{key}.safetensors"

    def contains(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys that are stored."""
        names = {self._name(key): key for key in keys}
        return {names[name] for name in self.objects.existing(names)}

    def write(self, key: str, array: FloatArray) -> str:
        """Stores the array, in place of an older one. Returns its digest. Raises StoreError."""
        array = np.ascontiguousarray(array, dtype=np.float32)
        digest = array_digest(array)
        metadata = {"key": key, "digest": digest}
        self.objects.write(self._name(key), safetensors_numpy.save({_TENSOR: array}, metadata))
        return digest

    def read(self, key: str) -> FloatArray:
        """The array, checked against its digest.

        Raises EncodingMissingError; EncodingDamagedError after having set the file aside.
        """
        name = self._name(key)
        try:
            data = self.objects.read(name)
        except FileNotFoundError as error:
            raise EncodingMissingError(
                f"no {key} among the {self.folder} of {self.objects.root}",
                "It is computed when it is needed.",
            ) from error
        except NotRegularError as error:
            raise self._quarantine(name, key, error) from error
        try:
            return _decode(data, key)
        except ValueError as error:
            raise self._quarantine(name, key, error) from error

    def _quarantine(self, name: str, key: str, why: Exception) -> EncodingDamagedError:
        aside = f"{QUARANTINE}/{key}.{time.time_ns()}.safetensors"
        self.objects.move(name, aside)
        return EncodingDamagedError(
            f"{key} among the {self.folder} of {self.objects.root} is damaged ({why});"
            f" moved to {aside}",
            "It is computed again when it is needed.",
        )


def _decode(data: bytes, key: str) -> FloatArray:
    """Raises ValueError unless data is a whole file that was written under this key."""
    try:
        array = safetensors_numpy.load(data)[_TENSOR]
        length = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + length])["__metadata__"]
        whole = metadata["key"] == key and metadata["digest"] == array_digest(array)
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"no whole safetensors file: {error}") from error
    if not whole or array.dtype != np.float32:
        raise ValueError("its content is not what was stored")
    return array
