"""What the shell completes: names of walks, of models, of kinds, of pages.

It is asked in the middle of a line, so it says nothing about what is wrong; where it knows nothing
the shell completes files.
"""

from collections.abc import Iterable
from contextlib import suppress

from latent_assets.errors import LatentAssetsError
from latent_assets.settings import MODELS, Settings
from latent_assets.shipped import SHIPPED_WALKS, page_names
from latent_assets.walks.library import WalkLibrary
from latent_assets.walks.loading import walk_files
from latent_assets.walks.templates import TEMPLATES


def walks(incomplete: str) -> list[str]:
    """The project's walks and those that ship, which can be rendered by name as well."""
    shipped = [file.stem for file in walk_files(SHIPPED_WALKS)]
    return _beginning({*shipped, *own_walks("")}, incomplete)


def own_walks(incomplete: str) -> list[str]:
    """The project's walks."""
    with suppress(LatentAssetsError):
        return _beginning(WalkLibrary(Settings.from_environment().walks_dir).paths(), incomplete)
    return []


def models(incomplete: str) -> list[str]:
    """Those that come with the project, and the user's own."""
    names = set(MODELS)
    with suppress(LatentAssetsError):
        names.update(Settings.from_environment().library.names())
    return _beginning(names, incomplete)


def kinds(incomplete: str) -> list[str]:
    """Of walks."""
    return _beginning(TEMPLATES, incomplete)


def pages(incomplete: str) -> list[str]:
    """Of the documentation."""
    return _beginning(page_names(), incomplete)


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
