"""Files of tensors: the header of a safetensors file, read without its tensors.

The library of that name maps the whole file into memory, which counts as the process's own. Here
a tensor is read from its place in the file, so that loading never holds more than one of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latent_assets.diffusion.protocol import FloatArray
from latent_assets.errors import ModelError
from latent_assets.foreign import NotRegularError, open_regular

Shape = tuple[int, ...]

MAX_HEADER_BYTES = 100_000_000
"""As the format has it."""
_LENGTH_BYTES = 8
_ITEM_BYTES = {
    **dict.fromkeys(("F64", "I64", "U64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "I8", "U8", "BOOL"), 1),
}
_PLAIN = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2"}
_ML_DTYPES = {"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2"}

PICKLE_SUFFIXES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
CONVERT = (
    "A pickle can run code when it is opened, so it is not. If you trust where it comes from,"
    ' convert it where torch is installed: python -c "import torch, safetensors.torch as s;'
    " d = torch.load('{file}', map_location='cpu', weights_only=True); d = d.get('state_dict', d);"
    " s.save_file({{k: v.contiguous() for k, v in d.items() if hasattr(v, 'shape')}},"
    " '{stem}.safetensors')\""
)


@dataclass(frozen=True)
class TensorEntry:
    """A tensor as the header describes it; `start` is its first byte in the file."""

    shape: Shape
    dtype: str
    start: int

    @property
    def size_bytes(self) -> int:
        """Bytes in the file."""
        return math.prod(self.shape) * _ITEM_BYTES[self.dtype]


@dataclass(frozen=True)
class TensorFile:
    """A safetensors file: where its tensors are. Not one of them is in memory."""

    path: Path
    entries: Mapping[str, TensorEntry]
    metadata: Mapping[str, str]

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of each tensor, by name."""
        return {name: entry.shape for name, entry in self.entries.items()}

    def read(self, name: str) -> FloatArray:
        """One tensor, as float32. Raises ModelError if the file has changed or cannot be read."""
        entry = self.entries[name]
        try:
            with open_regular(self.path) as file:
                file.seek(entry.start)
                data = file.read(entry.size_bytes)
        except OSError as error:
            raise ModelError(f"cannot read {self.path}: {error.strerror or error}") from error
        if len(data) != entry.size_bytes:
            raise ModelError(f"{self.path} ends within {name}: it has changed while it was read")
        return _as_float32(data, entry).reshape(entry.shape)


def _as_float32(data: bytes, entry: TensorEntry) -> FloatArray:
    if entry.dtype == "BF16":  # the upper half of a float32
        wide = np.frombuffer(data, "<u2").astype(np.uint32)
        wide <<= 16
        return wide.view(np.float32)
    if entry.dtype in _ML_DTYPES:
        import ml_dtypes  # noqa: PLC0415 - comes with TensorFlow; only the rarest files need it

        kind = getattr(ml_dtypes, _ML_DTYPES[entry.dtype])
        return np.frombuffer(data, kind).astype(np.float32)
    return np.frombuffer(data, _PLAIN[entry.dtype]).astype(np.float32, copy=False)


def open_tensors(path: Path) -> TensorFile:
    """The tensors of a safetensors file, by its header. Raises ModelError, in words, for others."""
    try:
        size = path.stat().st_size
        with open_regular(path) as file:
            head = file.read(_LENGTH_BYTES)
            _refuse_foreign(path, head, size)
            length = int.from_bytes(head, "little")
            header = file.read(length) if length <= MAX_HEADER_BYTES else b""
    except FileNotFoundError:
        raise ModelError(f"there is no file {path}") from None
    except NotRegularError as error:
        if path.is_dir():
            raise ModelError(f"{path} is a folder", "Name the .safetensors file in it.") from None
        raise ModelError(f"cannot read {path}: {error}") from None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    begin = _LENGTH_BYTES + length
    if length > MAX_HEADER_BYTES:
        raise ModelError(f"{path} is no safetensors file: its header would have {length} bytes")
    if len(header) < length:
        raise _truncated(path, size, begin)
    entries, metadata = _parse(path, header, begin)
    end = max((entry.start + entry.size_bytes for entry in entries.values()), default=begin)
    if end > size:
        raise _truncated(path, size, end)
    return TensorFile(path, entries, metadata)


def _refuse_foreign(path: Path, head: bytes, size: int) -> None:
    """What lies under this name in place of tensors, told by the first bytes."""
    if path.suffix.lower() in PICKLE_SUFFIXES or head.startswith((b"PK\x03\x04", b"\x80\x02")):
        cure = CONVERT.format(file=path.name, stem=path.stem)
        raise ModelError(f"{path} is a pickle, not a safetensors file", cure)
    if head.startswith(b"GGUF"):
        raise ModelError(
            f"{path} is a quantized file (GGUF), which is not read",
            "Take the .safetensors file of the same model.",
        )
    if head.startswith(b"version "):
        raise ModelError(
            f"{path} is a pointer of Git LFS, not the file that it points to",
            "Fetch the file itself: git lfs pull, or download it.",
        )
    if head.lstrip().startswith((b"<", b"{")):
        raise ModelError(
            f"{path} is a page or a text, not a safetensors file",
            "The download gave a page in place of the file, of a log-in perhaps: download it anew.",
        )
    if size < _LENGTH_BYTES:
        raise ModelError(f"{path} has {size} bytes: it is no safetensors file, or was cut short")


def _truncated(path: Path, size: int, wanted: int) -> ModelError:
    return ModelError(
        f"{path} is cut short: {size:,} of {wanted:,} bytes are there",
        "Download or copy it again.",
    )


def _parse(path: Path, header: bytes, begin: int) -> tuple[dict[str, TensorEntry], dict[str, str]]:
    try:
        document = json.loads(header)
        if not isinstance(document, dict):
            raise TypeError("the header is no object")  # noqa: TRY301 - told with the others
        described = document.pop("__metadata__", None) or {}
        metadata = {str(key): str(value) for key, value in described.items()}
        entries = {name: _entry(name, item, begin) for name, item in document.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"{path} is no safetensors file, or is damaged: {str(error)[:200]}",
            "Download or copy it again.",
        ) from None
    return entries, metadata


def _entry(name: str, item: Any, begin: int) -> TensorEntry:
    shape, (first, last) = tuple(map(int, item["shape"])), map(int, item["data_offsets"])
    dtype = item["dtype"]
    if dtype not in _ITEM_BYTES:
        raise ValueError(f"{name} is of the unknown type {dtype!r}")
    entry = TensorEntry(shape, dtype, begin + first)
    if min(shape, default=0) < 0 or first < 0 or last - first != entry.size_bytes:
        raise ValueError(f"the place of {name} does not fit its shape")
    return entry
