"""The steps that make the embedded model, as commands; see docs/embedded-model.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from latent_assets.diffusion.embedded.vocabulary import Vocabulary
from latent_assets.diffusion.embedded.weights import WEIGHTS_FILE, default_directory, read_weights
from latent_assets.errors import LatentAssetsError, StoppedError
from latent_assets.training import artwork, classifier, dataset, minilm, wordlist
from latent_assets.training import autoencoder as autoencoder_task
from latent_assets.training import denoiser as denoiser_task
from latent_assets.training import export as exporting
from latent_assets.training import few_steps as few_steps_task
from latent_assets.training.backends import backend, prepare
from latent_assets.training.cutouts import unpack
from latent_assets.training.options import add_judge_options, add_training_options
from latent_assets.training.parallel import Team, run_team
from latent_assets.training.stream import PictureStream
from latent_assets.training.trainer import Budget, Run
from latent_assets.training.weight_files import existing, load_tensors

DEFAULT_WORK = Path("build/training")


def pack_artwork(options: argparse.Namespace) -> None:
    """Fetch the artwork from npm and pack what the model is taught into one file."""
    path = artwork.build(options.work)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def data(options: argparse.Namespace) -> None:
    """Compose the training and test pictures from packed artwork."""
    if options.own_artwork:
        cutouts = artwork.render_own()
    else:
        cutouts = unpack(options.artwork or options.work / artwork.PACK)
    counts = {"train": options.pictures, "test": options.test_pictures}
    dataset.build(options.work / "data", cutouts, counts, options.processes)


def words(options: argparse.Namespace) -> None:
    """Compute the word vectors anew (else those of the exported model are used)."""
    count = wordlist.build(minilm.fetch(options.work), options.work / "words")
    print(f"{count} words")


def autoencoder(options: argparse.Namespace) -> None:
    """Train encoder and decoder."""
    prepare()
    run = _run(options, "autoencoder", batch_size=12, learning_rate=2e-3, average=0.995)
    team = _team(options, autoencoder_task.count_parameters())
    run_team(team, autoencoder_task.work, run)


def denoiser(options: argparse.Namespace) -> None:
    """Train text encoder and denoiser."""
    prepare()
    run = _denoiser_run(options)
    team = _team(options, denoiser_task.count_parameters())
    run_team(team, denoiser_task.work, run, *_codec_and_words(options, run))


def few_steps(options: argparse.Namespace) -> None:
    """Teach the denoiser to draw in four steps as well."""
    prepare()
    run = _few_steps_run(options, options.minutes)
    team = _team(options, denoiser_task.count_parameters())
    learned = existing(run.init or options.work / "denoiser" / "denoiser.safetensors")
    run_team(team, few_steps_task.work, run, *_codec_and_words(options, run), learned)


def together(options: argparse.Namespace) -> None:
    """Train the denoiser and then its four steps in one go, which saves minutes on a GPU."""
    prepare()
    first, run = _denoiser_run(options), _few_steps_run(options, options.few_minutes)
    team = _team(options, denoiser_task.count_parameters())
    run_team(team, few_steps_task.work_together, first, run, *_codec_and_words(options, first))


def _denoiser_run(options: argparse.Namespace) -> Run:
    return _run(options, "denoiser", batch_size=24, learning_rate=1.2e-3, average=0.998)


def _few_steps_run(options: argparse.Namespace, minutes: float) -> Run:
    run = _run(options, "few_steps", batch_size=24, learning_rate=6e-4, average=0.998)
    return replace(run, budget=replace(run.budget, minutes=minutes))


def _codec_and_words(options: argparse.Namespace, run: Run) -> tuple[Path, Path]:
    """The autoencoder's weights and the folder of the words; encodes the pictures on disk."""
    # With `--init` the exported autoencoder is used too: its latents are what the weights know.
    codec = existing(run.init or options.work / "autoencoder" / "autoencoder.safetensors")
    words = wordlist.words_directory(options.work, options.model)
    Vocabulary.load(words)  # for its check, before anything is encoded
    if run.artwork is None:
        denoiser_task.cached_latents(run, load_tensors(codec))
    return codec, words


def _team(options: argparse.Namespace, parameters: int) -> Team:
    """On torch one process does it all."""
    return Team(1 if backend() == "torch" else options.workers, parameters)


def evaluate(options: argparse.Namespace) -> None:
    """Measure the model and write sheets."""
    # It renders too, and so needs what a machine that only trains may not have.
    from latent_assets.training import evaluate as evaluation  # noqa: PLC0415

    extent = evaluation.QUICK if options.quick else evaluation.FULL
    stream = None
    if options.artwork is not None:
        words, plain = Vocabulary.load(options.model), dataset.Shares(blends=0.0)
        cutouts = unpack(options.artwork)
        stream = PictureStream(cutouts, words, options.processes, options.judge_from, plain)
    judge = classifier.Training(
        Budget(
            minutes=options.classifier_minutes,
            learning_rate=options.learning_rate,
            average=0.99,
            compiled=options.fused,
        ),
        precision=options.precision,
        stream=stream,
        before=options.judge_pictures,
        resume=options.resume,
    )
    evaluation.run(options.work, options.model, judge, extent, not options.no_speed)
    if stream is not None:
        stream.close()


def export(options: argparse.Namespace) -> None:
    """Write the trained weights where rendering finds them."""
    print(exporting.export_work(options.work, options.model))


def _run(
    options: argparse.Namespace, step: str, batch_size: int, learning_rate: float, average: float
) -> Run:
    budget = Budget(
        minutes=options.minutes,
        steps=options.steps,
        learning_rate=options.learning_rate or learning_rate,
        average=average,
        report_minutes=options.report_minutes,
        gentle=getattr(options, "gentle", 1.0),
        compiled=options.fused,
    )
    init = None
    if options.init is not None:
        read_weights(options.init)  # for its check of the digest
        init = options.init / WEIGHTS_FILE
        exporting.note_earlier_samples(options.work / step, step, options.init)
    return Run(
        options.work / step,
        options.work / "data",
        options.batch_size or batch_size,
        budget,
        options.precision,
        options.resume,
        init,
        getattr(options, "artwork", None),
        getattr(options, "processes", 1),
        getattr(options, "new_pictures", None),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m latent_assets.training", description=__doc__)
    steps = parser.add_subparsers(required=True)

    def add(step: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
        name = step.__name__.removeprefix("pack_").replace("_", "-")
        sub = steps.add_parser(name, help=step.__doc__, description=step.__doc__)
        sub.set_defaults(step=step)
        sub.add_argument("--work", type=Path, default=DEFAULT_WORK, help="work directory")
        sub.add_argument("--model", type=Path, default=default_directory(), help="exported model")
        return sub

    add(pack_artwork)
    sub = add(data)
    sub.add_argument("--artwork", type=Path, help="the packed file (WORK/artwork.npz)")
    sub.add_argument("--pictures", type=int, default=24000, help="training pictures")
    sub.add_argument("--test-pictures", type=int, default=1024)
    sub.add_argument("--processes", type=int, default=2, help="processes, one core each")
    sub.add_argument(
        "--own-artwork", action="store_true", help="the project's own drawings only; no network"
    )
    for step in (autoencoder, denoiser, few_steps, together):
        add_training_options(add(step), step is not autoencoder, step is together)
    add_judge_options(add(evaluate))
    add(export)
    add(words)
    return parser


def main() -> None:
    """Run the step that the command line names."""
    parser = _parser()
    options = parser.parse_args()
    if getattr(options, "gentle", 1.0) < 1 and options.init is None:
        parser.error("--gentle is the share for what --init knows, and there is no --init")
    for name in ("judge", "new"):
        if getattr(options, f"{name}_pictures", None) is not None and options.artwork is None:
            parser.error(
                f"--{name}-pictures are composed from --artwork, and there is no --artwork"
            )
    sys.exit(_ended(options))


def _ended(options: argparse.Namespace) -> int:
    """Take the step; returns the exit code."""
    try:
        options.step(options)
    except LatentAssetsError as error:
        print(f"latent-assets: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        kept = "; --resume goes on from the last checkpoint" if "resume" in options else ""
        print(f"latent-assets: interrupted{kept}", file=sys.stderr)
        return StoppedError.exit_code
    return 0


if __name__ == "__main__":
    main()
