"""Larger pictures: what determines them, each made once, damaged ones made again."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import UPSCALER, fake_studio
from PIL import Image

from latent_assets.enlarging import larger_keys, upscale_frames
from latent_assets.errors import InvalidWalkError, LatentAssetsError, ModelError
from latent_assets.rendering import render_frames
from latent_assets.store.retention import Policy, plan_removal
from latent_assets.upscaling import open_upscaling
from latent_assets.walks.loading import parse_walk
from latent_assets.walks.schema import Upscale

NEAREST = Upscale(method="nearest", factor=3)
WALK = "kind: interpolation\nprompts: [a, b]\nframes: 5\n"


@pytest.fixture
def studio(tmp_path):
    return fake_studio(tmp_path)


@pytest.fixture
def rendered(studio):
    """Keys and pixel digests of a rendered walk."""
    spec = studio.specify("w", parse_walk(WALK, "w"))
    render_frames(studio, spec.recipes(), batch_size=3)
    keys = [recipe.key for recipe in spec.recipes()]
    return keys, [studio.frames.read(key).receipt.pixel_digest for key in keys]


def output(text: str):
    return parse_walk(f"{WALK}output:\n  upscale: {text}\n", "w").output


@pytest.mark.parametrize(
    ("written", "method", "factor"),
    [
        ("2", "network", 2),
        ("4", "network", 4),
        ("{factor: 4}", "network", 4),
        ("{method: lanczos, factor: 3}", "lanczos", 3),
    ],
)
def test_a_factor_alone_means_the_network(written, method, factor):
    assert output(written).upscale == Upscale(method=method, factor=factor)


@pytest.mark.parametrize("written", ["3", "1", "0", "true", "2.0", "[2]", "big", "-2"])
def test_what_is_no_factor_is_answered_with_what_may_stand_there(written):
    with pytest.raises(InvalidWalkError, match=r"output\.upscale: must be 2 or 4, or a method"):
        output(written)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("{factor: 3}", r"output\.upscale\.factor: must be 2 or 4 by the network"),
        ("{method: lanczos, factor: 9}", r"output\.upscale\.factor: must be at most 8"),
        ("{method: cubic, factor: 2}", r"output\.upscale\.method: must be one of"),
        ("{method: lanczos}", r"output\.upscale\.factor: is required"),
    ],
)
def test_each_wrong_field_is_named(written, words):
    with pytest.raises(InvalidWalkError, match=words):
        output(written)


def test_a_grid_that_upscaling_makes_too_large_is_refused_before_it_is_rendered(studio):
    text = "kind: grid\nprompts: [a, b, c, d]\ngrid_size: 32\noutput: {upscale: 4}\nsize: 512\n"
    with pytest.raises(InvalidWalkError, match="must be at most 15 with frames of 2048x2048 px"):
        studio.specify("g", parse_walk(text, "g"))


def test_nearest_repeats_every_pixel_and_lanczos_is_pillows():
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    nearest = open_upscaling("nearest", 3, UPSCALER).enlarge(picture)
    assert np.array_equal(nearest, picture.repeat(3, axis=0).repeat(3, axis=1))
    lanczos = open_upscaling("lanczos", 2, UPSCALER).enlarge(picture)
    by_pillow = Image.fromarray(picture).resize((14, 10), Image.Resampling.LANCZOS)
    assert np.array_equal(lanczos, np.asarray(by_pillow))


def test_method_factor_weights_and_pixels_determine_the_key():
    ways = [
        open_upscaling("nearest", 2, UPSCALER),
        open_upscaling("nearest", 3, UPSCALER),
        open_upscaling("lanczos", 2, UPSCALER),
        network := open_upscaling("network", 2, UPSCALER),
        replace(network, weights="other"),
    ]
    assert len({way.key_of(digest) for way in ways for digest in ("a" * 64, "b" * 64)}) == 10


def test_a_missing_network_is_said_before_anything_is_loaded(tmp_path):
    with pytest.raises(ModelError, match="the upscaler is not there"):
        open_upscaling("network", 2, tmp_path)


def test_each_picture_is_made_once(studio, rendered):
    told = []
    first = upscale_frames(studio, NEAREST, *rendered, on_picture=lambda *at: told.append(at))
    again = upscale_frames(studio, NEAREST, *rendered)
    assert (first.made, again.made) == (5, 0)
    assert told == [(number, 5) for number in range(1, 6)]
    assert (first.keys, first.digests) == (again.keys, again.digests)
    for key, large in zip(rendered[0], first.keys, strict=True):
        frame, picture = studio.frames.read(key), studio.upscaled.read(large)
        assert np.array_equal(picture.pixels[::3, ::3], frame.pixels)
        assert picture.receipt.recipe["frame"] == frame.receipt.pixel_digest


def test_a_damaged_picture_is_set_aside_and_made_again(studio, rendered, tmp_path):
    first = upscale_frames(studio, NEAREST, *rendered)
    path = tmp_path / "store" / studio.upscaled.name(first.keys[2])
    path.write_bytes(path.read_bytes()[:-20])
    again = upscale_frames(studio, NEAREST, *rendered)
    assert again.made == 1
    assert again.digests == first.digests


def test_a_frame_that_is_not_the_listed_one_gives_nothing_under_its_key(studio, rendered):
    keys, digests = rendered
    with pytest.raises(LatentAssetsError, match="is another than the one that was listed"):
        upscale_frames(studio, NEAREST, keys, ["0" * 64, *digests[1:]])


def test_the_plan_counts_what_is_still_to_be_made_larger(studio):
    walk = parse_walk(f"{WALK}output: {{upscale: {{method: nearest, factor: 2}}}}\n", "w")
    spec = studio.specify("w", walk)
    assert studio.plan(spec).to_upscale == 5
    render_frames(studio, spec.recipes()[:2], batch_size=3)
    keys = [recipe.key for recipe in spec.recipes()[:2]]
    digests = [studio.frames.read(key).receipt.pixel_digest for key in keys]
    upscale_frames(studio, walk.output.upscale, keys, digests)
    assert studio.plan(spec).to_upscale == 3


def test_what_a_walk_names_is_kept_by_gc_and_the_rest_can_go(studio, rendered):
    made = upscale_frames(studio, NEAREST, *rendered)
    kept = larger_keys(studio, NEAREST, rendered[0][:2])
    policy = Policy(unreferenced=True, referenced={*rendered[0], *kept}, grace_s=0)
    going = {removal.name for removal in plan_removal(studio.frames.objects, policy).removals}
    larger = {name for name in going if name.startswith("upscaled/")}
    assert larger == {studio.upscaled.name(key) for key in set(made.keys) - kept}
    assert not any(name.startswith("frames/") for name in going)
