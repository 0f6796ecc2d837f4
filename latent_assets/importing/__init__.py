"""Walks out of the files of other programs: what they say in our words, and what has none here.

Each form has a module of pure functions: from the file's content to a draft of a walk file.
"""

from latent_assets.importing.draft import Draft, ImportFailedError
from latent_assets.importing.forms import MAX_BYTES, Source, draft_of
from latent_assets.importing.settling import settle

__all__ = ["MAX_BYTES", "Draft", "ImportFailedError", "Source", "draft_of", "settle"]
