"""A project is found from any folder below it, and its file means what variables mean."""

from pathlib import Path

import pytest

from latent_assets.errors import UsageError
from latent_assets.project_file import NAME, find_project
from latent_assets.settings import Settings
from latent_assets.shipped import CHECKOUT, PROJECT_ROOT, SHIPPED, SHIPPED_MODELS, SHIPPED_WALKS


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = tmp_path / "art"
    (folder / "deep" / "er").mkdir(parents=True)
    for name in ("DATA", "STORE", "MODEL", "PRECISION", "METADATA"):
        monkeypatch.delenv(f"LATENT_ASSETS_{name}", raising=False)
    monkeypatch.chdir(folder / "deep" / "er")
    return folder


def write(project, text: str) -> None:
    (project / NAME).write_text(text, encoding="utf-8")


def test_what_ships_is_here():
    assert CHECKOUT
    assert SHIPPED == PROJECT_ROOT / "data"
    assert (SHIPPED / "dagster" / "dagster.yaml").is_file()
    assert (SHIPPED_MODELS / "embedded" / "weights.safetensors").is_file()
    assert (SHIPPED_WALKS / "schema.json").is_file()


def test_an_empty_file_makes_its_folder_the_data_folder_from_anywhere_below(project):
    write(project, "")
    assert Settings.from_environment().data == project
    assert Settings().data == project


@pytest.mark.usefixtures("project")
def test_without_a_file_the_checkout_is_the_project():
    assert find_project().path is None
    assert Settings.from_environment().data == PROJECT_ROOT / "data"


def test_places_are_relative_to_the_file(project):
    write(project, 'data = "pictures"\nstore = "../frames"\n')
    settings = Settings.from_environment()
    assert settings.data == project / "pictures"
    assert Path(settings.store_url).resolve() == project.parent / "frames"
    write(project, 'store = "s3://bucket/frames"\n')
    assert Settings.from_environment().store_url == "s3://bucket/frames"


def test_any_setting_may_stand_in_it_and_a_variable_counts_more(project, monkeypatch):
    write(project, 'precision = "mixed_bfloat16"\nmetadata = false\nrandom_weights = 7\n')
    settings = Settings.from_environment()
    assert settings.precision == "mixed_bfloat16"
    assert settings.metadata is False
    assert settings.random_weights == 7
    monkeypatch.setenv("LATENT_ASSETS_PRECISION", "float32")
    monkeypatch.setenv("LATENT_ASSETS_METADATA", "")  # as compose files leave them
    settings = Settings.from_environment()
    assert settings.precision == "float32"
    assert settings.metadata is False


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("modle = 'embedded'\n", f"{NAME}: modle is no setting\n  Did you mean model? Known are: "),
        ("data = \n", f"{NAME} cannot be read"),
        ("data = ['a']\n", f"{NAME}: data is no text"),
        ("precision = 'float64'\n", f"{NAME}: precision is 'float64'"),
        ("#" * 70_000, f"{NAME} is larger than 64 KiB"),
    ],
)
def test_a_wrong_file_is_told_by_its_name(project, text, words):
    write(project, text)
    with pytest.raises(UsageError) as caught:
        Settings.from_environment()
    assert words in str(caught.value)


def test_a_given_environment_alone_counts(project):
    write(project, 'precision = "mixed_bfloat16"\n')
    assert Settings.from_environment({}).precision == "float32"


def test_what_is_wrong_in_it_has_the_file_and_the_name_that_stands_there(project, monkeypatch):
    write(project, 'precision = "float8"\n')
    with pytest.raises(UsageError) as error:
        Settings.from_environment()
    assert error.value.problem == f"{project / NAME}: precision is 'float8'"
    assert "float32" in error.value.cure
    monkeypatch.setenv("LATENT_ASSETS_PRECISION", "float9")
    with pytest.raises(UsageError) as error:
        Settings.from_environment()
    assert error.value.problem == "LATENT_ASSETS_PRECISION is 'float9'"
