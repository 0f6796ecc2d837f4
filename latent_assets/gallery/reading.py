"""What is read of a walk for its page, live or written."""

from __future__ import annotations

from pathlib import Path

from latent_assets.studio import WalkSpec
from latent_assets.walks.loading import MAX_FILE_BYTES
from latent_assets.walks.route import prompt_places
from latent_assets.walks.schema import WALK_ADAPTER
from latent_assets.walks.yaml_text import dump


def text_of(path: Path, spec: WalkSpec) -> str:
    """The walk file; of a walk that has none, as it would be written."""
    if path.exists():
        return file_text(path)
    return dump(WALK_ADAPTER.dump_python(spec.walk, mode="json", exclude_defaults=True))


def file_text(path: Path) -> str:
    """The walk file as it stands; what is no text of it shows as such."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES).decode("utf-8-sig", errors="replace")
    except OSError as error:
        return f"# cannot be read: {error.strerror}\n"


def keyframes(spec: WalkSpec) -> list[tuple[str, int]]:
    """The prompts on the way, each with the number of the frame that is next to it."""
    last = spec.walk.frames - 1
    return [(prompt, min(round(place), last)) for prompt, place in prompt_places(spec.walk)]
