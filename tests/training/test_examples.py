"""What the denoiser learns from while other processes compose, or once they have."""

from __future__ import annotations

import numpy as np
import pytest
from fake_composing import Composing

from latent_assets.diffusion.embedded.nets import LATENT_SHAPE
from latent_assets.training.examples import LiveLatents
from latent_assets.training.stream import Chunk

CAPTIONS = 4


def chunk(level):
    pixels = np.full((3, 256, 256, 3), level, np.uint8)
    tokens = np.full((3, CAPTIONS, 2, 16), 100 * level, np.int16)
    tokens += np.arange(CAPTIONS, dtype=np.int16)[:, None, None]
    levels = np.full(3, level, np.float32)
    return Chunk(pixels, tokens, levels, np.repeat(levels[:, None], 64, axis=1), [])


def encode(pixels):
    return np.broadcast_to(pixels[:, 0, 0, 0, None, None, None], (len(pixels), *LATENT_SHAPE))


def drawn(examples):
    """The levels of 200 rows; all columns of a row are of one picture."""
    latents, tokens, weights, codes = map(np.asarray, examples.draw(200))
    assert (latents.shape, latents.dtype) == ((200, *LATENT_SHAPE), np.float32)
    assert (tokens.shape, tokens.dtype) == ((200, 2, 16), np.int32)
    assert (tokens // 100 == weights[:, None, None]).all()
    assert (codes == weights[:, None]).all()
    assert (latents[:, 0, 0, 0] == weights).all()
    assert set((tokens[:, 0, 0] % 100).tolist()) == set(range(CAPTIONS))
    return set(weights.tolist())


def test_the_denoiser_may_have_all_cores_once_its_pictures_are_composed():
    composing = Composing(chunk)
    examples = LiveLatents(composing, encode, seed=1, before=7)
    assert (composing.made, composing.closed) == (3, True)
    examples.tend()
    assert composing.made == 3
    # Nine were made and seven are kept: the two of the oldest that had to go are of level 1.
    assert drawn(examples) == {1, 2, 3}


def test_the_denoiser_learns_from_new_pictures_meanwhile(monkeypatch):
    monkeypatch.setattr("latent_assets.training.examples.FIRST_PICTURES", 7)
    composing = Composing(chunk)
    examples = LiveLatents(composing, encode, seed=1)
    assert (composing.made, composing.closed) == (3, False)
    examples.tend()
    assert composing.made == 4
    assert drawn(examples) == {1, 2, 3, 4}


@pytest.mark.parametrize("before", [None, 3])
def test_rows_are_drawn_alike_from_one_seed(before, monkeypatch):
    monkeypatch.setattr("latent_assets.training.examples.FIRST_PICTURES", 3)
    first, second = (LiveLatents(Composing(chunk), encode, 5, before).draw(50) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
