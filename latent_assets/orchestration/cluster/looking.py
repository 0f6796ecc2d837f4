"""What a cluster consists of at this moment, asked of its workers, and what is wrong with it."""

import contextlib
import importlib.metadata
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from latent_assets import __version__
from latent_assets.errors import LatentAssetsError
from latent_assets.orchestration.cluster.app import (
    ANSWERS_S,
    CHEAP,
    Broker,
    check_broker,
    make_app,
    nobody_takes,
    told_of_broker,
)
from latent_assets.orchestration.cluster.values import FOLDER
from latent_assets.orchestration.employment import ON_A_GPU, QUEUE
from latent_assets.orchestration.instance import open_instance
from latent_assets.places import without_password
from latent_assets.settings import MODELS, Settings
from latent_assets.store.objects import Objects, open_objects
from latent_assets.studio import Studio

QUESTION = "latent_assets"
MOST_SKEW_S = 3.0
"""Leases of 15 s, renewed every 3 s, are judged by the workers' own clocks."""
SERVERS = ("broker", "database", "store")
FINE = "answers"
_AT_ONCE = {
    "config_kwargs": {"retries": {"max_attempts": 1}, "connect_timeout": 3, "read_timeout": 5}
}
"""For S3: of itself it is asked for more than a minute."""
_COMPARED = {
    "latent-assets": "another version of latent-assets",
    "dagster": "another version of Dagster",
    "precision": "another precision",
}


def answer_questions(settings: Settings, queues: Sequence[str], records: str) -> None:
    """In a worker's parent: say what it is when it is asked. records: see `records_of`."""
    from celery.worker import state  # noqa: PLC0415 - an extra package
    from celery.worker.control import inspect_command  # noqa: PLC0415 - an extra package

    @inspect_command(name=QUESTION)
    def latent_assets(_state: Any, left: str = "", **_more: Any) -> dict[str, Any]:
        now = time.time()
        found = describe(settings) | {"queues": list(queues), "records": records, "time": now}
        return found | {"busy": bool(state.active_requests), "store": _finds(settings, left)}


def _finds(settings: Settings, left: str) -> str:
    """Empty if what the one who asks left in the store is there, or why not."""
    try:
        _objects(settings).read(left)
    except FileNotFoundError:
        return f"{settings.store_url} is another store there, or another folder of this name"
    except LatentAssetsError as error:
        return str(error)
    return ""


def _objects(settings: Settings) -> Objects:
    """Impatient ones: who asks wants to know now."""
    url = settings.store_url
    return open_objects(url, **(_AT_ONCE if url.startswith("s3") else {}))


def describe(settings: Settings) -> dict[str, Any]:
    """What must be the same on all machines. Loads no model."""
    studio, weights = Studio.open(settings), {}
    for name in (*MODELS, *settings.library.names()):
        # One that is not there has no digest.
        with contextlib.suppress(LatentAssetsError):
            weights[name] = studio.describe_model(name).weights_digest[:16]
    return {
        "latent-assets": __version__,
        "dagster": importlib.metadata.version("dagster"),
        "precision": settings.precision,
        "weights": weights,
    }


def records_of(settings: Settings) -> str:
    """Which database or folder holds Dagster's records, by a number of its own.

    Raises LatentAssetsError if it does not answer.
    """
    with open_instance(settings) as instance:
        return instance.run_storage.get_run_storage_id()


def look(settings: Settings) -> dict[str, Any]:
    """broker, database and store, each `answers` or why not; the workers; the problems."""
    settings = replace(settings, patience=0)
    records: list[str] = []
    with _left_in_store(settings) as (left, store):
        found: dict[str, Any] = {
            "broker": _tried(lambda: check_broker(settings)),
            "database": _tried(lambda: records.append(records_of(settings))),
            "store": store,
            "workers": {},
        }
        waiting: dict[str, int] = {}
        if found["broker"] == FINE:
            found["workers"] = _ask_workers(settings, left)
            with told_of_broker(settings):
                waiting = Broker(make_app(settings)).all_waiting()
    here = describe(settings) | {"records": "".join(records)}
    return found | {"waiting": waiting, "problems": problems_of(settings, found, waiting, here)}


@contextlib.contextmanager
def _left_in_store(settings: Settings) -> Iterator[tuple[str, str]]:
    """An object in the store, for the block; and `answers`, or why it could not be left there."""
    name, objects = f"{FOLDER}/doctor-{uuid.uuid4().hex}.json", _objects(settings)

    def write() -> None:
        objects.write(name, b"{}")
        objects.read(name)

    said = _tried(write)
    try:
        yield name, said
    finally:
        with contextlib.suppress(LatentAssetsError):
            objects.delete(name)


def _tried(ask: Callable[[], Any]) -> str:
    try:
        ask()
    except LatentAssetsError as error:
        return str(error)
    return FINE


def _ask_workers(settings: Settings, left: str) -> dict[str, Any]:
    sent, answers = time.time(), {}

    def note(body: dict[str, Any], *_message: Any) -> None:
        for name, said in body.items():
            answers[name] = said if "error" in said else _with_clock(said, sent, time.time())

    with told_of_broker(settings):
        make_app(settings).control.broadcast(
            QUESTION, arguments={"left": left}, reply=True, timeout=ANSWERS_S, callback=note
        )
    return dict(sorted(answers.items()))


def _with_clock(said: dict[str, Any], sent: float, came: float) -> dict[str, Any]:
    """With `clock_s`: by how much its clock is ahead of ours, at least; negative: behind."""
    at = said["time"]
    off = at - came if at > came else min(at - sent, 0.0)
    return {**{k: v for k, v in said.items() if k != "time"}, "clock_s": round(off, 1)}


def problems_of(
    settings: Settings, found: dict[str, Any], waiting: dict[str, int], here: dict[str, Any]
) -> list[str]:
    """In sentences. waiting: steps in the queues; here: as a worker describes itself."""
    problems = [found[name] for name in SERVERS if found[name] != FINE]
    if found["broker"] != FINE:
        return problems
    workers = {name: said for name, said in found["workers"].items() if "error" not in said}
    if not found["workers"]:
        problems.append(f"no worker answers at {without_password(settings.broker)}")
    served = {queue for worker in workers.values() for queue in worker["queues"]}
    asked = sorted({CHEAP, ON_A_GPU[QUEUE], *waiting} - served)
    problems += [nobody_takes(queue, waiting.get(queue, 0)) for queue in asked]
    for name, said in found["workers"].items():
        if name in workers:
            problems += [f"{name} {what}" for what in _differences(said, here, found)]
        else:
            problems.append(f"{name} does not understand the question: {said['error']}")
    return problems


def _differences(
    worker: dict[str, Any], here: dict[str, Any], found: dict[str, Any]
) -> Iterator[str]:
    """What is wrong with a worker, as what may follow its name."""
    for each, what in _COMPARED.items():
        if worker[each] != here[each]:
            yield f"has {what}: {worker[each]}, here it is {here[each]}"
    for model in sorted(here["weights"].keys() | worker["weights"].keys()):
        theirs, ours = worker["weights"].get(model), here["weights"].get(model)
        if theirs is None:
            yield f"has no model {model}: copy its folder of models/ there"
        elif ours is None:
            yield f"has a model {model} that is not here: copy its folder of models/"
        elif theirs != ours:
            yield f"has other weights of {model}: {theirs}, here they are {ours}"
    if here["records"] and worker["records"] != here["records"]:
        yield "has another database: LATENT_ASSETS_DATABASE must name the same one everywhere"
    if found["store"] == FINE and worker["store"]:
        yield f"does not see what is stored here: {worker['store']}"
    if abs(worker["clock_s"]) > MOST_SKEW_S:
        where = "ahead of" if worker["clock_s"] > 0 else "behind"
        yield (
            f"has a clock {abs(worker['clock_s'])} s {where} this one: leases of steps are judged"
            " by it; let NTP set both"
        )
