"""What a run tells whoever looks on: the command line's bar, for instance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


def _nobody(*_: object) -> None:
    pass


@dataclass(frozen=True)
class Onlooker:
    """Functions that a run calls; they must not raise."""

    on_frames: Callable[[Sequence[str], bool], None] = _nobody
    """(keys of the frames that are done now, whether they were rendered just now)."""
    on_places: Callable[[Sequence[str]], None] = _nobody
    """(keys of the walk's frames), once its timeline is known."""
    on_upscaled: Callable[[int, int], None] = _nobody
    """(pictures that were made larger, of how many)."""
    on_waiting: Callable[[str], None] = _nobody
    """(why the run waits); empty when it waits no longer."""
