"""MP4 (H.264) through PyAV, and AVIF through Pillow.

PyAV's wheel bundles x264, which is under the GPL; it is used as a library at arm's length and is
not part of this project. Why the colours of an MP4 are converted here, and as they are:
docs/decisions/0033-colours-of-an-mp4.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, features

from latent_assets.errors import MediaError
from latent_assets.media import xmp
from latent_assets.media.frames import Frames, ImageArray, check_frames, delays

_X264 = {
    "crf": "16",
    "preset": "slow",
    "tune": "animation",
    # The same film on every processor, whatever it has cores: `verify` encodes it again.
    "x264-params": "cpu-independent=1",
}
_THREADS = 2
# ITU-T H.273: the codes of BT.709's matrix and primaries, of sRGB's curve, of the full range.
_BT709, _SRGB, _FULL_RANGE = 1, 13, 2
_RED, _BLUE = 0.2126, 0.0722
_TO_YCBCR = np.array(
    [
        [_RED, 1 - _RED - _BLUE, _BLUE],
        [-_RED / (2 - 2 * _BLUE), -(1 - _RED - _BLUE) / (2 - 2 * _BLUE), 0.5],
        [0.5, -(1 - _RED - _BLUE) / (2 - 2 * _RED), -_BLUE / (2 - 2 * _RED)],
    ],
    np.float32,
)
"""Red, green, blue -> luma and the two colour differences. ITU-R BT.709-6, section 3."""
_MILLISECONDS = 1000


def write_mp4(frames: Frames, path: Path, *, fps: Fraction, loop: bool, text: str | None) -> int:  # noqa: ARG001 - MP4 has no loop flag
    """Writes the file and returns the number of frames. Every frame lasts exactly 1 / fps.

    H.264 in 4:2:0, which every browser and player takes; the index stands in front, so that it
    plays while it loads. An odd width or height gets its last column or row twice.
    """
    import av  # noqa: PLC0415 - 0.2 s and 100 MB of libraries that only videos need
    from av.error import FFmpegError  # noqa: PLC0415

    number = 0
    try:
        with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
            if text is not None:
                container.metadata["comment"] = text
            stream = container.add_stream("libx264", rate=fps, options=_X264)
            stream.pix_fmt = "yuv420p"
            codec = stream.codec_context
            codec.thread_count = _THREADS
            codec.colorspace = codec.color_primaries = _BT709
            codec.color_trc, codec.color_range = _SRGB, _FULL_RANGE
            for number, picture in enumerate(check_frames(frames), start=1):
                even = _even(picture)
                if number == 1:
                    stream.height, stream.width = even.shape[:2]
                container.mux(stream.encode(av.VideoFrame.from_ndarray(_planes(even), "yuv420p")))
            container.mux(stream.encode(None))
    except FFmpegError as error:
        if isinstance(error, OSError) and error.errno and error.filename:
            raise OSError(error.errno, error.strerror or str(error)) from error
        raise MediaError(f"the video encoder failed: {error}", "Use another format.") from error
    if text is not None:
        xmp.append_to_mp4(path)
    return number


def _even(picture: ImageArray) -> ImageArray:
    """4:2:0 halves the colour planes, so both sides must be even."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _planes(picture: ImageArray) -> ImageArray:
    """(H, W, 3) uint8, sides even -> (3 H / 2, W) uint8: luma, then both colours at half size.

    Rounded, where libswscale cuts off: its colours are up to a level too low.
    """
    height, width = picture.shape[:2]
    luma = picture @ _TO_YCBCR[0]
    halves = picture.reshape(height // 2, 2, width // 2, 2, 3).mean((1, 3), dtype=np.float32)
    blue, red = np.moveaxis(halves @ _TO_YCBCR[1:].T, -1, 0) + 128
    planes = np.concatenate([plane.ravel() for plane in (luma, blue, red)])
    return planes.round().clip(0, 255).astype(np.uint8).reshape(-1, width)


def avif_available() -> bool:
    """Whether this Pillow writes AVIF."""
    return bool(features.check("avif"))


def write_avif(frames: Frames, path: Path, *, fps: Fraction, loop: bool, text: str | None) -> int:  # noqa: ARG001 - libavif loops sequences for ever
    """Writes the file and returns the number of frames. Lossy; delays are whole milliseconds."""
    if not avif_available():
        raise MediaError("this Pillow writes no AVIF", "Install pillow 11.3 or later from PyPI.")
    number = sum(1 for _ in check_frames(frames))
    spread = delays(fps, _MILLISECONDS)
    _Film(frames, number).save(
        path,
        "AVIF",
        save_all=True,
        quality=85,
        speed=6,
        range="limited",  # Chromium, and others, take a sequence for that, whatever it says
        duration=[next(spread) for _ in range(number)],
        xmp=None if text is None else xmp.packet(text),
    )
    return number


class _Film(Image.Image):
    """Frames as one Pillow image of many, made one at a time as the encoder seeks them."""

    def __init__(self, frames: Frames, count: int) -> None:
        super().__init__()
        self._frames = frames
        self.n_frames = count
        self.is_animated = count > 1
        self._at = -1
        self._source: Iterator[ImageArray] = iter(())
        self.seek(0)

    def seek(self, frame: int) -> None:
        """Moves to the frame of this number. Raises EOFError behind the last, as Pillow asks."""
        if frame >= self.n_frames:
            raise EOFError
        if frame < self._at or self._at < 0:
            self._source, self._at = check_frames(self._frames), -1
        while self._at < frame:
            picture = Image.fromarray(next(self._source))
            self.im, self._size, self._mode = picture.im, picture.size, picture.mode
            self._at += 1

    def tell(self) -> int:
        """The number of the current frame."""
        return self._at
