"""`latent-assets ui` on models of numpy alone: the arguments are those of the command."""

import functools

import latent_assets.ui
from latent_assets.cli import main

latent_assets.ui.run_ui = functools.partial(latent_assets.ui.run_ui, definitions="fake_workspace")
main()
