"""Several walks in one command: which they are, and how it goes on when one of them fails.

They are rendered in one process, so a model that several of them need is loaded once.
"""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from latent_assets import interrupts
from latent_assets.cli.common import emit, err, error_document, find_walk, out, warn
from latent_assets.errors import LatentAssetsError, StoppedError, UsageError
from latent_assets.foreign import is_there
from latent_assets.progress import duration
from latent_assets.studio import Studio, WalkSpec
from latent_assets.walks.library import WalkLibrary

FAILED = 1
WRONG = UsageError.exit_code


@dataclass(frozen=True)
class Chosen:
    """A walk that is to be rendered. Its file is read when its turn comes."""

    name: str
    library: WalkLibrary

    def specify(
        self, studio: Studio, *, model: str | None, frames: int | None, draft: bool
    ) -> tuple[WalkSpec, WalkLibrary]:
        """The walk, settled, and the library that holds it as it was read here."""
        read = self.library.load(self.name)
        spec = studio.specify(self.name, read, model=model, frames=frames, draft=draft)
        return spec, self.library.knowing(self.name, read)


@dataclass(frozen=True)
class Result:
    """What rendering a walk gave."""

    published: str
    """The name of its files."""
    document: dict[str, Any]
    """What --json prints of it."""

    @property
    def exit_code(self) -> int:
        """1 if a check of the walk failed."""
        checks = self.document["failed_checks"]
        return FAILED if any(check["severity"] == "ERROR" for check in checks) else 0


def choose(
    studio: Studio, walks: Sequence[str], *, every: bool, changed: bool
) -> tuple[Chosen, ...]:
    """The walks that the command line names, each once. Raises UsageError before any is rendered.

    A file that is wrong is found when its turn comes: it keeps the others from nothing.
    """
    if (asked := [bool(walks), every, changed].count(True)) != 1:
        raise UsageError(
            "no walk is named" if not asked else "walks are chosen in two ways",
            "Name walks, or take --all, or --changed for those that are not rendered as their"
            " files say.",
        )
    if walks:
        return _named(studio, walks)
    library = WalkLibrary(studio.settings.walks_dir)
    warn(tuple(map(str, library.unused())))
    if not library.names():
        raise UsageError(
            f"there are no walks in {library.folder}", "To begin: latent-assets new NAME"
        )
    names = _changed(studio) if changed else library.names()
    return tuple(Chosen(name, library) for name in names)


def _named(studio: Studio, walks: Sequence[str]) -> tuple[Chosen, ...]:
    chosen: dict[str, WalkLibrary] = {}
    for walk in dict.fromkeys(walks):
        name, library = find_walk(studio, walk)
        if name not in library.names() or not all(map(is_there, library.extra)):
            library.load(name)  # raises UsageError, which says what there is
        before = chosen.setdefault(name, library).paths().get(name)
        file = library.paths().get(name)
        if before != file and not (before and file and before.samefile(file)):
            raise UsageError(
                f"{before} and {file} have the same name",
                "Give one of them another: what they make would overwrite each other.",
            )
    return tuple(Chosen(name, library) for name, library in chosen.items())


def _changed(studio: Studio) -> list[str]:
    """Those whose frames or files are not all there as their walk files say."""
    from latent_assets.gallery.cards import Shelf

    look = Shelf(studio).look()
    if look.trouble:
        raise LatentAssetsError(f"the store cannot be looked at: {look.trouble}")
    if running := sorted(name for name, card in look.cards.items() if card.running):
        warn((f"left out, since they are being rendered: {', '.join(running)}",))
    return sorted(
        name for name, card in look.cards.items() if not card.running and not card.is_finished
    )


def render_each(
    chosen: Sequence[Chosen], render: Callable[[Chosen], Result], *, as_json: bool
) -> int:
    """Render one after the other, whatever becomes of the others. Returns the exit code.

    It is 0 if all were rendered, 2 if all are wrong so that nothing was done, else 1. Raises
    StoppedError after Ctrl-C, when what was done until then was told.
    """
    began = time.perf_counter()
    done: list[dict[str, Any]] = []
    codes: list[int] = []

    def tell(stopped: bool = False) -> None:
        left = [walk.name for walk in chosen[len(codes) :]] if stopped else []
        if as_json:
            emit(_summary(done, codes, left, time.perf_counter() - began))
        else:
            out.print(_sentence(done, codes, left, time.perf_counter() - began), markup=False)

    for walk in chosen:
        try:
            result = render(walk)
        except (StoppedError, KeyboardInterrupt):
            tell(stopped=True)
            raise
        except LatentAssetsError as error:
            err.print(f"latent-assets: {walk.name}: {error}", markup=False)
            done.append({"walk": walk.name, **error_document(error)})
            codes.append(error.exit_code)
        else:
            done.append(result.document)
            codes.append(result.exit_code)
    tell()
    return _exit_code(codes)


def _exit_code(codes: Sequence[int]) -> int:
    failed = [code for code in codes if code]
    if failed == list(codes) and set(failed) == {WRONG}:
        return WRONG
    return FAILED if failed else 0


def _code_of_signal() -> int:
    return interrupts.OF_SIGNALS + (interrupts.asked() or signal.SIGINT)


def _summary(
    done: Sequence[dict[str, Any]], codes: Sequence[int], left: Sequence[str], seconds: float
) -> dict[str, Any]:
    return {
        "walks": list(done),
        "failed": _failed(done, codes),
        "not_finished": list(left),
        "rendered": sum(each.get("rendered", 0) for each in done),
        "seconds": round(seconds, 2),
        **({"error": "interrupted"} if left else {}),
        "exit_code": _code_of_signal() if left else _exit_code(codes),
    }


def _sentence(
    done: Sequence[dict[str, Any]], codes: Sequence[int], left: Sequence[str], seconds: float
) -> str:
    if not done and not left:
        return "Nothing to render: all walks are rendered as their files say."
    failed, frames = _failed(done, codes), sum(each.get("rendered", 0) for each in done)
    parts = [f"{_walks(len(done) - len(failed))} done, {frames} frames rendered"]
    parts += [f"failed: {', '.join(failed)}"] if failed else []
    parts += [f"not finished: {', '.join(left)}"] if left else []
    return f"{'; '.join(parts)}; {duration(seconds)}"


def _failed(done: Sequence[dict[str, Any]], codes: Sequence[int]) -> list[str]:
    return [each["walk"] for each, code in zip(done, codes, strict=True) if code]


def _walks(count: int) -> str:
    return f"{count} walk{'' if count == 1 else 's'}"
