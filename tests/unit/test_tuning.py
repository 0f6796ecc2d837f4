"""Samplers fitted to a model: the fit, its file beside the model, and walks that ask for it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeNoise, fake_info, fake_studio

from latent_assets.diffusion.fitting import descent
from latent_assets.diffusion.fitting.closed_form import _solve, closed_form, search
from latent_assets.diffusion.fitting.nodes import choose_nodes
from latent_assets.diffusion.fitting.rollout import coefficients_of, pull_back, roll
from latent_assets.diffusion.fitting.trajectory import distances, follow
from latent_assets.diffusion.registry import WeightsSource, describe_model
from latent_assets.diffusion.schedule import sampling_schedule
from latent_assets.errors import InvalidWalkError, ModelError, StoreError, UsageError
from latent_assets.models.tuned import TunedSampler, TunedSamplers
from latent_assets.rendering import render_again, render_frames
from latent_assets.shipped import SHIPPED_MODELS
from latent_assets.store import pixel_digest
from latent_assets.tuning import COMPARED_NAME, Effort, Request, request_for, tune
from latent_assets.walks.loading import parse_walk
from latent_assets.walks.recipes import FrameRecipe

LIMIT = ("dpm++2m", 20, "karras")
SOME = Effort(("a", "b"), ("c",), LIMIT, LIMIT, search=60, rounds=4)
WALK = "kind: noise_loop\nprompt: a\nframes: 3\nsampler: tuned\nnum_steps: 4\nguidance_scale: 3\n"


def request(steps=4, scale=3):
    return Request("embedded", steps, Fraction(scale), (32, 32))


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Of 4 steps at scale 3."""
    return tune(fake_studio(tmp_path_factory.mktemp("tuned")), request(), effort=SOME)


@pytest.fixture
def tuned_studio(tmp_path, table):
    """A studio whose model has the table."""
    studio = fake_studio(tmp_path)
    studio.tuned_samplers.add("embedded", table)
    return studio


def known(rows=6):
    random = np.random.default_rng(0)
    noise = FakeNoise(random.standard_normal((rows, 1, 1, 4)).astype(np.float32))
    start = random.standard_normal((rows, 4, 4, 4)).astype(np.float32)
    return noise, follow(noise, start, sampling_schedule("dpm++2m", 30, "karras"))


def solved(noise, trajectory, steps):
    """The closed form of all rows, without a search."""
    rows = np.arange(len(trajectory.start))
    return closed_form(noise, trajectory, rows, choose_nodes(trajectory, steps))


def test_a_fit_is_nearer_than_a_sampler_of_as_many_steps():
    noise, trajectory = known()
    first = solved(noise, trajectory, 6)
    fit = descent.descend(noise, trajectory, first, 30, 6)

    def apart(each):
        end, _ = roll(noise, trajectory.start, np.arange(6), each.timesteps, each.weights)
        return np.mean(distances(end, trajectory.end))

    others = [
        follow(noise, trajectory.start, sampling_schedule(sampler, 6, spacing)).end
        for sampler, spacing in (("ddim", "trailing"), ("dpm++2m", "karras"))
    ]
    best = min(np.mean(distances(end, trajectory.end)) for end in others)
    assert apart(first.fit) < best / 2
    assert apart(fit) < apart(first.fit)
    again = descent.descend(noise, trajectory, first, 30, 6)
    assert np.array_equal(again.timesteps, fit.timesteps)
    assert all(map(np.array_equal, again.weights, fit.weights))


def test_the_search_finds_timesteps_at_which_a_walk_ends_nearer():
    noise, trajectory = known()
    rows, made = np.arange(6), []
    nodes = choose_nodes(trajectory, 4)
    found = search(noise, trajectory, rows, nodes, 1500, made.append)
    before, after = (closed_form(noise, trajectory, rows, each) for each in (nodes, found))
    assert after.off < before.off - 0.1
    assert sum(made) == 1500
    assert found == search(noise, trajectory, rows, nodes, 1500)


def test_the_search_makes_no_more_evaluations_than_it_may():
    noise, trajectory = known()
    nodes, rows = choose_nodes(trajectory, 4), np.arange(6)
    evaluated, predict = [], noise.predict

    def counting(latents, timestep, rows):
        evaluated.append(len(rows))
        return predict(latents, timestep, rows)

    noise.predict = counting
    search(noise, trajectory, rows, nodes, 100)
    assert 60 < sum(evaluated) <= 100
    evaluated.clear()
    assert search(noise, trajectory, rows, list(range(30)), 10**6) == list(range(30))
    assert sum(evaluated) == 6 * 30


def test_evaluations_are_taken_from_another_closed_form_as_far_as_they_hold():
    noise, trajectory = known()
    rows, made = np.arange(6), []
    other = closed_form(noise, trajectory, rows, [0, 8, 16, 24])
    taken = closed_form(noise, trajectory, rows, [0, 8, 18, 24], made.append, other)
    alone = closed_form(noise, trajectory, rows, [0, 8, 18, 24])
    assert made == [6, 6]
    assert taken.off == alone.off
    assert all(map(np.array_equal, taken.fit.weights, alone.fit.weights))


def test_a_row_that_jumps_does_not_rule_a_regression():
    random = np.random.default_rng(4)
    features = [random.standard_normal((6, 4, 4, 4)).astype(np.float32) for _ in range(2)]
    wanted = 0.8 * features[0] + 0.3 * features[1]
    wanted += 0.01 * random.standard_normal(wanted.shape).astype(np.float32)
    wanted[5] = 20 * features[1][5]
    assert _solve(features, wanted).weights == pytest.approx([0.8, 0.3], abs=0.01)


def test_the_gradient_of_a_rollout_is_that_of_differences():
    noise, trajectory = known(3)
    rows = np.arange(3)
    start = solved(noise, trajectory, 4).fit
    towards = np.random.default_rng(1).standard_normal(trajectory.end.shape).astype(np.float32)
    _, steps = roll(noise, trajectory.start, rows, start.timesteps, start.weights)
    found = pull_back(noise, rows, start.timesteps, start.weights, steps, towards)

    def along(step, column, by):
        weights = [each.copy() for each in start.weights]
        weights[step][column] += by
        end, _ = roll(noise, trajectory.start, rows, start.timesteps, weights)
        return float(np.sum(end.astype(np.float64) * towards))

    for step, weights in enumerate(start.weights):
        assert len(weights) == min(2 + step, 4)
        for column, gradient in enumerate(found.weights[step]):
            by = 1e-3
            difference = (along(step, column, by) - along(step, column, -by)) / (2 * by)
            assert gradient == pytest.approx(difference, rel=0.02, abs=0.05)


def test_a_row_that_jumps_pulls_no_harder_than_others():
    random = np.random.default_rng(3)
    wanted = np.zeros((2, 4, 4, 4), np.float32)
    end = random.standard_normal(wanted.shape).astype(np.float32)
    end[1] *= 50
    towards = (
        random.standard_normal(wanted.shape).astype(np.float32)
        * end.std(axis=(1, 2, 3))[:, None, None, None]
    )
    pulls = np.sum(descent._away(end, wanted) * towards, axis=(1, 2, 3))

    def logarithms(by):
        return np.log(distances(end + by * towards, wanted)) / 2

    assert pulls == pytest.approx((logarithms(1e-3) - logarithms(-1e-3)) / 2e-3, rel=0.01)
    lengths = np.sqrt(np.sum(descent._away(end, wanted) ** 2, axis=(1, 2, 3)))
    assert lengths[0] > 30 * lengths[1]


def test_on_the_way_back_no_row_grows_beyond_the_others():
    noise, trajectory = known(4)
    fit, rows = solved(noise, trajectory, 4).fit, np.arange(4)
    _, steps = roll(noise, trajectory.start, rows, fit.timesteps, fit.weights)
    even = np.random.default_rng(5).standard_normal(trajectory.end.shape).astype(np.float32)
    even /= np.sqrt(np.sum(even**2, axis=(1, 2, 3), keepdims=True))
    wild = even.copy()
    wild[2] *= 1e6
    assert descent.held(wild)[[0, 1, 3]] == pytest.approx(wild[[0, 1, 3]])
    assert np.sum(descent.held(wild)[2] ** 2) == pytest.approx(1, rel=1e-3)
    given = noise, rows, fit.timesteps, fit.weights, steps
    tame, grown = (pull_back(*given, each, descent.held) for each in (even, wild))
    assert all(map(np.allclose, tame.weights, grown.weights, [1e-3] * 4, [1e-4] * 4))
    assert np.abs(pull_back(*given, wild).weights[0]).max() > 1000


def test_the_table_makes_the_steps_of_the_fit():
    noise, trajectory = known(2)
    fit = solved(noise, trajectory, 5).fit
    end, _ = roll(noise, trajectory.start, np.arange(2), fit.timesteps, fit.weights)
    table, latents = coefficients_of(fit.timesteps, fit.weights), trajectory.start
    history = [np.zeros_like(latents)] * 2
    for timestep, (c0, c1, c2, c3, c4, c5) in zip(fit.timesteps.tolist(), table, strict=True):
        eps = noise.predict(latents, timestep, np.arange(2))
        clean = (latents - c0 * eps) / c1
        latents = c2 * eps + c3 * clean + c4 * history[0] + c5 * history[1]
        history = [clean, history[0]]
    assert latents == pytest.approx(end, abs=1e-4)


def test_tuning_counts_what_it_does_and_gives_the_same_table_again(tmp_path):
    studio, made, stages = fake_studio(tmp_path), [], []
    first = tune(studio, request(), stages.append, made.append, SOME)
    assert tune(studio, request(), effort=SOME) == first
    assert 0.8 < sum(made) / SOME.evaluations(4) <= 1
    assert len(stages) == 4
    assert len(first.timesteps) == 4
    assert tune(studio, request(), effort=replace(SOME, search=0)).timesteps[0] == 999
    assert set(first.distances) == {"tuned", COMPARED_NAME}
    assert first.weights == fake_info().weights_digest


def test_a_walk_is_rendered_with_the_table_and_again(tuned_studio, table):
    spec = tuned_studio.specify("w", parse_walk(WALK, "w.yaml"))
    assert (spec.rendering.table, spec.rendering.spacing) == (table.digest, "own")
    recipes = spec.recipes()
    assert recipes[0].as_dict()["table"] == table.digest
    render_frames(tuned_studio, recipes, batch_size=2)
    receipt = tuned_studio.frames.read_receipt(recipes[1].key)
    again = FrameRecipe.from_dict(receipt.recipe)
    assert again.key == recipes[1].key
    assert pixel_digest(render_again(tuned_studio, [again])[0]) == receipt.pixel_digest


def test_another_table_is_another_frame_and_the_old_one_is_missed_in_words(tuned_studio):
    before = tuned_studio.specify("w", parse_walk(WALK, "w.yaml")).recipes()
    changed = tune(
        tuned_studio, request(), effort=Effort(("d",), ("c",), LIMIT, LIMIT, search=0, rounds=1)
    )
    path = tuned_studio.tuned_samplers.add("embedded", changed)
    after = tuned_studio.specify("w", parse_walk(WALK, "w.yaml")).recipes()
    assert before[0].key != after[0].key
    assert len(json.loads(path.read_text())["samplers"]) == 1
    with pytest.raises(ModelError, match="sampled with a table of embedded that is not there"):
        render_frames(tuned_studio, before, batch_size=3)


def test_a_frame_without_a_table_keeps_its_key(tuned_studio):
    text = WALK.replace("tuned", "ddim")
    (recipe, *_) = tuned_studio.specify("w", parse_walk(text, "w.yaml")).recipes()
    assert "table" not in recipe.as_dict()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            WALK.replace("num_steps: 4", "num_steps: 5"),
            "of 5 steps at guidance scale 3. There are 4 steps at 3. To make one:",
        ),
        (WALK.replace("scale: 3", "scale: 4.5"), "There are 4 steps at 3. To make one"),
        (f"{WALK}model: mine\n", "latent-assets tune-sampler mine --steps 4"),
        (
            "kind: guidance_sweep\nprompt: a\nguidance_scales: [3]\nsampler: tuned\nnum_steps: 4\n",
            "fitted to one guidance scale",
        ),
    ],
)
def test_a_walk_without_its_table_is_told_what_there_is(tuned_studio, text, words):
    with pytest.raises(InvalidWalkError) as told:
        tuned_studio.specify("w", parse_walk(text, "w.yaml"))
    (problem,) = told.value.problems
    assert problem.field == "sampler"
    assert words in problem.message


def test_tables_of_other_weights_are_not_taken(tuned_studio):
    other = fake_studio(tuned_studio.settings.data, weights="others")
    with pytest.raises(InvalidWalkError, match="has no tuned sampler") as told:
        other.specify("w", parse_walk(WALK, "w.yaml"))
    assert "The one that is there was fitted to other weights." in str(told.value)


def test_there_is_no_draft_of_a_fitted_sampler(tuned_studio):
    with pytest.raises(UsageError, match="was fitted to 4 steps"):
        tuned_studio.specify("w", parse_walk(WALK, "w.yaml"), draft=True)


@pytest.mark.parametrize(
    "change",
    [
        {"timesteps": [999, 999, 500, 1]},
        {"timesteps": [999, 500, 1]},
        {"timesteps": [999, 700, 500, -1]},
        {"guidance_scale": "1e99"},
        {"guidance_scale": "1/0"},
        {"coefficients": [[0.1, 0, 0, 0, 0, 0]] * 4},
        {"coefficients": [[0.1, 1, 0, 0, 0, 1e300]] * 4},
        {"coefficients": [[0.1, 1, 0, 0, 0]] * 4},
        {"coefficients": [[0.1, 1e-46, 0, 0, 0, 0]] * 4},
        {"coefficients": [[0.1, 1, "0", 0, 0, 0]] * 4},
        {"coefficients": [[0.1, True, 0, 0, 0, 0]] * 4},
        {"guidance_scale": "٣"},
        {"size": [0, 32]},
        {"weights": 7},
        {"more": 1},
    ],
)
def test_a_wrong_file_of_tables_is_told(tuned_studio, change):
    path = tuned_studio.tuned_samplers.path("embedded")
    document = json.loads(path.read_text())
    document["samplers"][0] |= change
    path.write_text(json.dumps(document))
    with pytest.raises(ModelError, match=r"embedded\.samplers\.json is no file of sampler tables"):
        tuned_studio.tuned_samplers.of("embedded")


NO_TABLES = ("", "[]", "{", '{"schema": 2, "samplers": []}', '{"schema": true, "samplers": []}',
             "NaN", "[" * 100_000, "9" * 100_000)  # fmt: skip


@pytest.mark.parametrize("text", NO_TABLES)
def test_a_file_that_is_no_table_at_all_is_told(tuned_studio, text):
    tuned_studio.tuned_samplers.path("embedded").write_text(text)
    with pytest.raises(InvalidWalkError, match="is no file of sampler tables"):
        tuned_studio.specify("w", parse_walk(WALK, "w.yaml"))


def test_what_is_no_file_is_not_read(tmp_path):
    tables = TunedSamplers((tmp_path,))
    path = tables.path("mine")
    for make in (
        lambda: path.symlink_to("/dev/zero"),
        lambda: path.symlink_to(path.name),
        lambda: os.mkfifo(path),
    ):
        make()
        with pytest.raises(ModelError, match=r"mine\.samplers\.json cannot be read: it is") as told:
            tables.of("mine")
        assert "remove it" in told.value.cure
        path.unlink()
    with path.open("wb") as file:
        file.truncate(200_000_000)
    with pytest.raises(ModelError, match="is too large"):
        tables.of("mine")


def test_tables_of_other_steps_stay_and_of_the_same_are_replaced(tuned_studio, table):
    tables, first = tuned_studio.tuned_samplers, table
    more = TunedSampler(
        **{
            **first.model_dump(),
            "timesteps": first.timesteps[:3],
            "coefficients": first.coefficients[:3],
        }
    )
    tables.add("embedded", more)
    tables.add("embedded", first)
    own = [each for each in tables.of("embedded") if each.weights == first.weights]
    assert sorted(each.num_steps for each in own) == [3, 4]
    assert tables.find("embedded", first.weights, 4, Fraction(3)) == first


@pytest.mark.parametrize(
    ("steps", "scale", "size", "words"),
    [
        (1, "3", None, "1 steps"),
        (51, "3", None, "51 steps"),
        (101, "3", None, "101 steps"),
        (4, "3", (20, 32), "multiple of 8"),
        (4, "1e-12", None, "too many digits"),
        (4, "7.0123456789", None, "too many digits"),
    ],
)
def test_what_cannot_be_fitted_is_told(steps, scale, size, words):
    with pytest.raises(UsageError, match=words):
        request_for(fake_info(), steps, Fraction(scale), size)


def test_where_nothing_can_be_written_is_told_before_the_work(tmp_path):
    TunedSamplers((tmp_path / "models",)).check("mine")
    assert not list((tmp_path / "models").iterdir())
    for folder in (tmp_path / "file" / "models", Path("/proc/nowhere")):
        (tmp_path / "file").touch()
        with pytest.raises(StoreError, match="cannot write") as told:
            TunedSamplers((folder,)).check("mine")
        assert "mine.samplers.json" in str(told.value)


def test_the_embedded_model_comes_with_tables_of_its_own_weights():
    weights = describe_model("embedded", WeightsSource(SHIPPED_MODELS)).weights_digest
    tables = TunedSamplers((SHIPPED_MODELS,))
    for steps, scale in ((6, 1), (8, 3), (8, 5), (10, Fraction(15, 2))):
        assert tables.find("embedded", weights, steps, Fraction(scale)).num_steps == steps
