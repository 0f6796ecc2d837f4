"""The walk files of a project: a folder, read anew at every use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from latent_assets.errors import InvalidWalkError, UsageError, WalkProblem
from latent_assets.foreign import printable
from latent_assets.walks.loading import check_name, load_walk, no_files, walk_files
from latent_assets.walks.schema import Walk


@dataclass(frozen=True)
class WalkLibrary:
    """A folder of walk files, and single files from elsewhere that were asked for by path.

    A file that is wrong stays in the list: its own partition fails, with the reason; the others
    are not touched by it.
    """

    folder: Path
    extra: tuple[Path, ...] = ()
    known: Mapping[str, Walk] = field(default_factory=dict)
    """Walks that were read already, by name: what has become of their files since is not asked."""

    def knowing(self, name: str, walk: Walk) -> WalkLibrary:
        """The library for all that follows from one reading of this walk's file."""
        return replace(self, known={**self.known, name: walk})

    def paths(self) -> dict[str, Path]:
        """Walk name -> file. Files whose name cannot name a walk are left out."""
        found = {}
        for path in (*walk_files(self.folder), *self.extra):
            try:
                found[check_name(path.stem)] = path
            except UsageError:
                continue
        return found

    def path_of(self, name: str) -> Path:
        """The walk's file; where it would lie if it has none, as one from a pipe."""
        return self.paths().get(name, self.folder / f"{name}.yaml")

    def names(self) -> list[str]:
        """The walks' names, in order."""
        return sorted({*self.paths(), *self.known})

    def load(self, name: str) -> Walk:
        """Raises UsageError if there is no such walk, InvalidWalkError if its file is wrong."""
        if name in self.known:
            return self.known[name]
        path = self.paths().get(name)
        if path is None:
            known = ", ".join(self.names())
            raise UsageError(
                f"there is no walk {name} in {self.folder}",
                f"There are: {known}." if known else f"To begin: latent-assets new {name}",
            )
        return load_walk(path)

    def valid(self) -> dict[str, Walk]:
        """The walks that can be rendered, by name."""
        return {name: walk for name, walk in self._read().items() if isinstance(walk, Walk)}

    def problems(self) -> list[WalkProblem]:
        """Everything that is wrong in the folder, file by file."""
        wrong = [walk for walk in self._read().values() if isinstance(walk, InvalidWalkError)]
        return [*(problem for error in wrong for problem in error.problems), *self.unused()]

    def unused(self) -> list[WalkProblem]:
        """The files of the folder that are no walk, by what is wrong with their names."""
        found, used = [], self.paths()
        for path in walk_files(self.folder):
            file = printable(str(path))
            if used.get(path.stem, path) != path:
                other = used[path.stem].name
                found.append(WalkProblem(file, "file name", f"is the same walk as {other}"))
            try:
                check_name(path.stem)
            except UsageError as error:
                found.append(WalkProblem(file, "file name", error.problem))
        for path in no_files(self.folder):
            message = "is no regular file" if path.exists() else "is a link to nothing"
            found.append(WalkProblem(printable(str(path)), "file", message))
        return found

    def _read(self) -> dict[str, Walk | InvalidWalkError]:
        read: dict[str, Walk | InvalidWalkError] = dict(self.known)
        for name, path in self.paths().items():
            if name in read:
                continue
            try:
                read[name] = load_walk(path)
            except InvalidWalkError as error:
                read[name] = error
            except UsageError as error:
                read[name] = InvalidWalkError([WalkProblem(str(path), "file", error.problem)])
        return read


def names_of(walks: Sequence[str]) -> str:
    """A list of walks for a sentence."""
    return ", ".join(walks) if walks else "none"
