"""Errors that a user can cause, each told in words that help.

An error of this family is shown without a stack trace: the command line prints it and exits,
a Dagster step turns it into a `dagster.Failure`. Everything else is a defect and is shown whole.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from latent_assets.foreign import harmless, printable


class LatentAssetsError(Exception):
    """Base of the errors that are told to the user as they are.

    `problem` says what is wrong and where, in words that can follow a colon: no capital, no stop.
    `cure` says what to do about it, in sentences.
    """

    exit_code = 1

    def __init__(self, problem: str, cure: str = "") -> None:
        # Names and texts from outside stand in both: a line that they could end would be forged.
        self.problem = printable(problem)
        self.cure = printable(cure)
        super().__init__(self.problem if not cure else f"{self.problem}\n  {self.cure}")

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: in a notebook too, the words are enough."""
        return str(self).splitlines()

    @classmethod
    def retold(cls, text: str) -> LatentAssetsError:
        """An error in words that were put together elsewhere, on several lines."""
        error = cls(text)
        error.args, error.problem = (harmless(text),), harmless(text)
        return error


@dataclass(frozen=True)
class WalkProblem:
    """One thing that is wrong in a walk file, or in a model file."""

    file: str
    field: str
    message: str
    line: int | None = None
    value: str | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        value = "" if self.value is None else f" (it is {self.value})"
        return printable(f"{place}: {self.field}: {self.message}{value}")

    def as_dict(self) -> dict[str, object]:
        """The problem as plain JSON types."""
        return asdict(self)


class InvalidFileError(LatentAssetsError):
    """A file that a user wrote, with every problem found in it."""

    exit_code = 2

    def __init__(self, problems: list[WalkProblem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class InvalidWalkError(InvalidFileError):
    """A walk file that cannot be rendered."""


class InvalidModelError(InvalidFileError):
    """A model file that describes no model."""


class UnpacedError(LatentAssetsError):
    """The frames of a walk of perceptual pace were asked for before its timeline is known."""


class UsageError(LatentAssetsError):
    """A command or a setting that asks for something that does not exist."""

    exit_code = 2


class StoppedError(LatentAssetsError):
    """Somebody asked the command to stop, by Ctrl-C or another signal."""

    exit_code = 130


class ModelError(LatentAssetsError):
    """A model that cannot be loaded, or a request that it cannot serve."""


class PredictionUnknownError(ModelError):
    """Files that do not say what the denoiser was trained to predict."""


class TrainingError(LatentAssetsError):
    """A step of the embedded model's training without what it begins with."""


class StoreError(LatentAssetsError):
    """A frame store that cannot be read or written."""


class MediaError(LatentAssetsError):
    """Frames that cannot be made into the file that was asked for."""


class FinishedFileError(MediaError):
    """A file that cannot be read as one of ours, or that is none."""

    exit_code = 2
