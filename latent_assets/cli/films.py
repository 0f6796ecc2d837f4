"""What `verify` says of the pictures in a finished file."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from latent_assets.cli.common import out
from latent_assets.errors import FinishedFileError, MediaError
from latent_assets.foreign import printable
from latent_assets.media import ImageArray, Provenance, play_order
from latent_assets.media.frames import exact_fps
from latent_assets.media.shown import COMPARED, Film, Finding, compared
from latent_assets.store import DamagedError, MissingError
from latent_assets.studio import Studio, captions_of, shown_size
from latent_assets.upscaling import Enlarge, as_it_is
from latent_assets.walks.route import is_closed
from latent_assets.walks.schema import WALK_ADAPTER, Walk

Finish = Callable[[ImageArray, int], ImageArray]
"""(frame, its place in the walk) -> the picture that the file shows."""
_LONGEST_SIDE_PX = 32_768
_NAMED = 10
"""So many frames are named; of more, their number is given."""


def walk_of(record: Provenance, file: Path) -> Walk:
    """The walk that a record describes. Raises FinishedFileError."""
    try:
        walk = WALK_ADAPTER.validate_python(
            {key: value for key, value in record.walk.items() if key != "name"}
        )
    except ValueError:
        raise FinishedFileError(
            f"the record in {file} describes no walk of this version",
            "Another version or another program wrote it.",
        ) from None
    count = len(record.frame_keys)
    of_one = count == 1 and file.suffix not in COMPARED  # a poster, a numbered frame
    if walk.frames != count and not of_one:
        raise FinishedFileError(
            f"the record in {file} describes a walk of {walk.frames} frames and names {count}",
            "It was altered.",
        )
    return walk


def play_of(record: Provenance, walk: Walk) -> list[int]:
    """The places in the walk that its film plays, one after the other."""
    count = len(record.frame_keys)
    return play_order(count, ping_pong=walk.output.ping_pong, closed=is_closed(walk))


def finishing(studio: Studio, walk: Walk, record: Provenance) -> Finish:
    """What made the file's pictures of the frames. Raises MediaError if it is not here."""
    enlarge = _enlarging(studio, walk, record)
    if not walk.output.captions:
        return lambda picture, _place: enlarge(picture)
    size = record.model.get("size")
    if not isinstance(size, list) or len(size) != 2 or not all(map(_is_side, size)):  # noqa: PLR2004
        raise FinishedFileError(
            "its record does not say how large the frames are, and it has captions"
        )
    captions = captions_of(walk, shown_size(walk, (size[0], size[1]))[1])
    return lambda picture, place: captions.below(enlarge(picture), place)


def _is_side(value: object) -> bool:
    return isinstance(value, int) and 0 < value <= _LONGEST_SIDE_PX


def _enlarging(studio: Studio, walk: Walk, record: Provenance) -> Enlarge:
    upscale = walk.output.upscale
    if upscale is None:
        return as_it_is
    upscaling = studio.open_upscaling(upscale.method, upscale.factor)
    then = record.model.get("upscaler_weights", "")
    if then != upscaling.weights:
        raise MediaError(
            f"its pictures were made larger with other weights ({str(then)[:16] or 'none'},"
            f" here are {upscaling.weights[:16] or 'none'})",
            "To compare them, put those back into models/upscaler/.",
        )
    return upscaling.enlarge


def compare_film(
    studio: Studio,
    file: Path,
    record: Provenance,
    walk: Walk,
    finish: Finish,
    chosen: Sequence[str],
) -> Finding | None:
    """What the file shows otherwise than the frames of the chosen keys; None for a still or a page.

    Raises FinishedFileError for a file that is no film at all.
    """
    if file.suffix not in COMPARED:
        return None
    said = dict(zip(record.frame_keys, record.frame_digests, strict=True))
    stored = {key for key in set(chosen) if _digest(studio, key) == said[key]}
    keys = record.frame_keys
    film = Film(
        order=play_of(record, walk),
        places={place for place, key in enumerate(keys) if key in stored},
        frame_at=lambda place: finish(studio.frames.read(keys[place]).pixels, place),
        fps=exact_fps(walk.output.fps),
        encoder=record.encoder,
    )
    return compared(file, film)


def _digest(studio: Studio, key: str) -> str | None:
    """Of the pixels that the store holds, each checked; None if it holds none."""
    try:
        return studio.frames.read(key).receipt.pixel_digest
    except (MissingError, DamagedError):
        return None


def as_json(finding: Finding | None) -> Mapping[str, object]:
    """The finding as plain JSON types."""
    if finding is None:
        return {"altered": None, "why": []}
    return {"altered": finding.altered, "why": finding.why}


def print_finding(finding: Finding | None, count: int) -> None:
    """The finding in words. count: of the pictures that the file should play."""
    if finding is None:
        out.print("  the pictures in the file itself are not compared: a still or a page")
        return
    for reason in finding.why:
        out.print(f"  {printable(reason)}", markup=False)
    if finding.altered:
        out.print(f"  {numbers(finding.altered, count)}: the file shows something else")
    if not finding.good:
        out.print("    it was damaged, painted over, cut or encoded anew since it was made")
    if not finding.by_encoding:
        out.print("    (compared by regions: another encoder wrote it than the one that is here)")


def numbers(places: Sequence[int], count: int) -> str:
    """Places in the walk, counted from 0 as everywhere; of many, the first ten."""
    if len(places) == count > 1:
        return f"all {count} frames"
    more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
    word = "frame" if len(places) == 1 else "frames"
    return f"{word} {', '.join(map(str, places[:_NAMED]))}{more}"
