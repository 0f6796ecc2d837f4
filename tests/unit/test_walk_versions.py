"""A version changes with what a walk means, and with nothing that is added to the project."""

from dataclasses import asdict, dataclass, replace

import pytest
from fakes import fake_studio
from pydantic import TypeAdapter

from latent_assets.orchestration.observing import walk_version
from latent_assets.studio import WalkSpec
from latent_assets.walks import schema
from latent_assets.walks.recipes import Rendering
from latent_assets.walks.schema import WALK_ADAPTER, Interpolation, Keyframe, Output

KEYFRAMES = [{"prompt": "a dog"}, {"prompt": "a cat"}]
WALKS = {
    "interpolation": {"keyframes": KEYFRAMES, "frames": 5, "schedule": {"cron": "@daily"}},
    "grid": {"prompts": ["a", "b", "c", "d"], "grid_size": 3},
    "prompt_walk": {"prompt": "a", "frames": 5},
    "noise_loop": {"prompt": "a", "frames": 5},
    "guidance_sweep": {"prompt": "a", "guidance_scales": [1, 2]},
}
FOR_ALL = {
    "description": "",
    "seed": 0,
    "negative_prompt": "",
    "prompt_syntax": "text",
    "num_steps": 25,
    "sampler": "ddim",
    "spacing": "uniform",
    "clip_skip": 1,
    "size": None,
    "batch_size": "auto",
    "chunk_size": 30,
    "model": None,
    "output.formats": ["gif"],
    "output.fps": 10.0,
    "output.ping_pong": False,
    "output.upscale": None,
    "output.captions": False,
    "output.poster_frame": None,
    "output.keep_earlier": 0,
    "checks.max_over_median": None,
    "checks.seam_ratio": 3.0,
    "checks.cv": None,
    "checks.on_failure": "warn",
}
PACED = {"guidance_scale": 7.5, "pace": "uniform", "places": None}
DEFAULTS = {
    "interpolation": {
        **PACED,
        "prompts": None,
        "closed": False,
        "method": "lerp",
        "noise": "fixed",
        "keyframes.0.at": None,
        "keyframes.0.seed": None,
        "keyframes.0.ease": "linear",
        "schedule.timezone": "UTC",
    },
    "grid": {**PACED, "noise": "fixed", "schedule": None},
    "prompt_walk": {**PACED, "direction": "constant", "step_size": 0.005, "noise": "fixed"},
    "noise_loop": PACED,
    "guidance_sweep": {},
}


def walk_of(kind, **changes):
    return WALK_ADAPTER.validate_python({"kind": kind, **WALKS[kind], **changes})


def at(document, dotted):
    for part in dotted.split("."):
        document = document[int(part) if part.isdigit() else part]
    return document


@pytest.mark.parametrize("kind", WALKS)
def test_what_versions_leave_out_is_what_they_always_left_out(kind):
    """A default that changes would change walks whose versions do not: add a field in its place."""
    plain = WALK_ADAPTER.dump_python(walk_of(kind), mode="json")
    expected = {**FOR_ALL, **DEFAULTS[kind]}
    assert {name: at(plain, name) for name in expected} == expected


@pytest.fixture
def later(monkeypatch):
    """The project as it may be one day: walks, keyframes and output know another field."""

    class LaterKeyframe(Keyframe):
        mood: str = "calm"

    class LaterOutput(Output):
        grain: float = 0.0

    class Later(Interpolation):
        weather: str = "fair"
        keyframes: list[LaterKeyframe] | None = None
        output: LaterOutput = LaterOutput()

    adapter = TypeAdapter(Later)
    monkeypatch.setattr(schema, "WALK_ADAPTER", adapter)
    monkeypatch.setattr("latent_assets.studio.WALK_ADAPTER", adapter)
    return adapter


def test_a_field_that_is_added_changes_no_walk_that_does_without_it(tmp_path, request):
    studio = fake_studio(tmp_path)
    now = studio.specify("walk", walk_of("interpolation"))
    before = now.version, walk_version(now.walk)

    @dataclass(frozen=True)
    class LaterRendering(Rendering):
        light: str = "soft"

    adapter = request.getfixturevalue("later")
    fields = {"kind": "interpolation", **WALKS["interpolation"]}

    def versions(**changes):
        walk = adapter.validate_python({**fields, **changes})
        how = LaterRendering(**asdict(now.rendering))
        return WalkSpec("walk", walk, how).version, walk_version(walk)

    assert versions() == before
    assert versions(weather="fair") == before
    for changes in (
        {"weather": "foul"},
        {"keyframes": [{**KEYFRAMES[0], "mood": "wild"}, KEYFRAMES[1]]},
        {"output": {"grain": 0.5}},
    ):
        assert not set(versions(**changes)) & set(before)


@pytest.mark.parametrize(
    "changes",
    [{"seed": 1}, {"output": {"fps": 12}}, {"closed": True}, {"frames": 6}, {"noise": "loop"}],
    ids=str,
)
def test_what_a_walk_means_changes_its_version(tmp_path, changes):
    studio = fake_studio(tmp_path)
    walks = [walk_of("interpolation"), walk_of("interpolation", **changes)]
    assert len({walk_version(walk) for walk in walks}) == 2
    assert len({studio.specify("walk", walk).version for walk in walks}) == 2


def test_how_a_walk_is_rendered_changes_its_version(tmp_path):
    spec = fake_studio(tmp_path).specify("walk", walk_of("interpolation"))
    others = [
        replace(spec, name="other"),
        replace(spec, variant="5"),
        replace(spec, rendering=replace(spec.rendering, weights="1" * 64)),
        replace(spec, rendering=replace(spec.rendering, clip_skip=2)),
    ]
    assert len({each.version for each in (spec, *others)}) == 5


def test_a_number_of_frames_at_once_is_in_the_version_as_before():
    """The default was 3, and is open now: walks that say 3, and walks that say nothing, stay."""
    versions = [
        walk_version(walk_of("interpolation", **changes))
        for changes in ({}, {"batch_size": 3}, {"batch_size": "auto"}, {"batch_size": 4})
    ]
    assert versions[0] == versions[1] == versions[2] != versions[3]
