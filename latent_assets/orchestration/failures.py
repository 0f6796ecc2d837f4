"""A user's mistake becomes a failure that says what to do, without a stack trace of ours."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import dagster as dg

from latent_assets.errors import InvalidWalkError, LatentAssetsError
from latent_assets.orchestration.show import plain, sentences


@contextmanager
def told() -> Iterator[None]:
    """Turn the project's errors into `dagster.Failure`, not to be tried again."""
    try:
        yield
    except LatentAssetsError as error:
        _note_on_the_walk(error)
        raise failure(error) from None


def failure(error: LatentAssetsError) -> dg.Failure:
    """The error as Dagster shows it, in the run's log and in the web UI."""
    metadata: dict[str, dg.MetadataValue] = {}
    if isinstance(error, InvalidWalkError):
        metadata["problems"] = sentences([str(problem) for problem in error.problems])
    elif error.cure:
        metadata["what to do"] = dg.MetadataValue.text(error.cure)
    return dg.Failure(description=str(error), metadata=metadata, allow_retries=False)


def words_of(failed: dg.DagsterEvent) -> str:
    """Why a step failed, for people: the error in its own words where it has some."""
    data = failed.step_failure_data
    told = data.user_failure_data
    if told is not None and told.description:
        return str(told.description)
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    why = str(error.message).strip() if error is not None else "no reason given"
    return f"step {failed.step_key} failed: {why}"


def words_of_check(check: dg.AssetCheckEvaluation) -> str | None:
    """Why a check keeps the walk's files from being made, for people; None if it does not."""
    blocks = check.blocking and not check.passed and check.severity is dg.AssetCheckSeverity.ERROR
    if not blocks or not check.description:
        return None
    return f"{plain(check.description)}. No files are made, as the walk's checks ask"


def _note_on_the_walk(error: LatentAssetsError) -> None:
    """Say it on the walk's own partition too: that is where a person looks who sees red.

    Whatever keeps Dagster from noting it (a full disk, for instance) must not hide the error.
    """
    with suppress(Exception):
        context = dg.OpExecutionContext.get()
        for asset in sorted(context.assets_def.keys):
            context.log_event(
                dg.AssetObservation(
                    asset,
                    partition=context.partition_key,
                    metadata={"what happened": dg.MetadataValue.text(str(error))},
                )
            )
