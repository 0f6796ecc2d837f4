"""The walk files, watched while the pages are open: nobody has to press Reload or Observe.

Definitions are loaded again when walks come or go, or a schedule changes; a changed file is noted
as changed, so that its walk shows as stale.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from latent_assets.errors import LatentAssetsError
from latent_assets.walks.library import WalkLibrary
from latent_assets.walks.schema import Walk

LOOK_S = 2.0
Stamp = Mapping[str, tuple[int, int]]

logger = logging.getLogger(__name__)


@dataclass
class Watch:
    """Looks at the files' dates every two seconds, and into them when one has changed.

    A file is acted on when it was the same at two looks: an editor may be in the middle of it.
    """

    library: WalkLibrary
    reload: Callable[[], None]
    """Loads the definitions again."""
    note: Callable[[Mapping[str, Walk]], None]
    """Takes the walks that can be rendered, by name, after any has changed."""
    over: threading.Event
    names: list[str] = field(default_factory=list)
    """The walks that the loaded definitions know."""
    schedules: dict[str, object] | None = None
    looked: Stamp | None = None
    acted: Stamp | None = None

    def run(self) -> None:
        """Until `over`. What goes wrong (a database that is locked) is tried again, and logged."""
        while not self.over.is_set():
            try:
                self.look()
            except Exception:
                logger.exception("looking at the walk files")
            self.over.wait(LOOK_S)

    def look(self) -> None:
        """Once."""
        stamp = self._stamp()
        settled, self.looked = stamp == self.looked, stamp
        if stamp == self.acted or not (settled or self.acted is None):
            return
        walks = self.library.valid()
        names = sorted(stamp)
        schedules: dict[str, object] = {name: walk.schedule for name, walk in walks.items()}
        scheduled = {name: each for name, each in schedules.items() if each is not None}
        if names != self.names or self.schedules not in (None, scheduled):
            self.reload()
        self.names, self.schedules = names, scheduled
        self.note(walks)
        self.acted = stamp

    def _stamp(self) -> Stamp:
        found = {}
        try:
            for name, path in self.library.paths().items():
                status = path.stat()
                found[name] = (status.st_mtime_ns, status.st_size)
        except (OSError, LatentAssetsError):
            return self.looked or {}  # a file that goes just now: the next look tells
        return found
