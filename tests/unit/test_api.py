"""What Python programs use: `import latent_assets as la`, on a model of numpy alone."""

from __future__ import annotations

import ast
import base64
import io
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeStudio, fake_studio
from PIL import Image

import latent_assets as la
from latent_assets.api import inline, walks
from latent_assets.api.display import RenderInterrupt
from latent_assets.diffusion.protocol import Prompt
from latent_assets.media import inspect_file
from latent_assets.walks import schema
from latent_assets.walks.loading import load_walk, parse_walk

PROMPTS = ["a cat", "a dog"]


@pytest.fixture
def fake(tmp_path: Path) -> FakeStudio:
    return fake_studio(tmp_path)


@pytest.fixture
def studio(fake) -> la.OpenStudio:
    return la.OpenStudio(fake)


# --- the import ---------------------------------------------------------------------------------


def test_the_import_is_soon_done_and_loads_neither_tensorflow_nor_dagster():
    code = (
        "import sys, time; t = time.process_time(); import latent_assets as la;"
        "seconds = time.process_time() - t; la.open; la.Film; la.interpolation; import json;"
        "print(json.dumps([seconds, sorted({name.partition('.')[0] for name in sys.modules})]))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    seconds, modules = json.loads(answer.stdout)
    assert seconds <= 0.2
    assert not {"tensorflow", "keras", "dagster", "matplotlib", "IPython"} & set(modules)


def test_the_stub_names_what_the_package_has():
    stub = ast.parse(Path(la.__file__).with_suffix(".pyi").read_text())
    names = {a.asname for n in stub.body if isinstance(n, ast.ImportFrom) for a in n.names}
    names = (names - {None}) | {n.targets[0].id for n in stub.body if isinstance(n, ast.Assign)}
    assert names == set(la.__all__) - {"__version__"}
    assert all(getattr(la, name) is not None for name in names)
    assert names <= set(dir(la))
    with pytest.raises(AttributeError, match="no attribute 'interpolate'"):
        _ = la.interpolate


# --- walks --------------------------------------------------------------------------------------

BUILDERS = {
    "interpolation": (la.interpolation, (PROMPTS,), {"frames": 5}),
    "grid": (la.grid, (["a", "b", "c", "d"],), {"grid_size": 3}),
    "prompt_walk": (la.prompt_walk, ("a cat",), {"frames": 5}),
    "noise_loop": (la.noise_loop, ("a cat",), {"frames": 5}),
    "guidance_sweep": (la.guidance_sweep, ("a cat",), {"guidance_scales": [1, 2.5]}),
}


@pytest.mark.parametrize("kind", schema.KINDS)
def test_a_walk_of_each_kind_is_that_of_its_file(kind, tmp_path):
    build, args, fields = BUILDERS[kind]
    walk = build(*args, **fields, seed=7, output={"fps": 4})
    assert walk.fields == load_walk(walk.save(tmp_path / "w.yaml"))
    assert walk.text.startswith(f"kind: {kind}\n")
    assert la.load(tmp_path / "w.yaml").name == "w"
    assert walk.replace(seed=8).fields.seed == 8
    assert walk.fields.seed == 7


@pytest.mark.parametrize("kind", schema.KINDS)
def test_a_function_shows_every_field_of_its_kind(kind):
    import inspect  # noqa: PLC0415

    build = BUILDERS[kind][0]
    shown = set(inspect.signature(build).parameters)
    assert shown == (set(schema.KINDS[kind].model_fields) - {"kind"}) | {"name"}
    assert "sampler: How the noise is walked away" in build.__doc__


def test_what_type_checkers_know_are_the_fields_that_there_are():
    typed = {
        "interpolation": walks.InterpolationFields,
        "grid": walks.Paced,
        "prompt_walk": walks.PromptWalkFields,
        "noise_loop": walks.Paced,
        "guidance_sweep": walks.Fields,
    }
    for kind, fields in typed.items():
        own = {"kind", "prompt", "prompts", *BUILDERS[kind][2]}
        fixed = {"noise", "pace"} if kind == "guidance_sweep" else set()
        known = set(fields.__required_keys__ | fields.__optional_keys__)
        assert known == set(schema.KINDS[kind].model_fields) - own - fixed


def test_numbers_of_numpy_and_tuples_are_taken_for_what_they_mean():
    sweep = la.guidance_sweep("a", guidance_scales=np.linspace(1, 5, 5), seed=np.int64(3))
    assert sweep.fields.guidance_scales == [1, 2, 3, 4, 5]
    walk = la.interpolation(("a", "b"), frames=np.int32(4), size=(64, 128))
    assert walk.fields.size_px == (64, 128)
    placed = la.interpolation({0: "a", 10: "b"}, frames=11)
    assert placed.fields.keyframes[1].at == 1
    exact = la.interpolation(
        keyframes=[{"prompt": "a"}, {"prompt": "b", "at": Fraction(1, 3)}, {"prompt": "c"}],
        frames=4,
    )
    assert exact.fields.keyframes[1].at == Fraction(1, 3)


def test_everything_wrong_is_told_as_for_a_file():
    with pytest.raises(la.LatentAssetsError) as raised:
        la.interpolation("a cat", frames=1, sede=3, output={"fps": "fast"}, name="w")
    told = str(raised.value).splitlines()
    assert "w: prompts: must be a list (it is 'a cat')" in told
    assert "w: sede: is not a field of the kind interpolation; did you mean `seed`?" in told
    assert "w: output.fps: must be a number (it is 'fast')" in told
    assert "w: frames: must be at least 2 (it is 1)" in told
    with pytest.raises(la.LatentAssetsError, match="cannot be the name of a walk"):
        la.noise_loop("a", frames=4, name="My Walk")


def test_a_walk_is_not_written_over_another_one(tmp_path):
    file = tmp_path / "w.yaml"
    walk = la.interpolation(PROMPTS, frames=5)
    assert walk.save(file) == walk.save(file)  # a cell that is run twice
    other = walk.replace(frames=6)
    with pytest.raises(la.LatentAssetsError, match="is another walk"):
        other.save(file)
    other.save(file, replace=True)
    assert load_walk(file).frames == 6
    for wrong, why in (("w.json", "no walk file"), ("no/w.yaml", "no folder"), ("W.yaml", "name")):
        with pytest.raises(la.LatentAssetsError, match=why):
            walk.save(tmp_path / wrong)
    with pytest.raises(la.LatentAssetsError, match="there is no walk file"):
        la.load(tmp_path / "none.yaml")


# --- rendering ----------------------------------------------------------------------------------


def test_a_film_comes_through_the_store(studio, fake):
    walk = la.interpolation(PROMPTS, frames=5, batch_size=2)
    assert studio.plan(walk).to_render == 5
    assert fake.counts.engines == 0
    assert repr(walk) == "interpolation: interpolation, 5 frames"
    assert repr(walk.replace(name="w", model="embedded")) == "w: interpolation, 5 frames, embedded"
    film = studio.render(walk)
    assert (film.rendered, film.reused, len(film)) == (5, 0, 5)
    spec = fake.specify("w", parse_walk(walk.text, "w"))
    assert film.keys == [recipe.key for recipe in spec.recipes()]
    assert np.array_equal(film.frames[3], fake.frames.read(film.keys[3]).pixels)
    again = la.OpenStudio(fake).render(walk.replace(frames=9))
    assert (again.rendered, again.reused) == (4, 5)
    assert repr(again).startswith("interpolation: 9 frames, 4 rendered, 5 reused, ")
    assert fake.counts.batches == [2, 2, 1, 2, 2]


def test_the_pictures_of_a_film_are_those_of_pillow(studio):
    film = studio.render(la.noise_loop("a cat", frames=4))
    assert film.frames.shape == (4, 32, 32, 3)
    assert film.frames is film.frames
    assert isinstance(film[0], Image.Image)
    assert np.array_equal(film[-1], film.frames[3])
    assert [np.array_equal(a, b) for a, b in zip(film[::2], film.frames[::2], strict=True)]
    assert len(list(film)) == 4
    with pytest.raises(IndexError, match="no frame 4: there are 4, from 0 on"):
        film[4]


def test_frames_are_read_when_they_are_looked_at(studio, fake, monkeypatch):
    film = studio.render(la.noise_loop("a cat", frames=4))
    read = []
    monkeypatch.setattr(
        type(fake.frames), "read", lambda _, key: read.append(key) or pytest.fail("read")
    )
    len(film), repr(film)
    assert read == []


def test_a_walk_of_even_steps_is_rendered_by_its_pilots(studio, fake):
    walk = la.interpolation(PROMPTS, frames=6, pace="perceptual")
    plan = studio.plan(walk)
    assert not plan.exact
    film = studio.render(walk)
    assert len(film) == 6
    assert film.keys == [
        recipe.key for recipe in fake.paced(fake.specify("w", walk.fields)).recipes()
    ]


def test_a_walk_file_and_another_model_can_be_asked_for(studio, tmp_path):
    path = la.interpolation(PROMPTS, frames=5).save(tmp_path / "castle.yaml")
    film = studio.render(path, model="stable-diffusion-1", frames=3)
    assert (len(film), film.walk.name) == (3, "castle")
    assert "stable-diffusion-1" in repr(film)
    assert studio.render(path, draft=True).walk.fields.num_steps == 7
    with pytest.raises(la.LatentAssetsError, match="no walk file"):
        studio.render("castle")


def test_figures_of_a_film_are_those_of_its_report(studio):
    film = studio.render(la.noise_loop("a cat", frames=6))
    rms = film.smoothness["rms"]
    assert len(rms["adjacent"]) == 5
    assert rms["seam_ratio"] is not None
    assert {"rms", "ms_ssim", "features"} == set(film.smoothness)


def test_an_interrupt_says_what_is_stored_and_loses_no_more(tmp_path):
    def before_batch(done):
        if done == 4 and not stopped:
            stopped.append(done)
            raise KeyboardInterrupt

    stopped: list[int] = []
    studio = la.OpenStudio(fake_studio(tmp_path, before_batch=before_batch))
    walk = la.interpolation(PROMPTS, frames=8, batch_size=2, name="w")
    with pytest.raises(KeyboardInterrupt) as raised:
        studio.render(walk)
    assert isinstance(raised.value, RenderInterrupt)
    assert raised.value._render_traceback_() == [
        "interrupted: 4 of 8 frames of w are stored",
        "  Render it again to go on: they are not rendered twice.",
    ]
    assert studio.render(walk).reused == 4


def test_what_the_model_does_not_understand_is_a_warning(fake):
    def read(_name: str, text: str, _syntax: str) -> Prompt:
        return Prompt(text, 1, (f"does not know {text}",))

    object.__setattr__(fake, "read_prompt", read)
    with pytest.warns(UserWarning, match="does not know a cat") as told:
        la.OpenStudio(fake).render(la.noise_loop("a cat", frames=2))
    assert told[0].filename == __file__


def test_in_a_script_the_progress_is_told_in_lines_unless_it_is_not_wanted(studio, capsys):
    walk = la.noise_loop("a cat", frames=4, name="w")
    studio.render(walk, progress=False)
    assert capsys.readouterr().err == ""
    studio.render(walk.replace(seed=1))
    assert "w: 4 of 4 frames" in capsys.readouterr().err


# --- saving -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["gif", "webp", "mp4", "apng", "avif", "html", "png", "jpg"])
def test_a_saved_file_says_where_it_comes_from(studio, tmp_path, ending):
    film = studio.render(la.interpolation(PROMPTS, frames=4, name="w"))
    record = inspect_file(film.save(tmp_path / f"x.{ending}"))
    assert record.walk["name"] == "w"
    assert list(record.frame_keys) == film.keys


def test_a_file_may_be_otherwise_than_the_walk_says(studio, tmp_path):
    film = studio.render(la.interpolation(PROMPTS, frames=4, output={"ping_pong": True}))
    with Image.open(film.save(tmp_path / "a.gif")) as gif:
        assert (gif.n_frames, gif.size, gif.info["duration"]) == (6, (32, 32), 100)
    nearest = {"method": "nearest", "factor": 3}
    path = film.save(tmp_path / "b.gif", fps=5, ping_pong=False, upscale=nearest)
    with Image.open(path) as gif:
        assert (gif.n_frames, gif.size, gif.info["duration"]) == (4, (96, 96), 200)
    assert inspect_file(path).walk["output"]["fps"] == 5
    with pytest.raises(la.LatentAssetsError, match=r"output.fps: must be at most 60"):
        film.save(tmp_path / "c.gif", fps=600)
    with pytest.raises(la.LatentAssetsError, match=r"output.speed: is not a field"):
        film.save(tmp_path / "c.gif", speed=2)


def test_larger_pictures_are_what_a_film_shows(studio):
    upscale = {"method": "nearest", "factor": 2}
    film = studio.render(la.noise_loop("a cat", frames=2, output={"upscale": upscale}))
    assert film.frames.shape == (2, 64, 64, 3)


def test_a_file_whose_name_says_nothing_is_refused(studio, tmp_path):
    film = studio.render(la.noise_loop("a cat", frames=2))
    with pytest.raises(la.LatentAssetsError, match=r"end in one of: .gif, .webp, .mp4"):
        film.save(tmp_path / "film.mov")
    with pytest.raises(la.LatentAssetsError, match="there is no folder"):
        film.save(tmp_path / "none" / "film.gif")
    grid = studio.render(la.grid(["a", "b", "c", "d"], grid_size=2))
    with pytest.raises(la.LatentAssetsError, match="a grid has no order in time"):
        grid.save(tmp_path / "film.gif")
    with Image.open(grid.save(tmp_path / "grid.png")) as png:
        assert png.size == (64, 64)


# --- in a notebook ------------------------------------------------------------------------------


def picture_in(html: str) -> Image.Image:
    data = html.partition("base64,")[2].partition('"')[0]
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_film_plays_a_grid_is_a_grid_and_a_long_film_is_a_strip(studio, monkeypatch):
    film = studio.render(la.interpolation(PROMPTS, frames=4, output={"ping_pong": True}))
    shown = picture_in(film._repr_html_())
    assert (shown.n_frames, shown.size) == (6, (32, 32))
    grid = studio.render(la.grid(["a", "b", "c", "d"], grid_size=3))
    assert picture_in(grid._repr_html_()).size == (96, 96)
    monkeypatch.setattr(inline, "MOST_FRAMES", 5)
    strip = picture_in(film._repr_html_())
    assert getattr(strip, "n_frames", 1) == 1
    assert strip.width > 4 * 32


def test_what_is_shown_cannot_be_markup(studio):
    film = studio.render(la.noise_loop("<script>alert(1)</script>", frames=2))
    object.__setattr__(film.walk, "name", '"><script>')
    assert "<script>" not in film._repr_html_()


def test_an_error_has_no_traceback_in_a_notebook():
    from IPython.core.interactiveshell import InteractiveShell  # noqa: PLC0415
    from IPython.utils.capture import capture_output  # noqa: PLC0415

    shell = InteractiveShell.instance()
    with capture_output() as said:
        shell.run_cell("import latent_assets as la; la.noise_loop('a', frames=1)")
    assert said.stdout.strip() == "noise_loop: frames: must be at least 2 (it is 1)"
    assert "Traceback" not in said.stdout + said.stderr


# --- arrays of one's own ------------------------------------------------------------------------


def test_an_array_of_ones_own_gives_what_a_walk_gives(studio, fake):
    film = studio.render(la.interpolation(PROMPTS, frames=3, seed=7, guidance_scale=2))
    encodings = studio.encode(PROMPTS)
    noise = la.noise(7, studio.noise_shape)
    own = studio.sample(la.lerp(*encodings, [0, 0.5, 1]), noise, guidance_scale=2)
    assert np.array_equal(own.frames, film.frames)
    assert np.array_equal(np.asarray(own), own.frames)
    stored = set(fake.frames.keys())
    assert stored == set(film.keys)
    one = studio.sample(encodings[0], noise, guidance_scale=2)
    assert np.array_equal(one[0], film[0])


def test_prompts_are_encoded_once(studio, fake):
    assert studio.encode("a cat").shape == (4, 6)
    assert studio.encode(["a cat", "a dog"]).shape == (2, 4, 6)
    assert fake.counts.encoded == ["a cat", "a dog"]


def test_own_pictures_can_be_shown_and_saved_with_the_mark_of_their_model(studio, tmp_path):
    own = studio.sample(studio.encode("a cat"), la.noise(1, (2, 4, 4, 4)), num_steps=3)
    assert (len(own), repr(own)) == (2, "2 pictures, embedded")
    assert picture_in(own._repr_html_()).n_frames == 2
    record = inspect_file(own.save(tmp_path / "own.gif", fps=5, ping_pong=True))
    assert record.model["name"] == "embedded"
    assert record.frame_keys == ()
    assert own.save(tmp_path / "own.png").stat().st_size


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"encoding": np.zeros((4, 7))}, r"takes \(4, 6\); this one ends in \(4, 7\)"),
        ({"encoding": np.zeros(4)}, r"the encoding has the shape \(4,\)"),
        ({"noise": np.zeros((4, 4, 3))}, r"takes \(4, 4, 4\); this one ends in \(3,\)"),
        ({"noise": np.full((4, 4, 4), np.nan)}, "not finite"),
        ({"noise": np.zeros((3, 4, 4, 4)), "encoding": np.zeros((2, 4, 6))}, "2 encodings and 3"),
        ({"sampler": "dpm"}, "sampler"),
        ({"sampler": "lcm", "num_steps": 4}, "lcm adds noise of a walk's seed"),
        ({"num_steps": 1}, "num_steps: must be at least 2"),
        ({"guidance_scale": [1, 2]}, "2 guidance scales for 1 pictures"),
        (
            {"noise": np.zeros((5, 5, 4)), "batch_size": 0},
            "batch_size: must be a whole number",
        ),
    ],
)
def test_an_array_that_does_not_fit_is_told(studio, change, told):
    given = {"encoding": np.zeros((4, 6)), "noise": np.zeros((4, 4, 4)), **change}
    with pytest.raises(la.LatentAssetsError, match=told):
        studio.sample(**given)


def test_a_scale_for_each_picture(studio):
    encoding, noise = studio.encode("a cat"), la.noise(0, studio.noise_shape)
    own = studio.sample(encoding, np.stack([noise, noise]), guidance_scale=[1, 3])
    sweep = studio.render(la.guidance_sweep("a cat", guidance_scales=[1, 3]))
    assert np.array_equal(own.frames, sweep.frames)


def test_paths_through_arrays():
    a, b = la.noise(1, (3, 5)), la.noise(2, (3, 5))
    assert np.array_equal(la.lerp(a, b, 0), a)
    assert np.array_equal(la.slerp(a, b, np.linspace(0, 1, 4))[-1], b)
    assert la.slerp(a, b, 0.5, axis=None).shape == (3, 5)
    assert np.allclose(la.lerp(a, b, [0.25])[0], 0.75 * a + 0.25 * b, atol=1e-6)
    with pytest.raises(la.LatentAssetsError, match="one shape"):
        la.lerp(a, b[:2], 0.5)
    with pytest.raises(la.LatentAssetsError, match="from 0 to 1"):
        la.slerp(a, b, 2)


def test_the_studio_is_that_of_the_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENT_ASSETS_PRECISION", "mixed_float16")
    studio = la.open(tmp_path, model="embedded-fast")
    assert repr(studio) == f"studio of {tmp_path}, model embedded-fast"
    assert studio.studio.settings.precision == "mixed_float16"
    assert studio.noise_shape == (16, 16, 16)
    with pytest.raises(la.LatentAssetsError, match="open: model is 'nonsense'"):
        la.open(tmp_path, model="nonsense")
