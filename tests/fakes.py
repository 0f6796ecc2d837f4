"""A model of numpy alone, and a studio around it that counts what is asked of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from latent_assets.diffusion.protocol import (
    EngineOptions,
    FloatArray,
    ImageArray,
    ModelInfo,
    Prompt,
)
from latent_assets.diffusion.schedule import SamplingSchedule, alphas_cumprod
from latent_assets.diffusion.tensorflow_runtime import Device
from latent_assets.prompt_syntax import WEIGHTED, parse
from latent_assets.settings import Settings
from latent_assets.shipped import PROJECT_ROOT
from latent_assets.store import EncodingStore, FrameStore, TimelineStore, Timings
from latent_assets.store.encodings import FEATURES
from latent_assets.store.frames import UPSCALED
from latent_assets.studio import Studio
from latent_assets.upscaling import open_upscaling
from latent_assets.walks.noise import gaussian

TOKENS, WIDTH = 4, 6
UPSCALER = PROJECT_ROOT / "data" / "models" / "upscaler"
SIZE = (32, 32)
SPREAD = 0.4


@dataclass
class Counts:
    """What was asked of the fake models of one studio."""

    engines: int = 0
    """Models loaded."""
    encoded: list[str] = field(default_factory=list)
    """Prompts, in order, as often as they were encoded."""
    batches: list[int] = field(default_factory=list)
    """Frames of each forward pass, in order."""

    @property
    def frames(self) -> int:
        """Frames rendered."""
        return sum(self.batches)

    def reset(self) -> None:
        """From nothing again; loaded models stay loaded."""
        self.engines = 0
        self.encoded.clear()
        self.batches.clear()


def fake_info(name: str = "embedded", weights: str = "fake") -> ModelInfo:
    return ModelInfo(
        name=name,
        title=f"Fake of {name}",
        weights_digest=hashlib.sha256(f"{weights} {name}".encode()).hexdigest(),
        tokens=TOKENS,
        context_width=WIDTH,
        text_layers=2,
        size_multiple=8,
        default_size=SIZE,
        licence="none",
    )


class FakeEngine:
    """Satisfies `Engine`. Pictures depend on context, noise, guidance, negative prompt and steps.

    `before_batch` is called with the number of frames done so far: tests raise or wait there.
    """

    def __init__(
        self,
        info: ModelInfo,
        counts: Counts,
        before_batch: Callable[[int], None] = lambda _done: None,
        precision: str = "float32",
    ) -> None:
        self.info = info
        self.options = EngineOptions(precision)
        self.device = Device("CPU", "fake", 1)
        self.jit_compile = False
        self.batch_limit: int | None = None
        self.counts = counts
        self.before_batch = before_batch

    def encode_text(self, prompts: Sequence[str], clip_skip: int = 1) -> FloatArray:
        self.counts.encoded.extend(prompts)
        shape = (TOKENS, WIDTH)
        layer = "" if clip_skip == 1 else f" {clip_skip}"
        names = [f"{self.info.name} {text}{layer}" for text in prompts]
        return np.stack([gaussian(0, shape, name) for name in names])

    def encode_weighted(self, prompt: str, chunks: int, clip_skip: int = 1) -> FloatArray:
        self.counts.encoded.append(prompt)
        return gaussian(
            0, (TOKENS * chunks, WIDTH), f"{self.info.name} weighted {prompt} {clip_skip}"
        )

    def predict_noise(self, latents: FloatArray, timestep: int, context: FloatArray) -> FloatArray:
        shift = _shift(context)
        return (0.5 * latents + shift * (1 + timestep) / 1000).astype(np.float32)

    def sample(
        self,
        noise: FloatArray,
        context: FloatArray,
        unconditional: FloatArray,
        guidance_scale: FloatArray,
        schedule: SamplingSchedule,
        fresh: FloatArray | None = None,
    ) -> FloatArray:
        self.before_batch(self.counts.frames)
        self.counts.batches.append(len(noise))
        scale = guidance_scale.reshape(-1, 1, 1, 1)
        guided = _shift(unconditional[None]) * (1 - scale) + scale * _shift(context)
        steps = np.float32(len(schedule.timesteps) / 1000)
        added = 0 if fresh is None else fresh.sum(axis=1) / 10
        return (noise + 0.1 * guided + steps + added).astype(np.float32)

    def guided_noise(
        self, contexts: FloatArray, unconditional: FloatArray, scale: float, at_once: int
    ) -> FakeNoise:
        del at_once
        guided = _shift(unconditional[None]) * (1 - scale) + scale * _shift(contexts)
        return FakeNoise(guided)

    def decode(self, latents: FloatArray) -> ImageArray:
        side = self.info.downscale
        large = latents[..., :3].repeat(side, axis=1).repeat(side, axis=2)
        # A sine, however large the latents: a picture of one value everywhere would be a fault.
        return np.round(127.5 + 127.5 * np.sin(large / 2)).astype(np.uint8)


@dataclass
class FakeNoise:
    """Satisfies `fitting.trajectory.Noise`: data about two heights, 1 above and below a shift."""

    shift: FloatArray

    def predict(
        self, latents: FloatArray, timestep: int, rows: npt.NDArray[np.int64]
    ) -> FloatArray:
        return self._both(latents, timestep, rows)[0]

    def pull_back(
        self,
        latents: FloatArray,
        timestep: int,
        rows: npt.NDArray[np.int64],
        gradient: FloatArray,
    ) -> tuple[FloatArray, float]:
        return self._both(latents, timestep, rows)[1] * gradient, 0.0

    def _both(
        self, latents: FloatArray, timestep: int, rows: npt.NDArray[np.int64]
    ) -> tuple[FloatArray, FloatArray]:
        """The noise, and how it changes with the latents."""
        power = alphas_cumprod()[timestep]
        signal, noise = np.sqrt(power), np.sqrt(1 - power)
        variance = power * SPREAD**2 + 1 - power
        apart = latents - signal * self.shift[rows]
        height = np.tanh(signal * apart / variance)
        eps = noise / variance * (apart - signal * height)
        slope = noise / variance * (1 - power / variance * (1 - height**2))
        return eps.astype(np.float32), slope.astype(np.float32)


def _shift(context: FloatArray) -> FloatArray:
    """(B, T, D) -> (B, 1, 1, 4), by sums whose rounding does not depend on the batch."""
    rows = [each.reshape(-1, 4).sum(axis=0, dtype=np.float64) for each in context]
    return np.stack(rows).astype(np.float32)[:, None, None, :]


@dataclass(frozen=True)
class FakeStudio(Studio):
    """A studio of fake models. `dataclasses.replace` (`with_outputs`) keeps its counts."""

    counts: Counts = field(default_factory=Counts)


def fake_studio(
    folder: Path,
    *,
    before_batch: Callable[[int], None] = lambda _done: None,
    settings: Settings | None = None,
    weights: str = "fake",
) -> FakeStudio:
    """A studio in `folder` (LATENT_ASSETS_DATA), every model name a fake of its own weights."""
    settings = settings or Settings(data=folder)
    settings.walks_dir.mkdir(parents=True, exist_ok=True)
    counts = Counts()
    loaded: dict[str, FakeEngine] = {}

    def load_engine(name: str) -> FakeEngine:
        if name not in loaded:
            info = fake_info(name, weights)
            loaded[name] = FakeEngine(info, counts, before_batch, settings.precision)
            counts.engines += 1
        return loaded[name]

    return FakeStudio(
        settings=settings,
        frames=FrameStore(settings.store_url, patience_s=settings.patience),
        encodings=EncodingStore(settings.store_url, patience_s=settings.patience),
        timings=Timings(settings.store_url, patience_s=settings.patience),
        features=EncodingStore(settings.store_url, patience_s=settings.patience, folder=FEATURES),
        timelines=TimelineStore(settings.store_url, patience_s=settings.patience),
        upscaled=FrameStore(settings.store_url, patience_s=settings.patience, folder=UPSCALED),
        describe_model=lambda name: fake_info(name, weights),
        load_engine=load_engine,
        read_prompt=lambda _name, text, syntax: Prompt(
            text, 1, chunks=len(parse(text)) if syntax == WEIGHTED else 1
        ),
        download_notice=lambda _name: "",
        open_upscaling=lambda method, factor: open_upscaling(method, factor, UPSCALER),
        counts=counts,
    )
