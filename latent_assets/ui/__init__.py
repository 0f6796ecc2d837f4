"""The one process behind `latent-assets ui`: pages on one port, and the processes behind them.

Here belongs what puts them together: Dagster's pages and the gallery's behind the guard of
`web`, Dagster's daemon and code server as children that end with this process. What a page shows
does not belong here.
"""

from latent_assets.ui.app import run_ui

__all__ = ["run_ui"]
