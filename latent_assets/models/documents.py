"""The model file: every field that a user may write, with its bounds and its default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    field_validator,
)

from latent_assets.diffusion.checkpoints.models import (
    PREDICTION_NAMES,
    SIZE_MULTIPLE,
    ModelFiles,
)
from latent_assets.errors import InvalidFileError, InvalidModelError, WalkProblem
from latent_assets.foreign import printable
from latent_assets.walks.fields import Size
from latent_assets.walks.loading import parse_yaml, read_text
from latent_assets.walks.problems import problems_of

MAX_PARTS = 100
MAX_WEIGHT = 8.0

FileName = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
TokenName = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class _Part(BaseModel):
    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", use_attribute_docstrings=True
    )


class LoraPart(_Part):
    """A LoRA, merged into the base when it is loaded."""

    file: FileName
    """A .safetensors file, beside the model file or by its path."""
    weight: Annotated[float, Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT, allow_inf_nan=False)] = 1.0
    """How much of it: 1 as it was trained, 0 nothing, less than 0 the opposite."""


class ModelDocument(_Part):
    """A model of the user's own."""

    base: FileName
    """A .safetensors file, a folder in diffusers' layout, or one with KerasCV's h5 files; beside
    the model file, or by its path."""
    description: Annotated[str, StringConstraints(max_length=2_000)] = ""
    """One line for people."""
    vae: FileName | None = None
    """Another VAE, in a .safetensors file of its own."""
    loras: Annotated[list[LoraPart], Field(max_length=MAX_PARTS)] = Field(default_factory=list)
    """LoRAs, in the order in which they are merged."""
    embeddings: (
        Annotated[list[FileName], Field(max_length=MAX_PARTS)]
        | Annotated[dict[TokenName, FileName], Field(max_length=MAX_PARTS)]
    ) = Field(default_factory=list)
    """Textual inversions: a list of files, or what each is called in prompts, and its file."""
    prediction: Literal["epsilon", "v"] | None = None
    """What the denoiser predicts: epsilon (the noise) or v; default: what the files say."""
    size: Size | None = None
    """Pixels of a side, or [height, width], of walks that name none; default: as it was trained."""
    licence: Annotated[str, StringConstraints(max_length=500)] = ""
    """Under which the weights come; receipts carry it."""

    @field_validator("size")
    @classmethod
    def _size_that_the_denoiser_takes(cls, size: int | list[int] | None) -> int | list[int] | None:
        sides = size if isinstance(size, list) else [size or 0]
        if any(side % SIZE_MULTIPLE for side in sides):
            raise ValueError(f"must be a multiple of {SIZE_MULTIPLE} px")
        return size

    def files(self, name: str, folder: Path) -> ModelFiles:
        """The parts, their places taken from `folder`."""
        named = (
            self.embeddings.items()
            if isinstance(self.embeddings, dict)
            else [(None, file) for file in self.embeddings]
        )
        sides = self.size if isinstance(self.size, list) else [self.size, self.size]
        return ModelFiles(
            name=name,
            base=_place(folder, self.base),
            vae=_place(folder, self.vae) if self.vae else None,
            loras=tuple((_place(folder, each.file), each.weight) for each in self.loras),
            embeddings=tuple((token, _place(folder, file)) for token, file in named),
            prediction=PREDICTION_NAMES[self.prediction] if self.prediction else None,
            size=(sides[0], sides[1]) if sides[0] is not None and sides[1] is not None else None,
            licence=self.licence,
        )


MODEL_ADAPTER = TypeAdapter(ModelDocument)


def _place(folder: Path, name: str) -> Path:
    return folder / Path(name).expanduser()


def load_model_file(path: Path) -> ModelDocument:
    """Read one model file. Raises InvalidModelError with every problem found in it, by line."""
    file = printable(str(path))
    try:
        document, lines, problems = parse_yaml(read_text(path, "model"), file, "base")
    except InvalidFileError as error:
        raise InvalidModelError(error.problems) from None
    try:
        model = MODEL_ADAPTER.validate_python(document)
    except ValidationError as error:
        known = tuple(ModelDocument.model_fields)
        problems.extend(problems_of(error, document, lines, file, known))
    else:
        problems.extend(_missing_files(model, path, lines, file))
        if not problems:
            return model
    raise InvalidModelError(sorted(problems, key=lambda problem: problem.line or 0))


def _missing_files(model: ModelDocument, path: Path, lines: Any, file: str) -> list[WalkProblem]:
    named: list[tuple[tuple[str | int, ...], str]] = [(("base",), model.base)]
    if model.vae:
        named.append((("vae",), model.vae))
    named += [(("loras", i, "file"), each.file) for i, each in enumerate(model.loras)]
    embeddings = model.embeddings
    pairs = embeddings.items() if isinstance(embeddings, dict) else enumerate(embeddings)
    named += [(("embeddings", key), each) for key, each in pairs]
    problems = []
    for field, name in named:
        place = _place(path.parent, name)
        try:
            there = place.exists()
        except (OSError, ValueError):  # a name that no file can have
            there = False
        if not there:
            text = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in field).lstrip(".")
            message = f"there is no file or folder {printable(str(place))}"
            problems.append(WalkProblem(file, text, message, lines.get(field)))
    return problems


def model_json_schema() -> dict[str, Any]:
    """JSON Schema of a model file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **MODEL_ADAPTER.json_schema(),
        "title": "A model of latent-assets",
    }
