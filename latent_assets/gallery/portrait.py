"""All that a walk's page knows, as plain JSON: what `walk.js` and `details.js` carry."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from latent_assets.errors import LatentAssetsError
from latent_assets.gallery.cards import Card
from latent_assets.gallery.versions import Version
from latent_assets.media.frames import play_order
from latent_assets.store import FrameStore
from latent_assets.studio import WalkSpec
from latent_assets.walks.points import Arc, Blend, ContextPoint, prompts_of
from latent_assets.walks.route import is_closed, prompt_places, route
from latent_assets.walks.schema import prompt_fields


@dataclass(frozen=True)
class Frames:
    """A walk's frames in order."""

    keys: Sequence[str]
    shown: Sequence[str]
    """The keys of the pictures that are shown of them (`Album.shown`)."""
    stored: Collection[str]

    @property
    def missing(self) -> list[int]:
        """Numbers of those that are not there yet."""
        return [place for place, key in enumerate(self.keys) if key not in self.stored]

    @property
    def there(self) -> list[str]:
        """What is shown of those that are there."""
        pairs = zip(self.keys, self.shown, strict=True)
        return [picture for key, picture in pairs if key in self.stored]


def portrait(
    spec: WalkSpec, card: Card, frames: Frames, versions: Sequence[Version]
) -> dict[str, Any]:
    """The walk, frame by frame. Lists of one length have one entry for each frame, in order.

    `pictures`: keys of what is shown of each, if that is not the frame itself. `mixes`: [number of
    the prompt, share] of each prompt that a frame is made of. `keyframes`: [number of the prompt,
    place counted in frames]. `missing`: numbers of frames that are not stored yet.
    """
    walk = spec.walk
    points = route(walk)
    written = {walk.read(prompt): prompt for prompt in prompt_fields(walk).values()}
    prompts = list(dict.fromkeys(p for point in points for p in prompts_of(point.context)))
    for prompt, _ in prompt_places(walk):
        if walk.read(prompt) not in prompts:
            prompts.append(walk.read(prompt))
    number = {prompt: index for index, prompt in enumerate(prompts)}
    return {
        "name": spec.name,
        "kind": walk.kind,
        "fps": walk.output.fps,
        "closed": is_closed(walk),
        "pingPong": walk.output.ping_pong,
        "size": list(spec.rendering.size),
        "columns": walk.grid_size if walk.kind == "grid" else None,
        "scales": [float(s) for s in walk.guidance_scales]
        if walk.kind == "guidance_sweep"
        else None,
        "prompts": [written[prompt] for prompt in prompts],
        "corners": [number[walk.read(p)] for p in walk.prompts] if walk.kind == "grid" else None,
        "keyframes": [
            [number[walk.read(prompt)], round(float(place), 4)]
            for prompt, place in prompt_places(walk)
        ]
        if walk.kind != "grid"
        else [],
        "keys": list(frames.keys),
        "pictures": list(frames.shown) if list(frames.shown) != list(frames.keys) else None,
        "captions": [point.caption for point in points],
        "mixes": [
            [[number[prompt], _share(share)] for prompt, share in _mix(point.context)]
            for point in points
        ],
        "guidance": _one_or_all([_share(point.guidance_scale) for point in points]),
        "missing": frames.missing,
        "looks": card.looks,
        "versions": [version.as_dict() for version in versions if version.keys],
    }


def details(
    store: FrameStore,
    keys: Sequence[str],
    stored: frozenset[str],
    distances: Sequence[float | None],
) -> dict[str, Any]:
    """What takes a look into each frame: receipts, and how far it is to the next.

    `receipts`: [pixel digest, created, seconds, number of the environment, place in the batch,
    frames of the batch], or null.
    """
    environments: list[dict[str, Any]] = []
    receipts: list[list[Any] | None] = []
    for key in keys:
        if key not in stored:
            receipts.append(None)
            continue
        try:
            receipt = store.read_receipt(key)
        except LatentAssetsError:  # it was collected, or set aside, this moment
            receipts.append(None)
            continue
        env = receipt.environment
        how = {
            "device": env.device if env.device != "cpu" else env.cpu,
            "platform": env.platform,
            "precision": env.precision,
            "versions": dict(sorted(env.versions.items())),
            "licence": receipt.licence,
        }
        if how not in environments:
            environments.append(how)
        receipts.append(
            [
                receipt.pixel_digest,
                receipt.created,
                receipt.seconds,
                environments.index(how),
                receipt.position,
                len(receipt.batch),
            ]
        )
    return {
        "environments": environments,
        "receipts": receipts,
        "distances": [None if each is None else round(each, 5) for each in distances],
    }


def played(spec: WalkSpec, frames: Frames) -> list[str]:
    """The pictures that are there, in the order in which a card's film shows them."""
    there = frames.there
    if spec.walk.kind == "grid":
        whole = len(there) == len(frames.keys)
        return [there[place] for place in _round_trip(spec)] if whole else there
    order = play_order(
        len(there), ping_pong=spec.walk.output.ping_pong, closed=is_closed(spec.walk)
    )
    return [there[place] for place in order]


def _round_trip(spec: WalkSpec) -> list[int]:
    """Once along the edge of a grid, from corner to corner."""
    assert spec.walk.kind == "grid"
    side = spec.walk.grid_size
    last = side - 1
    edge = [(0, c) for c in range(last)] + [(r, last) for r in range(last)]
    edge += [(last, c) for c in range(last, 0, -1)] + [(r, 0) for r in range(last, 0, -1)]
    return [row * side + column for row, column in edge]


def _mix(context: ContextPoint) -> list[tuple[str, Fraction]]:
    match context:
        case Blend():
            return [(prompt, weight) for weight, prompt in context.terms]
        case Arc():
            return [(context.a, 1 - context.t), (context.b, context.t)]
        case _:
            return [(context.prompt, Fraction(1))]


def _share(number: Fraction) -> float:
    return round(float(number), 4)


def _one_or_all(values: list[float]) -> float | list[float]:
    return values[0] if len(set(values)) == 1 else values
