"""Receipts survive the journey through JSON, and say in words what differs."""

import dataclasses
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent_assets.store import Receipt, differences, environment
from latent_assets.store.receipts import utc_now

KEYS = st.text("0123456789abcdef", min_size=64, max_size=64)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def receipt_of(**changes):
    values = {
        "key": "a" * 64,
        "recipe": {"seed": 1},
        "pixel_digest": "b" * 64,
        "environment": environment(threads=2),
        "batch": ("a" * 64,),
        "position": 0,
        "seconds": 1.5,
        "created": utc_now(),
    }
    return Receipt(**{**values, **changes})


@given(
    recipe=st.dictionaries(st.text(), JSON),
    batch=st.lists(KEYS, min_size=1, unique=True),
    seconds=st.floats(0, 1e6),
    data=st.data(),
)
def test_json_round_trip(recipe, batch, seconds, data):
    position = data.draw(st.integers(0, len(batch) - 1))
    receipt = receipt_of(
        key=batch[position],
        recipe=recipe,
        batch=tuple(batch),
        position=position,
        seconds=seconds,
    )
    text = receipt.to_json()
    assert text.isascii()
    assert Receipt.from_json(text) == receipt


def test_fields_of_later_versions_are_ignored():
    receipt = receipt_of()
    data = json.loads(receipt.to_json())
    data["mood"] = "good"
    data["environment"]["weather"] = "fair"
    assert Receipt.from_json(json.dumps(data)) == receipt


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{}", '{"environment": {}}', '{"environment": 3}', "[" * 100_000],
)
def test_what_is_no_receipt_is_refused(text):
    with pytest.raises(ValueError, match="no receipt"):
        Receipt.from_json(text)


@pytest.mark.parametrize("changes", [{"position": 1}, {"position": -1}, {"batch": ("c" * 64,)}])
def test_a_frame_that_is_not_in_its_batch_is_refused(changes):
    with pytest.raises(ValueError, match="not at its place"):
        Receipt.from_json(receipt_of(**changes).to_json())


def test_the_same_environment_has_no_differences():
    assert differences(environment(threads=2), environment(threads=2)) == []


def test_every_difference_is_named():
    then = environment(device="cpu", precision="float32", jit=False, threads=2)
    now = dataclasses.replace(
        then,
        versions={**then.versions, "numpy": "9.9", "keras-cv": "0.0"},
        platform="Plan9 mips",
        cpu="abacus",
        cpu_features=("asimd",),
        device="H100",
        precision="mixed_float16",
        jit=True,
        threads=None,
    )
    said = differences(then, now)
    assert f"numpy {then.versions['numpy']} then, 9.9 now" in said
    assert "XLA off then, on now" in said
    assert "threads 2 then, unknown now" in said
    assert "device cpu then, H100 now" in said
    assert "precision float32 then, mixed_float16 now" in said
    assert any(each.startswith("platform ") for each in said)
    assert any(each.startswith("CPU ") and "abacus now" in each for each in said)
    assert "CPU features asimd absent then, present now" in said
    changed = {field.name for field in dataclasses.fields(then)}
    assert changed == {  # a field that is added must get its words and a place in this test
        "versions",
        "platform",
        "cpu",
        "cpu_features",
        "device",
        "precision",
        "jit",
        "threads",
    }


def test_a_package_that_is_gone_is_named():
    then = environment()
    now = dataclasses.replace(then, versions={"python": then.versions["python"]})
    assert f"pillow {then.versions['pillow']} then, absent now" in differences(then, now)


def test_asking_for_the_environment_imports_no_tensorflow():
    code = (
        "import sys; from latent_assets.store import environment; environment();"
        "sys.exit(any(name.split('.')[0] in ('tensorflow', 'keras') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
