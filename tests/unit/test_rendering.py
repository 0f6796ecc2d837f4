"""The loop that renders, on a model of numpy alone: what is stored, and what receipts say."""

from pathlib import Path

import pytest
from fakes import fake_studio

from latent_assets.errors import InvalidWalkError, ModelError
from latent_assets.rendering import encoding_key, render_again, render_frames
from latent_assets.settings import Settings
from latent_assets.store import pixel_digest
from latent_assets.walks.loading import parse_walk
from latent_assets.walks.recipes import FrameRecipe


def render(studio, frames: int, batch_size: int):
    walk = parse_walk(f"kind: noise_loop\nprompt: a\nframes: {frames}\n", "w.yaml")
    spec = studio.specify("w", walk)
    recipes = spec.recipes()
    return recipes, render_frames(studio, recipes, batch_size=batch_size)


def test_a_receipt_names_the_frames_of_its_forward_pass(tmp_path):
    studio = fake_studio(tmp_path)
    recipes, result = render(studio, frames=5, batch_size=3)
    keys = [recipe.key for recipe in recipes]
    receipts = [studio.frames.read_receipt(key) for key in keys]
    assert result.rendered == 5
    assert [receipt.batch for receipt in receipts] == [tuple(keys[:3])] * 3 + [tuple(keys[3:])] * 2
    assert [receipt.position for receipt in receipts] == [0, 1, 2, 0, 1]
    assert {receipt.licence for receipt in receipts} == {"none"}


def test_a_receipt_names_the_parts_of_a_batch_that_did_not_fit(tmp_path):
    """`verify` renders in the recorded batch: after out of memory that is not the asked one."""
    studio = fake_studio(tmp_path)
    studio.load_engine("embedded").batch_limit = 2
    recipes, _ = render(studio, frames=3, batch_size=3)
    keys = [recipe.key for recipe in recipes]
    batches = [studio.frames.read_receipt(key).batch for key in keys]
    assert batches == [tuple(keys[:2]), tuple(keys[:2]), (keys[2],)]


def test_a_frame_that_appears_twice_is_rendered_once(tmp_path):
    studio = fake_studio(tmp_path)
    text = "kind: interpolation\nprompts: [a, b, a]\nframes: 5\n"
    spec = studio.specify("w", parse_walk(text, "w.yaml"))
    result = render_frames(studio, spec.recipes(), batch_size=2)
    assert result.rendered == studio.counts.frames == 3
    assert result.reused == 2


def test_only_frames_that_were_set_aside_count_as_damaged(tmp_path):
    """Messages name the folder: the word in its name says nothing of the frames."""
    studio = fake_studio(tmp_path / "x_damaged_y")
    recipes, result = render(studio, frames=3, batch_size=3)
    assert result.damaged == []
    path = Path(studio.frames.objects.root, studio.frames.name(recipes[1].key))
    path.write_bytes(path.read_bytes()[:100])
    studio.frames.delete(recipes[2].key)
    _, result = render(studio, frames=3, batch_size=3)
    assert result.rendered == 2
    assert [recipes[1].key in problem for problem in result.damaged] == [True]


@pytest.mark.parametrize(
    ("weights", "precision", "told"),
    [("other", "float32", "other weights"), ("fake", "mixed_bfloat16", "PRECISION=float32")],
)
def test_frames_are_not_verified_with_another_model(tmp_path, weights, precision, told):
    recipes, _ = render(fake_studio(tmp_path), frames=3, batch_size=3)
    settings = Settings(data=tmp_path / "elsewhere", precision=precision)
    studio = fake_studio(tmp_path, settings=settings, weights=weights)
    with pytest.raises(ModelError, match=told):
        render_again(studio, recipes)
    assert studio.counts.encoded == []


def test_weighted_prompts_are_encoded_at_the_length_of_the_longest(tmp_path):
    studio = fake_studio(tmp_path)
    text = (
        "kind: interpolation\nframes: 3\nprompt_syntax: weighted\n"
        "prompts: ['a (cat:1.3)', a BREAK dog]\n"
    )
    spec = studio.specify("w", parse_walk(text, "w.yaml"))
    result = render_frames(studio, spec.recipes(), batch_size=3)
    assert result.rendered == 3
    assert studio.counts.encoded == ["a (cat:13/10)", "a BREAK dog", ""]
    lengths = {studio.encodings.read(encoding_key(spec.rendering, p)).shape for p in spec.prompts}
    assert lengths == {(8, 6)}
    again = FrameRecipe.from_dict(studio.frames.read_receipt(spec.recipes()[1].key).recipe)
    assert render_again(studio, [again]).shape == (1, 32, 32, 3)


def test_lcm_gives_each_frame_the_noise_of_its_steps(tmp_path):
    studio = fake_studio(tmp_path)
    text = "kind: noise_loop\nprompt: a\nframes: 4\nsampler: lcm\nnum_steps: 3\n"
    spec = studio.specify("w", parse_walk(text, "w.yaml"))
    assert spec.rendering.spacing == "own"
    recipes = spec.recipes()
    render_frames(studio, recipes, batch_size=3)
    for recipe in recipes:
        receipt = studio.frames.read_receipt(recipe.key)
        again = render_again(studio, [FrameRecipe.from_dict(receipt.recipe)])
        assert pixel_digest(again[0]) == receipt.pixel_digest


@pytest.mark.parametrize(
    ("said", "field", "words"),
    [
        ("sampler: lcm\nspacing: trailing", "spacing", "is `own` for the sampler lcm"),
        ("spacing: own", "spacing", "is for lcm and tuned: leave it out"),
        ("sampler: lcm\nnum_steps: 51", "num_steps", "at most 50 for the sampler lcm"),
        ("clip_skip: 0", "clip_skip", "at least 1"),
    ],
)
def test_what_a_sampler_does_not_have_is_told(said, field, words):
    with pytest.raises(InvalidWalkError) as told:
        parse_walk(f"kind: noise_loop\nprompt: a\nframes: 4\n{said}\n", "w.yaml")
    (problem,) = told.value.problems
    assert problem.field == field
    assert words in problem.message


def test_an_earlier_layer_of_the_text_encoder_is_another_encoding(tmp_path):
    studio = fake_studio(tmp_path)
    text = "kind: noise_loop\nprompt: a\nframes: 2\nclip_skip: {}\nmodel: {}\n"
    one, two = (
        studio.specify("w", parse_walk(text.format(skip, "embedded"), "w.yaml")) for skip in (1, 2)
    )
    assert "clip_skip" not in one.recipes()[0].as_dict()
    assert two.recipes()[0].as_dict()["clip_skip"] == 2
    assert encoding_key(one.rendering, "a") != encoding_key(two.rendering, "a")
    with pytest.raises(InvalidWalkError, match="has 2 layers"):
        studio.specify("w", parse_walk(text.format(3, "embedded"), "w.yaml"))
    shown = parse_walk(text.format(3, "stable-diffusion-1"), "w.yaml")
    assert studio.specify("w", shown, model="embedded").rendering.clip_skip == 1
