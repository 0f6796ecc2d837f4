"""The pool `gpu`: whoever computes takes a place in it, for as long as that lasts.

Dagster's own claim, by `pool=` on a step, takes the place before the step looks whether anything
is missing, keeps it while the model loads, and cannot be interrupted while it waits. So the steps
take their place themselves; limits and places are Dagster's, and shown in its web UI.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

import dagster as dg

from latent_assets.orchestration.employment import employment
from latent_assets.orchestration.progress import Onlooker
from latent_assets.orchestration.stopping import finished_batch
from latent_assets.rendering import Manners

POOL = "gpu"
POLL_S = 0.5
TOLD_EVERY_S = 60.0
LOADING_TOLD_EVERY_S = 2.5
_loaded: set[str] = set()
"""Models that this process has loaded."""


def manners_of(context: dg.OpExecutionContext, onlooker: Onlooker) -> Manners:
    """A step's manners: it computes on a place in the pool, and stops between batches."""

    def tell(why: str) -> None:
        context.log.info(why or "the GPU is free: going on")
        onlooker.on_waiting(why)

    step_key = context.get_step_execution_context().step.key

    def turn() -> AbstractContextManager[None]:
        if employment().is_worker:  # it has a GPU to itself, and takes one step at a time
            return nullcontext()
        return place(context.instance, context.run_id, step_key, tell)

    return Manners(
        turn=turn,
        batch=finished_batch,
        load=lambda model: loading(model, context.log.info, onlooker.on_waiting),
        shared=employment().is_worker,
    )


@contextmanager
def loading(
    model: str, log: Callable[[str], None], on_waiting: Callable[[str], None]
) -> Iterator[None]:
    """Say that a model is loaded in the block, and from time to time that it still is.

    Nothing, if this process has done so before.
    """
    if model in _loaded:
        yield
        return
    log(f"loading the model {model}")
    on_waiting(f"loading the model {model}")
    started = time.monotonic()
    over = threading.Event()

    def speak() -> None:
        while not over.wait(LOADING_TOLD_EVERY_S):
            with suppress(Exception):  # of Dagster's database: the model is loaded all the same
                log(f"still loading the model {model}, {time.monotonic() - started:.0f} s")

    speaker = threading.Thread(target=speak, daemon=True)
    speaker.start()
    try:
        yield
    finally:
        over.set()
        speaker.join()
    _loaded.add(model)
    log(f"loaded the model {model} in {time.monotonic() - started:.1f} s")
    on_waiting("")


@contextmanager
def place(
    instance: dg.DagsterInstance, run_id: str, step_key: str, tell: Callable[[str], None]
) -> Iterator[None]:
    """A place in the pool, in the block; waits until there is one.

    tell: called with the reason while it waits, and with nothing when it goes on.
    """
    storage = instance.event_log_storage
    if not _is_limited(instance):
        yield
        return
    try:
        _wait(instance, run_id, step_key, tell)
        yield
    finally:
        # Also what was only asked for: the next in the queue must not wait for it.
        storage.free_concurrency_slot_for_step(run_id, step_key)


def _wait(
    instance: dg.DagsterInstance, run_id: str, step_key: str, tell: Callable[[str], None]
) -> None:
    told_at: float | None = None
    claim = instance.event_log_storage.claim_concurrency_slot
    while not claim(POOL, run_id, step_key, 0).is_claimed:
        if told_at is None or time.monotonic() - told_at > TOLD_EVERY_S:
            told_at = time.monotonic()
            tell(f"waiting for {_holders(instance, run_id)}")
        time.sleep(POLL_S)
    if told_at is not None:
        tell("")


def _is_limited(instance: dg.DagsterInstance) -> bool:
    """Whether the pool has a limit; a first run sets the one of dagster.yaml."""
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return False
    default = storage.get_pool_config().default_pool_limit
    known = {pool.name: pool for pool in storage.get_pool_limits()}.get(POOL)
    if default is not None and (known is None or (known.from_default and known.limit != default)):
        storage.initialize_concurrency_limit_to_default(POOL)
        return True
    return known is not None


def _holders(instance: dg.DagsterInstance, run_id: str) -> str:
    """Who has the places, in words: walks, and the runs by which the web UI knows them."""
    found = instance.event_log_storage.get_concurrency_info(POOL)
    names = []
    for other in sorted({slot.run_id for slot in found.claimed_slots} - {run_id}):
        run = instance.get_run_by_id(other)
        walk = run and run.tags.get("dagster/partition")
        names.append(f"{walk} (run {other[:8]})" if walk else f"run {other[:8]}")
    return f"the GPU, which renders {' and '.join(names)}" if names else "the GPU"
