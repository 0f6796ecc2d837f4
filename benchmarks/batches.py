"""How near the default batch of the embedded model comes to the machine's matrix products.

    python benchmarks/batches.py [--frames 240] [--threads 1]

Renders a walk that leaves `batch_size` open into an empty store, part by part as the graph does,
and then, on the machine that is known now, another. Prints the sizes of each part's batches, and
the share of the GEMM peak (2048³, float32, the same threads, measured before and after each part,
the best): arithmetic of the frames by TensorFlow's count over CPU seconds of
`render_frames`, the store and the receipts included.
"""

import argparse
import tempfile
import time
from pathlib import Path

from latent_assets.rendering import render_frames
from latent_assets.settings import Settings
from latent_assets.studio import Studio
from latent_assets.walks.loading import parse_walk

GEMM_SIZE = 2048
CHUNK = 30
WALK = """
kind: interpolation
prompts: [a cat, a dog]
frames: {frames}
seed: {seed}
num_steps: 10
model: embedded
"""


def gemm_gflops() -> float:
    """Of a square float32 matrix product, by CPU seconds, the best of five."""
    import tensorflow as tf

    a = tf.random.normal((GEMM_SIZE, GEMM_SIZE))
    best = float("inf")
    for _ in range(5):
        started = time.process_time()
        tf.matmul(a, a).numpy()
        best = min(best, time.process_time() - started)
    return 2 * GEMM_SIZE**3 / best / 1e9


def gflop(network: object, *shapes: tuple[int, ...]) -> float:
    """The arithmetic of one call, by TensorFlow's own count."""
    import tensorflow as tf
    from tensorflow.python.profiler.model_analyzer import profile
    from tensorflow.python.profiler.option_builder import ProfileOptionBuilder

    specs = [tf.TensorSpec((1, *shape)) for shape in shapes]
    given = specs if len(specs) > 1 else specs[0]
    traced = tf.function(lambda x: network.call(x, training=False)).get_concrete_function(given)
    options = ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    return profile(traced.graph, options=options).total_float_ops / 1e9


def frame_gflop(engine: object, steps: int) -> float:
    """Of one frame with guidance: two evaluations of the denoiser a step, and the decoding."""
    info, networks = engine.info, engine._models  # noqa: SLF001
    latents = info.latent_shape(info.default_size)
    context = (info.tokens, info.context_width)
    denoiser = gflop(networks.denoiser, latents, (320,), context)
    return 2 * steps * denoiser + gflop(networks.decoder, latents)


def main() -> None:
    """Render twice, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio.open(Settings(data=Path(folder)))
        engine = studio.load_engine("embedded")
        for seed, title in enumerate(("a machine that is not known", "known")):
            text = WALK.format(frames=options.frames, seed=seed)
            spec = studio.specify("walk", parse_walk(text, "walk.yaml"))
            work, recipes = frame_gflop(engine, spec.walk.num_steps), spec.recipes()
            print(f"{title}: {work:.1f} GFLOP a frame")
            for start in range(0, len(recipes), CHUNK):
                part = recipes[start : start + CHUNK]
                peak, started = gemm_gflops(), time.process_time()
                render_frames(studio, part, batch_size=spec.walk.batch_size)
                seconds = (time.process_time() - started) / len(part)
                peak = max(peak, gemm_gflops())
                receipts = [studio.frames.read(each.key).receipt for each in part]
                sizes = [len(receipt.batch) for receipt in receipts if not receipt.position]
                share = work / seconds / peak
                print(f"  {sizes} {seconds:.3f} CPU s a frame, {share:.0%} of {peak:.0f} GFLOP/s")
    print("done")


if __name__ == "__main__":
    main()
