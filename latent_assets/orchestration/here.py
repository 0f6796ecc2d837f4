"""Where a graph of walks stands in a Dagster project, beside assets of others and its own kind.

Keys, names and resources are its own: what it needs, its functions are given here, and the one
resource that a run knows is the sign that it lives.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import dagster as dg

_OF_DAGSTER = ("context", "config")
DOCUMENT = "walk_document"


def beside(key: dg.AssetKey, name: str) -> dg.AssetKey:
    """The asset of this name in the same graph."""
    return dg.AssetKey([*key.path[:-1], name])


@dataclass(frozen=True)
class Here:
    """The place, and the things that functions of the graph ask for by their parameters' names."""

    prefix: tuple[str, ...] = ()
    given: Mapping[str, object] = field(default_factory=dict)
    source: dg.AssetKey | None = None
    """The asset whose partitions are walk documents, in place of files: `walk_document`."""

    def key(self, name: str) -> dg.AssetKey:
        """The key of the graph's asset of this name."""
        if name == DOCUMENT and self.source is not None:
            return self.source
        return dg.AssetKey([*self.prefix, name])

    def name(self, name: str) -> str:
        """The name of a job, a sensor, an op; of no other graph in the project."""
        return self.key(name).to_python_identifier() if self.prefix else name

    @property
    def life(self) -> str:
        """The resource by which a run shows that it lives."""
        return self.name("latent_assets")

    @property
    def values(self) -> str:
        """The IO manager of the values between the graph's assets."""
        return self.name("latent_assets_values")

    def filled(self, function: Callable) -> Callable:
        """The function without those of its parameters that are given here."""
        signature = inspect.signature(function)
        known = {name: self.given[name] for name in signature.parameters if name in self.given}
        left = [each for name, each in signature.parameters.items() if name not in known]

        @wraps(function)
        def filled(*args: Any, **named: Any) -> Any:
            return function(*args, **named, **known)

        filled.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        return filled

    def asset(self, *, deps: Sequence[str] = (), **how: Any) -> Callable:
        """As `dg.asset`; parameters and deps are assets of this graph."""

        def decorate(function: Callable) -> dg.AssetsDefinition:
            filled = self.filled(function)
            return dg.asset(
                key=self.key(function.__name__),
                ins={name: dg.AssetIn(key=self.key(name)) for name in _inputs(filled)},
                deps=[self.key(name) for name in deps],
                required_resource_keys={self.life},
                io_manager_key=self.values,
                **how,
            )(filled)

        return decorate

    def check(self, *, asset: str, **how: Any) -> Callable:
        """As `dg.asset_check`, of an asset of this graph; parameters are assets of this graph."""

        def decorate(function: Callable) -> dg.AssetChecksDefinition:
            filled = self.filled(function)
            others = [name for name in _inputs(filled) if name != asset]
            return dg.asset_check(
                asset=self.key(asset),
                additional_ins={name: dg.AssetIn(key=self.key(name)) for name in others},
                required_resource_keys={self.life},
                **how,
            )(filled)

        return decorate

    def op(self, function: Callable, *, dynamic: bool = False, **how: Any) -> dg.OpDefinition:
        """As `dg.op`. dynamic: it gives several outputs, a step for each."""
        out = dg.DynamicOut(dict, io_manager_key=self.values)
        return dg.op(
            name=self.name(function.__name__),
            out=out if dynamic else dg.Out(io_manager_key=self.values),
            required_resource_keys={self.life},
            **how,
        )(self.filled(function))


def _inputs(function: Callable) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name not in _OF_DAGSTER]
