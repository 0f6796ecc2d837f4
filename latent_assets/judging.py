"""Our computation of a checkpoint against that of diffusers, in a Python that has it.

`diffusion/checkpoints/judge.py` runs there; it knows nothing of this project. Both get the same
prompts, latents and noise, and the answers are compared: text encodings, one evaluation of the
denoiser, the decoder, the final latents of a few DDIM steps, the pictures.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latent_assets.diffusion import registry, tokenizer
from latent_assets.diffusion.checkpoints import judge
from latent_assets.diffusion.checkpoints.models import Checkpoint
from latent_assets.diffusion.protocol import Engine
from latent_assets.diffusion.schedule import sampling_schedule
from latent_assets.errors import ModelError, UsageError
from latent_assets.studio import Studio, weights_source

FloatArray = npt.NDArray[np.float32]

ENCODINGS, DENOISER, LATENTS, LEVELS = 1e-5, 1e-4, 1e-3, 2
"""How far the answers may be apart: relative to the largest value, and of 255."""
PROMPTS = ("a castle on a hill at night, oil painting", "a bowl of fruit", "")
_TIMESTEP, _STEPS, _GUIDANCE = 801, 5, 5.0
_SIDE = 16
"""Of the latents: pictures of 128 px."""
_NEEDED = ("torch", "diffusers", "transformers")
_LISTED = ", ".join(_NEEDED)
_READY = 42
"""What a Python that has them exits with: what is no Python does not."""
_PATIENCE_S = 300
"""With its imports, on a machine that is busy otherwise."""
_CURE = (
    "Make a Python that has: python3 -m venv judge && judge/bin/pip install torch diffusers"
    " transformers accelerate peft; then --python judge/bin/python."
)


def compare_with_diffusers(
    studio: Studio, name: str, python: Path | None = None
) -> list[dict[str, Any]]:
    """What is compared, how far it is apart, and whether that is little enough.

    python: which has torch, diffusers and transformers; by default this one. Raises UsageError if
    it has not, or if the model is one that diffusers cannot read.
    """
    interpreter = str(python or sys.executable)
    _require(interpreter)
    source = weights_source(studio.settings)
    checkpoint = registry.find_checkpoint(name, source)
    if checkpoint.weights is None:
        raise UsageError(
            f"{name} has h5 files in KerasCV's layout, which diffusers cannot read",
            "There is nothing to compare it with.",
        )
    inputs = make_inputs(checkpoint)
    answer = ask(interpreter, make_request(checkpoint), inputs)
    return compare(studio.load_engine(name), prompts_for(checkpoint), inputs, answer)


def _require(python: str) -> None:
    code = f"import sys, {_LISTED}; sys.exit({_READY})"
    try:
        done = subprocess.run(  # noqa: S603
            [python, "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE_S,
            check=False,
        )
    except OSError as error:
        raise UsageError(f"{python} cannot be run: {error.strerror}", _CURE) from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"{python} does not say whether it has {_LISTED}", _CURE) from None
    if done.returncode != _READY:
        raise UsageError(f"{python} has not all of {_LISTED}", _CURE)


def make_inputs(
    checkpoint: Checkpoint, size: tuple[int, int] = (_SIDE, _SIDE), frames: int = 2
) -> dict[str, npt.NDArray[Any]]:
    """Prompts' tokens, latents and noise that both get; size: of the latents."""
    prompts = prompts_for(checkpoint)
    names = checkpoint.placeholders.ids()
    generator = np.random.default_rng(5)
    shape = (frames, *size, 4)
    return {
        "tokens": np.array(
            [
                tokenizer.pad(tokenizer.encode(each, names), padding=checkpoint.padding)
                for each in prompts
            ]
        ),
        "latents": generator.standard_normal(shape).astype(np.float32),
        "noise": generator.standard_normal(shape).astype(np.float32),
    }


def prompts_for(checkpoint: Checkpoint) -> list[str]:
    """The prompts, with every textual inversion in the first; the empty one last."""
    called = " and ".join(each.token for each in checkpoint.placeholders.embeddings)
    first = f"{PROMPTS[0]} in the style of {called}" if called else PROMPTS[0]
    return [first, *PROMPTS[1:]]


def make_request(checkpoint: Checkpoint, **more: object) -> dict[str, object]:
    """What `judge` is asked, but for the arrays."""
    files = checkpoint.files
    return {
        "base": str(files.base.resolve()),
        "architecture": checkpoint.architecture.name,
        "prediction": checkpoint.prediction,
        "variant": "fp16" if any(".fp16." in path.name for path in checkpoint.paths) else "",
        "vae": str(files.vae.resolve()) if files.vae else "",
        "loras": [[str(path.resolve()), weight] for path, weight in files.loras],
        "embeddings": [
            [each.token, str(each.file.path.resolve())]
            for each in checkpoint.placeholders.embeddings
        ],
        "prompts": prompts_for(checkpoint),
        "timestep": _TIMESTEP,
        "timesteps": sampling_schedule("ddim", _STEPS).timesteps.tolist(),
        "guidance": _GUIDANCE,
        **more,
    }


def ask(
    python: str, request: Mapping[str, object], inputs: Mapping[str, npt.NDArray[Any]]
) -> dict[str, FloatArray]:
    """The judge's answer. Raises ModelError with its last words if it gives none."""
    with tempfile.TemporaryDirectory() as folder:
        arrays, answer = Path(folder, "inputs.npz"), Path(folder, "answer.npz")
        np.savez(arrays, **inputs)
        question = Path(folder, "request.json")
        question.write_text(json.dumps({**request, "arrays": str(arrays)}))
        command = [python, str(Path(judge.__file__)), str(question), str(answer)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
            raise ModelError(f"diffusers could not compute {request['base']}: {last[0][:500]}")
        if not answer.exists():
            raise ModelError(f"{python} gave no answer: it is no Python that has {_LISTED}", _CURE)
        with np.load(answer) as found:
            return dict(found)


def compare(
    engine: Engine,
    prompts: Sequence[str],
    inputs: Mapping[str, npt.NDArray[Any]],
    answer: Mapping[str, FloatArray],
) -> list[dict[str, Any]]:
    """Ours against the answer; the denoiser is given the judge's own text encodings."""
    latents, noise, theirs = inputs["latents"], inputs["noise"], answer["context"]
    count, steps = len(noise), sampling_schedule("ddim", _STEPS)
    encodings = engine.encode_text(prompts)
    predicted = engine.predict_noise(latents, _TIMESTEP, theirs[:count])
    scale = np.full(count, _GUIDANCE, np.float32)
    final = engine.sample(noise, encodings[:count], encodings[-1], scale, steps)
    return [
        _row("text encodings", _apart(encodings, theirs), ENCODINGS),
        _row("one evaluation of the denoiser", _apart(predicted, answer["predicted"]), DENOISER),
        _row(f"latents after {_STEPS} DDIM steps", _apart(final, answer["final"]), LATENTS),
        _levels("their latents, decoded", engine.decode(latents), answer["decoded"]),
        _levels("pictures", engine.decode(final), answer["pictures"]),
    ]


def _apart(ours: FloatArray, theirs: FloatArray) -> float:
    """The largest difference, relative to the largest value."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def _row(what: str, apart: float, most: float) -> dict[str, Any]:
    return {"what": what, "difference": f"{apart:.1e} (at most {most:g})", "good": apart <= most}


def _levels(what: str, ours: npt.NDArray[np.uint8], theirs: FloatArray) -> dict[str, Any]:
    pictures = np.clip((theirs + 1) / 2 * 255, 0, 255).astype(np.uint8)
    apart = np.abs(ours.astype(int) - pictures)
    text = f"{apart.max()} of 255 (at most {LEVELS}), {np.mean(apart > 0):.2%} of the values differ"
    return {"what": what, "difference": text, "good": bool(apart.max() <= LEVELS)}
