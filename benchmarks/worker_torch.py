"""Worker of `stable_diffusion.py`: the same architecture in diffusers, by torch or OpenVINO.

Needs torch and diffusers (and openvino, or a C++ compiler for torch.compile); runs in an
environment of its own. Guided denoising steps alone are timed, both passes in one batch as the
diffusers pipeline does it: no encoding, no decoding, which is in its favour.
"""

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version

import torch  # noqa: TID253 - the benchmark is of torch
from diffusers import UNet2DConditionModel

CONFIG = {
    "sample_size": 64,
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
}
"""Stable Diffusion 1.x; the rest are the class's defaults."""


Predict = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""(latents (2B, 4, h, w), timestep, context (2B, 77, 768)) -> noise of the latents' shape."""


class Positional(torch.nn.Module):
    """The network with its three inputs by position and its output bare."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor, t: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        """See `Predict`."""
        return self.network(x, t, encoder_hidden_states=c, return_dict=False)[0]


def by_openvino(network: torch.nn.Module) -> Predict:
    """The network compiled by OpenVINO for the CPU, float32, one thread."""
    import openvino as ov

    example = (torch.zeros(2, 4, 16, 16), torch.tensor(1.0), torch.zeros(2, 77, 768))
    model = ov.convert_model(network, example_input=example)
    options = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = ov.compile_model(model, "CPU", options)
    return lambda x, t, c: torch.from_numpy(compiled([x.numpy(), t.numpy(), c.numpy()])[0])


BY_NAME = {"eager": lambda network: network, "compiled": torch.compile, "openvino": by_openvino}


def steps(predict: Predict, size: int, batch: int, count: int) -> dict:
    """Seconds of `count` guided steps, on the wall clock and of the CPU."""
    side = size // 8
    latents = torch.randn(batch, 4, side, side)
    context = torch.randn(2 * batch, 77, 768)
    wall, cpu = time.perf_counter(), time.process_time()
    with torch.inference_mode():
        for step in range(count):
            both = predict(torch.cat([latents, latents]), torch.tensor(float(step)), context)
            without, with_prompt = both.chunk(2)
            latents = latents - 0.1 * (without + 7.5 * (with_prompt - without))
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def main() -> None:
    """Answer requests until the input ends. Arguments: what to measure, of `BY_NAME`."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = Positional(UNet2DConditionModel(**CONFIG)).eval()
    predict = {name: BY_NAME[name](network) for name in sys.argv[1:]}
    for line in sys.stdin:
        request = json.loads(line)
        name = request["run"]
        answer = (
            versions()
            if name == "versions"
            else steps(predict[name], request["size"], request["batch"], request["steps"])
        )
        print(json.dumps(answer), flush=True)


def versions() -> dict:
    """Of the libraries measured."""
    names = ("torch", "diffusers", *(["openvino"] if "openvino" in sys.argv else []))
    return {name: version(name) for name in names}


if __name__ == "__main__":
    main()
