"""Worker of `stable_diffusion.py`: the same architecture in diffusers, by torch or OpenVINO.

Needs torch and diffusers (and openvino); runs in an environment of its own. Guided denoising
steps alone are timed, both passes in one batch as the diffusers pipeline does it: no encoding, no
decoding, which is in its favour.
"""

import json
import sys
import time

import torch
from diffusers import UNet2DConditionModel

CONFIG = {
    "sample_size": 64,
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
}
"""Stable Diffusion 1.x; the rest are the class's defaults."""


def load_openvino(network: torch.nn.Module) -> object:
    """The network compiled by OpenVINO for the CPU, float32, one thread."""
    import openvino as ov

    class Positional(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: torch.Tensor, t: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
            return self.network(x, t, encoder_hidden_states=c, return_dict=False)[0]

    example = (torch.zeros(2, 4, 16, 16), torch.tensor(1.0), torch.zeros(2, 77, 768))
    model = ov.convert_model(Positional().eval(), example_input=example)
    options = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = ov.compile_model(model, "CPU", options)
    return lambda x, t, c: torch.from_numpy(compiled([x.numpy(), t.numpy(), c.numpy()])[0])


def main() -> None:
    """Answer requests until the input ends."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = UNet2DConditionModel(**CONFIG).eval()
    if sys.argv[1] == "openvino":
        predict = load_openvino(network)
    else:

        def predict(x: torch.Tensor, t: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
            return network(x, t, encoder_hidden_states=c, return_dict=False)[0]

    for line in sys.stdin:
        request = json.loads(line)
        if request["run"] == "versions":
            print(json.dumps(versions()), flush=True)
            continue
        batch, side = request["batch"], request["size"] // 8
        latents = torch.randn(batch, 4, side, side)
        context = torch.randn(2 * batch, 77, 768)
        wall, cpu = time.perf_counter(), time.process_time()
        with torch.inference_mode():
            for step in range(request["steps"]):
                both = predict(torch.cat([latents, latents]), torch.tensor(float(step)), context)
                without, with_prompt = both.chunk(2)
                latents = latents - 0.1 * (without + 7.5 * (with_prompt - without))
        answer = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        print(json.dumps(answer), flush=True)


def versions() -> dict:
    """Of the libraries measured."""
    import diffusers

    found = {"torch": torch.__version__, "diffusers": diffusers.__version__}
    if sys.argv[1] == "openvino":
        import openvino

        found["openvino"] = openvino.__version__.split("-")[0]
    return found


if __name__ == "__main__":
    main()
