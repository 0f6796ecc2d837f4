"""The network that makes pictures larger gives what ncnn gives, and the same bytes each time."""

from pathlib import Path

import numpy as np
import pytest
from fakes import UPSCALER
from PIL import Image

from latent_assets.upscaling import open_upscaling
from latent_assets.upscaling.network import Upscaler

pytestmark = pytest.mark.engine
EXPECTED = Path(__file__).with_name("upscaled-by-ncnn.npz")  # scripts/convert_upscaler.py --check


@pytest.fixture(scope="module")
def picture():
    with np.load(EXPECTED) as arrays:
        return arrays["picture"]


@pytest.fixture(scope="module")
def by_ncnn():
    with np.load(EXPECTED) as arrays:
        return arrays["upscaled"].astype(int)


def test_four_times_as_large_is_what_ncnn_gives(picture, by_ncnn):
    found = open_upscaling("network", 4, UPSCALER).enlarge(picture)
    assert found.shape == (160, 224, 3)
    apart = np.abs(found - by_ncnn)
    assert apart.max() <= 1  # on the edge of two levels
    assert (apart > 0).mean() < 0.001


def test_twice_as_large_is_the_mean_of_its_pixels(picture, by_ncnn):
    found = open_upscaling("network", 2, UPSCALER).enlarge(picture)
    means = by_ncnn.reshape(80, 2, 112, 2, 3).mean(axis=(1, 3))
    assert np.abs(found - means).max() <= 1


def test_another_size_and_the_first_again_give_the_same_bytes(picture):
    enlarge = open_upscaling("network", 4, UPSCALER).enlarge
    first = enlarge(picture)
    enlarge(picture[:8, :24])
    assert np.array_equal(first, enlarge(picture))


def test_altered_weights_are_refused(tmp_path):
    for file in UPSCALER.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    upscaler = Upscaler(tmp_path)
    with pytest.raises(Exception, match=r"is not the file that model\.json describes"):
        upscaler.enlarge(np.asarray(Image.new("RGB", (8, 8))))
