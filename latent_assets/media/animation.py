"""The table of output formats, and the one function that writes an animation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from latent_assets.errors import MediaError
from latent_assets.media import apng, gif, player, video, webp
from latent_assets.media import provenance as records
from latent_assets.media.encoders import encoder_of
from latent_assets.media.frames import Frames, exact_fps
from latent_assets.media.output import written
from latent_assets.media.signing import Seal

Writer = Callable[..., int]


@dataclass(frozen=True)
class Format:
    """One kind of output file."""

    name: str
    suffix: str
    mime: str
    title: str
    lossless: bool = False
    min_fps: Fraction = Fraction(1, 10)
    max_fps: Fraction = Fraction(120)
    why_max: str = ""
    """Why there are no more frames per second."""
    writer: Writer | None = None
    """(frames, path, *, fps, loop, text) -> number of frames; None for stills."""
    loop_flag: bool = True
    """Whether the file says if it plays for ever; MP4 leaves it to the player, AVIF always does."""

    @property
    def animated(self) -> bool:
        """Whether frames follow each other in time."""
        return self.writer is not None


FORMATS: dict[str, Format] = {
    each.name: each
    for each in (
        Format(
            "gif",
            ".gif",
            "image/gif",
            "GIF, 256 colours a frame",
            max_fps=Fraction(50),
            why_max="browsers slow down frames of less than two hundredths of a second",
            writer=gif.write_gif,
        ),
        Format("webp", ".webp", "image/webp", "Animated WebP", writer=webp.write_webp),
        Format("mp4", ".mp4", "video/mp4", "MP4, H.264", writer=video.write_mp4, loop_flag=False),
        Format(
            "apng",
            ".apng",
            "image/apng",
            "Animated PNG",
            lossless=True,
            writer=apng.write_apng,
        ),
        Format(
            "avif", ".avif", "image/avif", "Animated AVIF", writer=video.write_avif, loop_flag=False
        ),
        Format("html", ".html", "text/html", "Web page with a player", writer=player.write_player),
        Format("png", ".png", "image/png", "PNG: a grid, a sheet, numbered frames", lossless=True),
        Format("jpg", ".jpg", "image/jpeg", "JPEG of a grid"),
        Format("poster", "-poster.jpg", "image/jpeg", "JPEG of one frame"),
    )
}
"""Every output format by the name that walk files use."""


def write_animation(
    frames: Frames,
    path: Path,
    *,
    format: str,  # noqa: A002 - the word of the walk files
    fps: float | Fraction,
    loop: bool = True,
    there_and_back: bool = False,
    provenance: Mapping[str, Any] | None = None,
    seal: Seal | None = None,
) -> int:
    """Writes the frames as one file and returns their number.

    frames: makes a new iterable of pictures (H, W, 3) uint8 at each call; one is in memory at a
    time where the format allows. fps: mean frames per second. loop: plays for ever, where the
    format has such a flag. there_and_back: how a page begins to play them; of other formats the
    frames are given as they are to be played. provenance: the record to embed
    (`Provenance.as_dict()`), None to leave it and the mark out. seal: signs the file. It appears
    whole or not at all. Raises
    MediaError.
    """
    chosen = animated_format(format)
    rate = checked_fps(chosen, fps)
    record = provenance and {**provenance, "encoder": encoder_of(format)}
    text = None if record is None else records.to_text(record)
    assert chosen.writer is not None
    writer = chosen.writer
    if writer is player.write_player:
        writer = partial(player.write_player, there_and_back=there_and_back)
    with written(path) as temporary:
        count = writer(frames, temporary, fps=rate, loop=loop, text=text)
        if seal is not None:
            seal(temporary, chosen.suffix)
        return count


def animated_format(name: str) -> Format:
    """Raises MediaError unless the name is that of an animated format."""
    found = FORMATS.get(name)
    if found is None or not found.animated:
        names = ", ".join(each.name for each in FORMATS.values() if each.animated)
        raise MediaError(f"no animation format {name!r}", f"Choose one of {names}.")
    return found


def checked_fps(chosen: Format, fps: float | Fraction) -> Fraction:
    """The exact rate. Raises MediaError if the format cannot play it."""
    rate = exact_fps(fps)
    if rate < chosen.min_fps:
        raise MediaError(
            f"{float(rate):g} fps is too slow for {chosen.name}",
            f"Use {float(chosen.min_fps):g} fps or more.",
        )
    if rate > chosen.max_fps:
        reason = f": {chosen.why_max}" if chosen.why_max else ""
        raise MediaError(
            f"{float(rate):g} fps is too fast for {chosen.name}{reason}",
            f"Use at most {float(chosen.max_fps):g} fps.",
        )
    return rate
