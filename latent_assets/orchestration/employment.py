"""Whether this process works for itself, or in a cluster, where a step can be given back.

A worker that is to leave, or that a walk does not suit, gives its step back: Dagster tries it
again, on whichever worker takes it. What was rendered of it so far is in the store.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg

from latent_assets.errors import ModelError
from latent_assets.studio import Studio
from latent_assets.walks.recipes import Rendering

QUEUE = "latent-assets/queue"
"""Tag of a step that needs a model, and of a run whose such steps go elsewhere than to `gpu`."""
ON_A_GPU = {QUEUE: "gpu"}
MOST_RETURNS = 1_000
"""A cluster whose every worker refuses a step would pass it round for ever."""
MOST_REFUSALS = 20


ordered_walks: set[str] = set()
"""Walks whose steps this worker was sent: their files need not be here."""


class GivenBackError(BaseException):
    """The step is somebody else's. No Exception: nobody is to take it for a fault and try again."""


@dataclass(frozen=True)
class Employment:
    """What a process heeds while it works. Alone, it heeds nothing."""

    is_worker: bool = False
    """Whether others may do the same work at this moment."""
    before_batch: Callable[[], None] = lambda: None
    """Raises GivenBackError if the worker is to leave; an interruption if the run is stopped."""
    refused: Callable[[str], None] = lambda _why: None
    """Called where a step does not suit this worker."""


_employment = Employment()


def employ(employment: Employment) -> None:
    """From now on, in this process."""
    global _employment  # noqa: PLW0603 - a process is one or the other, for good
    _employment = employment


def employment() -> Employment:
    """That of this process."""
    return _employment


@contextmanager
def given_back(context: dg.OpExecutionContext) -> Iterator[None]:
    """In the block of a step, giving it back is a retry for Dagster."""
    try:
        yield
    except GivenBackError as error:
        context.log.warning("%s; another worker takes what is left of this step", error)
        raise dg.RetryRequested(max_retries=MOST_RETURNS) from None


def check_suits(context: dg.OpExecutionContext, studio: Studio, rendering: Rendering) -> None:
    """A worker with other weights or another precision must not fill the keys of a walk.

    Raises GivenBackError, or ModelError where so many workers have refused that there is no other.
    Looks at digests alone: no model is loaded.
    """
    if not _employment.is_worker:
        return
    why = _unsuited(studio, rendering)
    if why is None:
        return
    _employment.refused(why)
    if context.retry_number >= MOST_REFUSALS:
        raise ModelError(
            f"no worker renders this walk: {why}",
            "Give the workers of its queue the same weights and settings, and render it again.",
        )
    raise GivenBackError(f"this worker refuses the step: {why}")


def _unsuited(studio: Studio, rendering: Rendering) -> str | None:
    precision = studio.settings.precision
    if precision != rendering.precision:
        return f"it renders in {precision}, the walk is to be rendered in {rendering.precision}"
    weights = studio.describe_model(rendering.model).weights_digest
    if weights != rendering.weights:
        return (
            f"it has other weights of {rendering.model}"
            f" ({weights[:12]}, the walk wants {rendering.weights[:12]})"
        )
    return None
