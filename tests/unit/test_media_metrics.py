"""The figures mean what they say: checked on walks whose smoothness is known."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from latent_assets.errors import MediaError
from latent_assets.media.metrics import (
    gini,
    measure,
    rms_distance,
    sharpness,
    shows_nothing,
    smoothness,
    ssim_distance,
)
from latent_assets.media.ssim import luma, ms_ssim, ssim


def picture(seed, size=(64, 48)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def smooth_picture(seed, size=(64, 64)):
    y, x = np.mgrid[: size[0], : size[1]] / 20
    phase = np.random.default_rng(seed).uniform(0, 6, 3)
    waves = np.sin(x[..., None] * (1 + phase) + y[..., None] + phase)
    return np.uint8(127 + 100 * waves)


def flat(value, size=(32, 32)):
    return np.full((*size, 3), value, np.uint8)


def test_ssim_is_that_of_scikit_image():
    a = luma(smooth_picture(1))
    b = a + np.random.default_rng(2).normal(0, 12, a.shape).astype(np.float32)
    _, expected = structural_similarity(
        a,
        b,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    assert ssim(a, b)[0] == pytest.approx(expected[5:-5, 5:-5].mean(), abs=1e-4)


def test_ms_ssim_weighs_five_scales_as_published():
    a = luma(smooth_picture(1, (192, 192)))
    b = a + np.random.default_rng(2).normal(0, 12, a.shape).astype(np.float32)
    expected, x, y = 1.0, a, b
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        expected *= ssim(x, y)[0 if scale == 4 else 1] ** weight
        x, y = (p.reshape(p.shape[0] // 2, 2, p.shape[1] // 2, 2).mean((1, 3)) for p in (x, y))
    assert ms_ssim(a, b) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("size", [(11, 11), (16, 40), (128, 128), (177, 181)])
def test_ms_ssim_is_one_for_equals_and_less_for_noise(size):
    a, b = luma(picture(1, size)), luma(picture(2, size))
    assert ms_ssim(a, a) == pytest.approx(1, abs=1e-5)
    assert ms_ssim(a, b) < 0.3
    assert ms_ssim(a, b) == pytest.approx(ms_ssim(b, a), abs=1e-6)


def test_ms_ssim_needs_a_window():
    with pytest.raises(ValueError, match="11 px"):
        ms_ssim(np.zeros((10, 50), np.float32), np.zeros((10, 50), np.float32))


def test_more_noise_is_a_larger_distance():
    a = smooth_picture(1)
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1, a.shape)
    noisy = [np.uint8(np.clip(a + s * noise, 0, 255)) for s in (0, 5, 20, 60)]
    for distance in (rms_distance, ssim_distance):
        values = [distance(a, each) for each in noisy]
        assert values == sorted(values)
        assert values[0] == pytest.approx(0, abs=1e-6)
    assert rms_distance(flat(0), flat(255)) == 1


def test_a_walk_at_constant_speed():
    frames = [flat(10 * i) for i in range(6)]
    found = measure(lambda: frames, distances=["rms"])
    figures = found.smoothness["rms"]
    assert found.frames == 6
    assert figures.adjacent == pytest.approx([10 / 255] * 5)
    assert figures.cv == pytest.approx(0, abs=1e-6)
    assert figures.max_over_median == pytest.approx(1)
    assert figures.directness == pytest.approx(1)
    assert figures.seam_ratio is None


def test_a_jump_and_a_detour_are_seen():
    values = [0, 10, 20, 120, 130, 20]
    figures = measure(lambda: [flat(v) for v in values], distances=["rms"]).smoothness["rms"]
    assert figures.max == pytest.approx(110 / 255)
    assert figures.max_over_median == pytest.approx(11)
    assert figures.directness == pytest.approx((10 + 10 + 100 + 10 + 110) / 20)


@pytest.mark.parametrize(("values", "ratio"), [([50, 60, 60.0, 50], 0), ([0, 10, 20, 30], 3)])
def test_the_seam_of_a_loop(values, ratio):
    figures = measure(lambda: [flat(v) for v in values], closed=True, distances=["rms"])
    found = figures.smoothness["rms"]
    assert found.directness is None
    assert found.seam_ratio == pytest.approx(ratio)


def test_a_perfect_loop_has_a_seam_like_every_other_step():
    values = [100 + 50 * np.array([np.cos(a), np.sin(a), 0]) for a in np.arange(12) * np.pi / 6]
    frames = [np.full((16, 16, 3), v).round().astype(np.uint8) for v in values]
    figures = measure(lambda: frames, closed=True, distances=["rms"]).smoothness["rms"]
    assert figures.seam_ratio == pytest.approx(1, abs=0.05)
    assert figures.cv < 0.05


def test_faulty_frames_are_numbered():
    frames = [picture(0), flat(0), flat(0), flat(77), picture(4), picture(4)]
    found = measure(lambda: [np.resize(f, (32, 32, 3)) for f in frames], distances=[])
    assert found.faults.as_dict() == {"black": [1, 2], "constant": [3], "repeated": [2, 5]}
    assert found.faults
    assert not measure(lambda: [picture(0), picture(1)]).faults


def test_dark_pictures_with_content_are_no_fault():
    night = np.zeros((32, 32, 3), np.uint8)
    night[3, 3] = 255
    assert shows_nothing(night) is None
    assert shows_nothing(flat(3)) == "black"
    assert shows_nothing(flat(255)) == "constant"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 255), min_size=1, max_size=5), st.booleans())
def test_every_walk_has_finite_figures(values, closed):
    found = measure(lambda: [flat(v, (16, 16)) for v in values], closed=closed)
    json.dumps(found.as_dict(), allow_nan=False)
    assert found.faults.as_dict()["repeated"] == [
        i for i in range(1, len(values)) if values[i] == values[i - 1]
    ]


def test_no_frames_and_odd_frames_are_told():
    with pytest.raises(MediaError, match="no frames"):
        measure(list)
    with pytest.raises(MediaError, match="frame 1 is 3x5 px, frame 0 is 32x32 px"):
        measure(lambda: [flat(1), flat(1, (5, 3))])


@pytest.mark.parametrize(
    ("values", "expected"),
    [([3, 3, 3], 0), ([0, 0, 0, 1], 3 / 4), ([1, 3], 1 / 4), ([], 0), ([0, 0], 0)],
)
def test_gini_is_that_of_the_textbook(values, expected):
    assert gini(values) == pytest.approx(expected)
    assert smoothness(values, 1).evenness == pytest.approx(1 - expected)


def test_length_spread_and_variance_are_those_of_the_steps():
    figures = smoothness([1, 2, 3, 6], 4)
    assert figures.length == 12
    assert figures.variance == pytest.approx(3.5)
    assert figures.sd == pytest.approx(3.5**0.5)
    assert figures.cv == pytest.approx(3.5**0.5 / 3)


def test_istd_is_of_eleven_pictures_spread_over_the_walk():
    # 21 frames: every second one counts; one step of twice the length among ten of them.
    values = [5 * i for i in range(11)] + [5 * i + 10 for i in range(11, 21)]
    found = measure(lambda: [flat(v) for v in values], distances=[], count=21).istd
    steps = np.array([10] * 5 + [20] + [10] * 4) / 255
    assert found.rms == pytest.approx(steps.std(), rel=1e-5)
    assert found.l2 == pytest.approx(steps.std() * (32 * 32 * 3) ** 0.5, rel=1e-5)


def test_istd_needs_eleven_pictures():
    assert measure(lambda: [flat(v) for v in range(10)], distances=[], count=10).istd is None


def test_a_fade_of_two_pictures_is_less_sharp_than_either():
    a, b = picture(1), picture(2)
    ghost = np.uint8((a.astype(int) + b) // 2)
    assert sharpness(ghost) < 0.8 * min(sharpness(a), sharpness(b))
    assert sharpness(flat(9)) == 0
    assert sharpness(flat(9, (2, 2))) == 0
    found = measure(lambda: [a, ghost, b], distances=[])
    assert found.sharpness == pytest.approx(np.mean([sharpness(each) for each in (a, ghost, b)]))


@pytest.mark.parametrize("side", [8, 9, 64])
def test_a_frame_with_one_small_thing_shows_something(side):
    """A part of the pixels is looked at first: what it does not see still counts."""
    picture = np.full((side, side, 3), 120, np.uint8)
    assert shows_nothing(picture) == "constant"
    picture[1:4, 1:4] = 250
    assert shows_nothing(picture) is None
    dark = np.zeros((side, side, 3), np.uint8)
    assert shows_nothing(dark) == "black"
    dark[1:4, 1:4] = 200
    assert shows_nothing(dark) is None


def test_planes_of_two_sizes_are_not_compared():
    with pytest.raises(ValueError, match="one size"):
        ms_ssim(np.zeros((20, 20), np.float32), np.zeros((20, 30), np.float32))
