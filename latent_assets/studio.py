"""The studio: a deployment's models and stores, opened from its settings, and what it plans.

Opening it, describing a model and planning a walk load neither a model nor TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from fractions import Fraction
from math import isqrt
from pathlib import Path
from typing import Any

from latent_assets.diffusion import registry
from latent_assets.diffusion.protocol import Engine, EngineOptions, ModelInfo, Prompt
from latent_assets.diffusion.schedule import SAMPLER_VERSION, TUNED
from latent_assets.digests import digest_of
from latent_assets.drafts import WORD, drafted
from latent_assets.errors import (
    InvalidModelError,
    InvalidWalkError,
    LatentAssetsError,
    MediaError,
    ModelError,
    UsageError,
    WalkProblem,
)
from latent_assets.media.animation import FORMATS, animated_format, checked_fps
from latent_assets.media.captions import Captions
from latent_assets.media.early_layers import NAME as MEASURE
from latent_assets.media.signing import Credentials
from latent_assets.media.stills import MAX_SIDE_PX
from latent_assets.models.tuned import TunedSamplers
from latent_assets.own_sampling import fitted
from latent_assets.prompt_syntax import TEXT, PromptSyntax
from latent_assets.settings import MODELS, Settings
from latent_assets.shipped import SHIPPED_MODELS
from latent_assets.store import (
    DamagedError,
    EncodingStore,
    FrameStore,
    MissingError,
    TimelineStore,
    Timings,
)
from latent_assets.store.encodings import FEATURES, FloatArray
from latent_assets.store.frames import UPSCALED
from latent_assets.store.parallel import in_order
from latent_assets.store.receipts import Environment
from latent_assets.upscaling import Upscaling, open_upscaling
from latent_assets.walks.advice import advice
from latent_assets.walks.fields import MAX_CHUNK
from latent_assets.walks.pilots import Timeline, Unknown, find_timeline, timeline_key
from latent_assets.walks.recipes import FrameRecipe, Rendering, recipes_of
from latent_assets.walks.route import exact, is_closed, route
from latent_assets.walks.schema import (
    MAX_FRAMES,
    MAX_GRID_SIDE,
    WALK_ADAPTER,
    GuidanceSweep,
    Upscale,
    Walk,
    prompt_fields,
    walk_meaning,
    walk_prompts,
)

CHUNK_S = 60.0
"""So long a chunk is to take: long beside the second that a step costs, short beside a walk."""
UNMEASURED_CHUNK = 30


@dataclass(frozen=True)
class WalkSpec:
    """A walk with nothing left open: its model is chosen, its size is known, its frames are set."""

    name: str
    walk: Walk
    rendering: Rendering
    variant: str = ""
    """In what it differs from the walk's file, as part of a name; empty: in nothing."""

    @property
    def published(self) -> str:
        """The name of its files: what differs from the walk never takes the place of its own.

        `@` is in no walk's name.
        """
        return f"{self.name}@{self.variant}" if self.variant else self.name

    @property
    def prompts(self) -> list[str]:
        """The prompts to encode, the unconditional one last."""
        return [*walk_prompts(self.walk), self.rendering.unconditional]

    def recipes(self, at: Sequence[int] | None = None) -> list[FrameRecipe]:
        """The recipes of the frames, in order; at: numbers of frames, of which alone they are."""
        return recipes_of(self.walk, self.rendering, at)

    @property
    def has_timeline(self) -> bool:
        """Whether pilots say where its frames stand; else the walk file alone does."""
        return not isinstance(self.walk, GuidanceSweep) and self.walk.waits_for_places

    def at(self, places: list[list[Fraction]] | None) -> WalkSpec:
        """The same with its frames at these places; None: where they stand already."""
        if places is None:
            return self
        return replace(self, walk=self.walk.model_copy(update={"places": places}))

    def to_json(self) -> dict[str, Any]:
        """The spec as plain JSON."""
        return {
            "name": self.name,
            "walk": WALK_ADAPTER.dump_python(self.walk, mode="json"),
            "rendering": {**asdict(self.rendering), "size": list(self.rendering.size)},
            **({"variant": self.variant} if self.variant else {}),
            "version": self.version,
        }

    @property
    def version(self) -> str:
        """16 hex digits that change when the walk means something else: see `walk_meaning`."""
        how = self.rendering
        plain = {each.name: each.default for each in fields(how)}
        rendering = {name: v for name, v in asdict(how).items() if v != plain[name]}
        meaning = [self.name, walk_meaning(self.walk), rendering, self.variant]
        return digest_of(meaning)[:16]

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> WalkSpec:
        """The inverse of `to_json`."""
        rendering = dict(document["rendering"])
        rendering["size"] = tuple(rendering["size"])
        walk = WALK_ADAPTER.validate_python(document["walk"])
        return cls(document["name"], walk, Rendering(**rendering), document.get("variant", ""))


@dataclass(frozen=True)
class Plan:
    """What rendering a walk would take."""

    walk: str
    model: str
    frames: int
    cached: int
    to_render: int
    """Different frames that are not in the store; a frame that appears twice is rendered once."""
    estimate_s: float | None
    """Seconds, from measured frames of the same kind; None if none was measured yet."""
    missing: tuple[str, ...] = field(repr=False)
    """Keys of the frames to render."""
    to_upscale: int = 0
    """Pictures that are still to be made larger; frames to render are counted among them."""
    pilots: int = 0
    """Of a walk whose places are not known yet: the pilots that are known to be rendered next."""
    exact: bool = True
    """Whether `to_render` is what will be rendered; else it is the most that may be, pilots
    included, and `cached` counts pilots."""
    warnings: tuple[str, ...] = ()
    """What the model does not understand of the prompts, and what it is to download first."""


@dataclass(frozen=True)
class Studio:
    """Everything that rendering needs, behind plain functions that tests replace."""

    settings: Settings
    frames: FrameStore
    encodings: EncodingStore
    timings: Timings
    features: EncodingStore
    """What the pace's distance looks at in a frame, by the frame's key."""
    timelines: TimelineStore
    """Where the frames of walks of perceptual pace stand, by `key_of_timeline`."""
    upscaled: FrameStore
    """Frames that were made larger, by `Upscaling.key_of`."""
    describe_model: Callable[[str], ModelInfo]
    """Model name -> what is known of it without loading it."""
    load_engine: Callable[[str], Engine]
    """Model name -> the loaded model; loaded once per process."""
    read_prompt: Callable[[str, str, PromptSyntax], Prompt]
    """(model name, prompt, syntax) -> how it is read; ModelError if the model cannot take it."""
    download_notice: Callable[[str], str]
    """Model name -> what its first render downloads, in words; empty if all is at hand."""
    open_upscaling: Callable[[str, int], Upscaling]
    """(method, factor) -> how pictures are made larger; loads nothing before the first one."""

    @classmethod
    def open(cls, settings: Settings) -> Studio:
        """The studio of a deployment."""
        source = weights_source(settings)
        options = EngineOptions(
            settings.precision, settings.jit, settings.reference, settings.truncate
        )
        url, patience_s = settings.store_url, float(settings.patience)
        return cls(
            settings=settings,
            frames=FrameStore(url, patience_s=patience_s),
            encodings=EncodingStore(url, patience_s=patience_s),
            timings=Timings(url, patience_s=patience_s),
            features=EncodingStore(url, patience_s=patience_s, folder=FEATURES),
            timelines=TimelineStore(url, patience_s=patience_s),
            upscaled=FrameStore(url, patience_s=patience_s, folder=UPSCALED),
            describe_model=lambda name: registry.describe_model(name, source),
            load_engine=lambda name: registry.load_engine(name, source, options),
            read_prompt=lambda name, text, syntax: registry.read_prompt(
                name, source, text, settings.truncate, syntax
            ),
            download_notice=lambda name: registry.download_notice(name, source),
            open_upscaling=lambda method, factor: open_upscaling(
                method, factor, settings.model_dir("upscaler")
            ),
        )

    @property
    def credentials(self) -> Credentials | None:
        """What finished files are signed with, if they are."""
        settings = self.settings
        if not settings.metadata or settings.c2pa_certificate is None or settings.c2pa_key is None:
            return None
        return Credentials(settings.c2pa_certificate, settings.c2pa_key, settings.c2pa_algorithm)

    def output_path(self, walk: str, suffix: str) -> Path:
        """Where a finished file of a walk lies, e.g. outputs/castle/castle.gif."""
        return self.settings.outputs_dir / walk / f"{walk}{suffix}"

    def specify(
        self,
        name: str,
        walk: Walk,
        *,
        model: str | None = None,
        frames: int | None = None,
        draft: bool = False,
    ) -> WalkSpec:
        """Settle what the walk file leaves open; `model` and `frames` replace what it says.

        draft: in a fraction of the steps. Raises InvalidWalkError, UsageError.
        """
        own_model, own_frames = walk.model or self.settings.model, walk.frames
        walk = _with_frames(name, walk, frames)
        _check_output(name, walk)
        chosen = model or own_model
        differs = [chosen] if chosen != own_model else []
        differs += [str(walk.frames)] if walk.frames != own_frames else []
        info = self._describe(name, chosen, named=walk.model == chosen)
        walk = fitted(name, walk, info, named=model is None and walk.model is not None)
        if draft:
            walk = drafted(name, walk, info)
            differs.append(WORD)
        rendering = Rendering(
            model=chosen,
            weights=info.weights_digest,
            # A walk made for one model also renders with another, at that model's own size.
            size=_size(
                name,
                info,
                walk,
                ignore=chosen != own_model,
            ),
            precision=self.settings.precision,
            sampler=walk.sampler,
            sampler_version=SAMPLER_VERSION,
            num_steps=walk.num_steps,
            spacing=walk.spacing,
            unconditional=walk.read(walk.negative_prompt),
            model_in_recipe=info.name_in_recipes,
            prompt_syntax=walk.prompt_syntax,
            chunks=self._chunks(chosen, walk),
            clip_skip=_clip_skip(name, info, walk, ignore=chosen != own_model),
            table=self._table(name, chosen, info, walk),
        )
        _check_grid(name, walk, shown_size(walk, rendering.size))
        return WalkSpec(name, walk, rendering, "-".join(differs))

    @property
    def tuned_samplers(self) -> TunedSamplers:
        """The tables that were fitted to models."""
        return TunedSamplers((self.settings.models_dir, SHIPPED_MODELS))

    def _table(self, name: str, model: str, info: ModelInfo, walk: Walk) -> str:
        """The digest of the table of a tuned sampler. Raises InvalidWalkError if there is none."""
        if walk.sampler != TUNED:
            return ""
        if isinstance(walk, GuidanceSweep):
            message = "is fitted to one guidance scale, and a sweep has several: take another"
            raise InvalidWalkError([WalkProblem(name, "sampler", message, value=TUNED)])
        scale = exact(walk.guidance_scale)
        try:
            tables = self.tuned_samplers
            return tables.find(model, info.weights_digest, walk.num_steps, scale).digest
        except ModelError as error:
            message = f"{error.problem}. {error.cure}"
            raise InvalidWalkError([WalkProblem(name, "sampler", message, value=TUNED)]) from None

    def _chunks(self, model: str, walk: Walk) -> int:
        """How often the model's tokens the longest of the walk's weighted prompts has."""
        if walk.prompt_syntax == TEXT:
            return 1
        guided = getattr(walk, "guidance_scale", None) != 1
        prompts = [*prompt_fields(walk).values(), *([walk.negative_prompt] if guided else [])]
        read = (self.read_prompt(model, prompt, walk.prompt_syntax) for prompt in prompts)
        return max(each.chunks for each in read)

    def _describe(self, walk: str, model: str, *, named: bool) -> ModelInfo:
        """named: whether the walk file has the model's name; then a wrong one is the file's."""
        try:
            return self.describe_model(model)
        except (UsageError, ModelError) as error:
            if not named or model in MODELS:
                raise
            message = f"{error.problem}. {error.cure}".strip()
            raise InvalidWalkError([WalkProblem(walk, "model", message)]) from None
        except InvalidModelError as error:
            if not named:
                raise
            first = f"the model's file is wrong: {error.problems[0]}"
            raise InvalidWalkError([WalkProblem(walk, "model", first)]) from None

    def model_with(self, name: str, weights_digest: str) -> str:
        """The model of those weights: of that name, or of another if it was renamed since."""
        for each in (name, *self.settings.library.names()):
            try:
                if self.describe_model(each).weights_digest == weights_digest:
                    return each
            except LatentAssetsError:
                continue
        return name

    def timeline(self, spec: WalkSpec) -> Timeline | None:
        """The timeline of a walk, if it was found before."""
        document = self.timelines.read(key_of_timeline(spec)) if spec.has_timeline else None
        return None if document is None else Timeline.from_dict(document)

    def paced(self, spec: WalkSpec) -> WalkSpec:
        """The same with its frames' places, if they are known."""
        timeline = self.timeline(spec)
        return spec if timeline is None else spec.at(timeline.places(loop=is_closed(spec.walk)))

    def known_recipes(self, spec: WalkSpec) -> tuple[FrameRecipe, ...]:
        """The recipes of the frames; those of the pilots so far if the places are not known."""
        spec = self.paced(spec)
        if not spec.has_timeline:
            return tuple(spec.recipes())
        found = find_timeline(spec.walk, spec.rendering, self._stored_features)
        if isinstance(found, Unknown):
            return found.pilots
        return tuple(spec.at(found.places(loop=is_closed(spec.walk))).recipes())

    def plan(self, spec: WalkSpec) -> Plan:
        """Which frames are there, which are to be rendered, and about how long that takes.

        Of a walk whose places are not known yet, which pilots are to be rendered next, and how
        many pictures in all at most.
        """
        spec = self.paced(spec)
        if spec.has_timeline:
            found = find_timeline(spec.walk, spec.rendering, self._stored_features)
            if isinstance(found, Unknown):
                return self._plan_pilots(spec, found)
            spec = spec.at(found.places(loop=is_closed(spec.walk)))
        recipes = spec.recipes()
        keys = [recipe.key for recipe in recipes]
        stored = self.frames.contains(keys)
        missing = tuple(dict.fromkeys(key for key in keys if key not in stored))
        to_upscale = self._to_upscale(spec, keys, stored)
        warnings = (*self.read_prompts(spec), *advice(spec.walk))
        if missing and (notice := self.download_notice(spec.rendering.model)):
            warnings = (*warnings, notice)
        return Plan(
            walk=spec.name,
            model=spec.rendering.model,
            frames=len(keys),
            cached=sum(key in stored for key in keys),
            to_render=len(missing),
            to_upscale=to_upscale,
            estimate_s=self._estimate(
                spec, [r for r in recipes if r.key not in stored], len(missing), to_upscale
            ),
            missing=missing,
            warnings=warnings,
        )

    def _plan_pilots(self, spec: WalkSpec, unknown: Unknown) -> Plan:
        recipes = {recipe.key: recipe for recipe in unknown.pilots}
        stored = self.frames.contains(recipes)
        missing = tuple(key for key in recipes if key not in stored)
        most = unknown.at_most - len(stored)
        warnings = (*self.read_prompts(spec), *advice(spec.walk))
        if notice := self.download_notice(spec.rendering.model):
            warnings = (*warnings, notice)
        to_upscale = 0 if spec.walk.output.upscale is None else spec.walk.frames
        return Plan(
            walk=spec.name,
            model=spec.rendering.model,
            frames=spec.walk.frames,
            cached=len(stored),
            to_render=most,
            pilots=len(missing),
            exact=False,
            to_upscale=to_upscale,
            estimate_s=self._estimate(spec, list(recipes.values()), most, to_upscale),
            missing=missing,
            warnings=warnings,
        )

    def _stored_features(self, recipes: Sequence[FrameRecipe]) -> list[FloatArray] | None:
        """What the distance looks at in these frames; None if one was not looked at yet."""
        keys = [recipe.key for recipe in recipes]
        try:
            return list(in_order(self.features.read, keys, self.features.objects.parallel))
        except (MissingError, DamagedError):
            return None

    def read_prompts(self, spec: WalkSpec) -> tuple[str, ...]:
        """What the model does not understand of the walk's prompts.

        Raises InvalidWalkError, naming each field whose prompt the model cannot take.
        """
        warnings: list[str] = []
        problems: list[WalkProblem] = []
        fields = prompt_fields(spec.walk)
        if spec.walk.negative_prompt:
            fields["negative_prompt"] = spec.walk.negative_prompt
        for name, prompt in fields.items():
            try:
                syntax = spec.walk.prompt_syntax
                warnings += self.read_prompt(spec.rendering.model, prompt, syntax).warnings
            except ModelError as error:
                problems.append(WalkProblem(spec.name, name, f"{error.problem}. {error.cure}"))
        if problems:
            raise InvalidWalkError(problems)
        return tuple(dict.fromkeys(warnings))

    def _to_upscale(self, spec: WalkSpec, keys: Sequence[str], stored: Collection[str]) -> int:
        """Of how many different frames there is no larger picture yet, if the walk wants any."""
        upscale = spec.walk.output.upscale
        if upscale is None:
            return 0
        upscaling = self.open_upscaling(upscale.method, upscale.factor)
        different = dict.fromkeys(keys)
        digests = self.frames.digests(key for key in different if key in stored)
        large = {upscaling.key_of(digest) for digest in digests.values()}
        there = self.upscaled.contains(large)
        return len(different) - sum(upscaling.key_of(each) in there for each in digests.values())

    def chunk_size(self, spec: WalkSpec) -> int:
        """Frames per step. Of a walk that leaves it open, as many whole batches as take a minute.

        Raises UnpacedError.
        """
        walk = spec.walk
        if walk.chunk_size != "auto":
            return walk.chunk_size
        per_frame = self.timings.estimate(timing_profile(spec.recipes([0, walk.frames - 1])))
        if per_frame is None:
            return UNMEASURED_CHUNK
        frames = round(CHUNK_S / per_frame)
        batch = walk.batch_size
        if batch == "auto":  # which divides 30 (`batching.SIZES`)
            batch = UNMEASURED_CHUNK if frames >= UNMEASURED_CHUNK else 1
        return min(max(round(CHUNK_S / per_frame / batch), 1) * batch, MAX_CHUNK)

    def _estimate(
        self, spec: WalkSpec, missing: Sequence[FrameRecipe], frames: int, to_upscale: int
    ) -> float | None:
        """missing: the recipes to render; frames: how many of them differ. None: not known."""
        seconds = 0.0
        if frames:
            per_frame = self.timings.estimate(timing_profile(missing))
            if per_frame is None:
                return None
            start_up = self.timings.estimate(start_up_profile(missing[0].rendering)) or 0.0
            seconds += start_up + frames * per_frame
        if to_upscale and spec.walk.output.upscale is not None:
            profile = upscale_profile(spec.walk.output.upscale, spec.rendering.size)
            per_picture = self.timings.estimate(profile)
            if per_picture is None:
                return None
            seconds += to_upscale * per_picture
        return round(seconds, 1)


def key_of_timeline(spec: WalkSpec) -> str:
    """The key of a walk's timeline, for a spec that `has_timeline`."""
    return timeline_key(spec.walk, spec.rendering, MEASURE)


def weights_source(settings: Settings) -> registry.WeightsSource:
    """Where the models of a deployment come from."""
    return registry.WeightsSource(
        models_dir=settings.models_dir,
        shipped_dir=SHIPPED_MODELS,
        weights_dir=settings.weights_dir,
        random_seed=settings.random_weights,
        library=settings.library,
    )


def timing_profile(recipes: Sequence[FrameRecipe]) -> dict[str, Any]:
    """What the seconds of a frame depend on; the recipes are of one rendering.

    The device is not in it: a plan does not load TensorFlow, which alone knows it. After a change
    of device the estimate follows with the next measurements.
    """
    rendering = recipes[0].rendering
    return {
        "model": _measured_as(rendering),
        "size": list(rendering.size),
        "num_steps": rendering.num_steps,
        "sampler": rendering.sampler,
        "precision": rendering.precision,
        "guided": _guided(recipe.guidance_scale for recipe in recipes),
    }


def _guided(scales: Iterable[float | Fraction]) -> bool:
    """Whether the denoiser is evaluated twice a step."""
    return any(scale not in {0, 1} for scale in scales)


def batch_profile(
    rendering: Rendering, scales: Iterable[float | Fraction], where: Environment
) -> dict[str, Any]:
    """What it depends on how many frames at once are fast; scales: of guidance, of the frames."""
    return {
        "model": _measured_as(rendering),
        "size": list(rendering.size),
        "precision": rendering.precision,
        "guided": _guided(scales),
        "device": where.cpu if where.device == "cpu" else where.device,
        "threads": where.threads,
    }


def upscale_profile(upscale: Upscale, size: Sequence[int]) -> dict[str, Any]:
    """What the seconds of a picture depend on that is made larger; size: (height, width)."""
    return {"upscale": upscale.method, "factor": upscale.factor, "size": list(size)}


def start_up_profile(rendering: Rendering) -> dict[str, Any]:
    """What the seconds before the first frame depend on."""
    return {"model": _measured_as(rendering), "size": list(rendering.size), "start_up": True}


def _measured_as(rendering: Rendering) -> str:
    """Models of one architecture take the same time, whatever they are called."""
    return rendering.model_in_recipe or rendering.model


def _check_output(name: str, walk: Walk) -> None:
    """What a format cannot play or show is said before anything is rendered, not after."""
    formats, poster = walk.output.formats, walk.output.poster_frame
    if poster is not None and poster >= walk.frames:
        message = f"must be less than the walk's {walk.frames} frames, which count from 0"
        raise InvalidWalkError(
            [WalkProblem(name, "output.poster_frame", message, value=str(poster))]
        )
    odd = "poster" if walk.kind == "grid" else "jpg"
    if odd in formats:
        message = (
            "a grid is one picture, it has no `poster`; take jpg"
            if walk.kind == "grid"
            else "`jpg` is for grids; for one frame of a film take poster"
        )
        raise InvalidWalkError([WalkProblem(name, "output.formats", message)])
    for each in (each for each in formats if FORMATS[each].animated):
        try:
            checked_fps(animated_format(each), walk.output.fps)
        except MediaError as error:
            raise InvalidWalkError(
                [WalkProblem(name, "output.fps", f"{error.problem}. {error.cure}")]
            ) from None


def shown_size(walk: Walk, size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the pictures in the finished files; size: of the frames."""
    upscale = walk.output.upscale
    factor = 1 if upscale is None else upscale.factor
    return size[0] * factor, size[1] * factor


def captions_of(walk: Walk, width: int) -> Captions:
    """What stands below each frame of a walk: prompt, place, guidance; width: in pixels."""
    return Captions([point.caption for point in route(walk)], width)


def _check_grid(name: str, walk: Walk, size: tuple[int, int]) -> None:
    """A grid too large for one picture is refused before its frames are rendered, not after."""
    if walk.kind != "grid":
        return
    most = MAX_SIDE_PX // max(size)
    if walk.grid_size > most:
        height, width = size
        message = f"must be at most {most} with frames of {width}x{height} px"
        raise InvalidWalkError([WalkProblem(name, "grid_size", message, value=str(walk.grid_size))])


def _with_frames(name: str, walk: Walk, frames: int | None) -> Walk:
    if frames is None:
        return walk
    asked, length = frames, "grid_size" if walk.kind == "grid" else "frames"
    if walk.kind == "guidance_sweep":
        raise UsageError(
            f"the walk {name} has a frame for each of its guidance_scales",
            "Leave --frames out, or change guidance_scales in its file.",
        )
    if walk.kind == "grid":
        side = isqrt(frames)
        if side * side != frames:
            near = {min(max(each, 2), MAX_GRID_SIDE) ** 2 for each in (side, side + 1)}
            raise UsageError(
                f"the walk {name} is a grid: {frames} frames are no square",
                f"Take {' or '.join(map(str, sorted(near)))}.",
            )
        frames = side
    # What the file leaves open stays open: a model may ask what it says (`own_sampling`).
    document = WALK_ADAPTER.dump_python(walk, mode="json", exclude_unset=True)
    if frames != getattr(walk, length):
        document["places"] = None  # they are those of as many frames as the file says
    try:
        return WALK_ADAPTER.validate_python({**document, length: frames})
    except ValueError:
        bounds = (
            f"Its side is 2 to {MAX_GRID_SIDE}."
            if walk.kind == "grid"
            else f"It may have 2 to {MAX_FRAMES}."
        )
        raise UsageError(f"the walk {name} cannot have {asked} frames", bounds) from None


def _size(name: str, info: ModelInfo, walk: Walk, *, ignore: bool) -> tuple[int, int]:
    size = None if ignore else walk.size_px
    if size is None:
        return info.default_size
    height, width = info.default_size
    if info.fixed_size and size != info.default_size:
        message = f"the model {info.name} renders {height}x{width} px only; leave `size` out"
    elif size[0] % info.size_multiple or size[1] % info.size_multiple:
        message = f"must be a multiple of {info.size_multiple} px for the model {info.name}"
    else:
        return size
    raise InvalidWalkError([WalkProblem(name, "size", message, value=str(walk.size))])


def _clip_skip(name: str, info: ModelInfo, walk: Walk, *, ignore: bool) -> int:
    """As the walk says; of a model with fewer layers that takes the place of its own, the last."""
    if walk.clip_skip <= info.text_layers:
        return walk.clip_skip
    if ignore:
        return 1
    layers = "one layer" if info.text_layers == 1 else f"{info.text_layers} layers"
    message = f"must be less: the text encoder of the model {info.name} has {layers}"
    raise InvalidWalkError([WalkProblem(name, "clip_skip", message, value=str(walk.clip_skip))])


def with_outputs(studio: Studio, outputs: Path) -> Studio:
    """The same studio, its finished files in another folder."""
    return replace(studio, settings=replace(studio.settings, outputs=outputs))


def with_metadata(studio: Studio, metadata: bool) -> Studio:
    """The same studio, its finished files with or without the record of their origin."""
    return replace(studio, settings=replace(studio.settings, metadata=metadata))
