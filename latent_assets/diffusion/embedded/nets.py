"""The networks of the embedded model, in Keras: Stable Diffusion in small.

The calling convention is KerasCV's, so that one engine serves both (B pictures, 16 tokens):

    text_encoder(tokens int32 (B, 16))                            -> context (B, 16, 192)
    denoiser([latents (B, 16, 16, 4), time (B, 320), context])    -> noise (B, 16, 16, 4)
    decoder(latents (B, 16, 16, 4))                               -> pictures (B, 128, 128, 3)
    encoder(pictures (B, 128, 128, 3) in [-1, 1])                 -> latents (B, 16, 16, 4)

Token 0 is padding: its row of the context is zero, and an all-zero context is the unconditional
one. Architecture after Rombach et al. 2022 (latent diffusion: U-Net with cross-attention), with
Perez et al. 2018 (FiLM) for the time and Salimans & Ho 2022 for the velocity that is predicted
inside. Sub-pixel folding (Shi et al. 2016) keeps the work at few, wide positions, which is what
a CPU is good at.

Every layer has a name, and a weight is known by the names of its model, its layer and itself.
Keras is imported inside the functions: importing this module costs nothing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from latent_assets.diffusion.schedule import NUM_TRAIN_TIMESTEPS, alphas_cumprod

MAX_TOKENS = 16
WORD_WIDTH = 128
CONTEXT_WIDTH = 192
TIME_WIDTH = 320
LATENT_SIZE = 16
LATENT_CHANNELS = 4
IMAGE_SIZE = 128

HEADS = 4
NORM_GROUPS = 16
EPSILON = 1e-5
MASKED = -1e9

FINE_WIDTH = 96
"""Channels of the denoiser at 8x8 positions (the 16x16 latents, folded 2x2)."""
COARSE_WIDTH = 192
"""Channels of the denoiser at 4x4 positions."""
ENCODER_WIDTH = 80
DECODER_WIDTHS = (96, 64, 32)
"""Channels of the decoder at 16x16, 32x32 and 64x64 positions."""
PATCH = 4
"""The encoder folds 4x4 pixels into one position."""

Tensor = Any


# --- building blocks -----------------------------------------------------------------------


def _fold(x: Tensor, factor: int) -> Tensor:
    """Space to depth: (B, H, W, C) -> (B, H/f, W/f, C*f*f), channel-major."""
    from keras import ops

    _, height, width, channels = x.shape
    x = ops.reshape(x, (-1, height // factor, factor, width // factor, factor, channels))
    x = ops.transpose(x, (0, 1, 3, 5, 2, 4))
    return ops.reshape(x, (-1, height // factor, width // factor, channels * factor * factor))


def _unfold(x: Tensor, factor: int) -> Tensor:
    """Depth to space, the inverse of `_fold`: (B, H, W, C*f*f) -> (B, H*f, W*f, C)."""
    from keras import ops

    _, height, width, channels = x.shape
    channels //= factor * factor
    x = ops.reshape(x, (-1, height, width, channels, factor, factor))
    x = ops.transpose(x, (0, 1, 4, 2, 5, 3))
    return ops.reshape(x, (-1, height * factor, width * factor, channels))


def _conv(x: Tensor, channels: int, kernel: int, name: str, zero: bool = False) -> Tensor:
    """Convolution that keeps the size; `zero` starts it at zero (a residual branch's end)."""
    from keras import layers

    initializer = "zeros" if zero else "glorot_uniform"
    layer = layers.Conv2D(
        channels, kernel, padding="same", kernel_initializer=initializer, name=name
    )
    return layer(x)


def _downsample(x: Tensor, channels: int, name: str) -> Tensor:
    """Strided convolution, padded by 1 on every side: (B, H, W, C) -> (B, H/2, W/2, channels)."""
    from keras import layers

    return layers.Conv2D(channels, 3, strides=2, name=name)(layers.ZeroPadding2D(1)(x))


def _dense(x: Tensor, width: int, name: str, zero: bool = False) -> Tensor:
    from keras import layers

    initializer = "zeros" if zero else "glorot_uniform"
    return layers.Dense(width, kernel_initializer=initializer, name=name)(x)


def _group_norm(x: Tensor, name: str) -> Tensor:
    from keras import layers

    return layers.GroupNormalization(NORM_GROUPS, epsilon=EPSILON, name=name)(x)


def _silu(x: Tensor) -> Tensor:
    from keras import activations

    return activations.silu(x)


def _residual_block(x: Tensor, width: int, name: str, conditioning: Tensor = None) -> Tensor:
    """Two normalised 3x3 convolutions around a skip: (B, H, W, C) -> (B, H, W, width).

    conditioning: (B, E), scales and shifts the channels in the middle.
    """
    from keras import layers

    hidden = _conv(_silu(_group_norm(x, f"{name}.norm1")), width, 3, f"{name}.conv1")
    hidden = _group_norm(hidden, f"{name}.norm2")
    if conditioning is not None:
        film = _dense(conditioning, 2 * width, f"{name}.film", zero=True)
        film = layers.Reshape((1, 1, 2 * width))(film)
        hidden = hidden * (1 + film[..., :width]) + film[..., width:]
    hidden = _conv(_silu(hidden), width, 3, f"{name}.conv2", zero=True)
    skip = x if x.shape[-1] == width else _conv(x, width, 1, f"{name}.skip")
    return hidden + skip


def _split_heads(x: Tensor) -> Tensor:
    """(B, N, C) -> (B, heads, N, C/heads)."""
    from keras import ops

    count, width = x.shape[1:]
    return ops.transpose(ops.reshape(x, (-1, count, HEADS, width // HEADS)), (0, 2, 1, 3))


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor = None) -> Tensor:
    """Scaled dot-product attention over (B, N, C) tensors; mask (B, N_key): 1 looks, 0 does not."""
    from keras import ops

    count, width = query.shape[1:]
    query, key, value = _split_heads(query), _split_heads(key), _split_heads(value)
    scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) / math.sqrt(width // HEADS)
    if mask is not None:
        scores = scores + ((1 - mask) * MASKED)[:, None, None, :]
    mixed = ops.matmul(ops.softmax(scores, axis=-1), value)
    return ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (-1, count, width))


def _image_attention(x: Tensor, name: str, context: Tensor = None) -> Tensor:
    """Attention of the positions of (B, H, W, C) to the context (B, T, D), or to themselves."""
    from keras import ops

    _, height, width, channels = x.shape
    positions = ops.reshape(_group_norm(x, f"{name}.norm"), (-1, height * width, channels))
    query = _dense(positions, channels, f"{name}.query")
    source = positions if context is None else context
    key_value = _dense(source, 2 * channels, f"{name}.key_value")
    mixed = _attend(query, key_value[..., :channels], key_value[..., channels:])
    out = _dense(mixed, channels, f"{name}.out", zero=True)
    return x + ops.reshape(out, (-1, height, width, channels))


# --- text encoder --------------------------------------------------------------------------


def _transformer_block(x: Tensor, mask: Tensor, name: str) -> Tensor:
    """Pre-norm self-attention and feed-forward: (B, T, D) -> (B, T, D)."""
    from keras import layers

    width = x.shape[-1]
    normed = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}.norm1")(x)
    qkv = _dense(normed, 3 * width, f"{name}.qkv")
    mixed = _attend(qkv[..., :width], qkv[..., width : 2 * width], qkv[..., 2 * width :], mask)
    x = x + _dense(mixed, width, f"{name}.out", zero=True)
    normed = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}.norm2")(x)
    hidden = _silu(_dense(normed, 3 * width, f"{name}.feed1"))
    return x + _dense(hidden, width, f"{name}.feed2", zero=True)


def build_context_encoder() -> Any:
    """Model [word vectors (B, 16, 128), presence (B, 16): 1 or 0] -> context (B, 16, 192).

    Apart from `build_text_encoder` so that training can put noise on the word vectors.
    """
    import keras
    from keras import layers, ops

    vectors = keras.Input((MAX_TOKENS, WORD_WIDTH), name="vectors")
    presence = keras.Input((MAX_TOKENS,), name="presence")
    index = ops.cast(ops.cumsum(ops.ones_like(presence), axis=1) - 1, "int32")
    position = layers.Embedding(MAX_TOKENS, CONTEXT_WIDTH, name="position")(index)
    x = _dense(vectors, CONTEXT_WIDTH, "project") + position
    # Attention over nothing is not a number: the first token always counts.
    visible = ops.concatenate([ops.ones_like(presence[:, :1]), presence[:, 1:]], axis=1)
    for block in ("block1", "block2"):
        x = _transformer_block(x, visible, block)
    x = layers.LayerNormalization(epsilon=EPSILON, name="norm")(x)
    return keras.Model([vectors, presence], x * presence[..., None], name="context_encoder")


def build_text_encoder(context_encoder: Any, word_vectors: np.ndarray) -> Any:
    """Model tokens (B, 16) int32 -> context (B, 16, 192); word_vectors: (V, 128), not trained."""
    import keras
    from keras import layers, ops

    tokens = keras.Input((MAX_TOKENS,), dtype="int32", name="tokens")
    table = layers.Embedding(len(word_vectors), WORD_WIDTH, trainable=False, name="words")
    vectors = table(tokens)
    table.set_weights([np.asarray(word_vectors, np.float32)])
    context = context_encoder([vectors, ops.cast(tokens > 0, "float32")])
    return keras.Model(tokens, context, name="text_encoder")


# --- denoiser ------------------------------------------------------------------------------


def _summarise(context: Tensor) -> Tensor:
    """Attention-pooled context, four heads: (B, T, D) -> (B, 4*D). Zero rows do not count."""
    from keras import ops

    present = ops.cast(ops.sum(ops.abs(context), axis=-1, keepdims=True) > 0, "float32")
    scores = _dense(context, HEADS, "pool") * present - 30.0 * (1 - present)
    weights = ops.transpose(ops.softmax(scores, axis=1), (0, 2, 1))
    return ops.reshape(ops.matmul(weights, context), (-1, HEADS * context.shape[-1]))


def _condition(time: Tensor, context: Tensor) -> Tensor:
    """What every residual block is told: (B, 320) of the time and the whole prompt."""
    time = _dense(_silu(_dense(time, TIME_WIDTH, "time1")), TIME_WIDTH, "time2")
    prompt = _dense(
        _silu(_dense(_summarise(context), TIME_WIDTH, "prompt1")), TIME_WIDTH, "prompt2"
    )
    return _silu(time + prompt)


def _u_net(latents: Tensor, time: Tensor, context: Tensor) -> Tensor:
    """The U-Net: 8x8 and 4x4 positions; (B, 16, 16, 4) -> velocity (B, 16, 16, 4)."""
    from keras import ops

    told = _condition(time, context)
    first = _conv(_fold(latents, 2), FINE_WIDTH, 3, "input")
    x = _residual_block(first, FINE_WIDTH, "down1", told)
    x = _image_attention(x, "down1.cross", context)
    fine = _residual_block(x, FINE_WIDTH, "down2", told)

    x = _residual_block(_downsample(fine, COARSE_WIDTH, "shrink"), COARSE_WIDTH, "down3", told)
    x = _image_attention(x, "down3.self")
    coarse1 = _image_attention(x, "down3.cross", context)
    coarse2 = _residual_block(coarse1, COARSE_WIDTH, "down4", told)

    x = _residual_block(coarse2, COARSE_WIDTH, "middle", told)
    x = _image_attention(x, "middle.self")
    x = _image_attention(x, "middle.cross", context)

    x = _conv(ops.concatenate([x, coarse2], axis=-1), COARSE_WIDTH, 1, "join4")
    x = _residual_block(x, COARSE_WIDTH, "up4", told)
    x = _conv(ops.concatenate([x, coarse1], axis=-1), COARSE_WIDTH, 1, "join3")
    x = _residual_block(_image_attention(x, "up3.cross", context), COARSE_WIDTH, "up3", told)

    x = _unfold(_conv(x, 4 * FINE_WIDTH, 1, "grow"), 2)
    x = _conv(ops.concatenate([x, fine], axis=-1), FINE_WIDTH, 1, "join2")
    x = _image_attention(_residual_block(x, FINE_WIDTH, "up2", told), "up2.cross", context)
    x = _conv(ops.concatenate([x, first], axis=-1), FINE_WIDTH, 1, "join1")
    x = _silu(_group_norm(_residual_block(x, FINE_WIDTH, "up1", told), "output.norm"))
    return _unfold(_conv(x, 4 * LATENT_CHANNELS, 3, "output", zero=True), 2)


def _noise_of_velocity(velocity: Tensor, latents: Tensor, time: Tensor) -> Tensor:
    """Noise is sqrt(a) * velocity + sqrt(1 - a) * latents (Salimans & Ho 2022).

    The timestep is read back from the slowest sine of the time embedding: KerasCV's calling
    convention hands over the embedding alone.
    """
    from keras import ops

    half = TIME_WIDTH // 2
    slowest = math.exp(-math.log(10000.0) * (half - 1) / half)
    timestep = ops.cast(ops.round(ops.arcsin(time[:, TIME_WIDTH - 1]) / slowest), "int32")
    timestep = ops.clip(timestep, 0, NUM_TRAIN_TIMESTEPS - 1)
    table = ops.convert_to_tensor(alphas_cumprod().astype(np.float32))
    alpha = ops.take(table, timestep)[:, None, None, None]
    return ops.sqrt(alpha) * velocity + ops.sqrt(1 - alpha) * latents


def build_denoiser(predict: str = "noise") -> Any:
    """Model [latents (B, 16, 16, 4), time (B, 320), context (B, 16, 192)] -> (B, 16, 16, 4).

    predict: `noise` for sampling, `velocity` for training.
    """
    import keras

    latents = keras.Input((LATENT_SIZE, LATENT_SIZE, LATENT_CHANNELS), name="latents")
    time = keras.Input((TIME_WIDTH,), name="time")
    context = keras.Input((MAX_TOKENS, CONTEXT_WIDTH), name="context")
    out = _u_net(latents, time, context)
    if predict == "noise":
        out = _noise_of_velocity(out, latents, time)
    return keras.Model([latents, time, context], out, name="denoiser")


def time_embedding(timesteps: np.ndarray) -> np.ndarray:
    """(B,) integers -> (B, 320) float32: cosines, then sines, as Stable Diffusion has it."""
    half = TIME_WIDTH // 2
    frequencies = np.exp(-math.log(10000.0) * np.arange(half, dtype=np.float32) / half)
    angles = np.asarray(timesteps, np.float32)[:, None] * frequencies[None].astype(np.float32)
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=-1).astype(np.float32)


# --- autoencoder ---------------------------------------------------------------------------


def build_encoder() -> Any:
    """Model pictures (B, H, W, 3) in [-1, 1] -> latents (B, H/8, W/8, 4), about unit variance."""
    import keras

    pictures = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="pictures")
    x = _downsample(_fold(pictures, PATCH), ENCODER_WIDTH, "input")
    for block in ("block1", "block2"):
        x = _residual_block(x, ENCODER_WIDTH, block)
    x = _conv(_silu(_group_norm(x, "output.norm")), LATENT_CHANNELS, 3, "output")
    return keras.Model(pictures, x, name="encoder")


def build_decoder() -> Any:
    """Model latents (B, 16, 16, 4) -> pictures (B, 128, 128, 3), about [-1, 1].

    Wider than the encoder: what 4 numbers per 8x8 pixels cannot say, it has to know. The last
    level has no normalisation: it would cost more than its convolutions.
    """
    import keras

    coarse, fine, finest = DECODER_WIDTHS
    latents = keras.Input((LATENT_SIZE, LATENT_SIZE, LATENT_CHANNELS), name="latents")
    x = _conv(latents, coarse, 3, "input")
    for block in ("coarse1", "coarse2", "coarse3"):
        x = _residual_block(x, coarse, block)
    x = _unfold(_conv(x, 4 * fine, 1, "grow1"), 2)
    for block in ("fine1", "fine2", "fine3"):
        x = _residual_block(x, fine, block)
    x = _conv(_silu(_group_norm(x, "output.norm")), 4 * finest, 1, "grow2")
    x = _silu(_conv(_silu(_unfold(x, 2)), finest, 3, "finest1"))
    x = _unfold(_conv(x, 3 * 2 * 2, 3, "output"), 2)
    return keras.Model(latents, x, name="decoder")
