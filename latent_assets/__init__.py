"""Reproducible walks through the latent space of text-to-image models.

Data flows one way: walk file -> text encodings -> path and noise -> frames -> outputs -> report.

- `walks`: what a walk is and which frames it consists of. Pure: numpy, pydantic and YAML.
- `diffusion`: models behind one engine protocol, and the samplers.
- `store`: the content-addressed frame store.
- `media`: from frames to files, and what can be measured on them.
- `rendering`: recipes in, stored frames out: the one loop that everything that renders calls.
- `orchestration`: the Dagster asset graph. `cli`: the command line.
- `components`: walks in a Dagster project of somebody else.
- `api`: what Python programs and notebooks use. Its names are here too, and loaded when used.
"""

import importlib
import sys

if sys.platform == "win32":
    raise ImportError(
        "latent-assets does not run on Windows itself: it locks files and hears signals as Unix"
        " does. Install it in the Windows Subsystem for Linux (wsl --install)."
    )

__version__ = "0.1.0"

_NAMES = {
    **{
        name: ("latent_assets.api", name)
        for name in (
            "Film",
            "LatentAssetsError",
            "OpenStudio",
            "Pictures",
            "Plan",
            "Walk",
            "grid",
            "guidance_sweep",
            "interpolation",
            "lerp",
            "load",
            "noise",
            "noise_loop",
            "prompt_walk",
            "slerp",
        )
    },
    "open": ("latent_assets.api", "open_studio"),
    "WalksComponent": ("latent_assets.components", "WalksComponent"),
}
"""Public name -> (module, name there). What they are stands in `__init__.pyi`."""

__all__ = ["__version__", *_NAMES]  # noqa: PLE0604


def __getattr__(name: str) -> object:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, there = _NAMES[name]
    found = getattr(importlib.import_module(module), there)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
