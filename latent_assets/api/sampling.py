"""Pictures from arrays of one's own: a text encoding and a noise each, outside the store."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from latent_assets.api import walks
from latent_assets.batching import parts
from latent_assets.diffusion.faults import find_faults
from latent_assets.diffusion.protocol import Engine, FloatArray, ImageArray, ModelInfo
from latent_assets.errors import ModelError, UsageError
from latent_assets.rendering import batches_for, encode_prompts, schedule_of
from latent_assets.studio import Studio, WalkSpec

Scales = float | Sequence[float] | npt.NDArray[np.floating]


def sample(
    studio: Studio,
    model: str,
    encoding: npt.ArrayLike,
    noise: npt.ArrayLike,
    guidance_scale: Scales | None,
    **how: Any,
) -> ImageArray:
    """(N, height, width, 3) uint8 of arrays as `OpenStudio.sample` takes them."""
    info = studio.describe_model(model)
    contexts, noises = _matched(info, encoding, noise)
    spec, scales = _settled(studio, model, guidance_scale, len(contexts), noises, how)
    rendering = spec.rendering
    schedule = schedule_of(studio, rendering)
    if schedule.fresh:
        raise UsageError(
            f"the sampler {rendering.sampler} adds noise of a walk's seed, which arrays have not",
            "Take another sampler, or render a walk.",
        )
    (unconditional,) = encode_prompts(studio, rendering, [rendering.unconditional])
    engine = studio.load_engine(model)
    pictures = []
    sizes = batches_for(studio, engine, rendering, scales.tolist(), spec.walk.batch_size)
    for batch in parts(len(contexts), sizes):
        latents = engine.sample(
            noises[batch], contexts[batch], unconditional, scales[batch], schedule
        )
        decoded = engine.decode(latents)
        _warn(engine, latents, decoded, batch.start)
        pictures.append(decoded)
    return np.concatenate(pictures)


def _settled(
    studio: Studio,
    model: str,
    guidance_scale: Scales | None,
    count: int,
    noises: FloatArray,
    how: dict[str, Any],
) -> tuple[WalkSpec, FloatArray]:
    """How to sample, checked by the rules of walk files, and the scale of each picture."""
    info = studio.describe_model(model)
    size = [side * info.downscale for side in noises.shape[1:3]]
    fields = {**{name: value for name, value in how.items() if value is not None}, "model": model}
    if tuple(size) != info.default_size:
        fields["size"] = size
    if guidance_scale is None or np.ndim(guidance_scale) == 0:
        if guidance_scale is not None:
            fields["guidance_scale"] = guidance_scale
        walk = walks.noise_loop("sample", frames=2, name="sample", **fields)
        spec = studio.specify("sample", walk.fields)
        scale = getattr(spec.walk, "guidance_scale", 1.0)
        return spec, np.full(count, scale, np.float32)
    scales: Any = guidance_scale
    if len(scales) != count:
        raise UsageError(
            f"there are {len(scales)} guidance scales for {count} pictures",
            "Give one for all, or one for each.",
        )
    walk = walks.guidance_sweep("sample", guidance_scales=scales, name="sample", **fields)
    return studio.specify("sample", walk.fields), np.asarray(scales, np.float32)


def _matched(
    info: ModelInfo, encoding: npt.ArrayLike, noise: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """N encodings (N, T, D) and N noises (N, h, w, channels), float32. Raises UsageError."""
    contexts = _several("encoding", encoding, 3, "studio.encode gives one")
    noises = _several("noise", noise, 4, "la.noise(seed, studio.noise_shape) gives one")
    _check("encoding", contexts.shape[1:], (info.tokens, info.context_width), info)
    height, width, _ = info.latent_shape(info.default_size)
    _check("noise", noises.shape[3:], (info.latent_channels,), info, f"{height}, {width}, ")
    count = max(len(contexts), len(noises))
    for name, array in (("encodings", contexts), ("noises", noises)):
        if len(array) not in (1, count):
            raise UsageError(
                f"there are {len(contexts)} encodings and {len(noises)} noises",
                f"Give as many {name} as of the others, or one for all.",
            )
    return _repeated(contexts, count), _repeated(noises, count)


def _several(name: str, array: npt.ArrayLike, dimensions: int, where: str) -> FloatArray:
    given = np.asarray(array, np.float32)
    if given.ndim == dimensions - 1:
        given = given[None]
    if given.ndim != dimensions or not given.size:
        raise UsageError(
            f"the {name} has the shape {np.shape(array)}",
            f"It has {dimensions - 1} dimensions, or with one more several: {where}.",
        )
    if not np.isfinite(given).all():
        raise UsageError(f"the {name} holds numbers that are not finite", "Look for a division.")
    return np.ascontiguousarray(given)


def _check(
    name: str, found: tuple[int, ...], wanted: tuple[int, ...], info: ModelInfo, before: str = ""
) -> None:
    if found != wanted:
        ends = ", ".join(map(str, wanted))
        raise UsageError(
            f"the {name} is of another shape than the model {info.name} takes",
            f"It takes ({before}{ends}); this one ends in {found}.",
        )


def _repeated(array: FloatArray, count: int) -> FloatArray:
    return array if len(array) == count else np.repeat(array, count, axis=0)


def _warn(engine: Engine, latents: FloatArray, pictures: ImageArray, start: int) -> None:
    """Nothing is stored, so a picture that is none harms nobody; whoever looks is told."""
    faults = find_faults(latents, pictures, engine.options.precision)
    if len(faults) == len(pictures) and not np.isfinite(latents).any():
        raise ModelError(faults[0].problem, faults[0].cure)
    for fault in faults:
        warnings.warn(f"picture {start + fault.index}: {fault.problem}", stacklevel=4)
