"""The user's own models: which there are, by name, and what a model file says of one.

    data/models/NAME.safetensors    a checkpoint in one file
    data/models/NAME/               a folder in diffusers' layout, or with KerasCV's three h5 files
    data/models/NAME.yaml           a model file: a base, and what is put on top of it

What the files hold is told by `diffusion.checkpoints`; here are names and places.
"""

from latent_assets.models.library import BUILT_IN, ModelLibrary

__all__ = ["BUILT_IN", "ModelLibrary"]
