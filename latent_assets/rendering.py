"""Recipes in, stored frames out: the one loop that everything that renders goes through."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from fractions import Fraction
from statistics import median

import numpy as np

from latent_assets.batching import Batches, FixedBatches, MeasuredBatches, parts
from latent_assets.diffusion.faults import FrameFault, find_faults
from latent_assets.diffusion.protocol import Engine, FloatArray, ImageArray
from latent_assets.diffusion.schedule import TUNED, SamplingSchedule, sampling_schedule
from latent_assets.digests import digest_of
from latent_assets.errors import ModelError
from latent_assets.prompt_syntax import TEXT
from latent_assets.store import DamagedError, MissingError, Receipt, environment, pixel_digest
from latent_assets.store.receipts import Environment, utc_now
from latent_assets.studio import Studio, batch_profile, start_up_profile, timing_profile
from latent_assets.walks.fields import BatchSize
from latent_assets.walks.points import prompts_of
from latent_assets.walks.recipes import FrameRecipe, Rendering

logger = logging.getLogger(__name__)


@dataclass
class RenderResult:
    """What a call of `render_frames` did, or several with the same recipes."""

    rendered: int = 0
    reused: int = 0
    seconds: float = 0.0
    """Of rendering alone, loading and compiling included; 0 if nothing was rendered."""
    damaged: list[str] = field(default_factory=list)
    """What was wrong with stored frames that were set aside and rendered again."""


OnFrames = Callable[[Sequence[str], bool], None]
"""Called with (keys of the frames that are done now, whether they were rendered just now)."""


@dataclass(frozen=True)
class Manners:
    """How this process gets on with others: with those who render too, and with who stops it."""

    turn: Callable[[], AbstractContextManager[None]] = nullcontext
    """Entered where something is to compute, when the model is loaded: it may wait there."""
    batch: Callable[[], AbstractContextManager[None]] = nullcontext
    """Entered for each batch, until it is stored: who stops it may want to wait for that."""
    load: Callable[[str], AbstractContextManager[None]] = lambda _model: nullcontext()
    """Entered with a model's name where that is loaded, unless it is: it may take a minute."""
    shared: bool = False
    """Others may render the same frames at this moment: each batch is looked for once more."""
    share: Callable[[Sequence[FrameRecipe]], Sequence[FrameRecipe]] = lambda recipes: recipes
    """The missing recipes, in the order in which this process takes them."""


ALONE = Manners()
"""Nobody else renders, and an interrupt comes at once."""


def encode_prompts(
    studio: Studio, rendering: Rendering, prompts: Sequence[str], manners: Manners = ALONE
) -> FloatArray:
    """Text encodings of N prompts, (N, T, D) float32, from the store or else from the model."""
    keys = [encoding_key(rendering, prompt) for prompt in prompts]
    found: dict[str, FloatArray] = {}
    for key in dict.fromkeys(keys):
        try:
            found[key] = studio.encodings.read(key)
        except MissingError:
            continue
        except DamagedError as error:
            logger.warning("%s", error)
    missing = {k: p for k, p in zip(keys, prompts, strict=True) if k not in found}
    if missing:
        engine = _engine_for(studio, rendering, manners)
        with manners.turn():
            for key, prompt in missing.items():
                found[key] = _encoded(engine, rendering, prompt)
                studio.encodings.write(key, found[key])
    return np.stack([found[key] for key in keys])


def encoding_key(rendering: Rendering, prompt: str) -> str:
    """The key of a text encoding: what determines it."""
    return digest_of(
        {
            "weights": rendering.weights,
            "precision": rendering.precision,
            "prompt": prompt,
            **rendering.reading(),
        }
    )


def _encoded(engine: Engine, rendering: Rendering, prompt: str) -> FloatArray:
    if rendering.prompt_syntax == TEXT:
        return engine.encode_text([prompt], rendering.clip_skip)[0]
    return engine.encode_weighted(prompt, rendering.chunks, rendering.clip_skip)


def encodings_of(studio: Studio, recipes: Sequence[FrameRecipe]) -> dict[str, FloatArray]:
    """By prompt, the text encodings that recipes of one rendering are made of."""
    how = recipes[0].rendering
    named = (prompt for recipe in recipes for prompt in prompts_of(recipe.context))
    prompts = list(dict.fromkeys([*named, how.unconditional]))
    return dict(zip(prompts, encode_prompts(studio, how, prompts), strict=True))


def render_frames(
    studio: Studio,
    recipes: Sequence[FrameRecipe],
    *,
    batch_size: BatchSize,
    on_frames: OnFrames = lambda _keys, _rendered: None,
    manners: Manners = ALONE,
    result: RenderResult | None = None,
) -> RenderResult:
    """Render those of the recipes that are not in the store, whole, and put them there.

    All are of one rendering. Each batch is stored as soon as it is done, so that an interrupt
    loses no more than one. Raises ModelError, after everything else was rendered and stored, if a
    frame came out as no picture. result: of an attempt that failed, to go on from.
    """
    result = result or RenderResult()
    wrong = studio.frames.check(dict.fromkeys(recipe.key for recipe in recipes))
    missing = {recipe.key: recipe for recipe in recipes if recipe.key in wrong}
    todo = manners.share(list(missing.values()))
    damaged = [e.problem for e in wrong.values() if isinstance(e, DamagedError)]
    for problem in damaged:
        logger.warning("%s; it is rendered again", problem)
    result.damaged += damaged
    result.reused = len(recipes) - len(todo) - result.rendered
    done = [recipe.key for recipe in recipes if recipe.key not in wrong]
    if done:
        on_frames(done, False)
    if todo:
        _render_missing(studio, todo, batch_size, on_frames, manners, result)
    return result


def _render_missing(
    studio: Studio,
    todo: Sequence[FrameRecipe],
    batch_size: BatchSize,
    on_frames: OnFrames,
    manners: Manners,
    result: RenderResult,
) -> None:
    rendering = todo[0].rendering
    with _counted(result):
        started = time.perf_counter()
        engine = _engine_for(studio, rendering, manners)
        loaded = time.perf_counter() - started
    batches: list[tuple[int, float]] = []
    faults: list[FrameFault] = []
    schedule = schedule_of(studio, rendering)
    with manners.turn(), _counted(result):
        encodings = encodings_of(studio, todo)
        scales = [recipe.guidance_scale for recipe in todo]
        sizes = batches_for(studio, engine, rendering, scales, batch_size)
        for part in parts(len(todo), sizes):
            batch = _still_missing(studio, todo[part], on_frames, result, manners)
            if not batch:
                continue
            with manners.batch():
                begun = time.perf_counter()
                latents, pictures = run_batch(engine, batch, encodings, schedule)
                seconds = time.perf_counter() - begun
                found = find_faults(latents, pictures, rendering.precision)
                faulty = {fault.index for fault in found}
                _store(studio, engine, batch, pictures, seconds, faulty)
                faults.extend(found)
                batches.append((len(batch), seconds))
                sizes.note(len(batch), seconds)
                result.rendered += len(batch) - len(faulty)
                stored = [each.key for i, each in enumerate(batch) if i not in faulty]
                on_frames(stored, True)
    _record_timings(studio, todo, loaded, batches)
    sizes.remember()
    if faults:
        raise ModelError(
            f"{len(faults)} of {len(todo)} frames came out as no picture and were not stored:"
            f" {faults[0].problem}",
            faults[0].cure,
        )


@contextmanager
def _counted(result: RenderResult) -> Iterator[None]:
    """The seconds of the block count, also if it fails; those of waiting for the turn do not."""
    started = time.perf_counter()
    try:
        yield
    finally:
        result.seconds += time.perf_counter() - started


def render_again(studio: Studio, recipes: Sequence[FrameRecipe]) -> ImageArray:
    """One batch of recipes, rendered without the store: (B, height, width, 3) uint8.

    The recipes are of one model; for `verify`, in the batch that a receipt records.
    """
    how = recipes[0].rendering
    engine, schedule = _engine_for(studio, how), schedule_of(studio, how)
    return run_batch(engine, recipes, encodings_of(studio, recipes), schedule)[1]


def schedule_of(studio: Studio, how: Rendering) -> SamplingSchedule:
    """The table of a rendering's sampler. Raises ModelError for a fitted one that is not there."""
    if how.sampler == TUNED:
        return studio.tuned_samplers.with_digest(how.model, how.table).schedule()
    return sampling_schedule(how.sampler, how.num_steps, how.spacing)


def _engine_for(studio: Studio, rendering: Rendering, manners: Manners = ALONE) -> Engine:
    """The loaded model, if it is the one that the rendering names. Raises ModelError.

    A settled walk may be older than the weights and the setting that are here now: under its keys
    nothing may be stored that another model or precision gave.
    """
    with manners.load(rendering.model):
        engine = studio.load_engine(rendering.model)
    weights, precision = engine.info.weights_digest, engine.options.precision
    if weights != rendering.weights:
        raise ModelError(
            f"these frames are rendered with other weights of {rendering.model}"
            f" ({rendering.weights[:12]}, here are {weights[:12]})",
            "To render with the weights that are here, materialize walk_spec again; to verify"
            " frames of the others, put those back.",
        )
    if precision != rendering.precision:
        raise ModelError(
            f"these frames are rendered in {rendering.precision}, the setting here is {precision}",
            f"To render in {precision}, materialize walk_spec again; to keep or verify what there"
            f" is, set LATENT_ASSETS_PRECISION={rendering.precision}.",
        )
    return engine


def run_batch(
    engine: Engine,
    batch: Sequence[FrameRecipe],
    encodings: Mapping[str, FloatArray],
    schedule: SamplingSchedule,
) -> tuple[FloatArray, ImageArray]:
    """One batch through the model: final latents (B, h, w, c), pictures (B, H, W, 3) uint8.

    The recipes' own formulas give the arrays: a frame cannot get another one's under its key.
    """
    how = batch[0].rendering
    shape = engine.info.latent_shape(how.size)
    latents = engine.sample(
        np.stack([recipe.noise.evaluate(shape) for recipe in batch]),
        np.stack([recipe.context.evaluate(encodings) for recipe in batch]),
        encodings[how.unconditional],
        np.array([float(recipe.guidance_scale) for recipe in batch], np.float32),
        schedule,
        _fresh(batch, shape, schedule.fresh),
    )
    return latents, engine.decode(latents)


def _fresh(
    batch: Sequence[FrameRecipe], shape: tuple[int, int, int], steps: int
) -> FloatArray | None:
    """The noise that each frame gets in the first so many steps, (B, steps, h, w, c)."""
    if not steps:
        return None
    return np.stack(
        [[each.noise.evaluate(shape, step) for step in range(1, steps + 1)] for each in batch]
    )


def batches_for(
    studio: Studio,
    engine: Engine,
    rendering: Rendering,
    scales: Iterable[float | Fraction],
    batch_size: BatchSize,
) -> Batches:
    """How many frames go through the model at once; batch_size: what a walk says of that."""
    if batch_size != "auto":
        return FixedBatches(batch_size)
    profile = batch_profile(rendering, scales, engine_environment(engine))
    return MeasuredBatches(studio.timings, engine, profile, rendering.size, rendering.num_steps)


def _still_missing(
    studio: Studio,
    batch: Sequence[FrameRecipe],
    on_frames: OnFrames,
    result: RenderResult,
    manners: Manners,
) -> Sequence[FrameRecipe]:
    """Without the frames that others have rendered meanwhile, if there are others."""
    if not manners.shared:
        return batch
    there = studio.frames.contains(recipe.key for recipe in batch)
    if there:
        result.reused += len(there)
        on_frames([recipe.key for recipe in batch if recipe.key in there], False)
    return [recipe for recipe in batch if recipe.key not in there]


def _store(
    studio: Studio,
    engine: Engine,
    batch: Sequence[FrameRecipe],
    pictures: ImageArray,
    seconds: float,
    faulty: set[int],
) -> None:
    keys = tuple(recipe.key for recipe in batch)
    # A batch that did not fit was carried out in parts: those are what to render again in.
    size = min(engine.batch_limit or len(keys), len(keys))
    surroundings = engine_environment(engine)
    created = utc_now()
    studio.frames.write_many(
        (
            keys[index],
            pictures[index],
            Receipt(
                key=keys[index],
                recipe=batch[index].as_dict(),
                pixel_digest=pixel_digest(pictures[index]),
                environment=surroundings,
                batch=keys[index - index % size : index - index % size + size],
                position=index % size,
                seconds=round(seconds / len(batch), 4),
                created=created,
                licence=engine.info.licence,
            ),
        )
        for index in range(len(batch))
        if index not in faulty
    )


def engine_environment(engine: Engine) -> Environment:
    """What computes, for receipts and for `verify`."""
    return environment(
        device="cpu" if engine.device.kind == "CPU" else engine.device.name,
        precision=engine.options.precision,
        jit=engine.jit_compile,
        threads=engine.device.threads,
    )


def _record_timings(
    studio: Studio,
    recipes: Sequence[FrameRecipe],
    loaded: float,
    batches: list[tuple[int, float]],
) -> None:
    """Seconds per frame, and before the first: loading, and compiling in the first batch."""
    if not batches:
        return
    profile = timing_profile(recipes)
    steady = [seconds / count for count, seconds in batches[1:]]
    if not steady:
        # One batch alone is mostly compilation; it counts where nothing better is known.
        if studio.timings.estimate(profile) is None:
            studio.timings.record(profile, batches[0][1] / batches[0][0])
        return
    per_frame = median(steady)
    studio.timings.record(profile, per_frame)
    if loaded > per_frame:
        first_count, first_seconds = batches[0]
        extra = max(first_seconds - first_count * per_frame, 0.0)
        studio.timings.record(start_up_profile(recipes[0].rendering), loaded + extra)
