"""What there is to know of the Stable Diffusion models without loading one (no TensorFlow).

Addresses and digests are those that KerasCV 0.9.0 downloads from and checks against.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from latent_assets.diffusion.protocol import ModelInfo
from latent_assets.diffusion.tokenizer import MAX_TOKENS

TEXT_LAYERS, TEXT_LAYERS_OF_2 = 12, 23

RANDOM_WEIGHTS_VERSION = 1
"""Raise it when `keras_cv_models` draws other random weights from the same seed."""


@dataclass(frozen=True)
class WeightsFile:
    """A published h5 file: its name, where it comes from, its sha256, its size."""

    name: str
    url: str
    sha256: str
    megabytes: int
    """Rounded: four bytes for each parameter of the network."""


@dataclass(frozen=True)
class StableDiffusionModel:
    """A Stable Diffusion model: three weights files, a context width, a licence."""

    name: str
    title: str
    context_width: int
    text_encoder: WeightsFile
    denoiser: WeightsFile
    decoder: WeightsFile
    licence: str
    licence_url: str

    @property
    def files(self) -> tuple[WeightsFile, WeightsFile, WeightsFile]:
        """Text encoder, denoiser, decoder."""
        return self.text_encoder, self.denoiser, self.decoder

    def info(self, weights_digest: str) -> ModelInfo:
        """The model's `ModelInfo` with weights of that digest."""
        return ModelInfo(
            name=self.name,
            title=self.title,
            weights_digest=weights_digest,
            tokens=MAX_TOKENS,
            context_width=self.context_width,
            text_layers=TEXT_LAYERS_OF_2 if self.name == "stable-diffusion-2.1" else TEXT_LAYERS,
            licence=self.licence,
            licence_notice=(
                f"By using {self.title}'s weights you accept the {self.licence} licence:"
                f" {self.licence_url}"
            ),
        )

    def published_digest(self) -> str:
        """Digest of the published weights; known before they are downloaded."""
        return combined_digest([file.sha256 for file in self.files])

    def random_digest(self, seed: int) -> str:
        """Digest that stands for seeded random weights."""
        text = f"random/{RANDOM_WEIGHTS_VERSION}/{self.name}/{seed}"
        return hashlib.sha256(text.encode()).hexdigest()


def combined_digest(digests: list[str]) -> str:
    """One sha256 for several files, in order."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


_V1 = "https://huggingface.co/fchollet/stable-diffusion/resolve/main"
_V2 = "https://huggingface.co/ianstenbit/keras-sd2.1/resolve/main"
_DECODER = WeightsFile(
    "kcv_decoder.h5",
    f"{_V1}/kcv_decoder.h5",
    "ad350a65cc8bc4a80c8103367e039a3329b4231c2469a1093869a345f55b1962",
    198,
)

STABLE_DIFFUSION_1 = StableDiffusionModel(
    name="stable-diffusion-1",
    title="Stable Diffusion 1.4",
    context_width=768,
    text_encoder=WeightsFile(
        "kcv_encoder.h5",
        f"{_V1}/kcv_encoder.h5",
        "4789e63e07c0e54d6a34a29b45ce81ece27060c499a709d556c7755b42bb0dc4",
        492,
    ),
    denoiser=WeightsFile(
        "kcv_diffusion_model.h5",
        f"{_V1}/kcv_diffusion_model.h5",
        "8799ff9763de13d7f30a683d653018e114ed24a6a819667da4f5ee10f9e805fe",
        3439,
    ),
    decoder=_DECODER,
    licence="CreativeML OpenRAIL-M",
    licence_url="https://raw.githubusercontent.com/CompVis/stable-diffusion/main/LICENSE",
)

STABLE_DIFFUSION_2_1 = StableDiffusionModel(
    name="stable-diffusion-2.1",
    title="Stable Diffusion 2.1",
    context_width=1024,
    text_encoder=WeightsFile(
        "text_encoder_v2_1.h5",
        f"{_V2}/text_encoder_v2_1.h5",
        "985002e68704e1c5c3549de332218e99c5b9b745db7171d5f31fcd9a6089f25b",
        1362,
    ),
    denoiser=WeightsFile(
        "diffusion_model_v2_1.h5",
        f"{_V2}/diffusion_model_v2_1.h5",
        "c31730e91111f98fe0e2dbde4475d381b5287ebb9672b1821796146a25c5132d",
        3464,
    ),
    decoder=_DECODER,
    licence="CreativeML Open RAIL++-M",
    licence_url="https://github.com/Stability-AI/stablediffusion/blob/main/LICENSE-MODEL",
)

STABLE_DIFFUSION_MODELS = {
    model.name: model for model in (STABLE_DIFFUSION_1, STABLE_DIFFUSION_2_1)
}
