"""The gallery: every walk as pages that play it, served live or written as a static site.

Here belong what is shown of a walk, its pages, and the server that fills them while frames come.
How a walk is rendered does not; nor does Dagster: what a run leaves for others to show is read
from `latent_assets.lastrun`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from latent_assets.studio import Studio

GALLERY_PATH = "/gallery"
"""Where it is mounted: metadata of assets name pages by this path, without a host."""


def gallery_app(studio: Studio, *, dagster: str | None = None) -> Starlette:
    """The pages of a studio's walks, to be mounted at `GALLERY_PATH`.

    dagster: where Dagster's pages are: empty for the same origin, None if there are none. Its
    `state.end` is to be called when the server ends: pages that listen are let go.
    """
    from latent_assets.gallery.app import make_app  # noqa: PLC0415 - who writes files serves none

    return make_app(studio, dagster=dagster)
