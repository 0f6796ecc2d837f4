"""Settings are what the environment says, and a mistyped one is told, not passed over."""

from pathlib import Path

import pytest

from latent_assets.diffusion.registry import MODEL_NAMES
from latent_assets.errors import UsageError
from latent_assets.settings import MODELS, PREFIX, Settings
from latent_assets.shipped import PROJECT_ROOT
from latent_assets.store.objects import open_objects


def read(**variables):
    return Settings.from_environment({PREFIX + name: value for name, value in variables.items()})


def test_without_any_variable_everything_has_its_default():
    assert read() == Settings()
    assert read().data == PROJECT_ROOT / "data"
    assert (PROJECT_ROOT / "pyproject.toml").is_file()


def test_an_empty_variable_is_the_default_as_shells_and_compose_files_leave_them():
    names = [name.upper() for name in Settings.__dataclass_fields__]
    assert read(**dict.fromkeys(names, "")) == Settings()
    assert read(**dict.fromkeys(names, "  ")) == Settings()


def test_everything_lies_in_the_data_folder_so_that_another_is_a_world_apart(tmp_path):
    settings = read(DATA=str(tmp_path))
    assert settings.walks_dir == tmp_path / "walks"
    assert settings.store_url == str(tmp_path / "store")
    assert settings.outputs_dir == tmp_path / "outputs"
    assert settings.dagster_home == tmp_path / "dagster"


def test_each_model_is_that_of_the_data_folder_or_else_the_shipped_one(tmp_path):
    shipped = PROJECT_ROOT / "data" / "models"
    settings = read(DATA=str(tmp_path))
    assert settings.models_dir == tmp_path / "models"  # downloads go there
    assert settings.model_dir("embedded") == shipped / "embedded"
    (tmp_path / "models" / "stable-diffusion-1").mkdir(parents=True)
    assert settings.model_dir("embedded") == shipped / "embedded"
    (tmp_path / "models" / "embedded").mkdir()
    assert settings.model_dir("embedded") == tmp_path / "models" / "embedded"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("file:///tmp/my%20frames", "/tmp/my frames"),
        ("file:/tmp/x", "/tmp/x"),
        ("file://localhost/tmp/x", "/tmp/x"),
        ("FILE://LOCALHOST/tmp/x", "/tmp/x"),
        ("/tmp/100%25 a::b", "/tmp/100%25 a::b"),
        ("s3://bucket/my%20frames", "s3://bucket/my%20frames"),
        ("simplecache::s3://bucket/x", "simplecache::s3://bucket/x"),
    ],
)
def test_an_address_is_what_it_says(written, meant):
    assert read(STORE=written).store == meant
    if meant.startswith("/"):
        assert read(DATA=written).data == Path(meant)
        assert open_objects(written).root == meant


@pytest.mark.parametrize(
    ("variable", "written", "told"),
    [
        ("STORE", "s3:/bucket/x", "s3://bucket"),
        ("STORE", "s3://", "s3://bucket"),
        ("STORE", "file://server/x", "three slashes"),
        ("STORE", "file:///x?y", "%3F"),
        ("DATA", "s3://bucket/x", "folder on this machine"),
        ("OUTPUTS", "https://example.org/x", "folder on this machine"),
        ("DATA", "~no-such-user/x", "~no-such-user"),
        ("STORE", "~no-such-user/x", "~no-such-user"),
        ("WEIGHTS_DIR", "~no-such-user", "~no-such-user"),
    ],
)
def test_what_names_no_place_is_refused_with_its_variable(variable, written, told):
    with pytest.raises(UsageError, match=f"{PREFIX}{variable} is") as error:
        read(**{variable: written})
    assert told in str(error.value)


def test_a_home_folder_that_nobody_knows_is_told(monkeypatch):
    """A container's user has neither an entry in passwd nor HOME."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda _uid: {}["nobody"])
    with pytest.raises(UsageError, match="HOME"):
        read(DATA="~/walks")
    assert read(DATA="/walks").data == Path("/walks")


def test_blanks_at_the_ends_are_meant_only_where_such_a_folder_is(tmp_path):
    blank = tmp_path / "walks "
    assert read(DATA=f" {tmp_path} ").data == tmp_path
    blank.mkdir()
    assert read(DATA=str(blank)).data == blank


def test_store_and_outputs_can_lie_elsewhere(tmp_path):
    settings = read(DATA=str(tmp_path), STORE="s3://bucket/frames", OUTPUTS="~/pictures")
    assert settings.store_url == "s3://bucket/frames"
    assert settings.outputs_dir == Path.home() / "pictures"


@pytest.mark.parametrize("given", ["C2PA_KEY", "C2PA_CERTIFICATE"])
def test_a_certificate_without_its_key_is_refused(given):
    (missing,) = {"C2PA_KEY", "C2PA_CERTIFICATE"} - {given}
    with pytest.raises(UsageError, match=f"{missing} is not set"):
        read(**{given: "a.pem"})


def test_folders_become_absolute_since_the_web_server_runs_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read(DATA="here").data == tmp_path / "here"
    assert read(WEIGHTS_DIR="w").weights_dir == tmp_path / "w"


@pytest.mark.parametrize(
    ("variable", "value", "field", "meant"),
    [
        ("MODEL", "stable-diffusion-2.1", "model", "stable-diffusion-2.1"),
        ("PRECISION", "mixed_bfloat16", "precision", "mixed_bfloat16"),
        ("RANDOM_WEIGHTS", "0", "random_weights", 0),
        ("RANDOM_WEIGHTS", "17", "random_weights", 17),
        ("JIT", "on", "jit", True),
        ("JIT", "OFF", "jit", False),
        ("METADATA", "off", "metadata", False),
        ("METADATA", "true", "metadata", True),
        ("REFERENCE", "1", "reference", True),
    ],
)
def test_a_variable_sets_its_field(variable, value, field, meant):
    assert getattr(read(**{variable: value}), field) == meant


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("MODEL", "dall-e", "embedded, embedded-fast, stable-diffusion-1"),
        ("PRECISION", "float16", "mixed_float16"),
        ("RANDOM_WEIGHTS", "-1", "whole number"),
        ("RANDOM_WEIGHTS", "many", "whole number"),
        ("JIT", "maybe", "on or off"),
        ("METADATA", "2", "on or off"),
        ("REFERENCE", "yes please", "on or off"),
    ],
)
def test_a_wrong_value_is_told_with_its_variable_and_what_it_may_be(variable, value, told):
    with pytest.raises(UsageError) as error:
        read(**{variable: value})
    assert f"{PREFIX}{variable} is {value!r}" in error.value.problem
    assert told in error.value.cure


def test_a_mistyped_variable_is_refused_and_the_known_ones_are_named():
    """Passed over in silence, LATENT_ASSETS_DATE would render into the wrong folder."""
    with pytest.raises(UsageError, match="LATENT_ASSETS_DATE is no setting") as error:
        read(DATE="/elsewhere")
    assert error.value.cure.startswith("Did you mean LATENT_ASSETS_DATA? Known are: ")


def test_variables_of_others_are_left_alone():
    assert Settings.from_environment({"LATENT": "x", "PATH": "/bin"}) == Settings()


def test_models_are_those_that_the_engines_have():
    assert set(MODELS) == set(MODEL_NAMES)


def test_every_setting_is_in_the_docs():
    page = (PROJECT_ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for name in Settings.__dataclass_fields__:
        assert f"`LATENT_ASSETS_{name.upper()}`" in page


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(data=Path("here"), store="s3://bucket/frames", random_weights=0, jit=False),
        Settings(outputs=Path("out"), weights_dir=Path("w"), jit=True, truncate=True),
        Settings(model="stable-diffusion-1", precision="mixed_float16", metadata=False),
        Settings(reference=True),
    ],
)
def test_another_process_in_another_folder_gets_the_same_settings(settings, tmp_path, monkeypatch):
    told = settings.to_environment()
    absolute = {
        name: value.absolute() if isinstance(value, Path) else value
        for name, value in vars(settings).items()
    }
    monkeypatch.chdir(tmp_path)
    assert Settings.from_environment(told) == Settings(**absolute)
