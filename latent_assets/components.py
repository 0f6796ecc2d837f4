"""Walks as a component of Dagster: a folder of walk files in a project of somebody else."""

import os
from pathlib import Path
from typing import Annotated

import dagster as dg
from dagster.components.component_scaffolding import scaffold_component

from latent_assets.errors import UsageError
from latent_assets.orchestration.build import build_defs
from latent_assets.project_file import find_project
from latent_assets.settings import PREFIX, Settings
from latent_assets.shipped import SHIPPED_WALKS
from latent_assets.studio import Studio
from latent_assets.walks.library import WalkLibrary
from latent_assets.walks.templates import walk_template

WALKS, DATA = "walks", "latent-assets"


class WalksScaffolder(dg.Scaffolder):
    """Writes a component that works as it stands: attributes, a walk, the schema for editors."""

    def scaffold(self, request: dg.ScaffoldRequest) -> None:
        """A file that is there stays as it is; `defs.yaml` is Dagster's to write."""
        name = (request.target_path.parent if request.append else request.target_path).name
        folder = (request.target_path.parent if request.append else request.target_path) / WALKS
        folder.mkdir(parents=True, exist_ok=True)
        schema = (SHIPPED_WALKS / "schema.json").read_text(encoding="utf-8")
        _write(folder / "schema.json", schema)
        _write(folder / "first-walk.yaml", walk_template("interpolation"))
        if request.project_root is not None:
            # What is rendered is no source.
            _write(request.project_root / DATA / ".gitignore", "*\n")
        scaffold_component(request, {"walks": WALKS, "data": DATA, "key_prefix": [name]})


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(text, encoding="utf-8")


class Source(dg.Model, dg.Resolvable):
    """An asset of walk documents, and where in the project it is defined."""

    asset: Annotated[
        str,
        dg.Resolver.default(
            description="The key of the asset. Each of its partitions is a walk of that name; its"
            " value is a dict with the fields of a walk file, or the text of one.",
            examples=["captions", "shop/captions"],
        ),
    ]
    defined_in: Annotated[
        str,
        dg.Resolver.default(
            description="The file or the component that defines it, relative to the project's"
            " folder of definitions.",
            examples=["captions.py"],
        ),
    ]

    def find(self, context: dg.ComponentLoadContext) -> dg.AssetSpec:
        """The asset. Raises UsageError if there is none."""
        key = dg.AssetKey.from_user_string(self.asset)
        folder = context.defs_module_path
        if not (folder / self.defined_in).exists():
            raise UsageError(
                f"there is no {self.defined_in} in {folder}",
                "Say in defs.yaml, under `source`, in which file of that folder the asset"
                f" {self.asset} is defined.",
            )
        specs = context.build_defs(folder / self.defined_in).resolve_all_asset_specs()
        for spec in specs:
            if spec.key == key:
                return spec
        there = ", ".join(sorted(spec.key.to_user_string() for spec in specs)) or "none"
        raise UsageError(
            f"{self.defined_in} defines no asset {self.asset}", f"Its assets are: {there}."
        )


@dg.scaffold_with(WalksScaffolder)
class WalksComponent(dg.Component, dg.Model, dg.Resolvable):
    """Reproducible walks through the latent space of text-to-image models, from YAML files.

    Each walk file is a partition. Its assets are the plan, the encodings of its prompts, the
    frames, and the finished films, grids and pages; with checks, a job that renders one walk, a
    sensor that renders those whose files change, and a schedule for each walk that asks for one.
    Frames that are in the store are not rendered again.
    """

    walks: Annotated[
        str | None,
        dg.Resolver.default(
            description="The folder of the walk files, relative to this file. Each walk is a"
            " partition. Default: walks. Not beside `source`.",
            examples=[WALKS],
        ),
    ] = None
    source: Annotated[
        Source | None,
        dg.Resolver.default(
            description="An asset of the project whose values are the walks, in place of `walks`: a"
            " changed document renders its walk alone. Default: none; walks are files.",
            examples=[{"asset": "captions", "defined_in": "captions.py"}],
        ),
    ] = None
    data: Annotated[
        str | None,
        dg.Resolver.default(
            description="The folder of frames, finished files and downloaded models, relative to"
            " the project. Default: what LATENT_ASSETS_DATA says, else latent-assets in the"
            " project.",
            examples=[DATA, "{{ env.WALKS_DATA }}"],
        ),
    ] = None
    key_prefix: Annotated[
        list[str] | None,
        dg.Resolver.default(
            description="Stands before the keys of the assets and in the names of job, sensor and"
            " schedules, so that they are like no other of the project. Default: nothing.",
            examples=[["art"]],
        ),
    ] = None
    default_model: Annotated[
        str | None,
        dg.Resolver.default(
            description="The model of the walks that name none. Default: embedded, which needs"
            " no download.",
            examples=["embedded-fast", "stable-diffusion-1"],
        ),
    ] = None
    store: Annotated[
        str | None,
        dg.Resolver.default(
            description="Where frames are kept: a folder, relative to the project, or any URL of"
            " fsspec. Default: store in the data folder.",
            examples=["frames", "s3://bucket/frames"],
        ),
    ] = None
    outputs: Annotated[
        str | None,
        dg.Resolver.default(
            description="The folder of the finished files, relative to the project. Default:"
            " outputs in the data folder.",
            examples=["public/walks"],
        ),
    ] = None

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The walks' assets, checks, job, sensor and schedules. Raises UsageError."""
        studio, prefix = Studio.open(self.settings(context.project_root)), self.key_prefix or ()
        if self.source is None:
            library = WalkLibrary(self._folder(context.path))
            return build_defs(studio, library=library, key_prefix=prefix)
        if self.walks is not None:
            raise UsageError(
                "both `walks` and `source` say where the walks are",
                "Take one of them out of defs.yaml; files and documents are two components.",
            )
        return build_defs(studio, source=self.source.find(context), key_prefix=prefix)

    def _folder(self, here: Path) -> Path:
        folder = here / (self.walks or WALKS)
        if folder.is_dir():
            return folder
        raise UsageError(
            f"there is no folder {folder}",
            "Make it and put walk files there, or say in defs.yaml, under `walks`, where they are.",
        )

    def settings(self, project: Path) -> Settings:
        """What the attributes say, and for the others the environment."""
        data = self.data
        if not data and not os.environ.get(f"{PREFIX}DATA") and find_project().path is None:
            data = DATA
        told = {
            "default_model": ("MODEL", self.default_model),
            "outputs": ("OUTPUTS", _in(project, self.outputs)),
            "data": ("DATA", _in(project, data)),
            "store": ("STORE", _in(project, self.store)),
        }
        return Settings.from_environment(
            told={PREFIX + name: text for name, text in told.values() if text},
            told_as={
                PREFIX + name: f"defs.yaml: {attribute}"
                for attribute, (name, text) in told.items()
                if text
            },
        )


def _in(project: Path, place: str | None) -> str | None:
    """A folder's text as from anywhere; an address stays as it is."""
    return place if not place or "://" in place else str(project / Path(place).expanduser())
