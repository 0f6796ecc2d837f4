"""Worker of `stable_diffusion.py`: KerasCV's generate_image and this project, same networks.

Reads requests and writes answers as JSON lines. A call is the whole of it: for KerasCV the
encoding of the empty prompt (which it does every time), the loop, the decoding.
"""

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

from latent_assets.diffusion import keras_cv_models
from latent_assets.diffusion.protocol import EngineOptions
from latent_assets.diffusion.schedule import sampling_schedule
from latent_assets.diffusion.stable_diffusion import STABLE_DIFFUSION_1
from latent_assets.diffusion.tensorflow_engine import TensorFlowEngine

LIBRARIES = ("tensorflow", "keras", "keras-cv", "numpy")
GEMM_SIZE = 2048
SCALE = 7.5


def load_twin() -> type:
    """The class that puts KerasCV around the same networks; it belongs to the tests."""
    path = Path(__file__).parents[1] / "tests" / "engine" / "keras_cv_twin.py"
    spec = importlib.util.spec_from_file_location("keras_cv_twin", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Twin


def timed(work: Callable[[], object]) -> dict:
    """Wall and CPU seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


class Worker:
    """The networks, loaded once, and what can be asked of them."""

    def __init__(self) -> None:
        self.networks = keras_cv_models.load_random(STABLE_DIFFUSION_1, 0, "float32")
        info = STABLE_DIFFUSION_1.info(STABLE_DIFFUSION_1.random_digest(0))
        self.engine = TensorFlowEngine(info, self.networks, EngineOptions())
        self.context = self.engine.encode_text(["a cat", "a dog", "a bird"])
        self.unconditional = self.engine.encode_text([""])[0]
        self.twins = {}

    def noise(self, size: int, batch: int) -> np.ndarray:
        """(B, h, w, 4) float32."""
        shape = (batch, size // 8, size // 8, 4)
        return np.random.default_rng(0).standard_normal(shape).astype(np.float32)

    def keras_cv(self, size: int, batch: int, steps: int) -> dict:
        """One call of generate_image."""
        if size not in self.twins:
            self.twins = {size: load_twin()(self.networks, (size, size))}
        noise, context = self.noise(size, batch), self.context[:batch]
        return timed(
            lambda: self.twins[size].generate_image(
                context,
                batch_size=batch,
                num_steps=steps,
                unconditional_guidance_scale=SCALE,
                diffusion_noise=noise,
            )
        )

    def ours(
        self, size: int, batch: int, steps: int, sampler: str = "ddim", spacing: str = "uniform"
    ) -> dict:
        """The same pictures by this project's engine (with "ddim" and "uniform")."""
        noise, scale = self.noise(size, batch), np.full(batch, SCALE, np.float32)
        schedule = sampling_schedule(sampler, steps, spacing)

        def work() -> None:
            latents = self.engine.sample(
                noise, self.context[:batch], self.unconditional, scale, schedule
            )
            self.engine.decode(latents)

        return timed(work)

    def steps(self, size: int, batch: int, steps: int) -> dict:
        """The guided steps of `ours` alone, without the decoding."""
        noise, scale = self.noise(size, batch), np.full(batch, SCALE, np.float32)
        schedule = sampling_schedule("ddim", steps)
        context = self.context[:batch]
        return timed(
            lambda: self.engine.sample(noise, context, self.unconditional, scale, schedule)
        )

    def gemm(self) -> dict:
        """GFLOP/s of a square float32 matrix product by TensorFlow, the best of five."""
        import tensorflow as tf

        a = tf.random.normal((GEMM_SIZE, GEMM_SIZE))
        seconds = min(timed(lambda: tf.matmul(a, a).numpy())["cpu"] for _ in range(5))
        return {"gflops": 2 * GEMM_SIZE**3 / seconds / 1e9}


def main() -> None:
    """Answer requests until the input ends."""
    # KerasCV prints; the answers go where its print cannot reach.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    worker = Worker()
    for line in sys.stdin:
        request = json.loads(line)
        run = request.pop("run")
        answer = (
            {name: version(name) for name in LIBRARIES}
            if run == "versions"
            else getattr(worker, run.replace("-", "_"))(**request)
        )
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
