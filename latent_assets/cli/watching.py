"""The command `watch`: a walk is rendered again whenever its file is saved."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGINT
from typing import Annotated, Any

import typer

from latent_assets import interrupts
from latent_assets.cli import completing
from latent_assets.cli.common import STDIN, DraftOption, FramesOption, ModelOption, err, open_studio
from latent_assets.cli.many import Chosen, choose
from latent_assets.cli.render import render_and_tell
from latent_assets.errors import LatentAssetsError, StoppedError, UsageError
from latent_assets.foreign import printable
from latent_assets.studio import Studio

LOOK_EVERY_MS = 500
"""Where nothing changes; a change is told at once."""
SETTLED_MS = 100
"""Editors save in several steps: it is one change when nothing has happened for so long."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(watch)


def watch(
    walks: Annotated[
        list[str],
        typer.Argument(
            metavar="WALK...", help="Walks, by name or file.", autocompletion=completing.walks
        ),
    ],
    model: ModelOption = None,
    frames: FramesOption = None,
    draft: DraftOption = False,
) -> None:
    """Render walks, and each again whenever its file is saved, with the model kept loaded.

    A wrong file is told, and waited for. Ctrl-C ends it.
    """
    if STDIN in walks:
        raise UsageError("standard input cannot be watched", "Name a walk, or a walk file.")
    studio = open_studio()
    chosen = choose(studio, walks, every=False, changed=False)
    overrides = {"model": model, "frames": frames, "draft": draft}
    watched = [Watched.of(walk) for walk in chosen]
    try:
        for changed in saves(watched):
            for each in changed:
                _render(studio, each, overrides)
            _say_what_is_watched(watched)
    except KeyboardInterrupt:
        # Ctrl-C while nothing is rendered is the way to end it; other signals are errors here too.
        if interrupts.asked() != SIGINT:
            raise


@dataclass
class Watched:
    """A walk, and its file as it was when it was looked at last."""

    walk: Chosen
    file: Path
    content: bytes | None = field(default=None)

    @classmethod
    def of(cls, walk: Chosen) -> "Watched":
        """Its file has not been looked at yet."""
        return cls(walk, walk.library.paths()[walk.name])

    def has_changed(self) -> bool:
        """Since it was asked last: by what stands in it, not by its date."""
        before, self.content = self.content, _content(self.file)
        return before != self.content


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def saves(watched: Sequence[Watched]) -> Iterator[list[Watched]]:
    """Those whose files have changed, each time that some have; at first, all.

    The folders are watched, since editors put a new file in the old one's place. What is saved
    while whoever asks is busy is found when he asks again.
    """
    from watchfiles import watch as changes_in

    folders = {folder for each in watched for folder in _folders(each.file)}
    looks = changes_in(
        *folders,
        recursive=False,
        watch_filter=None,
        step=SETTLED_MS,
        rust_timeout=LOOK_EVERY_MS,
        yield_on_timeout=True,
    )
    for _ in looks:
        if changed := [each for each in watched if each.has_changed()]:
            yield changed


def _folders(file: Path) -> set[Path]:
    """Where a file's name stands, and where the file lies that it is a link to."""
    return {file.parent.absolute(), file.resolve().parent}


def _render(studio: Studio, each: Watched, overrides: Mapping[str, Any]) -> None:
    if each.content is None:
        err.print(f"{printable(str(each.file))} is gone, or cannot be read.", markup=False)
        return
    try:
        render_and_tell(studio, each.walk, overrides)
    except StoppedError:
        raise
    except KeyboardInterrupt:
        raise StoppedError("interrupted") from None
    except LatentAssetsError as error:
        err.print(f"latent-assets: {each.walk.name}: {error}", markup=False)


def _say_what_is_watched(watched: Sequence[Watched]) -> None:
    names = ", ".join(printable(str(each.file)) for each in watched)
    err.print(f"Watching {names}. Save it to render again, Ctrl-C to end.", markup=False)
