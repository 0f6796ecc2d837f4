"""The frames: one step per chunk, so that a failed chunk is tried again alone.

A run that is re-executed "from failure" can lose mapped steps (Dagster issues 20925, 30077). So
the collecting step takes the list of frames from the plan, not from what arrives, and fails by
name of what is missing in the store. See docs/decisions/0002-chunks-are-steps.md.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import dagster as dg

from latent_assets.errors import LatentAssetsError
from latent_assets.media import root_digest
from latent_assets.orchestration import show
from latent_assets.orchestration.assets import CODE_VERSION, OWNERS
from latent_assets.orchestration.early import look_of
from latent_assets.orchestration.employment import ON_A_GPU, check_suits, given_back
from latent_assets.orchestration.failures import told
from latent_assets.orchestration.here import Here
from latent_assets.orchestration.memory import Memory
from latent_assets.orchestration.pool import manners_of
from latent_assets.orchestration.progress import Onlooker, Pace, RunPage
from latent_assets.orchestration.stopping import persistently
from latent_assets.orchestration.timeline import paced
from latent_assets.rendering import RenderResult, render_frames
from latent_assets.store import DamagedError, MissingError
from latent_assets.store.parallel import in_order
from latent_assets.studio import Studio
from latent_assets.walks.order import rendering_order

RENDER = "render"
_paces: dict[str, Pace] = {}


def plan_chunks(
    walk_spec: dict, timeline: dict, studio: dg.ResourceParam[Studio]
) -> list[dg.DynamicOutput]:
    """One chunk is rendered by one step; a chunk holds many batches.

    The first holds frames from all over the walk, the next those between them: `rendering_order`.
    """
    spec = paced(walk_spec, timeline)
    count, size = spec.walk.frames, studio.chunk_size(spec)
    starts = range(0, count, size)
    width = len(str(len(starts)))
    return [
        dg.DynamicOutput(
            {"number": number, "of": len(starts), "start": start, "stop": min(start + size, count)},
            mapping_key=f"part_{number:0{width}}_of_{len(starts)}",
        )
        for number, start in enumerate(starts, start=1)
    ]


def render_chunk(
    context: dg.OpExecutionContext,
    chunk: dict,
    walk_spec: dict,
    timeline: dict,
    studio: dg.ResourceParam[Studio],
    onlooker: dg.ResourceParam[Onlooker],
) -> dict:
    """What the chunk took: frames rendered and reused, seconds."""
    spec = paced(walk_spec, timeline)
    recipes = spec.recipes(rendering_order(spec.walk)[chunk["start"] : chunk["stop"]])
    result = RenderResult()
    manners, pace = manners_of(context, onlooker), pace_of(context.run_id)
    early = look_of(context.run_id, studio, spec)

    def attempt() -> None:
        page = RunPage(spec.walk.frames, tell=context.log.info, pace=pace, done=chunk["start"])

        def on_frames(keys: Sequence[str], rendered: bool) -> None:
            onlooker.on_frames(keys, rendered)
            page.on_frames(keys, rendered)
            early.on_frames(context, "frames", rendered)

        render_frames(
            studio,
            recipes,
            batch_size=spec.walk.batch_size,
            on_frames=on_frames,
            manners=replace(manners, turn=lambda: timed(manners.turn(), pace)),
            result=result,
        )

    with given_back(context), told():
        check_suits(context, studio, spec.rendering)
        persistently(attempt, context.log.warning)
    for problem in result.damaged:
        context.log.warning(problem)
    context.log.info(
        "part %d of %d: %d frames rendered, %d reused",
        chunk["number"],
        chunk["of"],
        result.rendered,
        result.reused,
    )
    return {
        "rendered": result.rendered,
        "reused": result.reused,
        "seconds": round(result.seconds, 3),
    }


@contextmanager
def timed(turn: AbstractContextManager[None], pace: Pace) -> Iterator[None]:
    """The turn; from when it came, it is rendered."""
    with turn:
        pace.begin()
        yield


def pace_of(run_id: str) -> Pace:
    """That of the run, over all its chunks in this process."""
    if run_id not in _paces:
        _paces.clear()
        _paces[run_id] = Pace()
    return _paces[run_id]


def collect_frames(
    walk_spec: dict,
    timeline: dict,
    chunks: list[dict],
    studio: dg.ResourceParam[Studio],
    memory: dg.ResourceParam[Memory],
) -> dg.Output[dict]:
    """The manifest: key and pixel digest of every frame, in order."""
    spec = paced(walk_spec, timeline)
    keys = [recipe.key for recipe in spec.recipes()]
    with told():
        digests = _digests(studio, keys)
        preview = memory.recall("strips", digests, lambda: show.strip(studio.frames, keys))
    rendered = sum(chunk["rendered"] for chunk in chunks)
    seconds = sum(chunk["seconds"] for chunk in chunks)
    metadata = {
        **show.page(spec, root_digest(digests)),
        "preview": show.picture(preview, spec.name),
        "frames": len(keys),
        "rendered": rendered,
        "reused": len(keys) - rendered,
        "seconds": seconds,
        "model": spec.rendering.model,
        "root digest": root_digest(digests),
    }
    if rendered:
        metadata["seconds per frame"] = round(seconds / rendered, 4)
    manifest = {"keys": keys, "digests": digests, "rendered": rendered, "seconds": seconds}
    version = dg.DataVersion(root_digest(digests)[:16])
    return dg.Output(manifest, metadata=metadata, data_version=version)


def _digests(studio: Studio, keys: list[str]) -> list[str]:
    def look(key: str) -> str | None:
        try:
            return studio.frames.read_receipt(key).pixel_digest
        except (MissingError, DamagedError):
            return None

    different = list(dict.fromkeys(keys))
    looked = in_order(look, different, studio.frames.objects.parallel)
    found = dict(zip(different, looked, strict=True))
    known = {key: digest for key, digest in found.items() if digest is not None}
    missing = found.keys() - known.keys()
    if missing:
        places = [str(index) for index, key in enumerate(keys) if key in missing]
        raise LatentAssetsError(
            f"{len(missing)} of the walk's {len(keys)} frames are not in the store"
            f" (frames {', '.join(places[:10])}{' ...' if len(places) > 10 else ''}):"  # noqa: PLR2004
            " a chunk of this run was not rendered",
            "Materialize the walk again, all steps: the frames that are there are not rendered"
            " twice. A run re-executed from failure can lose chunks.",
        )
    return [known[key] for key in keys]


def frames_asset(here: Here, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """The graph asset `frames`."""
    plan = here.op(
        plan_chunks,
        dynamic=True,
        # Chunks make their arrays from the recipes, so that a path of an earlier version of the
        # walk cannot give a frame under this version's key. They wait for the paths all the same.
        ins={"encoding_path": dg.In(dg.Nothing), "noise_path": dg.In(dg.Nothing)},
        description="Cut the walk into chunks of frames.",
    )
    render = here.op(
        render_chunk,
        description="Render the frames of a chunk that are not in the store.",
        tags=ON_A_GPU,
    )
    collect = here.op(
        collect_frames,
        description="Check that every frame of the plan is in the store, and list them.",
    )
    values = {name: dg.AssetIn(key=here.key(name)) for name in ("walk_spec", "timeline")}
    paths = {
        name: dg.AssetIn(key=here.key(name), dagster_type=dg.Nothing)
        for name in ("encoding_path", "noise_path")
    }

    @dg.graph_asset(
        key=here.key("frames"),
        partitions_def=partitions,
        group_name=RENDER,
        kinds={"tensorflow", "png"},
        owners=OWNERS,
        code_version=CODE_VERSION,
        ins={**values, **paths},
        description="The frames, in the store under their keys; only missing ones are rendered.",
    )
    def frames(walk_spec: dict, timeline: dict, encoding_path: None, noise_path: None) -> dict:
        chunks = plan(
            walk_spec=walk_spec,
            timeline=timeline,
            encoding_path=encoding_path,
            noise_path=noise_path,
        )
        done = chunks.map(lambda chunk: render(chunk, walk_spec, timeline))
        return collect(walk_spec, timeline, done.collect())

    return frames
