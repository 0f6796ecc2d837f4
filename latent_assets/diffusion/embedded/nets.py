"""The networks of the embedded model, in Keras: Stable Diffusion in small.

The calling convention is KerasCV's, so that one engine serves both (B pictures, 16 tokens):

    text_encoder(tokens int32 (B, 16))                            -> context (B, 16, 192)
    denoiser([latents (B, 16, 16, 16), time (B, 320), context])   -> noise (B, 16, 16, 16)
    decoder(latents (B, 16, 16, 16))                              -> pictures (B, 256, 256, 3)
    encoder(pictures (B, 256, 256, 3) in [-1, 1])                 -> latents (B, 16, 16, 16)

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
LATENT_CHANNELS = 16
LATENT_SHAPE = (LATENT_SIZE, LATENT_SIZE, LATENT_CHANNELS)
IMAGE_SIZE = 256

HEADS = 4
NORM_GROUPS = 16
EPSILON = 1e-5
MASKED = -1e9

FINE_WIDTH = 192
"""Channels of the denoiser at 8x8 positions (the 16x16 latents, folded 2x2)."""
COARSE_WIDTH = 256
"""Channels of the denoiser at 4x4 positions."""
ENCODER_WIDTHS = (48, 96, 160)
"""Channels of the encoder at 64x64, 32x32 and 16x16 positions."""
DECODER_WIDTHS = (192, 128, 64)
"""Channels of the decoder at 16x16, 32x32 and 64x64 positions."""
QUADRANTS = 2
"""The latents are cut so often along each side for what the denoiser is told of them as a whole."""
GIST_WIDTH = QUADRANTS * QUADRANTS * LATENT_CHANNELS
GIST_HIDDEN = 192
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

    hidden = _conv(_silu(_group_norm(x, f"{name}_norm1")), width, 3, f"{name}_conv1")
    hidden = _group_norm(hidden, f"{name}_norm2")
    if conditioning is not None:
        film = _dense(conditioning, 2 * width, f"{name}_film", zero=True)
        film = layers.Reshape((1, 1, 2 * width))(film)
        hidden = hidden * (1 + film[..., :width]) + film[..., width:]
    hidden = _conv(_silu(hidden), width, 3, f"{name}_conv2", zero=True)
    skip = x if x.shape[-1] == width else _conv(x, width, 1, f"{name}_skip")
    return hidden + skip


def _plain_block(x: Tensor, width: int, name: str) -> Tensor:
    """Two 3x3 convolutions around a skip, without normalisation: (B, H, W, width) -> the same."""
    hidden = _conv(_silu(x), width, 3, f"{name}_conv1")
    return x + _conv(_silu(hidden), width, 3, f"{name}_conv2", zero=True)


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
    positions = ops.reshape(_group_norm(x, f"{name}_norm"), (-1, height * width, channels))
    query = _dense(positions, channels, f"{name}_query")
    source = positions if context is None else context
    key_value = _dense(source, 2 * channels, f"{name}_key_value")
    mixed = _attend(query, key_value[..., :channels], key_value[..., channels:])
    out = _dense(mixed, channels, f"{name}_out", zero=True)
    return x + ops.reshape(out, (-1, height, width, channels))


# --- text encoder --------------------------------------------------------------------------


def _transformer_block(x: Tensor, mask: Tensor, name: str) -> Tensor:
    """Pre-norm self-attention and feed-forward: (B, T, D) -> (B, T, D)."""
    from keras import layers

    width = x.shape[-1]
    normed = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm1")(x)
    qkv = _dense(normed, 3 * width, f"{name}_qkv")
    mixed = _attend(qkv[..., :width], qkv[..., width : 2 * width], qkv[..., 2 * width :], mask)
    x = x + _dense(mixed, width, f"{name}_out", zero=True)
    normed = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm2")(x)
    hidden = _silu(_dense(normed, 3 * width, f"{name}_feed1"))
    return x + _dense(hidden, width, f"{name}_feed2", zero=True)


def build_context_encoder() -> Any:
    """Model [word vectors (B, 16, 128), presence (B, 16): 1 or 0] -> context (B, 16, 192).

    Apart from `build_text_encoder` so that training can put noise on the word vectors.
    """
    import keras
    from keras import layers, ops

    vectors = keras.Input((MAX_TOKENS, WORD_WIDTH), name="vectors")
    presence = keras.Input((MAX_TOKENS,), name="presence")
    # Not an embedding layer: all positions are looked up, and a product is as good.
    every = ops.zeros_like(presence)[..., None] + np.eye(MAX_TOKENS, dtype=np.float32)
    position = layers.Dense(CONTEXT_WIDTH, use_bias=False, name="position")(every)
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


def _time_of(time: Tensor, name: str) -> Tensor:
    """(B, 320) of the embedded timestep, for the sampling with many steps or with few."""
    return _dense(_silu(_dense(time, TIME_WIDTH, f"{name}1")), TIME_WIDTH, f"{name}2")


def gist_pattern() -> np.ndarray:
    """A chequerboard of 1 and -1, (16, 16, 1) float32: the direction in which pictures have least.

    What is added to the latents along it is told from what the picture has there itself.
    """
    places = np.arange(LATENT_SIZE)
    return (1 - 2.0 * ((places[:, None] + places) % 2))[..., None].astype(np.float32)


def gist_of(latents: Tensor) -> Tensor:
    """How much of the chequerboard each channel has in each quadrant: (B, 16, 16, 16) -> (B, 64).

    Float32; of unit normal noise it is unit normal. In it the noise says what no prompt says: how
    large a thing is, where it stands, how the light falls (see `training.coupling`).
    """
    from keras import ops

    side = LATENT_SIZE // QUADRANTS
    parts = ops.multiply(ops.cast(latents, "float32"), gist_pattern())
    parts = ops.reshape(parts, (-1, QUADRANTS, side, QUADRANTS, side, LATENT_CHANNELS))
    return ops.reshape(ops.mean(parts, axis=(2, 4)) * side, (-1, GIST_WIDTH))


def _condition(
    latents: Tensor, time: Tensor, context: Tensor, few: Tensor | bool, gist: bool
) -> Tensor:
    """What every residual block is told: (B, 320) of the time, the whole prompt and the latents.

    gist: whether it is told of the latents, see `gist_of`.
    few: whether this is a step of the sampling with few steps; in training (B, 1), 1 or 0.
    """
    if isinstance(few, bool):
        time = _time_of(time, "few" if few else "time")
    else:
        many = _time_of(time, "time")
        time = many + few * (_time_of(time, "few") - many)
    prompt = _dense(
        _silu(_dense(_summarise(context), TIME_WIDTH, "prompt1")), TIME_WIDTH, "prompt2"
    )
    if not gist:
        return _silu(time + prompt)
    hidden = _silu(_dense(gist_of(latents), GIST_HIDDEN, "gist1"))
    return _silu(time + prompt + _dense(hidden, TIME_WIDTH, "gist2", zero=True))


def _u_net(
    latents: Tensor, time: Tensor, context: Tensor, few: Tensor | bool, gist: bool
) -> Tensor:
    """The U-Net: 8x8 and 4x4 positions; (B, 16, 16, 16) -> velocity (B, 16, 16, 16)."""
    from keras import ops

    told = _condition(latents, time, context, few, gist)
    first = _conv(_fold(latents, 2), FINE_WIDTH, 3, "input")
    x = _residual_block(first, FINE_WIDTH, "down1", told)
    x = _image_attention(x, "down1_cross", context)
    fine = _residual_block(x, FINE_WIDTH, "down2", told)

    x = _residual_block(_downsample(fine, COARSE_WIDTH, "shrink"), COARSE_WIDTH, "down3", told)
    x = _image_attention(x, "down3_self")
    coarse1 = _image_attention(x, "down3_cross", context)
    coarse2 = _residual_block(coarse1, COARSE_WIDTH, "down4", told)

    x = _residual_block(coarse2, COARSE_WIDTH, "middle", told)
    x = _image_attention(x, "middle_self")
    x = _image_attention(x, "middle_cross", context)

    x = _conv(ops.concatenate([x, coarse2], axis=-1), COARSE_WIDTH, 1, "join4")
    x = _residual_block(x, COARSE_WIDTH, "up4", told)
    x = _conv(ops.concatenate([x, coarse1], axis=-1), COARSE_WIDTH, 1, "join3")
    x = _residual_block(_image_attention(x, "up3_cross", context), COARSE_WIDTH, "up3", told)

    x = _unfold(_conv(x, 4 * FINE_WIDTH, 1, "grow"), 2)
    x = _conv(ops.concatenate([x, fine], axis=-1), FINE_WIDTH, 1, "join2")
    x = _image_attention(_residual_block(x, FINE_WIDTH, "up2", told), "up2_cross", context)
    x = _conv(ops.concatenate([x, first], axis=-1), FINE_WIDTH, 1, "join1")
    x = _residual_block(_residual_block(x, FINE_WIDTH, "up1", told), FINE_WIDTH, "up0", told)
    x = _silu(_group_norm(x, "output_norm"))
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


def build_denoiser(few: bool = False, gist: bool = True) -> Any:
    """Model [latents (B, 16, 16, 16), time (B, 320), context (B, 16, 192)] -> noise like latents.

    few: for the sampling with few steps, which needs no guidance. Both share all weights but
    those of the time's embedding. gist: whether it reads the gist of the latents, as weights do
    whose noise was tied to the pictures in training.
    """
    import keras

    inputs = _denoiser_inputs()
    latents, time, context = inputs
    velocity = _u_net(latents, time, context, few, gist)
    return keras.Model(inputs, _noise_of_velocity(velocity, latents, time), name="denoiser")


def build_velocity_denoiser(gist: bool = True) -> Any:
    """The denoiser for training: [latents, time, context, few (B, 1)] -> velocity like latents.

    few: 1 where a row is a step of the sampling with few steps, 0 where it is not. gist: see
    `build_denoiser`.
    """
    import keras

    latents, time, context = _denoiser_inputs()
    few = keras.Input((1,), name="few")
    velocity = _u_net(latents, time, context, few, gist)
    return keras.Model([latents, time, context, few], velocity, name="denoiser")


def _denoiser_inputs() -> tuple[Tensor, Tensor, Tensor]:
    import keras

    return (
        keras.Input(LATENT_SHAPE, name="latents"),
        keras.Input((TIME_WIDTH,), name="time"),
        keras.Input((MAX_TOKENS, CONTEXT_WIDTH), name="context"),
    )


def time_embedding(timesteps: np.ndarray) -> np.ndarray:
    """(B,) integers -> (B, 320) float32: cosines, then sines, as Stable Diffusion has it."""
    half = TIME_WIDTH // 2
    frequencies = np.exp(-math.log(10000.0) * np.arange(half, dtype=np.float32) / half)
    angles = np.asarray(timesteps, np.float32)[:, None] * frequencies[None].astype(np.float32)
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=-1).astype(np.float32)


# --- autoencoder ---------------------------------------------------------------------------


def build_encoder() -> Any:
    """Model pictures (B, 256, 256, 3) in [-1, 1] -> latents (B, 16, 16, 16), unit variance."""
    import keras

    fine, middle, coarse = ENCODER_WIDTHS
    pictures = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="pictures")
    x = _residual_block(_conv(_fold(pictures, PATCH), fine, 3, "input"), fine, "fine1")
    x = _downsample(x, middle, "shrink1")
    for block in ("middle1", "middle2"):
        x = _residual_block(x, middle, block)
    x = _downsample(x, coarse, "shrink2")
    for block in ("coarse1", "coarse2"):
        x = _residual_block(x, coarse, block)
    return keras.Model(pictures, _conv(x, LATENT_CHANNELS, 3, "output"), name="encoder")


def build_decoder() -> Any:
    """Model latents (B, 16, 16, 16) -> pictures (B, 256, 256, 3), about [-1, 1].

    Wider than the encoder: what 16 numbers per 16x16 pixels cannot say, it has to know. The last
    level has no normalisation: it would cost as much as its convolutions.
    """
    import keras

    coarse, middle, fine = DECODER_WIDTHS
    latents = keras.Input(LATENT_SHAPE, name="latents")
    x = _conv(latents, coarse, 3, "input")
    for block in ("coarse1", "coarse2", "coarse3"):
        x = _residual_block(x, coarse, block)
    x = _unfold(_conv(x, 4 * middle, 1, "grow1"), 2)
    for block in ("middle1", "middle2"):
        x = _residual_block(x, middle, block)
    x = _unfold(_conv(x, 4 * fine, 1, "grow2"), 2)
    for block in ("fine1", "fine2"):
        x = _plain_block(x, fine, block)
    x = _conv(_silu(x), 3 * PATCH * PATCH, 3, "output")
    return keras.Model(latents, _unfold(x, PATCH), name="decoder")
