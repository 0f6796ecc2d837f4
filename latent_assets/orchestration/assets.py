"""From the walk file to the path and the noise: the assets before the frames."""

import hashlib
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

import dagster as dg
import numpy as np
from pydantic import Field

from latent_assets.digests import digest_of
from latent_assets.orchestration import show
from latent_assets.orchestration.employment import ON_A_GPU, QUEUE, check_suits, given_back
from latent_assets.orchestration.failures import told
from latent_assets.orchestration.here import Here
from latent_assets.orchestration.instance import bury_dead_runs
from latent_assets.orchestration.observing import RENDERED, note_what_was_read, walk_version
from latent_assets.orchestration.pool import manners_of
from latent_assets.orchestration.progress import Onlooker
from latent_assets.orchestration.timeline import paced, timeline_asset
from latent_assets.rendering import encode_prompts
from latent_assets.settings import CELERY, MODELS
from latent_assets.studio import Studio, WalkSpec
from latent_assets.walks.library import WalkLibrary
from latent_assets.walks.loading import check_name, document_walk
from latent_assets.walks.paths import step_sizes
from latent_assets.walks.route import route
from latent_assets.walks.schema import Walk

OWNERS = ["team:walks"]
PLAN, ENCODE = "plan", "encode"
CODE_VERSION = "1"


class WalkOverrides(dg.Config):
    """What one run does otherwise than the walk file says."""

    model: str = Field(
        default="",
        description=f"Render with this model: {', '.join(MODELS)}, or one of your own. Empty: with"
        " the walk's own.",
    )
    frames: int = Field(
        default=0,
        description="Render this many frames (of a grid: a square number). 0: as the file says.",
    )
    draft: bool = Field(
        default=False,
        description="Render in about a quarter of the steps, to see where the walk goes. It has"
        " frames and files of its own.",
    )


def spec_assets(here: Here, partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """walk_spec, timeline, text_encodings, encoding_path, noise_path."""
    common = {"partitions_def": partitions, "owners": OWNERS, "code_version": CODE_VERSION}

    walk_spec = _of_documents(here, common) if here.source else _of_files(here, common)

    @here.asset(
        **common,
        group_name=ENCODE,
        kinds={"tensorflow"},
        op_tags=ON_A_GPU,
        description="The prompts as the model reads them; the last is the unconditional one.",
    )
    def text_encodings(
        context: dg.AssetExecutionContext,
        walk_spec: dict,
        studio: dg.ResourceParam[Studio],
        onlooker: dg.ResourceParam[Onlooker],
    ) -> dg.Output[np.ndarray]:
        spec = WalkSpec.from_json(walk_spec)
        op_context = context.op_execution_context
        manners = manners_of(op_context, onlooker)
        with given_back(op_context), told():
            check_suits(op_context, studio, spec.rendering)
            encodings = encode_prompts(studio, spec.rendering, spec.prompts, manners)
        return _array_output(
            encodings,
            {
                "prompts": show.bullet_list([prompt or "(empty)" for prompt in spec.prompts]),
                "norm": dg.MetadataValue.json(
                    {
                        prompt: round(float(np.linalg.norm(encoding)), 3)
                        for prompt, encoding in zip(spec.prompts, encodings, strict=True)
                    }
                ),
            },
        )

    @here.asset(
        **common,
        group_name=ENCODE,
        kinds={"numpy"},
        description="The way through the text encodings: each frame's formula among the prompts.",
    )
    def encoding_path(
        walk_spec: dict, timeline: dict, text_encodings: np.ndarray
    ) -> dg.Output[dict]:
        spec = paced(walk_spec, timeline)
        by_prompt = dict(zip(spec.prompts, np.asarray(text_encodings), strict=True))
        points = route(spec.walk)
        steps = step_sizes(point.context.evaluate(by_prompt) for point in points)
        return _path_output(
            {"points": [point.context.as_dict() for point in points], "steps": steps},
            text_encodings.shape[1:],
            _sha256(text_encodings),
            {
                "places": show.bullet_list([point.caption for point in points[:12]]),
                "step, root mean square": fmean(steps) if steps else 0.0,
            },
        )

    @here.asset(
        **common,
        group_name=ENCODE,
        kinds={"numpy"},
        description="The way through the noise: each frame's formula of its initial noise.",
    )
    def noise_path(
        walk_spec: dict, timeline: dict, studio: dg.ResourceParam[Studio]
    ) -> dg.Output[dict]:
        spec = paced(walk_spec, timeline)
        with told():
            shape = studio.describe_model(spec.rendering.model).latent_shape(spec.rendering.size)
        points = [point.noise for point in route(spec.walk)]
        return _path_output(
            {"points": [point.as_dict() for point in points]},
            shape,
            list(shape),
            {"noise": spec.walk.noise, "seed": spec.walk.seed, "different": len(set(points))},
        )

    return [walk_spec, timeline_asset(here, common), text_encodings, encoding_path, noise_path]


def _of_files(here: Here, common: dict) -> dg.AssetsDefinition:
    @here.asset(
        **common,
        deps=["walk_file"],
        group_name=PLAN,
        kinds={"yaml"},
        description="The walk file, validated, with its model and size settled.",
    )
    def walk_spec(
        context: dg.AssetExecutionContext,
        config: WalkOverrides,
        studio: dg.ResourceParam[Studio],
        library: dg.ResourceParam[WalkLibrary],
    ) -> dg.Output[dict]:
        def read(name: str) -> Walk:
            walk = library.load(name)
            note_what_was_read(context, studio, name, walk)
            return walk

        return _specified(context, config, studio, read)

    return walk_spec


def _of_documents(here: Here, common: dict) -> dg.AssetsDefinition:
    @here.asset(
        **common,
        group_name=PLAN,
        kinds={"yaml"},
        description="The walk document, validated, with its model and size settled.",
    )
    def walk_spec(
        context: dg.AssetExecutionContext,
        config: WalkOverrides,
        walk_document: Any,
        studio: dg.ResourceParam[Studio],
    ) -> dg.Output[dict]:
        def read(name: str) -> Walk:
            return document_walk(check_name(name), walk_document)

        return _specified(context, config, studio, read)

    return walk_spec


def _specified(
    context: dg.AssetExecutionContext,
    config: WalkOverrides,
    studio: Studio,
    read: Callable[[str], Walk],
) -> dg.Output[dict]:
    name = context.partition_key
    # Before any step of this run waits for the GPU: nobody dead must stand in the queue.
    for run_id in bury_dead_runs(context.instance, studio.settings.dagster_home):
        context.log.warning("run %s was killed; its place is free again", run_id)
    with told():
        walk = read(name)
        spec = studio.specify(
            name,
            walk,
            model=config.model or None,
            frames=config.frames or None,
            draft=config.draft,
        )
        plan = studio.plan(spec)
    for warning in plan.warnings:
        context.log.warning(warning)
    _route(context, studio, walk)
    if spec.variant:
        context.log.info("the files are published as %s, beside the walk's own", spec.published)
    document = spec.to_json()
    metadata = {
        "kind": walk.kind,
        "model": spec.rendering.model,
        "frames": plan.frames,
        "cached": plan.cached,
        "to render" if plan.exact else "to render, at most": plan.to_render,
        "estimate (s)": plan.estimate_s if plan.estimate_s is not None else "not measured yet",
        **show.variant(spec),
        "prompts": show.bullet_list([prompt or "(empty)" for prompt in spec.prompts]),
        "spec": dg.MetadataValue.json(document),
    }
    if plan.warnings:
        metadata["warnings"] = show.sentences(plan.warnings)
    return dg.Output(
        document,
        metadata=metadata,
        data_version=dg.DataVersion(spec.version),
        tags={} if spec.variant else {RENDERED: walk_version(walk)},
    )


def _route(context: dg.AssetExecutionContext, studio: Studio, walk: Walk) -> None:
    """In a cluster: the run's chunks go to the walk's queue, unless the run was told another."""
    elsewhere = walk.queue != ON_A_GPU[QUEUE] and QUEUE not in context.run.tags
    if elsewhere and studio.settings.executor == CELERY:
        context.instance.add_run_tags(context.run_id, {QUEUE: walk.queue})


def _array_output(array: np.ndarray, metadata: dict) -> dg.Output[np.ndarray]:
    """The array, its shape, and a data version that is its content's: unchanged is not stale."""
    digest = digest_of([list(array.shape), _sha256(array)])
    return dg.Output(
        array,
        metadata={**_shape(array.shape), **metadata},
        data_version=dg.DataVersion(digest[:16]),
    )


def _path_output(
    path: dict, shape: Sequence[int], source: object, metadata: dict
) -> dg.Output[dict]:
    """A path as formulas: the arrays of a long walk would be gigabytes, and each is soon made.

    shape: of one place's array. source: what the formulas are applied to; it and they determine
    every array, so they are the data version.
    """
    return dg.Output(
        path,
        metadata={**_shape([len(path["points"]), *shape]), **metadata},
        data_version=dg.DataVersion(digest_of([path["points"], source])[:16]),
    )


def _shape(shape: Sequence[int]) -> dict:
    return {"shape": " x ".join(map(str, shape)), "dtype": "float32"}


def _sha256(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
