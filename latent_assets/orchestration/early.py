"""The early look of a run: a film that grows in a file, and a few notes of it while it runs."""

import time

import dagster as dg

from latent_assets.digests import digest_of
from latent_assets.early_look import FIRST_AFTER_S, EarlyLook
from latent_assets.orchestration import show
from latent_assets.studio import Studio, WalkSpec

_looks: dict[str, "RunLook"] = {}


class RunLook:
    """What a run shows of its walk before it is whole.

    A note is made of the first frames, and whenever twice as many are there: each is some
    kilobytes of Dagster's database.
    """

    def __init__(self, studio: Studio, spec: WalkSpec) -> None:
        self.look = EarlyLook(studio, spec)
        self._spec = spec
        self._noted = 0
        self._began = time.monotonic()

    def on_frames(self, context: dg.OpExecutionContext, asset: str, rendered: bool) -> None:
        """Frames have come, in a step of this asset."""
        early = time.monotonic() - self._began < FIRST_AFTER_S
        if not rendered or early or not self.look.update():
            return
        known = len(self.look.known)
        if not self._noted:
            context.log.info("an early look at the walk grows in %s", self.look.path)
        if known >= 2 * self._noted and (picture := self.look.note()) is not None:
            self._noted = known
            note = {
                # The gallery knows frames, and no pilots.
                **(
                    show.page(self._spec, digest_of([self._spec.name, known]))
                    if asset == "frames"
                    else {}
                ),
                "early look": show.picture(picture, self._spec.name),
                "frames in it": known,
                "file": dg.MetadataValue.path(str(self.look.path)),
            }
            key = next(key for key in context.assets_def.keys if key.path[-1] == asset)
            context.log_event(dg.AssetObservation(key, partition=self._spec.name, metadata=note))


def look_of(run_id: str, studio: Studio, spec: WalkSpec) -> RunLook:
    """That of the run, over all its steps in this process."""
    if run_id not in _looks:
        _looks.clear()
        _looks[run_id] = RunLook(studio, spec)
    return _looks[run_id]
