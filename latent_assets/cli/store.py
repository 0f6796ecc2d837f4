"""Commands on the frame store: stats, gc."""

import re
from typing import Annotated

import typer
from rich.markup import escape

from latent_assets.cli.common import AsJson, emit, open_studio, out, size
from latent_assets.enlarging import larger_keys
from latent_assets.errors import LatentAssetsError, UsageError
from latent_assets.rendering import encoding_key
from latent_assets.store.objects import LocalObjects, Objects
from latent_assets.store.retention import KINDS, Policy, left_behind, plan_removal, remove
from latent_assets.store.retention import stats as store_stats
from latent_assets.studio import Studio, key_of_timeline
from latent_assets.walks.library import WalkLibrary

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SIZES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(stats)
    app.command()(gc)


def stats(as_json: AsJson = False) -> None:
    """What the store holds."""
    studio = open_studio()
    found = store_stats(studio.frames.objects, _outputs(studio)).as_dict()
    if as_json:
        emit({"store": studio.settings.store_url, **found})
        return
    out.print(f"[bold]{escape(studio.settings.store_url)}[/]")
    for name in KINDS:
        out.print(f"  {name:<11}{found[name]:>8}  {size(found[f'{name}_bytes'])}")


def gc(
    older_than: Annotated[
        str | None, typer.Option(help="What was stored longer ago: 30d, 12h, 2w.")
    ] = None,
    max_size: Annotated[
        str | None, typer.Option(help="The oldest, until the store is no larger: 20G, 500M.")
    ] = None,
    unreferenced: Annotated[
        bool, typer.Option("--unreferenced", help="What no walk file of the project names.")
    ] = False,
    runs: Annotated[
        str | None,
        typer.Option(help="Also what Dagster keeps of runs that ended longer ago: 30d."),
    ] = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Do it; without this nothing is removed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Collect what can go: says what it would remove, and removes it with --delete.

    What the project's walk files name is always kept, and what was stored in the last hour.
    """
    studio = open_studio()
    outputs = _outputs(studio)
    policy = Policy(
        older_than_s=None if older_than is None else _seconds("--older-than", older_than),
        max_bytes=None if max_size is None else _bytes(max_size),
        unreferenced=unreferenced,
        referenced=referenced_keys(studio),
    )
    of_store, of_outputs = plan_removal(studio.frames.objects, policy), left_behind(outputs)
    plan = of_store.plus(of_outputs)
    old = None if runs is None else _old_runs(studio, _seconds("--runs", runs), delete)
    if delete:
        remove(studio.frames.objects, of_store)
        remove(outputs, of_outputs)
    if as_json:
        emit({"deleted": delete, **plan.as_dict(), **({} if old is None else {"runs": old})})
        return
    verb = "removed" if delete else "would remove"
    out.print(f"{verb} {len(plan.removals)} objects, {size(plan.bytes)}")
    for why, content in plan.by_reason().items():
        out.print(f"  {why:<13}{content.count:>8}  {size(content.bytes)}")
    out.print(f"  {'kept':<13}{plan.kept.count:>8}  {size(plan.kept.bytes)}")
    if old is not None:
        rest = "values between steps and previews that no later run used"
        out.print(f"{verb} {old['removals']} runs of Dagster, {rest}: {size(old['bytes'])}")
    if older_than is None and max_size is None and not (unreferenced or runs):
        out.print("Frames go by --unreferenced, --older-than or --max-size only.")
    if not delete and (plan.removals or (old and old["bytes"])):
        out.print("Nothing was removed. Add --delete to do it.")


def _outputs(studio: Studio) -> Objects:
    """The folder of finished files: what is half written there, a killed render left."""
    return LocalObjects(studio.settings.outputs_dir)


def _old_runs(studio: Studio, older_than_s: float, delete: bool) -> dict[str, int]:
    """What goes of Dagster's runs; Dagster is imported for those who ask for it."""
    from latent_assets.orchestration.history import plan_old_runs, remove_old_runs
    from latent_assets.orchestration.instance import open_instance

    walks = WalkLibrary(studio.settings.walks_dir).names()
    with open_instance(studio.settings) as instance:
        old = plan_old_runs(instance, studio.settings.dagster_home, walks, older_than_s)
        if delete:
            remove_old_runs(instance, old)
    return {"removals": len(old.runs), "bytes": old.bytes}


def referenced_keys(studio: Studio) -> set[str]:
    """Keys of all frames and encodings that the project's walk files name.

    A walk file that is wrong may name frames that cannot be known: then nothing may be called
    unreferenced, so it is an error here.
    """
    library = WalkLibrary(studio.settings.walks_dir)
    keys: set[str] = set()
    for name in library.names():
        try:
            spec = studio.specify(name, library.load(name))
        except LatentAssetsError as error:
            raise UsageError(
                f"the walk {name} is wrong, so the frames it uses are not known: {error.problem}",
                "Mend its file, or move it away, then collect again.",
            ) from None
        frames = {recipe.key for recipe in studio.known_recipes(spec)}
        keys |= {key_of_timeline(spec)} if spec.has_timeline else set()
        keys |= frames | larger_keys(studio, spec.walk.output.upscale, frames)
        keys.update(encoding_key(spec.rendering, prompt) for prompt in spec.prompts)
    return keys


def _seconds(option: str, text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw])", text.strip().lower())
    if match is None:
        raise UsageError(f"{option} {text!r} is no age", "Write it as 30d, 12h or 2w.")
    return float(match[1]) * _UNITS[match[2]]


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text.strip().lower())
    if match is None:
        raise UsageError(f"--max-size {text!r} is no size", "Write it as 20G or 500M.")
    return int(float(match[1]) * _SIZES[match[2]])
