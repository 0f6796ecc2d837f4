"""The larger pictures of the frames, for walks that ask for them."""

import time

import dagster as dg

from latent_assets.enlarging import OnPicture, upscale_frames
from latent_assets.media import root_digest
from latent_assets.orchestration import show
from latent_assets.orchestration.assets import CODE_VERSION, OWNERS
from latent_assets.orchestration.employment import ON_A_GPU, given_back
from latent_assets.orchestration.failures import told
from latent_assets.orchestration.frames import RENDER
from latent_assets.orchestration.here import Here
from latent_assets.orchestration.memory import Memory
from latent_assets.orchestration.pool import manners_of
from latent_assets.orchestration.progress import Onlooker
from latent_assets.studio import Studio, WalkSpec, shown_size

SECONDS_BETWEEN_LINES = 2.0


def upscaled_frames_asset(here: Here, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """The asset `upscaled_frames`."""

    @here.asset(
        partitions_def=partitions,
        owners=OWNERS,
        code_version=CODE_VERSION,
        group_name=RENDER,
        kinds={"tensorflow", "png"},
        op_tags=ON_A_GPU,
        description="The frames made larger, if the walk's `output.upscale` asks for it.",
    )
    def upscaled_frames(
        context: dg.AssetExecutionContext,
        walk_spec: dict,
        frames: dict,
        studio: dg.ResourceParam[Studio],
        onlooker: dg.ResourceParam[Onlooker],
        memory: dg.ResourceParam[Memory],
    ) -> dg.Output[dict]:
        spec = WalkSpec.from_json(walk_spec)
        upscale = spec.walk.output.upscale
        if upscale is None:
            return show.does_not_apply("the walk's file asks for no `output.upscale`")
        step = context.op_execution_context
        with given_back(step), told():
            large = upscale_frames(
                studio,
                upscale,
                frames["keys"],
                frames["digests"],
                on_picture=_telling(context, onlooker),
                manners=manners_of(step, onlooker),
            )
            preview = memory.recall(
                "strips", large.digests, lambda: show.strip(studio.upscaled, large.keys)
            )
        height, width = shown_size(spec.walk, spec.rendering.size)
        return dg.Output(
            {"keys": large.keys, "digests": large.digests},
            metadata={
                "preview": show.picture(preview, spec.name),
                "size (px)": f"{width} x {height}",
                "method": upscale.method,
                "made": large.made,
                "seconds": round(large.seconds, 2),
            },
            data_version=dg.DataVersion(root_digest(large.digests)[:16]),
        )

    return upscaled_frames


def _telling(context: dg.AssetExecutionContext, onlooker: Onlooker) -> OnPicture:
    """Tells the onlooker of each picture, and the run's page every few seconds."""
    last = time.monotonic()

    def on_picture(done: int, count: int) -> None:
        nonlocal last
        onlooker.on_upscaled(done, count)
        if done == count or time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            context.log.info("%d of %d pictures made larger", done, count)

    return on_picture
