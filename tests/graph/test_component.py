"""`latent_assets.WalksComponent` in a project's folder of definitions, by Dagster's own helpers."""

import dagster as dg
import pytest
import yaml
from dagster.components.testing import create_defs_folder_sandbox
from dagster_shared.yaml_utils.sample_yaml import generate_sample_yaml

import latent_assets as la
from latent_assets.errors import UsageError
from latent_assets.walks.loading import load_walk

TYPE = "latent_assets.WalksComponent"


@pytest.fixture
def sandbox():
    with create_defs_folder_sandbox() as sandbox:
        yield sandbox


def written(sandbox, **attributes):
    path = sandbox.scaffold_component(la.WalksComponent, "art")
    text = yaml.safe_dump({"type": TYPE, "attributes": attributes})
    (path / "defs.yaml").write_text(text, encoding="utf-8")
    return path


def refusal(sandbox, path) -> str:
    with sandbox.build_component_tree() as tree, pytest.raises(Exception) as caught:  # noqa: PT011
        tree.build_defs(path)
    assert isinstance(caught.value.__cause__, UsageError)
    return " ".join(caught.value.__cause__.args)


def test_what_is_scaffolded_loads_as_it_stands(sandbox):
    path = sandbox.scaffold_component(la.WalksComponent, "art")
    written = yaml.safe_load((path / "defs.yaml").read_text("utf-8"))
    assert written["attributes"] == {
        "walks": "walks",
        "data": "latent-assets",
        "key_prefix": ["art"],
    }
    assert load_walk(path / "walks" / "first-walk.yaml").frames == 24
    with sandbox.load_component_and_build_defs(path) as (component, defs):
        assert isinstance(component, la.WalksComponent)
        dg.Definitions.validate_loadable(defs)
        frames = defs.resolve_assets_def(dg.AssetKey(["art", "frames"]))
        assert frames.partitions_def.get_partition_keys() == ["first-walk"]
        assert defs.resolve_job_def("art__render_walk").executor_def.name == "in_process"
    data = sandbox.project_root / "latent-assets"
    assert (data / ".gitignore").read_text() == "*\n"


def test_scaffolding_leaves_walks_that_are_there_alone(sandbox):
    walks = sandbox.defs_folder_path / "art" / "walks"
    walks.mkdir(parents=True)
    (walks / "first-walk.yaml").write_text("mine", encoding="utf-8")
    sandbox.scaffold_component(la.WalksComponent, "art")
    assert (walks / "first-walk.yaml").read_text("utf-8") == "mine"


def test_attributes_are_templates_of_the_environment(sandbox, monkeypatch, tmp_path):
    monkeypatch.setenv("WALKS_DATA", str(tmp_path / "elsewhere"))
    path = written(
        sandbox, data="{{ env.WALKS_DATA }}", default_model="embedded-fast", outputs="public"
    )
    with sandbox.load_component_and_build_defs(path) as (component, _):
        settings = component.settings(sandbox.project_root)
    assert settings.data == tmp_path / "elsewhere"
    assert settings.model == "embedded-fast"
    assert settings.outputs == sandbox.project_root / "public"


@pytest.mark.parametrize(
    ("variable", "expected"), [("", "latent-assets"), ("elsewhere", "elsewhere")]
)
def test_without_data_the_environment_counts_then_a_folder_of_the_project(
    sandbox, monkeypatch, variable, expected
):
    place = sandbox.project_root / variable
    monkeypatch.chdir(sandbox.project_root)
    monkeypatch.setenv("LATENT_ASSETS_DATA", str(place) if variable else "")
    path = written(sandbox, key_prefix=["art"])
    with sandbox.load_component_and_build_defs(path) as (component, _):
        assert component.settings(sandbox.project_root).data == sandbox.project_root / expected


def test_a_folder_that_is_not_there_is_named(sandbox):
    path = written(sandbox, walks="wlaks")
    assert str(path / "wlaks") in refusal(sandbox, path)


CAPTIONS = """\
import dagster as dg


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["cats", "dogs"]), key=["shop", "captions"])
def captions():
    return {}


@dg.asset
def table():
    return {}
"""


@pytest.fixture
def captioned(sandbox):
    (sandbox.defs_folder_path / "captions.py").write_text(CAPTIONS, encoding="utf-8")
    return sandbox


def test_walks_of_an_asset_of_the_project(captioned):
    source = {"asset": "shop/captions", "defined_in": "captions.py"}
    written(captioned, source=source, key_prefix=["art"])
    with captioned.build_all_defs() as defs:
        dg.Definitions.validate_loadable(defs)
        spec = defs.resolve_assets_def(dg.AssetKey(["art", "walk_spec"]))
        assert spec.keys_by_input_name == {"walk_document": dg.AssetKey(["shop", "captions"])}
        assert spec.partitions_def.get_partition_keys() == ["cats", "dogs"]
        assert not defs.resolve_asset_graph().has(dg.AssetKey(["art", "walk_file"]))
        assert [sensor.name for sensor in defs.sensors] == ["art__render_changed_walks"]


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ({"asset": "captions", "defined_in": "captions.py"}, "shop/captions, table"),
        ({"asset": "table", "defined_in": "captions.py"}, "table has no partitions"),
        ({"asset": "shop/captions", "defined_in": "prompts.py"}, "there is no prompts.py in"),
    ],
)
def test_a_source_that_is_none_is_refused_by_a_sentence(captioned, attributes, sentence):
    path = written(captioned, source=attributes, key_prefix=["art"])
    assert sentence in refusal(captioned, path)


def test_either_files_or_a_source(captioned):
    source = {"asset": "shop/captions", "defined_in": "captions.py"}
    path = written(captioned, source=source, walks="walks")
    assert "both `walks` and `source`" in refusal(captioned, path)


def test_every_attribute_is_described():
    schema = la.WalksComponent.model().model_json_schema()
    assert set(schema["properties"]) == set(la.WalksComponent.model_fields)
    for name, field in schema["properties"].items():
        assert len(field["description"]) > 40, name


def test_a_wrong_attribute_is_told_by_its_own_name(sandbox):
    path = written(sandbox, default_model="embeded")
    assert refusal(sandbox, path).startswith("defs.yaml: default_model is 'embeded'")


def test_the_example_on_dagsters_page_of_the_component_loads(sandbox):
    """All but `source`, which stands there beside `walks`, and says that it stands in its place."""
    sample = generate_sample_yaml(TYPE, la.WalksComponent.model().model_json_schema())
    attributes = yaml.safe_load(sample)["attributes"]
    assert attributes.pop("source") == {"asset": "captions", "defined_in": "captions.py"}
    path = written(sandbox, **attributes)
    with sandbox.load_component_and_build_defs(path) as (_, defs):
        dg.Definitions.validate_loadable(defs)
        assert defs.resolve_job_def("art__render_walk")


def test_without_a_prefix_keys_and_names_are_as_in_the_project_itself(sandbox):
    with sandbox.load_component_and_build_defs(written(sandbox)) as (_, defs):
        assert defs.resolve_assets_def(dg.AssetKey("frames"))
        assert defs.resolve_job_def("render_walk")
    assert (
        la.WalksComponent.model().model_json_schema()["properties"]["key_prefix"]["default"] is None
    )
