"""What was derived from frames once need not be derived again: previews, figures, files.

A second run of an unchanged walk must cost next to nothing, and frames that have the same
digests have the same previews.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from latent_assets.errors import MediaError
from latent_assets.media import inspect_file
from latent_assets.store.atomic import replacing
from latent_assets.walks.recipes import digest_of


class Memory:
    """A folder of small JSON documents, each under the digest of what it was made from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def recall(self, what: str, source: object, make: Callable[[], Any]) -> Any:
        """What `make` gave for this source before, or gives now.

        `source` is plain JSON and determines the result; a damaged document is made again.
        """
        path = self.folder / what / f"{digest_of(source)}.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            made = make()
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(made), encoding="utf-8")
        return made


def stands(path: Path, record: dict | None) -> bool:
    """Whether a finished file is there already, made from these very frames and settings.

    A file without a record of its origin cannot tell, so it is made again.
    """
    if record is None or not path.exists():
        return False
    try:
        return inspect_file(path).as_dict() == json.loads(json.dumps(record))
    except MediaError:
        return False
