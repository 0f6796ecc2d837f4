"""A frame's key depends on what makes its pixels and on nothing else."""

import dataclasses
import json
from fractions import Fraction

import pytest
from fakes import fake_studio

from latent_assets.digests import digest_of
from latent_assets.shipped import SHIPPED_WALKS
from latent_assets.walks.loading import load_walk, parse_walk, walk_files
from latent_assets.walks.points import Blend, Gaussian
from latent_assets.walks.recipes import FrameRecipe, Rendering, recipes_of
from latent_assets.walks.schema import WALK_ADAPTER
from latent_assets.walks.timeline import positions

RENDERING = Rendering(
    model="embedded",
    weights="0" * 64,
    size=(128, 128),
    precision="float32",
    sampler="ddim",
    sampler_version=1,
    num_steps=25,
    spacing="uniform",
    unconditional="",
)
RECIPE = FrameRecipe(RENDERING, Blend.at("a dog"), Gaussian(7), Fraction(15, 2))
WALK = {
    "kind": "interpolation",
    "prompts": ["a dog", "a cat", "an owl"],
    "frames": 9,
    "seed": 1,
    "size": 64,
}


@pytest.fixture
def studio(tmp_path):
    return fake_studio(tmp_path)


@pytest.fixture
def keys(studio):
    def of(name="walk", **changes):
        walk = WALK_ADAPTER.validate_python({**WALK, **changes})
        return [recipe.key for recipe in studio.specify(name, walk).recipes()]

    return of


# --- the format ---------------------------------------------------------------------------------


def test_the_key_of_a_frame_is_the_same_today_and_in_a_year():
    """If this fails, every store in the world is rendered anew: was RECIPE_SCHEMA raised?"""
    document = (
        '{"context":{"op":"blend","terms":[["1","a dog"]]},"guidance_scale":"15/2",'
        '"model":"embedded","noise":{"op":"gaussian","seed":7,"stream":""},"num_steps":25,'
        '"precision":"float32","sampler":"ddim","sampler_version":1,"schema":1,"size":[128,128],'
        '"spacing":"uniform","unconditional":"","weights":"' + "0" * 64 + '"}'
    )
    assert json.loads(document) == RECIPE.as_dict()
    assert RECIPE.key == "196bd218564ea85ab2e57479eaca4128fde1e30e1fff207fe145590a486812b8"


@pytest.mark.parametrize("guidance", [Fraction(15, 2), Fraction(1)])
def test_a_recipe_read_back_from_its_receipt_has_the_same_key(guidance):
    recipe = dataclasses.replace(RECIPE, guidance_scale=guidance)
    again = FrameRecipe.from_dict(json.loads(json.dumps(recipe.as_dict())))
    assert again.key == recipe.key
    assert again == recipe


def test_a_recipe_of_another_schema_is_refused_not_misread():
    with pytest.raises(ValueError, match="schema 99"):
        FrameRecipe.from_dict({**RECIPE.as_dict(), "schema": 99})


def test_the_key_does_not_depend_on_the_order_in_which_fields_are_written():
    document = RECIPE.as_dict()
    assert digest_of(dict(reversed(document.items()))) == RECIPE.key


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Rendering)])
def test_the_key_depends_on_each_thing_that_renders(field):
    other = {"size": (128, 256), "sampler_version": 2, "num_steps": 26}.get(field, "other")
    changed = dataclasses.replace(RENDERING, **{field: other})
    assert dataclasses.replace(RECIPE, rendering=changed).key != RECIPE.key


@pytest.mark.parametrize(
    "change",
    [{"context": Blend.at("a cat")}, {"noise": Gaussian(8)}, {"guidance_scale": Fraction(7)}],
    ids=lambda change: next(iter(change)),
)
def test_the_key_depends_on_the_place_among_prompts_and_noise(change):
    assert dataclasses.replace(RECIPE, **change).key != RECIPE.key


def test_without_guidance_the_negative_prompt_is_not_in_the_key():
    def key(negative):
        how = dataclasses.replace(RENDERING, unconditional=negative)
        return FrameRecipe(how, RECIPE.context, RECIPE.noise, Fraction(1)).key

    assert key("rain") == key("")


def test_the_samplers_of_a_walk_reach_its_recipes():
    recipes = recipes_of(WALK_ADAPTER.validate_python(WALK), RENDERING)
    assert {recipe.rendering for recipe in recipes} == {RENDERING}
    assert len(recipes) == 9


# --- from the walk file to the keys -------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 7},
        {"chunk_size": 2},
        {"description": "another"},
        {"output": {"fps": 3}},
        {"output": {"formats": ["mp4", "webp"]}},
        {"output": {"ping_pong": True}},
        {"schedule": {"cron": "0 2 * * *"}},
        {"name": "renamed"},
        {"prompts": ["  a   dog ", "a cat", "an\nowl"]},
        {"model": "embedded"},
        {"guidance_scale": 7.50},
        {"size": [64, 64]},
    ],
    ids=str,
)
def test_what_does_not_change_a_pixel_renders_nothing(keys, change):
    assert keys(**change) == keys()


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2},
        {"num_steps": 24},
        {"guidance_scale": 7.4},
        {"negative_prompt": "rain"},
        {"sampler": "euler"},
        {"spacing": "karras"},
        {"size": [64, 72]},
        {"model": "stable-diffusion-1"},
        {"prompts": ["a Dog", "a Cat", "an Owl"]},
    ],
    ids=str,
)
def test_what_changes_the_pixels_renders_every_frame_anew(keys, change):
    assert not set(keys(**change)) & set(keys())


@pytest.mark.parametrize(
    ("place", "touched"), [(0, {0, 1, 2, 3}), (1, {1, 2, 3, 4, 5, 6, 7}), (2, {5, 6, 7, 8})]
)
def test_changing_one_prompt_changes_only_the_frames_of_its_segments(keys, place, touched):
    prompts = [*WALK["prompts"]]
    prompts[place] = "a boat"
    pairs = enumerate(zip(keys(), keys(prompts=prompts), strict=True))
    assert {index for index, (old, new) in pairs if old != new} == touched


@pytest.mark.parametrize("noise", ["fixed", "varying", "loop"])
@pytest.mark.parametrize("method", ["lerp", "slerp"])
def test_raising_five_frames_to_nine_adds_four(keys, noise, method):
    ends = {"prompts": ["a dog", "a cat"], "noise": noise, "method": method}
    five, nine = keys(**ends, frames=5), keys(**ends, frames=9)
    assert nine[::2] == five
    assert len(set(nine) - set(five)) == 4


def test_the_same_frame_in_two_walks_is_one(keys, studio):
    there, back = keys(), keys(prompts=WALK["prompts"][::-1])
    assert there == back[::-1]
    loop = {"kind": "noise_loop", "prompt": "a dog", "frames": 4, "seed": 1, "size": 64}
    looped = studio.specify("loop", WALK_ADAPTER.validate_python(loop)).recipes()
    assert looped[0].key == there[0]


def test_keys_are_64_hex_digits_and_differ(keys):
    assert all(len(key) == 64 and set(key) <= set("0123456789abcdef") for key in keys())
    assert len(set(keys())) == 9


def test_a_models_name_is_not_in_the_key_if_something_else_stands_for_it():
    def named(model):
        rendering = dataclasses.replace(RECIPE.rendering, model=model, model_in_recipe="sd1")
        return dataclasses.replace(RECIPE, rendering=rendering)

    assert named("castles").key == named("renamed").key != RECIPE.key
    again = FrameRecipe.from_dict(json.loads(json.dumps(named("castles").as_dict())), "renamed")
    assert again == named("renamed")


def test_weighted_prompts_stand_in_recipes_with_exact_weights(studio, keys):
    def weighted(prompt):
        return {"prompt_syntax": "weighted", "prompts": [prompt, "a dog"]}

    walk = WALK_ADAPTER.validate_python({**WALK, **weighted("a (cat:1.3) BREAK b")})
    recipe = studio.specify("w", walk).recipes()[0]
    document = json.loads(json.dumps(recipe.as_dict()))
    assert document["context"] == {"op": "blend", "terms": [["1", "a (cat:13/10) BREAK b"]]}
    assert (document["prompt_syntax"], document["chunks"]) == ("weighted", 2)
    assert FrameRecipe.from_dict(document) == recipe
    assert keys(**weighted("a (cat:1.3) BREAK b")) == keys(**weighted("a  (cat: 13/10) BREAK b"))
    changed = zip(keys(**weighted("a (cat:1.3)")), keys(**weighted("a (cat:1.2)")), strict=True)
    assert [one != other for one, other in changed] == [True] * 8 + [False]


def test_a_longer_prompt_makes_every_frame_of_its_walk_longer(studio):
    walk = {**WALK, "prompt_syntax": "weighted", "prompts": ["a", "b"]}
    chunks = [
        studio.specify("w", WALK_ADAPTER.validate_python({**walk, **more})).rendering.chunks
        for more in (
            {},
            {"negative_prompt": "x BREAK y BREAK z"},
            {"negative_prompt": "x BREAK y BREAK z", "guidance_scale": 1.0},
        )
    ]
    assert chunks == [1, 3, 1]


def test_recipes_of_text_do_not_speak_of_weights():
    assert not {"prompt_syntax", "chunks"} & set(RECIPE.as_dict())


# --- the short way to the same keys -------------------------------------------------------------

_ALL_KINDS = """
{kind: interpolation, frames: 9, seed: 1, prompts: [a cat, a dog, a cat], noise: varying}
{kind: interpolation, frames: 9, prompts: ['"Ä" \\ x', "a\\u0301\U0001f600"], noise: loop, \
closed: true}
{kind: interpolation, frames: 9, method: slerp, keyframes: [{prompt: x, ease: ease-in}, \
{prompt: y, seed: 4, at: 1/3, ease: ease-in-out}, {prompt: z}], negative_prompt: rain}
{kind: interpolation, frames: 3, prompts: [b, a], guidance_scale: 1, negative_prompt: rain}
{kind: interpolation, frames: 3, prompt_syntax: weighted, prompts: ["a (b:1.3)", "{c}"]}
{kind: grid, grid_size: 3, prompts: [a, b, c, d], noise: varying}
{kind: prompt_walk, frames: 5, prompt: a, noise: loop}
{kind: prompt_walk, frames: 5, prompt: a, direction: random}
{kind: noise_loop, frames: 5, prompt: a}
{kind: guidance_sweep, guidance_scales: [1, 2.5, 7], prompt: a, negative_prompt: rain}
"""


def _all_kinds():
    return [parse_walk(line, "walk") for line in _ALL_KINDS.strip().splitlines()]


def test_a_key_is_the_digest_of_the_whole_recipe(studio):
    shipped = [load_walk(path) for path in walk_files(SHIPPED_WALKS)]
    for walk in (*shipped, *_all_kinds()):
        spec = studio.specify("walk", walk, model="embedded")
        if spec.has_timeline:
            spec = spec.at([positions(n, closed=walk.is_loop) for n in walk.lengths])
        for recipe in spec.recipes():
            assert recipe.key == digest_of(recipe.as_dict())


def test_every_kind_of_walk_has_the_keys_that_it_had():
    """As they were before keys were computed in a shorter way; see the first test."""
    how = dataclasses.replace(RENDERING, clip_skip=2, chunks=2)
    keys = [
        each.key for walk in _all_kinds() for r in (RENDERING, how) for each in recipes_of(walk, r)
    ]
    assert digest_of(keys) == ("86a969bef8fba66bc0a4c28dcddefa725fd493f99cbd9630835b56db61ea4b27")
