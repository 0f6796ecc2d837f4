"""How the embedded model is made. Never imported by rendering.

`python -m latent_assets.training data|autoencoder|denoiser|evaluate|export` are its steps; see
docs/embedded-model.md. The work directory (pictures, checkpoints, logs) is not in the repository.
"""
