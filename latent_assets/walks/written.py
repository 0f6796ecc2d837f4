"""Keyframes as people write them: by frame, by time, as a map; here they get their exact places.

Other programs of this field count keyframes in frames from 0, and let a picture stand before the
first of them and after the last.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, TypeGuard

FieldPath = tuple[str | int, ...]
FIELDS = ("prompts", "keyframes")
"""Those that may be a map, from places to prompts or keyframes."""
_TIME = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?) ?s")
_WHOLE = re.compile("0|[1-9][0-9]{0,8}")


class PlaceError(ValueError):
    """Wrong about the place of a keyframe; `path` is its field in the list."""

    def __init__(self, message: str, path: FieldPath, value: object) -> None:
        super().__init__(message)
        self.path = path
        self.value = value


def placed(document: Mapping[str, Any], most_frames: int) -> Mapping[str, Any]:
    """The walk's document with its keyframes in a list, by places from 0 to 1.

    Whatever is no keyframe is left as it is. Raises PlaceError.
    """
    field, keyframes = _listed(document)
    if field is None:
        return document
    _refuse_two_places(document[field])
    if not _counts(keyframes):
        return _with(document, field, keyframes)
    frames, closed = document.get("frames"), document.get("closed", False)
    if not _is_whole(frames) or not 2 <= frames <= most_frames or not isinstance(closed, bool):  # noqa: PLR2004
        rest = [{k: v for k, v in each.items() if k != "at"} for each in keyframes]
        return _with(document, field, rest)  # what is wrong there is told
    before = int(not closed and _stands_later(keyframes))
    _refuse_one_as_end(keyframes, frames - 1, ("keyframes", before + len(keyframes) - 1, "at"))
    fps = _fps(document)
    end = frames if closed else frames - 1
    found = [
        {**each, "at": _place(each["at"], end, fps, ("keyframes", index, "at"))}
        if "at" in each
        else each
        for index, each in enumerate(keyframes, before)
    ]
    return _with(document, field, found if closed else _held(found))


def as_written(document: Mapping[str, Any], path: FieldPath) -> FieldPath:
    """The field in the file of a field of the list that `placed` makes."""
    field, keyframes = _listed(document) if path[:1] == ("keyframes",) else (None, [])
    if field is None:
        return path
    index = path[1] if len(path) > 1 else None
    if not isinstance(index, int):
        return (field, *path[1:])
    if not document.get("closed", False) and _counts(keyframes) and _stands_later(keyframes):
        index = max(index - 1, 0)
    index = min(index, len(keyframes) - 1)
    written = document[field]
    if isinstance(written, list):
        return (field, index, *path[2:])
    key = list(written)[index]
    alone = path[2:] == ("at",) or not isinstance(written[key], dict)
    return (field, key) if alone else (field, key, *path[2:])


def _listed(document: Mapping[str, Any]) -> tuple[str | None, list[dict[str, Any]]]:
    """The field that has the keyframes, and they as a list; None if they are no keyframes."""
    given = [field for field in FIELDS if document.get(field) is not None]
    written = document[given[0]] if len(given) == 1 else None
    if isinstance(written, dict) and written:
        return given[0], [_of_map(key, value) for key, value in written.items()]
    if given != ["keyframes"] or not isinstance(written, list) or not written:
        return None, []
    groups = [each for each in written if isinstance(each, dict)]
    return ("keyframes", groups) if len(groups) == len(written) else (None, [])


def _refuse_two_places(written: object) -> None:
    if isinstance(written, dict):
        for index, each in enumerate(written.values()):
            if isinstance(each, dict) and "at" in each:
                message = "has two places: leave `at` out, the number before it says where"
                raise PlaceError(message, ("keyframes", index, "at"), None)


def _refuse_one_as_end(keyframes: list[dict[str, Any]], end: int, path: FieldPath) -> None:
    last = keyframes[-1].get("at")
    if len(keyframes) > 1 and _is_whole(last) and last == 1:
        message = (
            "is the second frame where others stand by frame or time; the last frame is"
            f" {end}, and its place needs no `at`"
        )
        raise PlaceError(message, path, last)


def _of_map(key: object, value: object) -> dict[str, Any]:
    text = str(key)
    at: object = int(text) if _WHOLE.fullmatch(text) else text
    return {**(value if isinstance(value, dict) else {"prompt": value}), "at": at}


def _counts(keyframes: list[dict[str, Any]]) -> bool:
    """Whether the keyframes stand by frames or by time: then 1 is the second frame, not the end."""
    places = [each.get("at") for each in keyframes]
    return any((_is_whole(at) and at > 1) or _seconds(at) is not None for at in places)


def _place(at: object, end: int, fps: Fraction, path: FieldPath) -> object:
    """Where a frame or a time stands, from 0 to 1; end: the frame that is at 1."""
    seconds = _seconds(at)
    if _is_whole(at):
        frame = Fraction(at)
    elif seconds is not None:
        frame = seconds * fps
    elif isinstance(at, float):
        message = "stands among numbers of frames: write a place as a fraction, 1/2, or as a frame"
        raise PlaceError(message, path, at)
    else:
        return at  # a fraction; or what is told to be none
    if frame > end:
        seconds = end / fps
        message = (
            f"is behind the end: frames are counted from 0 to {end}, and at {float(fps):g} frames"
            f" a second (`output.fps`) that is {float(seconds):.6g} s"
        )
        raise PlaceError(message, path, at)
    return frame / end


def _held(keyframes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first picture stands until its frame comes, and the last one to the end."""
    held = list(keyframes)
    if _stands_later(keyframes):
        held.insert(0, {**keyframes[0], "at": Fraction(0)})
    last = keyframes[-1].get("at")
    if len(keyframes) > 1 and isinstance(last, Fraction) and last < 1:
        held.append({**keyframes[-1], "at": Fraction(1)})
    return held


def _stands_later(keyframes: list[dict[str, Any]]) -> bool:
    first = keyframes[0].get("at", 0)
    seconds = _seconds(first)
    return len(keyframes) > 1 and bool(
        seconds if seconds is not None else isinstance(first, int | Fraction) and first
    )


def _with(document: Mapping[str, Any], field: str, keyframes: object) -> Mapping[str, Any]:
    rest = {name: value for name, value in document.items() if name != field}
    return {**rest, "keyframes": keyframes}


def _fps(document: Mapping[str, Any]) -> Fraction:
    output = document.get("output")
    fps = output.get("fps", 10) if isinstance(output, dict) else 10
    usable = isinstance(fps, int | float) and not isinstance(fps, bool) and 0 < fps <= 1000  # noqa: PLR2004
    return Fraction(str(fps)) if usable else Fraction(10)


def _seconds(at: object) -> Fraction | None:
    """2s, 1.5 s -> seconds."""
    found = _TIME.fullmatch(at) if isinstance(at, str) else None
    return None if found is None else Fraction(found[1])


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
