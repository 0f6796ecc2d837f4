"""The studio as Python programs open it: plans and renders walks, encodes, samples."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from latent_assets.api.display import watched
from latent_assets.api.film import Film, Pictures
from latent_assets.api.rendering import render_walk
from latent_assets.api.sampling import Scales, sample
from latent_assets.api.walks import Walk, load, noise_loop
from latent_assets.prompt_syntax import TEXT
from latent_assets.rendering import encode_prompts
from latent_assets.settings import PREFIX, Settings
from latent_assets.studio import Plan, Studio, WalkSpec

FloatArray = npt.NDArray[np.float32]


def open_studio(
    data: str | Path | None = None, *, model: str | None = None, store: str | None = None
) -> OpenStudio:
    """The studio of a data folder. Nothing is loaded before something is rendered.

    data, model, store: in place of LATENT_ASSETS_DATA, LATENT_ASSETS_MODEL (of walks that name
    none) and LATENT_ASSETS_STORE; all else is as those settings and the project's file say.
    Raises UsageError.
    """
    # TensorFlow's build notes are no news to a person; its errors still come through.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    asked = {"DATA": data, "MODEL": model, "STORE": store}
    told = {PREFIX + name: str(value) for name, value in asked.items() if value is not None}
    told_as = {PREFIX + name: f"open: {name.lower()}" for name in asked if PREFIX + name in told}
    return OpenStudio(Studio.open(Settings.from_environment(told=told, told_as=told_as)))


@dataclass(frozen=True, repr=False)
class OpenStudio:
    """A deployment's models and stores, to render with."""

    studio: Studio

    def __repr__(self) -> str:
        return f"studio of {self.data}, model {self.model}"

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.studio.settings.data

    @property
    def model(self) -> str:
        """The model of walks that name none, of `encode` and of `sample`."""
        return self.studio.settings.model

    @property
    def noise_shape(self) -> tuple[int, int, int]:
        """(h, w, channels): the shape of the model's noise at its own size."""
        info = self.studio.describe_model(self.model)
        return info.latent_shape(info.default_size)

    def plan(
        self,
        walk: Walk | str | Path,
        *,
        model: str | None = None,
        frames: int | None = None,
        draft: bool = False,
    ) -> Plan:
        """Which frames are stored, which are to be rendered, about how long that takes.

        walk: or the path of a walk file. model, frames: in place of the walk's own. draft: in a
        fraction of its steps. No model is loaded. Raises InvalidWalkError, UsageError.
        """
        return self.studio.plan(self._specified(walk, model, frames, draft))

    def render(
        self,
        walk: Walk | str | Path,
        *,
        model: str | None = None,
        frames: int | None = None,
        draft: bool = False,
        progress: bool = True,
    ) -> Film:
        """Render what is not in the store yet, and give the film.

        walk, model, frames, draft: as for `plan`. progress: show a bar. What the model does not
        understand is a warning. An interrupt (Ctrl-C, "stop") loses at most the running batch.
        Raises InvalidWalkError, UsageError, ModelError, StoreError.
        """
        started = time.perf_counter()
        spec = self._specified(walk, model, frames, draft)
        plan = self.studio.plan(spec)
        for warning in plan.warnings:
            warnings.warn(warning, stacklevel=2)
        with watched(spec, plan, shown=progress) as bar:
            done = render_walk(self.studio, spec, bar)
        return Film(
            walk=Walk(spec.name, done.spec.walk),
            rendered=done.rendered,
            reused=len(done.frames.keys) - done.rendered,
            seconds=time.perf_counter() - started,
            keys=done.frames.keys,
            _done=done,
            _studio=self.studio,
        )

    @overload
    def encode(self, text: str) -> FloatArray: ...
    @overload
    def encode(self, text: Sequence[str]) -> FloatArray: ...
    def encode(self, text: str | Sequence[str]) -> FloatArray:
        """A prompt as the model reads it, (T, D) float32; of N prompts (N, T, D).

        From the store, or else from the model, and then stored. Raises ModelError.
        """
        several = [text] if isinstance(text, str) else list(text)
        walk = noise_loop("encoded", frames=2)
        rendering = self.studio.specify("encoded", walk.fields).rendering
        for prompt in several:
            for warning in self.studio.read_prompt(self.model, prompt, TEXT).warnings:
                warnings.warn(warning, stacklevel=2)
        found = encode_prompts(self.studio, rendering, several)
        return found[0] if isinstance(text, str) else found

    def sample(
        self,
        encoding: npt.ArrayLike,
        noise: npt.ArrayLike,
        *,
        guidance_scale: Scales | None = None,
        num_steps: int | None = None,
        sampler: str | None = None,
        spacing: str | None = None,
        negative_prompt: str | None = None,
        batch_size: int | None = None,
    ) -> Pictures:
        """Pictures of arrays of one's own; they are not stored.

        encoding: (T, D), or (N, T, D). noise: (h, w, channels), or (N, h, w, channels); of one and
        N the one is that of all. guidance_scale: one, or N. What is left out is as in walk files,
        or as the model samples if there is but one way. Raises UsageError, InvalidWalkError.
        """
        pictures = sample(
            self.studio,
            self.model,
            encoding,
            noise,
            guidance_scale,
            num_steps=num_steps,
            sampler=sampler,
            spacing=spacing,
            negative_prompt=negative_prompt,
            batch_size=batch_size,
        )
        return Pictures(pictures, self.studio, self.model)

    def _specified(
        self, walk: Walk | str | Path, model: str | None, frames: int | None, draft: bool
    ) -> WalkSpec:
        found = walk if isinstance(walk, Walk) else load(walk)
        return self.studio.specify(
            found.name, found.fields, model=model, frames=frames, draft=draft
        )
