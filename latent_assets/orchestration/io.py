"""Where values between assets lie: arrays as .npy, everything else as .json. No pickle.

Arrays are read memory-mapped: of the text encodings, what a step does not look at is not read.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np

from latent_assets.errors import LatentAssetsError
from latent_assets.orchestration.failures import told
from latent_assets.store.atomic import replacing
from latent_assets.store.failures import explaining

EXTENSIONS = (".npy", ".json")


class NativeIOManager(dg.IOManager):
    """One file per asset and walk, or per step output and run."""

    def __init__(self, base: Path) -> None:
        self.base = base

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Writes atomically: two runs of one walk at once leave one whole file."""
        stem = self._stem(context)
        extension = ".npy" if isinstance(obj, np.ndarray) else ".json"
        path = stem.with_name(stem.name + extension)
        with told(), explaining("write", path), replacing(path) as temporary:
            if isinstance(obj, np.ndarray):
                with temporary.open("wb") as file:
                    np.save(file, obj, allow_pickle=False)
            else:
                temporary.write_text(json.dumps(obj, indent=1), encoding="utf-8")
        # A value that was of the other kind in an earlier version must not be read in its place.
        for other in EXTENSIONS:
            if other != extension:
                stem.with_name(stem.name + other).unlink(missing_ok=True)
        context.add_output_metadata({"value": dg.MetadataValue.path(str(path))})

    def load_input(self, context: dg.InputContext) -> Any:
        """The value; says which asset to materialize if it was never made, or is damaged."""
        assert context.upstream_output is not None
        stem = self._stem(context if context.has_asset_key else context.upstream_output)
        array, document = (stem.with_name(stem.name + extension) for extension in EXTENSIONS)
        for path, read in ((array, _read_array), (document, _read_document)):
            with told(), explaining("read", path):
                if path.exists():
                    return _undamaged(path, read, context)
        what = stem.relative_to(self.base)
        raise dg.Failure(
            f"there is no {what}: it was not materialized yet, or its file is gone. "
            "Materialize the assets upstream too."
        )

    def _stem(self, context: dg.OutputContext | dg.InputContext) -> Path:
        return self.base.joinpath(*name_of(context))


def name_of(context: dg.OutputContext | dg.InputContext) -> tuple[str, ...]:
    """A value's place: that of an asset of a walk, or of a step's output in one run."""
    if context.has_asset_key:
        walk = [context.asset_partition_key] if context.has_asset_partitions else []
        return ("assets", *context.asset_key.path, *walk)
    assert isinstance(context, dg.OutputContext)
    return ("runs", *context.get_identifier())


def _read_array(path: Path) -> np.ndarray:
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _read_document(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _undamaged(path: Path, read: Callable[[Path], Any], context: dg.InputContext) -> Any:
    """The value of a file that is there. It was written whole, but something may have cut it."""
    try:
        return read(path)
    except (ValueError, EOFError) as error:
        raise LatentAssetsError(
            f"{path} is damaged ({error})", f"Materialize {what_made(context)} again."
        ) from error


def what_made(context: dg.InputContext) -> str:
    """The asset that is to be materialized again, in words."""
    if not context.has_asset_key:
        return "the walk"  # a value between the steps of one run
    walk = f" of {context.asset_partition_key}" if context.has_asset_partitions else ""
    return context.asset_key.to_user_string() + walk
