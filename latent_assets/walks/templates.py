"""Walk files to begin with, one of each kind, every field explained."""

_HEAD = "# yaml-language-server: $schema=./schema.json\nkind: {kind}\n"

_COMMON = """
seed: 0                 # determines the noise, the same on every machine
guidance_scale: 3       # how closely the pictures follow the prompt; 1 switches guidance off
num_steps: 25           # denoising steps per frame
# batch_size: 6         # frames per forward pass; left out: what is fast here, by measurement
# negative_prompt: ""   # what the pictures should not show
# prompt_syntax: weighted   # (word:1.3), [word], BREAK, more than 75 tokens
# sampler: ddim         # or dpm++2m, euler, lcm, tuned
# size: 512             # pixels, or [height, width]; default: the model's own size
# model: embedded       # or stable-diffusion-1, stable-diffusion-2.1, or your own in data/models
"""

_MOVING = """
output:
  formats: [gif]        # gif, webp, mp4, apng, avif, html
  fps: 12
  ping_pong: {ping_pong}      # there and back again
# schedule: {{cron: "0 2 * * *", timezone: Europe/Berlin}}   # off until switched on in the web UI
"""

TEMPLATES = {
    "interpolation": """
prompts:                # two or more; for places, seeds and easing write `keyframes:` instead
  - a strawberry on a pink background
  - a sunflower in a meadow
frames: 24              # length of the walk
closed: false           # true: walk back to the first prompt, a loop
method: lerp            # or slerp
noise: fixed            # or varying, loop
"""
    + _COMMON
    + _MOVING.format(ping_pong="true "),
    "grid": """
prompts:                # top left, top right, bottom left, bottom right
  - a red apple
  - a banana
  - a strawberry
  - a lemon
grid_size: 5            # n: the grid has n by n pictures
noise: fixed            # or varying: each picture from noise of its own
"""
    + _COMMON,
    "prompt_walk": """
prompt: an owl in a forest
frames: 36
direction: orbit        # a closed circle; or constant (every element alike), random
step_size: 0.05         # change of the encoding from frame to frame, root mean square
noise: fixed
"""
    + _COMMON
    + _MOVING.format(ping_pong="false"),
    "noise_loop": """
prompt: a butterfly in a meadow
frames: 48              # once round a circle through the noise, no frame repeated
"""
    + _COMMON
    + _MOVING.format(ping_pong="false"),
    "guidance_sweep": """
prompt: a penguin in the snow
guidance_scales: [1, 1.5, 2, 3, 4, 5, 6, 8, 10]   # a frame for each
"""
    + _COMMON.replace(
        "guidance_scale: 3       # how closely the pictures follow the prompt;"
        " 1 switches guidance off\n",
        "",
    )
    + _MOVING.format(ping_pong="true "),
}


def walk_template(kind: str) -> str:
    """The text of a walk file of this kind; it is valid as it stands."""
    return _HEAD.format(kind=kind) + TEMPLATES[kind].lstrip("\n")
