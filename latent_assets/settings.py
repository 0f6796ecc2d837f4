"""The settings of a deployment, from environment variables and the project's file.

What belongs to a walk is in its file; all else is here, and every setting has a default. A variable
counts more than the file `latent-assets.toml`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from latent_assets import places
from latent_assets.diffusion.tensorflow_runtime import PRECISIONS
from latent_assets.errors import UsageError
from latent_assets.models import BUILT_IN, ModelLibrary
from latent_assets.project_file import Project, find_project
from latent_assets.shipped import SHIPPED_MODELS

PREFIX = "LATENT_ASSETS_"
ALGORITHMS = ("es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519")
"""Kinds of keys that C2PA takes."""
IN_PROCESS, CELERY = EXECUTORS = ("in_process", "celery")
BROKERS = ("redis", "rediss")
DATABASES = ("postgresql", "postgresql+psycopg2")
MODELS = BUILT_IN
"""The built-in models; those of a data folder are in its models/."""


@dataclass(frozen=True)
class Settings:
    """Where things lie and how frames are computed; each field is a variable LATENT_ASSETS_*."""

    data: Path = field(default_factory=lambda: find_project().data)
    """Holds walks/, store/, outputs/, dagster/ and models/; another folder is a world apart."""
    store: str = ""
    """The frame store, a folder or any fsspec URL (s3://bucket/frames); default: data/store."""
    outputs: Path | None = None
    """The folder of the finished files; default: data/outputs."""
    model: str = "embedded"
    """The model of the walks that name none."""
    weights_dir: Path | None = None
    """A folder with Stable Diffusion's h5 files, in place of the download."""
    random_weights: int | None = None
    """Seed: render Stable Diffusion with random weights. For tests: the pictures are noise."""
    precision: str = "float32"
    """float32, mixed_float16 or mixed_bfloat16."""
    jit: bool | None = None
    """XLA on or off; default: on for a GPU, off for a CPU, where it is slower."""
    truncate: bool = False
    """Cut prompts that are too long for Stable Diffusion's 77 tokens, where they are refused."""
    metadata: bool = True
    """Whether finished files carry the record of their origin, and the mark of a model's work."""
    c2pa_certificate: Path | None = None
    """A certificate with its chain, PEM: finished files are signed (C2PA). Needs `c2pa_key`."""
    c2pa_key: Path | None = None
    """The certificate's private key, PEM."""
    c2pa_algorithm: str = "es256"
    """The kind of the key: es256, es384, es512, ps256, ps384, ps512 or ed25519."""
    reference: bool = False
    """KerasCV's own order of operations: bit-identical to `generate_image`, and slower."""

    executor: str = IN_PROCESS
    """What carries out the steps of a run: in_process, or celery, for workers on several GPUs."""
    broker: str = field(default="", repr=False)
    """Of celery: redis://:PASSWORD@HOST:6379/0, or rediss:// for TLS."""
    database: str = field(default="", repr=False)
    """PostgreSQL for Dagster's records, postgresql://USER:PASSWORD@HOST/NAME; default: SQLite."""
    patience: int = 0
    """Seconds for which an object store that does not answer is asked again; celery: 120."""

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str] | None = None,
        *,
        told: Mapping[str, str] | None = None,
        told_as: Mapping[str, str] | None = None,
    ) -> Settings:
        """Read LATENT_ASSETS_*, and the project's file for those that are not set.

        Raises UsageError, naming the variable and what it may be. environment: alone counts, if
        it is given. told: variables that count more than the environment's; told_as: by variable,
        what an error calls it.
        """
        project = find_project() if environment is None else Project()
        known = {PREFIX + name.upper() for name in cls.__dataclass_fields__}
        variables = {**(os.environ if environment is None else environment), **(told or {})}
        env = _with_project(variables, project, known)
        names = {
            variable: f"{project.path}: {name}"
            for name in project.settings
            if not variables.get(variable := PREFIX + name.upper(), "").strip()
        }
        with _named_as_set({**names, **(told_as or {})}):
            return cls._read(env, known, project)

    @classmethod
    def _read(cls, env: Mapping[str, str], known: set[str], project: Project) -> Settings:
        unknown = sorted(name for name in env if name.startswith(PREFIX) and name not in known)
        if unknown:
            raise UsageError(f"{unknown[0]} is no setting", _known(unknown[0], known))

        def get(name: str) -> str:
            return env.get(PREFIX + name, "").strip()

        def folder(name: str) -> Path | None:
            text = env.get(PREFIX + name, "")
            if text != text.strip() and not os.path.lexists(text):
                text = text.strip()
            return places.folder(text, PREFIX + name) if text else None

        default = cls(data=project.data)
        seed, jit = get("RANDOM_WEIGHTS"), get("JIT")
        certificate, key = folder("C2PA_CERTIFICATE"), folder("C2PA_KEY")
        if (certificate is None) != (key is None):
            absent = "C2PA_KEY" if key is None else "C2PA_CERTIFICATE"
            raise UsageError(
                f"{PREFIX}{absent} is not set, its counterpart is",
                "Files are signed by a certificate and its key: set both, or neither.",
            )
        data = folder("DATA") or default.data
        executor = _choice("EXECUTOR", get("EXECUTOR") or default.executor, EXECUTORS)
        broker = _url("BROKER", get("BROKER"), BROKERS)
        if executor == CELERY and not broker:
            raise UsageError(
                f"{PREFIX}EXECUTOR is celery, and {PREFIX}BROKER is not set",
                "Celery needs a broker: redis://HOST:6379/0.",
            )
        return cls(
            data=data,
            store=get("STORE") and places.storage(get("STORE"), PREFIX + "STORE"),
            outputs=folder("OUTPUTS"),
            model=_model(get("MODEL") or default.model, data),
            weights_dir=folder("WEIGHTS_DIR"),
            random_weights=_whole("RANDOM_WEIGHTS", seed) if seed else None,
            precision=_choice("PRECISION", get("PRECISION") or default.precision, PRECISIONS),
            jit=_switch("JIT", jit) if jit else None,
            truncate=_switch("TRUNCATE", get("TRUNCATE") or "off"),
            metadata=_switch("METADATA", get("METADATA") or "on"),
            c2pa_certificate=certificate,
            c2pa_key=key,
            c2pa_algorithm=_choice(
                "C2PA_ALGORITHM", get("C2PA_ALGORITHM") or default.c2pa_algorithm, ALGORITHMS
            ),
            reference=_switch("REFERENCE", get("REFERENCE") or "off"),
            executor=executor,
            broker=broker,
            # SQLAlchemy takes another driver than Dagster's, if none is named.
            database=_url("DATABASE", get("DATABASE"), DATABASES).replace(
                "postgresql://", f"{DATABASES[1]}://"
            ),
            patience=_whole("PATIENCE", get("PATIENCE") or ("120" if executor == CELERY else "0")),
        )

    def to_environment(self) -> dict[str, str]:
        """LATENT_ASSETS_* that say the same in another process, wherever that is started."""
        said = {
            "DATA": str(self.data.absolute()),
            "STORE": self.store,
            "OUTPUTS": _absolute(self.outputs),
            "MODEL": self.model,
            "WEIGHTS_DIR": _absolute(self.weights_dir),
            "RANDOM_WEIGHTS": "" if self.random_weights is None else str(self.random_weights),
            "PRECISION": self.precision,
            "JIT": "" if self.jit is None else _on_or_off(self.jit),
            "TRUNCATE": _on_or_off(self.truncate),
            "METADATA": _on_or_off(self.metadata),
            "C2PA_CERTIFICATE": _absolute(self.c2pa_certificate),
            "C2PA_KEY": _absolute(self.c2pa_key),
            "C2PA_ALGORITHM": self.c2pa_algorithm,
            "REFERENCE": _on_or_off(self.reference),
            "EXECUTOR": self.executor,
            "BROKER": self.broker,
            "DATABASE": self.database,
            "PATIENCE": str(self.patience),
        }
        return {PREFIX + name: value for name, value in said.items()}

    @property
    def walks_dir(self) -> Path:
        """The walk files."""
        return self.data / "walks"

    @property
    def store_url(self) -> str:
        """Where frames, encodings and timings are kept."""
        return self.store or str(self.data / "store")

    @property
    def outputs_dir(self) -> Path:
        """The finished files, a folder for each walk."""
        return self.outputs or self.data / "outputs"

    @property
    def cache_dir(self) -> Path:
        """What was read and drawn once already; it may be deleted at any time."""
        return self.data / "cache"

    @property
    def dagster_home(self) -> Path:
        """DAGSTER_HOME: runs, events, schedules; another one if these are in a database."""
        return self.data / ("dagster-cluster" if self.database else "dagster")

    @property
    def dagster_opened(self) -> Path:
        """An empty file: Dagster's tables are there, and many processes may open them at once."""
        return self.dagster_home / ".opened"

    @property
    def claims_dir(self) -> Path:
        """Whose the names of walks from other folders are."""
        return self.dagster_home / "storage" / "claims"

    @property
    def models_dir(self) -> Path:
        """The models of this data folder; what is downloaded goes there."""
        return self.data / "models"

    def model_dir(self, name: str) -> Path:
        """A model's folder: in this data folder, or else among those that the project ships."""
        own = self.models_dir / name
        return own if own.is_dir() else SHIPPED_MODELS / name

    @property
    def library(self) -> ModelLibrary:
        """The user's own models."""
        return ModelLibrary(self.models_dir)


def _with_project(
    environment: Mapping[str, str], project: Project, known: set[str]
) -> Mapping[str, str]:
    """The variables, and for those that are not set what the project's file says."""
    told = {PREFIX + name.upper(): text for name, text in project.settings.items()}
    if unknown := sorted(told.keys() - known):
        name = unknown[0].removeprefix(PREFIX).lower()
        names = {each.removeprefix(PREFIX).lower() for each in known}
        raise UsageError(f"{project.path}: {name} is no setting", _known(name, names))
    return {**told, **{name: text for name, text in environment.items() if text.strip()}}


def _known(name: str, known: set[str]) -> str:
    """What somebody meant who wrote this name, and what there is."""
    close = difflib.get_close_matches(name, sorted(known), n=1)
    meant = f"Did you mean {close[0]}? " if close else ""
    return f"{meant}Known are: {', '.join(sorted(known))}."


@contextmanager
def _named_as_set(names: Mapping[str, str]) -> Iterator[None]:
    """Raises UsageError of a variable under the name that it has where somebody set it."""
    try:
        yield
    except UsageError as error:
        variable = error.problem.partition(" ")[0]
        if variable not in names:
            raise
        problem = names[variable] + error.problem.removeprefix(variable)
        raise UsageError(problem, error.cure) from None


def _absolute(path: Path | None) -> str:
    return "" if path is None else str(path.absolute())


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise UsageError(
            f"{PREFIX}{name} is {value!r}", f"It must be one of: {', '.join(allowed)}."
        )
    return value


def _model(name: str, data: Path) -> str:
    return _choice("MODEL", name, (*MODELS, *ModelLibrary(data / "models").names()))


def _whole(name: str, value: str) -> int:
    if not value.isdecimal():
        raise UsageError(f"{PREFIX}{name} is {value!r}", "It must be a whole number, 0 or more.")
    return int(value)


def _url(name: str, value: str, schemes: tuple[str, ...]) -> str:
    """The URL as it is, or nothing; errors do not show it, as it may hold a password."""
    if not value:
        return ""
    found = value.partition("://")[0]
    if found not in schemes:
        shown = found if "://" in value else "(no URL)"
        raise UsageError(
            f"{PREFIX}{name} begins with {shown!r}",
            f"It must be a URL that begins with {' or '.join(f'{each}://' for each in schemes)}.",
        )
    if not _is_whole(value):
        raise UsageError(
            f"{PREFIX}{name} has a port that is no number, or a password that tears it apart",
            f"It is {found}://USER:PASSWORD@HOST:PORT/...; write / @ : # ? of a password as"
            " %2F %40 %3A %23 %3F.",
        )
    return value


def _is_whole(url: str) -> bool:
    """Whether its parts are where they seem to be: a / in a password ends the host."""
    try:
        parts = urlsplit(url)
        _port = parts.port  # raises ValueError
    except ValueError:
        return False
    rest = parts.path + parts.query + parts.fragment
    return (
        "@" not in rest and "@" not in parts.netloc.rpartition("@")[0] and parts.netloc[-1:] != ":"
    )


def _on_or_off(value: bool) -> str:
    return "on" if value else "off"


def _switch(name: str, value: str) -> bool:
    switches = {"on": True, "1": True, "true": True, "off": False, "0": False, "false": False}
    if value.lower() not in switches:
        raise UsageError(f"{PREFIX}{name} is {value!r}", "It must be on or off.")
    return switches[value.lower()]
