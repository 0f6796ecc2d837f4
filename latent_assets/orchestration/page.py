"""The walk's page among its finished files: what the gallery shows, without a server."""

import dagster as dg

from latent_assets.catalogue import Listed
from latent_assets.gallery.cards import card_of
from latent_assets.gallery.site import Source, write_own_page
from latent_assets.media import root_digest
from latent_assets.orchestration import show
from latent_assets.orchestration.assets import CODE_VERSION, OWNERS
from latent_assets.orchestration.failures import told
from latent_assets.orchestration.here import Here
from latent_assets.orchestration.timeline import paced
from latent_assets.studio import Studio
from latent_assets.walks.library import WalkLibrary


def page_asset(here: Here, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """Page."""

    @here.asset(
        partitions_def=partitions,
        owners=OWNERS,
        code_version=CODE_VERSION,
        group_name="publish",
        kinds={"html"},
        # It lists the files that these make.
        deps=["animation", "grid"],
        description="A page that plays the walk and links to its files; it needs no server.",
    )
    def page(
        walk_spec: dict,
        timeline: dict,
        frames: dict,
        report: dict,
        studio: dg.ResourceParam[Studio],
        library: dg.ResourceParam[WalkLibrary],
    ) -> dg.Output[dict]:
        spec = paced(walk_spec, timeline)
        listed = Listed(
            name=spec.published,
            path=library.path_of(spec.name),
            modified=0.0,
            problem="",
            document=walk_spec,
            packed=bytes.fromhex("".join(frames["keys"])),
            places=getattr(spec.walk, "places", None),
        )
        stored = frozenset(frames["keys"])
        distances = report["measured"]["smoothness"]["rms"]["adjacent"]
        with told():
            path = write_own_page(
                studio, Source(listed, card_of(listed, stored), stored, distances)
            )
        root = root_digest(frames["digests"])
        return dg.Output(
            {"paths": [str(path)]},
            metadata={
                **show.page(spec, root),
                "path": dg.MetadataValue.path(str(path)),
                **show.variant(spec),
            },
            data_version=dg.DataVersion(root[:16]),
        )

    return page
