"""Walks for a model that samples in one way only: what their files may say, and what is meant.

A distilled model was made for so many steps, and has the guidance within its weights. A walk
written for another model can be rendered with it all the same: what it says of the sampling is
then without meaning. A walk that names such a model itself is told of the contradiction.
"""

from __future__ import annotations

from latent_assets.diffusion.protocol import ModelInfo, OwnSampling
from latent_assets.errors import InvalidWalkError, WalkProblem
from latent_assets.walks.schema import WALK_ADAPTER, Walk

GUIDED = "guidance_scale"


def fitted(name: str, walk: Walk, info: ModelInfo, *, named: bool) -> Walk:
    """The walk as the model renders it; named: whether the walk's file names the model.

    Raises InvalidWalkError for a field that the model cannot heed.
    """
    own = info.own_sampling
    if own is None:
        return walk
    if walk.kind == "guidance_sweep":
        message = f"has nothing to sweep with the model {info.name}: its guidance is fixed"
        raise InvalidWalkError([WalkProblem(name, "guidance_scales", message)])
    meant = _meant(walk, own)
    if named and (problems := _problems(name, walk, meant, info)):
        raise InvalidWalkError(problems)
    return WALK_ADAPTER.validate_python({**WALK_ADAPTER.dump_python(walk, mode="json"), **meant})


def _meant(walk: Walk, own: OwnSampling) -> dict[str, object]:
    fields: dict[str, object] = {
        "num_steps": own.num_steps,
        "sampler": own.sampler,
        "spacing": own.spacing,
        "negative_prompt": "",
    }
    return fields | ({GUIDED: 1.0} if hasattr(walk, GUIDED) else {})


def _problems(
    name: str, walk: Walk, meant: dict[str, object], info: ModelInfo
) -> list[WalkProblem]:
    said = {field: getattr(walk, field) for field in meant if field in walk.model_fields_set}
    return [
        WalkProblem(name, field, _message(field, meant[field], info), value=str(value))
        for field, value in said.items()
        if value != meant[field]
    ]


def _message(field: str, meant: object, info: ModelInfo) -> str:
    if field == "negative_prompt":
        return f"has no effect with the model {info.name}, which has no guidance: leave it out"
    if field == GUIDED:
        return f"is within the weights of the model {info.name}: leave it out"
    return f"is {meant} for the model {info.name}, the only way it samples: leave it out"
