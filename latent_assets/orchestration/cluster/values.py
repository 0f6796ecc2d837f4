"""Values between steps, in the frame store: a worker needs no folder that the others see."""

import io
import json
from typing import Any

import dagster as dg
import numpy as np

from latent_assets.errors import LatentAssetsError
from latent_assets.orchestration.failures import told
from latent_assets.orchestration.io import EXTENSIONS, name_of, what_made
from latent_assets.store.objects import Objects

FOLDER = "values"


class StoreIOManager(dg.IOManager):
    """One object per asset and walk, or per step output and run: `.npy` or `.json`."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Writes the value at once, and removes one of the other kind."""
        stem = _stem(context)
        extension = ".npy" if isinstance(obj, np.ndarray) else ".json"
        with told():
            self.objects.write(stem + extension, _bytes_of(obj))
            for other in EXTENSIONS:
                if other != extension:
                    self.objects.delete(stem + other)
        context.add_output_metadata({"value": f"{self.objects.root}/{stem}{extension}"})

    def load_input(self, context: dg.InputContext) -> Any:
        """The value; says which asset to materialize if it was never made, or is damaged."""
        assert context.upstream_output is not None
        stem = _stem(context if context.has_asset_key else context.upstream_output)
        with told():
            for extension in EXTENSIONS:
                try:
                    data = self.objects.read(stem + extension)
                except FileNotFoundError:
                    continue
                return _undamaged(f"{self.objects.root}/{stem}{extension}", data, context)
        raise dg.Failure(
            f"there is no {stem} in {self.objects.root}: it was not materialized yet, or is gone."
            " Materialize the assets upstream too."
        )

    def forget(self, run_id: str) -> None:
        """Of a run that came to a good end nobody needs the values between its steps."""
        for entry in self.objects.entries(f"{FOLDER}/runs/{run_id}"):
            self.objects.delete(entry.name)


def _stem(context: dg.OutputContext | dg.InputContext) -> str:
    return "/".join([FOLDER, *name_of(context)])


def _bytes_of(value: Any) -> bytes:
    if not isinstance(value, np.ndarray):
        return json.dumps(value, indent=1).encode()
    file = io.BytesIO()
    np.save(file, value, allow_pickle=False)
    return file.getvalue()


def _undamaged(place: str, data: bytes, context: dg.InputContext) -> Any:
    try:
        if place.endswith(".npy"):
            return np.load(io.BytesIO(data), allow_pickle=False)
        return json.loads(data)
    except (ValueError, EOFError) as error:
        raise LatentAssetsError(
            f"{place} is damaged ({error})", f"Materialize {what_made(context)} again."
        ) from error
