"""Which form a file has, by what is in it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from latent_assets.foreign import printable, read_json
from latent_assets.importing import deforum, schedules, stable_diffusion_videos, webui
from latent_assets.importing.draft import Draft, ImportFailedError

MAX_TEXT_BYTES = 4 * 2**20
MAX_BYTES = 64 * 2**20
"""Of a file: a picture that is larger comes from no webui."""
_PNG = b"\x89PNG\r\n\x1a\n"
_FORMS = (
    "Read are: Deforum's settings (JSON), prompt schedules of FizzNodes or Deforum, the"
    " prompt_config.json of stable-diffusion-videos, PNGs of AUTOMATIC1111's webui."
)


@dataclass(frozen=True)
class Source:
    """A file of another program."""

    name: str
    """As problems name it."""
    content: bytes

    def refuse(self, problem: str, cure: str = _FORMS) -> ImportFailedError:
        """The error that says so of this file."""
        return ImportFailedError(f"{printable(self.name)}: {problem}", cure)


def draft_of(sources: Sequence[Source], frames: int | None = None) -> Draft:
    """The walk that the files hold; several are pictures, from each to the next.

    frames: the length of the walk, in place of what the files say. Raises ImportFailedError,
    naming the file.
    """
    texts = [_text(source) for source in sources]
    first = sources[0]
    try:
        if all(map(webui.is_parameters, texts)):
            return webui.from_pictures([webui.read_parameters(each) for each in texts], frames)
        return _of_text(texts, frames)
    except ImportFailedError as error:
        raise first.refuse(error.problem, error.cure) from None


def _of_text(texts: Sequence[str], frames: int | None) -> Draft:
    if len(texts) > 1:
        raise ImportFailedError("several files make one walk only if all are pictures", _FORMS)
    (text,) = texts
    if not text.strip():
        raise ImportFailedError("nothing is in it", _FORMS)
    try:
        document: Any = read_json(text)
    except ValueError:
        document = None
    if isinstance(document, dict):
        if deforum.is_deforum(document):
            return deforum.from_settings(document, frames)
        if stable_diffusion_videos.is_config(document):
            return stable_diffusion_videos.from_config(document, frames)
        if found := schedules.nodes(document):
            return schedules.from_node(found[0], frames)
    if schedules.is_schedule(text):
        return schedules.from_text(text, frames)
    raise ImportFailedError("none of the forms that can be imported", _FORMS)


def _text(source: Source) -> str:
    if source.content.startswith(_PNG):
        return _of_picture(source)
    if len(source.content) > MAX_TEXT_BYTES:
        raise source.refuse("larger than 4 MiB")
    try:
        return source.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise source.refuse("neither a PNG nor UTF-8 text") from None


def _of_picture(source: Source) -> str:
    """What webui, or ComfyUI, wrote into the PNG."""
    try:
        with Image.open(io.BytesIO(source.content), formats=["PNG"]) as image:
            said = dict(image.info)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise source.refuse(f"cannot be read as a PNG: {error}") from None
    for name in ("parameters", "prompt"):
        if isinstance(text := said.get(name), str):
            return text
    raise source.refuse(
        "a PNG without the text of a prompt",
        "webui writes it if `Save text information about generation parameters` is on; a picture"
        " of ours has its walk: latent-assets inspect FILE --walk-file NEW.yaml.",
    )
